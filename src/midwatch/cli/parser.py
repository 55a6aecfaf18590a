"""The verbs of the command line and their arguments: one table. Imports nothing of Midwatch that is heavy."""

from __future__ import annotations

import argparse
from pathlib import Path

from midwatch import __version__
from midwatch.cli import arguments
from midwatch.cli.runbook_verbs import RUNBOOK_VERBS
from midwatch.cli.verb import Parser, Verb

GROUPS = {
    "user": "people: create, token, list, deactivate, reset",
    "import": "archives of incidents: github-statuses; jobs: rundeck; a folder of Markdown: runbooks",
    "runbook": "what is done when it breaks: list, show, start, execution, answer, cancel",
    "source": "what sends alerts: list, test",
    "schedule": "who is on call when: list, shifts",
    "runner": "do steps of runbooks on this machine; create, list, token, off, remove",
    "secret": "what steps of runbooks may be given: set, list, rotate, remove",
    "status": "status pages: list, export",
    "postmortem": "what is learned from incidents: list, show, lint",
    "incident": "people coordinating a response: declare, list, show, note, role, phase, page, close",
}

VERBS: tuple[Verb, ...] = (
    Verb(
        "serve",
        "midwatch.supervisor:serve",
        "run everything: web and engine, on the embedded database",
        arguments.serve,
        "midwatch serve --port 8123 --data /var/lib/midwatch",
        needs="nothing",
        prints=False,
        is_short=False,
    ),
    Verb(
        "web",
        "midwatch.supervisor:web",
        "run the web part alone (several machines on PostgreSQL)",
        arguments.serve,
        needs="nothing",
        prints=False,
        is_short=False,
    ),
    Verb(
        "engine",
        "midwatch.supervisor:engine",
        "run the engine part alone (several machines on PostgreSQL)",
        arguments.engine,
        needs="nothing",
        prints=False,
        is_short=False,
    ),
    Verb(
        "demo",
        "midwatch.demo:run",
        "run on throw-away data: a lived-in week, log-in printed",
        arguments.address,
        needs="nothing",
        prints=False,
        is_short=False,
    ),
    Verb(
        "plan",
        "midwatch.gitops.cli:run_plan",
        "show what `apply` would change, and what it means for people",
        arguments.plan,
        "midwatch plan config/",
    ),
    Verb(
        "apply",
        "midwatch.gitops.cli:run_apply",
        "make what runs agree with DIR; all of it or nothing",
        arguments.plan,
        "midwatch apply config/ --prune",
    ),
    Verb(
        "export",
        "midwatch.gitops.cli:run_export",
        "write what runs as configuration documents",
        arguments.export,
        "midwatch export config/",
        prints=False,
    ),
    Verb(
        "doctor",
        "midwatch.cli.doctor:doctor",
        "check settings, database, clock, channels, reachability, engine",
        arguments.doctor,
        "midwatch doctor --deep",
    ),
    Verb(
        "backup",
        "midwatch.cli.operations:backup",
        "write a consistent archive while everything runs",
        arguments.backup,
        "midwatch backup /backups/midwatch.tar.gz",
        needs="nothing",
    ),
    Verb(
        "restore",
        "midwatch.cli.restoring:restore",
        "put an archive back, on hold; list what would be paged, release it, drop it",
        arguments.restore,
        "midwatch restore /backups/midwatch.tar.gz; midwatch restore --list; midwatch restore --release",
        needs="nothing",
        acts=True,
    ),
    Verb(
        "move",
        "midwatch.cli.moving:move",
        "bring the embedded database to PostgreSQL; resumable, counts compared",
        arguments.move,
        "midwatch move --to postgresql://midwatch@db.example.com/midwatch",
        needs="nothing",
    ),
    Verb(
        "upgrade",
        "midwatch.cli.upgrade:upgrade",
        "bring the database to this version (SQLite: after a backup)",
        arguments.none,
        needs="django",
    ),
    Verb(
        "setup-code",
        "midwatch.cli.people:setup_code",
        "print the one-time code that opens the set-up page",
        arguments.none,
    ),
    Verb(
        "user create",
        "midwatch.cli.people:create",
        "create a person; prints an invitation link",
        arguments.user_create,
        'midwatch user create ana --display-name "Ana Novak" --email ana@example.com',
        acts=True,
    ),
    Verb(
        "user token",
        "midwatch.cli.people:token",
        "make an API token for a person; shown once",
        arguments.user_token,
        "midwatch user token ana --label deploys --days 90",
        acts=True,
    ),
    Verb("user list", "midwatch.cli.people:list_users", "list people", arguments.none),
    Verb(
        "user deactivate",
        "midwatch.cli.people:deactivate",
        "turn a person off: sessions and tokens end",
        arguments.user_deactivate,
        acts=True,
    ),
    Verb("user reset", "midwatch.cli.people:reset", "print a link for a new password", arguments.user_name, acts=True),
    Verb(
        "who",
        "midwatch.cli.oncall:who",
        "who is on call, until when, who is next",
        arguments.who,
        "midwatch who payments",
    ),
    Verb("schedule list", "midwatch.cli.oncall:list_schedules", "list schedules", arguments.none),
    Verb(
        "schedule shifts",
        "midwatch.cli.oncall:shifts",
        "list the shifts of a schedule",
        arguments.shifts,
        "midwatch schedule shifts payments-primary --to 2026-02-01",
    ),
    Verb(
        "override",
        "midwatch.cli.oncall:override",
        "somebody covers a schedule for a while",
        arguments.override,
        "midwatch override payments-primary bo --for 4h",
        acts=True,
    ),
    Verb(
        "page",
        "midwatch.cli.alerts:page",
        "page somebody by hand",
        arguments.page,
        'midwatch page payments "Checkout is down" --priority P1',
        acts=True,
    ),
    Verb(
        "alerts",
        "midwatch.cli.alerts:list_alerts",
        "list alerts, newest first",
        arguments.alerts,
        "midwatch alerts --team payments --status all",
    ),
    Verb(
        "show", "midwatch.cli.alerts:show_alert", "one alert with its timeline", arguments.number, "midwatch show 1042"
    ),
    Verb(
        "ack",
        "midwatch.cli.alerts:acknowledge",
        "acknowledge: I have it",
        arguments.numbers,
        "midwatch ack 1042 1043 --as ana",
        acts=True,
    ),
    Verb(
        "unack",
        "midwatch.cli.alerts:unacknowledge",
        "give it back: escalation starts again",
        arguments.numbers,
        acts=True,
    ),
    Verb("resolve", "midwatch.cli.alerts:resolve", "resolve: it is over", arguments.numbers, acts=True),
    Verb(
        "snooze",
        "midwatch.cli.alerts:snooze",
        "be quiet for a while, then page again",
        arguments.snooze,
        "midwatch snooze 1042 --for 2h",
        acts=True,
    ),
    Verb("escalate", "midwatch.cli.alerts:escalate", "page the next step now", arguments.numbers, acts=True),
    Verb(
        "note",
        "midwatch.cli.alerts:note",
        "write a note into the timeline",
        arguments.note,
        'midwatch note 1042 "restarted db3"',
        acts=True,
    ),
    Verb(
        "assign",
        "midwatch.cli.alerts:assign",
        "give an alert to somebody and page them",
        arguments.assign,
        "midwatch assign 1042 bo",
        acts=True,
    ),
    Verb(
        "incident declare",
        "midwatch.cli.incidents:declare",
        "declare an incident: a title and a severity are enough",
        arguments.incident_declare,
        'midwatch incident declare "checkout is down" --severity SEV1 --service checkout',
        acts=True,
    ),
    Verb(
        "incident list",
        "midwatch.cli.incidents:list_incidents",
        "list incidents, newest first",
        arguments.incident_list,
        acts=True,
    ),
    Verb(
        "incident show",
        "midwatch.cli.incidents:show_incident",
        "show one: roles, phases, tasks, timeline",
        arguments.incident_number,
        "midwatch incident show 12",
        acts=True,
    ),
    Verb(
        "incident note",
        "midwatch.cli.incidents:note",
        "write into its timeline",
        arguments.incident_note,
        'midwatch incident note 12 "restarted db3" --kind decision',
        acts=True,
    ),
    Verb(
        "incident role",
        "midwatch.cli.incidents:role",
        "name somebody, or offer the IC's role",
        arguments.incident_role,
        "midwatch incident role 12 cm bo",
        acts=True,
    ),
    Verb(
        "incident phase",
        "midwatch.cli.incidents:phase",
        "say how far it is: mitigated, resolved",
        arguments.incident_phase,
        "midwatch incident phase 12 mitigated",
        acts=True,
    ),
    Verb(
        "incident page",
        "midwatch.cli.incidents:page",
        "page a person, team or service into it",
        arguments.incident_page,
        "midwatch incident page 12 team:storage",
        acts=True,
    ),
    Verb(
        "incident close",
        "midwatch.cli.incidents:close",
        "close it: roles end with it",
        arguments.incident_number,
        "midwatch incident close 12",
        acts=True,
    ),
    Verb(
        "import github-statuses",
        "midwatch.cli.importing:github_statuses_file",
        "back-fill incidents from the public history of GitHub's status page; the same file twice is once",
        arguments.import_file,
        "midwatch import github-statuses incidents.jsonl --service github",
        acts=True,
    ),
    Verb(
        "import rundeck",
        "midwatch.cli.runbook_imports:rundeck",
        "jobs of a Rundeck become runbooks; without --apply only the report of what becomes of what",
        arguments.import_jobs,
        "midwatch import rundeck jobs.yaml resources.yaml --team payments --apply",
        acts=True,
    ),
    Verb(
        "source list",
        "midwatch.cli.sources:list_sources",
        "list sources, when each was last heard, and their problems",
        arguments.none,
    ),
    Verb(
        "source test",
        "midwatch.cli.sources:test",
        "send a test alert through a source: no number, nobody is paged",
        arguments.source,
        acts=True,
    ),
    Verb(
        "status list",
        "midwatch.cli.status:list_pages",
        "list status pages, their address, and what they say now",
        arguments.none,
    ),
    Verb(
        "status export",
        "midwatch.cli.status:export",
        "write a whole status page as files, for a host that survives us",
        arguments.status_export,
        "midwatch status export shop /srv/status",
    ),
    Verb(
        "dry-run",
        "midwatch.cli.oncall:dry_run",
        "say who would be paged when, and who cannot be reached",
        arguments.dry_run,
        "midwatch dry-run payments --priority P1",
    ),
    Verb(
        "test-page",
        "midwatch.cli.people:test_page",
        "send a test page to a person or a rotation through the real channels",
        arguments.test_page,
        "midwatch test-page ana --method phone",
        acts=True,
    ),
    Verb(
        "postmortem list",
        "midwatch.cli.postmortems:list_postmortems",
        "list open post-mortems and when each is due",
        arguments.postmortems,
    ),
    Verb(
        "postmortem show",
        "midwatch.cli.postmortems:show_postmortem",
        "print a post-mortem as Markdown",
        arguments.postmortem,
        "midwatch postmortem show 42 > post-mortem-42.md",
    ),
    Verb(
        "postmortem lint",
        "midwatch.cli.postmortems:lint_file",
        "say where a text blames people, and what could stand there; exit code 1 when it does",
        arguments.text_file,
        "midwatch postmortem lint draft.md",
    ),
    *RUNBOOK_VERBS,
    Verb(
        "version",
        "midwatch.cli.operations:version",
        "print the versions of Midwatch and of what it stands on",
        arguments.none,
        needs="nothing",
    ),
)
WITHOUT_DATA = ("demo", "version", "runner")
ALIASES = {"override": ["cover"], "ack": ["acknowledge"]}


def parser() -> Parser:
    top = Parser(
        prog="midwatch",
        description="Self-hosted on-call: a page is never lost.",
        epilog="`midwatch VERB --help` explains one. Exit code: 0 ok, 1 refused or failed, 2 wrong usage.",
    )
    top.add_argument("--version", action="version", version=f"midwatch {__version__}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)
    groups = {}
    for verb in VERBS:
        group, _, name = verb.name.rpartition(" ")
        if group and group not in groups:
            about = GROUPS[group]
            groups[group] = verbs.add_parser(group, help=about, description=about).add_subparsers(
                metavar="VERB", required=True
            )
        made = _add(groups[group] if group else verbs, verb, name)
        if verb.name in GROUPS:  # `midwatch runner` is a verb, and leads to others
            groups[verb.name] = made.add_subparsers(metavar="VERB", required=False)
    return top


def _add(where: argparse._SubParsersAction[Parser], verb: Verb, name: str) -> Parser:
    found = where.add_parser(
        name,
        aliases=ALIASES.get(verb.name, []),
        help=verb.about,
        description=f"{verb.about[0].upper()}{verb.about[1:]}.",
        epilog=f"Example: {verb.example}" if verb.example else None,
    )
    found.set_defaults(verb=verb, json=False, as_user="")
    verb.arguments(found)
    found.set_defaults(data=None)
    if verb.name not in WITHOUT_DATA:
        found.add_argument("--data", type=Path, metavar="DIR", help="data directory (default: MIDWATCH_DATA_DIR)")
    if verb.acts:
        found.add_argument(
            "--as", dest="as_user", default="", metavar="USER", help="act as this person (default: the administrator)"
        )
    if verb.prints:
        found.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return found
