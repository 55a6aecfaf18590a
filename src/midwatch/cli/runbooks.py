"""Verbs about runbooks: list, show, start, answer, cancel; a folder of Markdown becomes runbooks."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from midwatch.catalog.models import Service
from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, show, table
from midwatch.cli.people import acting
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import Team, User
from midwatch.people.queries import may_edit_team
from midwatch.prepare.runbooks import actions, choices, folder, permits, rendering
from midwatch.prepare.runbooks.actions import Reference
from midwatch.prepare.runbooks.actions.written import save_text
from midwatch.prepare.runbooks.document import BODY_MAX, digest_of, parse
from midwatch.prepare.runbooks.models import Execution, Runbook, StepRun
from midwatch.prepare.runbooks.queries import execution as execution_of
from midwatch.prepare.runbooks.queries import runbook_named
from midwatch.respond.alerts.models import Alert

FILES_MAX = 2_000
ROWS_MAX = 500
DIGEST_MIN = 8
NOTE = "Imported from a folder"


def list_runbooks(args: Namespace) -> int:
    found = Runbook.objects.select_related("team", "service").order_by("title", "name")
    if args.service:
        found = found.filter(service__name=args.service)
    if not args.all:
        found = found.filter(is_active=True)
    rows = list(found[:ROWS_MAX])
    lines = [
        (
            one.name,
            one.team.name,
            one.service.name if one.service else "",
            "link" if one.is_link else one.type,
            one.title,
        )
        for one in rows
    ]
    data = [_data(one) for one in rows]
    heads = ("NAME", "TEAM", "SERVICE", "TYPE", "TITLE")
    show(args, data, table(lines, heads) if rows else ["There is no runbook yet."])
    return 0


def show_runbook(args: Namespace) -> int:
    """Its text as it is written."""
    found = _runbook(args.name)
    body = found.current.body if found.current is not None else ""
    data = {**_data(found), "text": body, "revision": found.current.number if found.current else None}
    show(args, data, body.splitlines() or [f"{found} is a page elsewhere: {found.url}"])
    return 0


def start(args: Namespace) -> int:
    """Prints the execution; a refused option is named with what to write instead."""
    by, user = acting(args)
    runbook = _runbook(args.name)
    _permit(user, runbook)
    given: dict[str, object] = {}
    for pair in args.option:
        name, is_pair, value = pair.partition("=")
        if not is_pair:
            raise VerbError(f"{clean(pair, 80)!r} is no option: write NAME=VALUE")
        given[name] = value
    try:
        listed = choices.listed_of(runbook)
        made = actions.start(
            runbook,
            given,
            by,
            kind=args.kind,
            reference=_reference(args),
            start_at_step=args.at_step,
            only_targets=args.target,
            listed=listed,
        )
    except ValueError as refusal:
        raise VerbError(str(refusal)) from refusal
    return _show_execution(args, made)


def show_execution(args: Namespace) -> int:
    return _show_execution(args, _execution(args.number))


def answer(args: Namespace) -> int:
    """done, failed, skip; run, approve, refuse with the digest of what was shown; again of an unknown one."""
    by, user = acting(args)
    found = _execution(args.number)
    if args.verdict not in {"approve", "refuse"}:
        _permit(user, found.runbook)
    row = StepRun.objects.filter(execution=found, step=args.step).order_by("position").first()
    if row is None:
        names = ", ".join(StepRun.objects.filter(execution=found).order_by("position").values_list("step", flat=True))
        raise VerbError(f"{args.step!r} is no step of it: give one of {names}")
    try:
        _answer(args, row, by)
    except ValueError as refusal:
        raise VerbError(str(refusal)) from refusal
    return _show_execution(args, _execution(args.number))


def cancel(args: Namespace) -> int:
    by, user = acting(args)
    found = _execution(args.number)
    _permit(user, found.runbook)
    try:
        actions.cancel(found, by, args.reason)
    except ValueError as refusal:
        raise VerbError(str(refusal)) from refusal
    return _show_execution(args, _execution(args.number))


def _answer(args: Namespace, row: StepRun, by: Actor) -> None:
    if args.verdict in {"run", "approve", "refuse"}:
        if len(args.digest) < DIGEST_MIN or not row.digest.startswith(args.digest):
            raise ValueError(
                f"--digest: give the first {DIGEST_MIN} letters or more of what `midwatch runbook execution` shows for it"
            )
        if args.verdict == "run":
            actions.press_run(row, by, digest=row.digest)
        else:
            verdict = "approved" if args.verdict == "approve" else "refused"
            actions.approve(row, by, verdict, digest=row.digest, note=args.reason)
    elif row.state == "unknown":
        actions.decide_unknown(row, by, args.verdict, reason=args.reason)
    else:
        actions.answer(row, by, args.verdict, seen=args.seen, reason=args.reason)


def _reference(args: Namespace) -> Reference:
    if args.alert is None:
        return Reference(incident_number=args.incident)
    alert = Alert.objects.select_related("service").filter(number=min(args.alert, 2**53)).first()
    if alert is None:
        raise VerbError(f"there is no alert {args.alert}")
    service = alert.service.name if alert.service is not None else ""
    return Reference(args.incident, alert.number, service, alert.labels)


def _permit(user: User | None, runbook: Runbook) -> None:
    if user is not None and not permits.may(user, runbook, permits.Act.START):
        raise VerbError(f"{user.name} may not carry it out. {permits.why_not(permits.Act.START)} Name one with --as")


def _runbook(name: str) -> Runbook:
    found = runbook_named(name)
    if found is None:
        raise VerbError(f"there is no runbook {clean(name, 80)!r}: `midwatch runbook list` shows them")
    return found


def _execution(number: int) -> Execution:
    found = execution_of(min(number, 2**53))
    if found is None:
        raise VerbError(f"there is no execution {number}")
    return found


def _data(one: Runbook) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "team": one.team.name,
        "service": one.service.name if one.service else None,
        "type": one.type,
        "url": one.url or None,
        "is_public": one.is_public,
        "is_active": one.is_active,
        "is_trusted": one.is_trusted,
    }


def _show_execution(args: Namespace, found: Execution) -> int:
    rows = list(StepRun.objects.filter(execution=found).order_by("position"))
    data = {
        "number": found.number,
        "runbook": found.runbook.name,
        "state": found.state,
        "kind": found.kind,
        "steps": [
            {
                "step": row.step,
                "kind": row.kind,
                "state": row.state,
                "digest": row.digest or None,
                "sentence": row.sentence,
            }
            for row in rows
        ],
    }
    lines = [f"Execution {found.number} of {found.runbook.name}: {found.state}, since {shown_time(found.created_at)}"]
    lines += table([(row.step, row.kind, row.state, row.sentence) for row in rows], ("STEP", "KIND", "STATE", ""))
    for row in rows:
        if row.state in {"waiting_person", "waiting_approval"} and row.rendered:
            lines += ["", f"{row.step} waits; what will be done (digest {row.digest[:12]}):"]
            lines += [f"    {line}" for line in rendering.shown(rendering.from_json(row.rendered)).splitlines()]
    show(args, data, lines)
    return 0


# --- a folder of Markdown ---


def import_folder(args: Namespace) -> int:
    """Exit code 1 when a file was refused; the others are in. Without --apply nothing is written."""
    by, user = acting(args)
    team = _team(args.team, user)
    service = Service.objects.filter(name=args.service).first() if args.service else None
    if args.service and service is None:
        raise VerbError(f"there is no service {args.service!r}")
    results: list[dict[str, Any]] = []
    for path, name, text in _files(args.directory):
        found = folder.cleaned(text)
        said: dict[str, Any] = {"file": path, "name": name, "dropped": list(found.dropped)}
        try:
            said |= _take(args, found.text, name, by, user, team, service)
        except ValueError as refusal:
            said |= {"done": "refused", "why": str(refusal)}
        results.append(said)
    if not results:
        raise VerbError(f"{args.directory} holds no Markdown: give a directory with *.md files")
    show(args, results, list(_lines(args, results)))
    return 1 if any(one["done"] == "refused" for one in results) else 0


def _take(
    args: Namespace, text: str, stem: str, by: Actor, user: User | None, team: Team | None, service: Service | None
) -> dict[str, Any]:
    document = parse(text)
    name = document.front.name or stem
    known = runbook_named(name)
    current = known.current if known is not None else None
    if known is not None and current is not None:
        if current.digest == digest_of(text):
            return {"name": name, "done": "unchanged"}
        if not current.note.startswith(NOTE):
            raise ValueError("it was changed here since: change it here, or delete it first")
    if known is not None and user is not None and not may_edit_team(user, known.team):
        raise ValueError(f"it belongs to {known.team}: {user.name} may not change it")
    if known is None and team is None and not document.front.team and not (document.front.service or service):
        raise ValueError("nobody owns it: name a team with --team, or in its front matter")
    if args.apply:
        saved = save_text(text, by, name=name, team=team, service=service, note=NOTE, is_trusted=True)
        return {"name": saved.name, "steps": len(document.steps), "done": "updated" if known else "created"}
    return {"name": name, "steps": len(document.steps), "done": "would be updated" if known else "would be created"}


def _team(name: str, user: User | None) -> Team | None:
    team = Team.objects.filter(name=name).first() if name else None
    if name and team is None:
        raise VerbError(f"there is no team {name!r}")
    if team is not None and user is not None and not may_edit_team(user, team):
        raise VerbError(f"{user.name} may not change what belongs to {team.name}: name a member with --as")
    return team


def _files(directory: Path) -> Iterator[tuple[str, str, str]]:
    """(path below the directory, name, text)."""
    if not directory.is_dir():
        raise VerbError(f"{directory} is no directory: give one with *.md files")
    paths = sorted(
        path for path in directory.rglob("*") if path.suffix.lower() in {".md", ".markdown"} and path.is_file()
    )
    shown = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(directory).parts)]
    if len(shown) > FILES_MAX:
        raise VerbError(f"{directory} holds {len(shown)} files: give {FILES_MAX} at most")
    for path in shown:
        below = path.relative_to(directory).as_posix()
        try:
            with path.open("rb") as file:
                text = file.read(BODY_MAX * 4 + 1).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise VerbError(f"{path} cannot be read: make it readable UTF-8, or take it away") from error
        yield below, folder.name_of(below), text


def _lines(args: Namespace, results: list[dict[str, Any]]) -> Iterator[str]:
    for one in results:
        steps = f", {one['steps']} steps" if "steps" in one else ""
        yield f"{one['file']}: {one['name']} {one['done']}{steps}"
        if one["dropped"]:
            yield f"  left out of its front matter: {', '.join(one['dropped'])}"
        for line in str(one.get("why", "")).splitlines():
            yield f"  {line}"
    if not args.apply:
        yield "Nothing is written yet: --apply makes these runbooks."
