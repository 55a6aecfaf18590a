"""The arguments of each verb of the command line."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4")
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")


def none(parser: ArgumentParser) -> None:
    pass


def address(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1; 0.0.0.0 for all)"
    )
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (default: 8000)")


def serve(parser: ArgumentParser) -> None:
    address(parser)
    parser.add_argument("--config", type=Path, metavar="DIR", help="configuration as code, applied at each start")


def engine(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--health-port", type=_port, metavar="PORT", help="serve /healthz and /metrics here, for example 9464"
    )


def plan(parser: ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="directory of *.yaml documents")
    parser.add_argument(
        "--owner", default="config", help="whose documents these are; others' are not touched (default: config)"
    )
    parser.add_argument(
        "--prune", action="store_true", help="also delete what this owner applied before and is gone from DIR"
    )


def export(parser: ArgumentParser) -> None:
    parser.add_argument(
        "directory",
        type=Path,
        metavar="DIR",
        nargs="?",
        help="write files there (default: one stream to standard output)",
    )
    parser.add_argument("--with-contacts", action="store_true", help="with the addresses of people's contact methods")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="instead: all runbooks as pages that need no server, to read and to print",
    )


def doctor(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--deep", action="store_true", help="also look through the live data: does every promise of paging hold?"
    )


def backup(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the archive to write, for example midwatch.tar.gz")
    parser.add_argument("--force", action="store_true", help="replace FILE when it exists")


def restore(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", nargs="?", help="an archive that `midwatch backup` wrote")
    parser.add_argument(
        "--force", action="store_true", help="put aside what is in the data directory (PostgreSQL: replace it)"
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--list", dest="act", action="store_const", const="list", help="what would be paged on release")
    one.add_argument(
        "--release", dest="act", action="store_const", const="release", help="end the hold: page what is due"
    )
    one.add_argument(
        "--drop", dest="act", action="store_const", const="drop", help="it was a drill: never page any of it"
    )
    one.add_argument(
        "--hold", dest="act", action="store_const", const="hold", help="put what is here on hold (after a snapshot)"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, with --hold")


def move(parser: ArgumentParser) -> None:
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument(
        "--to", metavar="DATABASE_URL", help="an empty database: postgresql://user@host/name (password: ~/.pgpass)"
    )
    one.add_argument("--back", action="store_true", help="make the old data directory usable again")


def user_create(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="the slug used in configuration and commands: ana")
    parser.add_argument(
        "--display-name", default="", metavar="TEXT", help='as people read it: "Ana Novak" (default: the name)'
    )
    parser.add_argument("--email", default="", metavar="ADDRESS")
    parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="Europe/Prague (default: UTC)")
    parser.add_argument("--role", default="member", choices=("administrator", "member", "viewer"))
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input, instead of printing an invitation link",
    )


def user_token(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="whose token")
    parser.add_argument("--label", default="command line", metavar="TEXT", help="what the token is for")
    parser.add_argument("--days", type=_days, metavar="N", help="it ends after so many days (default: never)")


def user_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="the person")


def user_deactivate(parser: ArgumentParser) -> None:
    user_name(parser)
    parser.add_argument("--force", action="store_true", help="also when somebody's page would then reach nobody")


def who(parser: ArgumentParser) -> None:
    parser.add_argument("team", nargs="?", default="", help="only this team's schedules")
    parser.add_argument(
        "--at", metavar="TIME", help="2026-01-05T09:00+01:00, or 2026-01-05T09:00 in UTC (default: now)"
    )


def page(parser: ArgumentParser) -> None:
    parser.add_argument(
        "target", help="a person, team, service or schedule; team:NAME when the name alone is ambiguous"
    )
    parser.add_argument("message", help="what it is about")
    parser.add_argument(
        "--priority",
        default="P1",
        type=str.upper,
        choices=PRIORITIES,
        help="P1 and P2 ring (default: P1)",
    )
    parser.add_argument("--description", default="", metavar="TEXT", help="what the person needs to know besides")


def numbers(parser: ArgumentParser) -> None:
    parser.add_argument("numbers", nargs="+", type=_number, metavar="N", help="alert numbers")


def snooze(parser: ArgumentParser) -> None:
    numbers(parser)
    parser.add_argument("--for", dest="length", default="1h", metavar="LENGTH", help="30m, 2h, 1d (default: 1h)")


def note(parser: ArgumentParser) -> None:
    number(parser)
    parser.add_argument("text", help="the note")


def assign(parser: ArgumentParser) -> None:
    number(parser)
    parser.add_argument("person", help="who has it from now on")


def number(parser: ArgumentParser) -> None:
    parser.add_argument("number", type=_number, metavar="N", help="alert number")


def alerts(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--status",
        action="append",
        default=[],
        choices=("open", "firing", "acknowledged", "resolved", "all"),
        help="default: open; may be repeated",
    )
    parser.add_argument("--team", default="", help="only this team's")
    parser.add_argument("--service", default="", help="only this service's")
    parser.add_argument("--priority", action="append", default=[], type=str.upper, choices=PRIORITIES)
    parser.add_argument("--query", default="", metavar="TEXT", help="words of the title")
    parser.add_argument("--before", type=_number, metavar="N", help="older than this alert")
    parser.add_argument("--limit", type=_limit, default=50, help="how many (default: 50)")


def postmortems(parser: ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="published and waived ones too")


def postmortem(parser: ArgumentParser) -> None:
    parser.add_argument("number", type=int, help="the incident's number")


def text_file(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="a text in Markdown, or - for standard input")


def import_file(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="the archive: one JSON object a line")
    parser.add_argument(
        "--service", default="", metavar="NAME", help="whose they are (default: named like a component)"
    )


def import_jobs(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="jobs (YAML, JSON, XML), a project's archive, resources, ACL policies; or a directory of them",
    )
    parser.add_argument("--team", default="", metavar="NAME", help="whose the runbooks are")
    parser.add_argument("--service", default="", metavar="NAME", help="the service they are for")
    parser.add_argument(
        "--kind",
        choices=("auto", "run"),
        default="auto",
        help="what ran by itself runs by itself (auto, the default), or a person presses each step (run)",
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="write each runbook as a Markdown file there")
    parser.add_argument("--apply", action="store_true", help="make the runbooks; the same file twice changes nothing")


def import_folder(parser: ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="a folder of *.md files, with folders below it")
    parser.add_argument("--team", default="", metavar="NAME", help="whose the runbooks are, where they name no team")
    parser.add_argument("--service", default="", metavar="NAME", help="the service of those that name none")
    parser.add_argument("--apply", action="store_true", help="make the runbooks; the same files twice change nothing")


def runbook_list(parser: ArgumentParser) -> None:
    parser.add_argument("--service", default="", metavar="NAME", help="those of this service")
    parser.add_argument("--all", action="store_true", help="with those that are turned off")


def runbook_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="the runbook")


def runbook_start(parser: ArgumentParser) -> None:
    runbook_name(parser)
    parser.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="an option; repeatable"
    )
    parser.add_argument(
        "--kind", choices=("real", "dry_run", "drill"), default="real", help="real (default), or practice"
    )
    parser.add_argument("--alert", type=_number, metavar="N", help="the alert it is for: its labels fill options")
    parser.add_argument("--incident", type=_number, metavar="N", help="the incident it is for")
    parser.add_argument("--at-step", default="", metavar="STEP", help="begin there")
    parser.add_argument("--target", action="append", default=[], metavar="HOST", help="only this target; repeatable")


def execution_number(parser: ArgumentParser) -> None:
    parser.add_argument("number", type=_number, help="the execution")


def execution_answer(parser: ArgumentParser) -> None:
    execution_number(parser)
    parser.add_argument("step", help="the step's name")
    words = ("done", "failed", "skip", "run", "approve", "refuse", "again")
    parser.add_argument("verdict", choices=words, help="what you say; again: of an unknown step, let it run once more")
    parser.add_argument("--seen", default="", metavar="TEXT", help="what you saw")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; required with skip")
    parser.add_argument("--digest", default="", help="of what was shown, for run, approve and refuse")


def execution_cancel(parser: ArgumentParser) -> None:
    execution_number(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why")


def source(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="the source")


def status_export(parser: ArgumentParser) -> None:
    parser.add_argument("page", help="the status page")
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to; what an earlier export left is replaced")


def shifts(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="the schedule")
    parser.add_argument("--from", dest="start", metavar="TIME", help="default: now")
    parser.add_argument("--to", dest="end", metavar="TIME", help="default: 14 days later")


def override(parser: ArgumentParser) -> None:
    parser.add_argument("schedule", help="the schedule")
    parser.add_argument("user", help="who covers")
    parser.add_argument("--replaces", default="", metavar="USER", help="instead of whom (default: whoever is on call)")
    parser.add_argument("--from", dest="start", metavar="TIME", help="default: now")
    parser.add_argument("--to", dest="end", metavar="TIME", help="until when")
    parser.add_argument("--for", dest="length", metavar="LENGTH", help="or for how long: 4h")
    parser.add_argument("--reason", default="", metavar="TEXT")


def dry_run(parser: ArgumentParser) -> None:
    parser.add_argument("policy", help="the escalation policy")
    parser.add_argument("--priority", default="P1", type=str.upper, choices=PRIORITIES)
    parser.add_argument("--service", default="", help="as for an alert of this service")
    parser.add_argument("--at", metavar="TIME", help="as if it fired then (default: now)")


def test_page(parser: ArgumentParser) -> None:
    parser.add_argument("user", nargs="?", default="", help="whom")
    parser.add_argument("--method", default="", metavar="NAME", help="by this contact method alone")
    parser.add_argument("--schedule", default="", metavar="NAME", help="everybody of this rotation instead")


def incident_declare(parser: ArgumentParser) -> None:
    parser.add_argument("title", help="what is wrong, as somebody who joins should read it")
    parser.add_argument("--severity", default="SEV2", type=str.upper, choices=SEVERITIES, help="default: SEV2")
    parser.add_argument("--service", default="", metavar="NAME", help="what suffers; its level 1 is asked to lead")
    parser.add_argument("--team", default="", metavar="NAME", help="whose it is, when no service is named")
    parser.add_argument("--alert", type=_number, metavar="N", help="it comes from this alert")
    parser.add_argument("--acknowledge", action="store_true", help="take that alert too, in the same transaction")
    parser.add_argument("--private", action="store_true", help="seen by those who take part, managers, administrators")
    parser.add_argument("--drill", action="store_true", help="kept out of figures and public pages")


def incident_list(parser: ArgumentParser) -> None:
    parser.add_argument("--status", default="open", choices=("open", "closed", "all"), help="default: open")
    parser.add_argument("--severity", action="append", default=[], type=str.upper, choices=SEVERITIES)
    parser.add_argument("--service", default="", help="only this service's")
    parser.add_argument("--team", default="", help="only this team's")
    parser.add_argument("--query", default="", metavar="TEXT", help="words of the title")
    parser.add_argument("--limit", type=_limit, default=50, help="how many (default: 50)")


def incident_number(parser: ArgumentParser) -> None:
    parser.add_argument("number", type=_number, metavar="N", help="incident number")


def incident_note(parser: ArgumentParser) -> None:
    incident_number(parser)
    parser.add_argument("text", help="Markdown")
    parser.add_argument("--kind", default="note", choices=("note", "decision", "observation"), help="default: note")
    parser.add_argument("--at", default="", metavar="TIME", help="when it happened (default: now)")


def incident_role(parser: ArgumentParser) -> None:
    incident_number(parser)
    parser.add_argument("role", help="ic (offered), cm, dc, or a role of the settings")
    parser.add_argument("person", help="who")
    parser.add_argument("--offer", action="store_true", help="offer it instead of giving it")
    parser.add_argument("--why", default="", metavar="TEXT", help="why, with an offer")


def incident_phase(parser: ArgumentParser) -> None:
    incident_number(parser)
    parser.add_argument("phase", choices=("detected", "acknowledged", "mitigated", "resolved"))
    parser.add_argument("--at", default="", metavar="TIME", help="when it was reached (default: now)")


def incident_page(parser: ArgumentParser) -> None:
    incident_number(parser)
    parser.add_argument("target", help="a person, team or service; team:NAME when the name alone is ambiguous")
    parser.add_argument("--message", default="", metavar="TEXT", help="what you need")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text[:9]) <= 65_535:
        raise ArgumentTypeError(f"{text!r} is no port: write 1 to 65535")
    return int(text)


def _number(text: str) -> int:
    digits = text.removeprefix("#")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18 or int(digits) == 0:
        raise ArgumentTypeError(f"{text!r} is no alert's number: write 1042")
    return int(digits)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 10_000:
        raise ArgumentTypeError(f"{text!r}: write 1 to 10000")
    return int(text)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 3_660:
        raise ArgumentTypeError(f"{text!r}: write whole days, 1 to 3660")
    return int(text)


def secret_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="its name, as steps give it: orders-db-password")
    parser.add_argument("--team", default="", metavar="TEAM", help="for this team's runbooks (default: for all)")


def secret_set(parser: ArgumentParser) -> None:
    secret_name(parser)
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--value-file", type=Path, metavar="FILE", help="the value is in FILE (default: standard input)")
    one.add_argument(
        "--env", default="", metavar="NAME", help="do not keep the value: read it from the variable MIDWATCH_REF_..."
    )
    one.add_argument(
        "--config-file", default="", metavar="PATH", help="do not keep it: read it from PATH in the --config directory"
    )


def runner(parser: ArgumentParser) -> None:
    parser.add_argument("--url", default="", metavar="URL", help="the server's address, https://midwatch.example.com")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds the token that `midwatch runner create` printed"
    )
    parser.add_argument("--tags", default="", metavar="A,B", help="take only steps of these (default: all of its tags)")
    parser.add_argument(
        "--name", default="", metavar="HOST", help="what the list says where it runs (default: the host)"
    )
    parser.add_argument("--steps", type=_steps, default=4, metavar="N", help="at the same time (default: 4)")


def runner_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="its name")


def runner_create(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="its name: build-1")
    parser.add_argument("--tags", default="", metavar="A,B", help="it may take steps that ask for these")
    parser.add_argument("--team", default="", metavar="TEAM", help="only of this team's runbooks (default: of all)")
    parser.add_argument("--steps", type=_steps, default=4, metavar="N", help="at the same time (default: 4)")


def _steps(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 50:
        raise ArgumentTypeError(f"{text!r}: give a number from 1 to 50")
    return int(text)
