"""`midwatch import rundeck`: what another product keeps as jobs becomes runbooks, with a report of what became of what."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.cli.output import VerbError, show
from midwatch.cli.people import acting
from midwatch.core.foreign import ARCHIVE_BYTES_MAX, ForeignError, ForeignFile, opened
from midwatch.core.integration import ImportedRunbook, Importer, Imports, ImportWish, importers
from midwatch.people.models import Team
from midwatch.people.queries import may_edit_team
from midwatch.prepare.runbooks.actions import Place, take
from midwatch.prepare.runbooks.actions.triggers import TriggerFields, create_trigger
from midwatch.prepare.runbooks.models import Runbook, TriggerKind

FILES_MAX = 1_000
WORDS = {"same": "as it was", "near": "nearly", "manual": "by hand", "dropped": "not taken"}


def rundeck(args: Namespace) -> int:
    """Exit code 1 when something was refused; the rest is in."""
    importer = importers()["rundeck"]
    place = _place(args)
    found = importer.read(_files(args.files, importer), ImportWish(args.team, args.service, args.kind))
    refused = list(found.refused)
    notes = list(found.notes)
    done: dict[str, str] = {}
    if args.to is not None:
        _write(args.to, found, done)
    if args.apply and place is not None:
        _apply(found, place, done, refused, notes)
    found = replace(found, notes=notes)
    show(args, _data(found, done, refused), _lines(args, found, done, refused))
    return 1 if refused else 0


def _place(args: Namespace) -> Place | None:
    if args.apply and not args.team:
        raise VerbError("say whose the runbooks are: --team NAME")
    by, user = acting(args)
    team = Team.objects.filter(name=args.team).first() if args.team else None
    if args.team and team is None:
        raise VerbError(f"there is no team {args.team!r}")
    service = Service.objects.filter(name=args.service).first() if args.service else None
    if args.service and service is None:
        raise VerbError(f"there is no service {args.service!r}")
    if team is None:
        return None
    if user is not None and not may_edit_team(user, team):
        raise VerbError(
            f"{user.name} is no member of {team.name} who may change what belongs to it: name one with --as"
        )
    return Place(team, service, by, "rundeck", is_trusted=True)


def _files(names: list[Path], importer: Importer) -> list[ForeignFile]:
    """Files as they are, archives' members, and of a directory what an importer reads."""
    found: list[ForeignFile] = []
    for name in names:
        paths = sorted(path for path in name.rglob("*") if _is_wanted(path, importer)) if name.is_dir() else [name]
        if not paths or len(paths) > FILES_MAX:
            raise VerbError(f"{name} holds {len(paths)} files that could be jobs: give 1 to {FILES_MAX}")
        for path in paths:
            try:
                with path.open("rb") as file:
                    found += opened(str(path), file.read(ARCHIVE_BYTES_MAX + 1), importer.ENDINGS)
            except OSError as error:
                raise VerbError(f"{path} cannot be read ({error.strerror}): give exported jobs") from error
            except ForeignError as error:
                raise VerbError(f"{path} {error}") from error
    return found


def _is_wanted(path: Path, importer: Importer) -> bool:
    return (
        path.is_file() and not path.name.startswith(".") and path.suffix.lower() in {*importer.ENDINGS, ".zip", ".jar"}
    )


def _write(directory: Path, found: Imports, done: dict[str, str]) -> None:
    """A Markdown file each. What is there already and differs is somebody's work: it is left alone."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for one in found.runbooks:
            path = directory / f"{one.name}.md"
            if path.exists() and path.read_text("utf-8") != one.text:
                raise VerbError(f"{path} is there already and differs: take it away, or write to another directory")
        for one in found.runbooks:
            (directory / f"{one.name}.md").write_text(one.text, "utf-8")
            done[one.name] = "written"
    except OSError as error:
        raise VerbError(f"{directory} cannot be written ({error.strerror})") from error


def _apply(
    found: Imports, place: Place, done: dict[str, str], refused: list[tuple[str, str]], notes: list[str]
) -> None:
    """One transaction a runbook: one that is refused keeps none of the others out."""
    for one in found.runbooks:
        try:
            with transaction.atomic():
                taken = take(one, place)
        except ValueError as error:
            refused.append((one.origin, f"{one.name}: {error}"))
            continue
        done[one.name] = taken.word
        if one.schedule and taken.word == "created":
            notes.append(_schedule(one, taken.runbook, place))


def _schedule(one: ImportedRunbook, runbook: Runbook, place: Place) -> str:
    """A trigger that is turned off: while Rundeck still runs the job, nobody wants it twice. Returns a sentence."""
    name = f"{runbook.name[:52]}-schedule"
    fields = TriggerFields(
        runbook, TriggerKind.SCHEDULE, is_active=False, cron=one.schedule, time_zone=one.time_zone or "UTC"
    )
    try:
        with transaction.atomic():
            create_trigger(name, fields, place.by)
    except ValueError as error:
        return f"{runbook.name}: its schedule ({one.schedule} {one.time_zone}) is no trigger: {error}."
    return f"{runbook.name}: its schedule is the trigger {name}, which is turned off: turn it on when Rundeck's is off."


def _data(found: Imports, done: dict[str, str], refused: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "runbooks": [
            {
                "name": one.name,
                "title": one.title,
                "from": one.origin,
                "id": one.key,
                "done": done.get(one.name),
                "schedule": one.schedule or None,
                "parts": [{"part": part.part, "became": part.word, "note": part.note} for part in one.mapped],
            }
            for one in found.runbooks
        ],
        "notes": list(found.notes),
        "refused": [{"from": origin, "why": why} for origin, why in refused],
    }


def _lines(args: Namespace, found: Imports, done: dict[str, str], refused: list[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    for one in found.runbooks:
        lines.append(f"{one.name}: {_counts(one)}{f' ({done[one.name]})' if one.name in done else ''}")
        lines += [
            f"  {WORDS[part.word]}: {part.part}{f': {part.note}' if part.note else ''}"
            for part in one.mapped
            if part.word != "same"
        ]
    lines += list(found.notes)
    lines += [f"Refused: {origin}: {why}." for origin, why in refused]
    if not args.apply and args.to is None and found.runbooks:
        lines.append("Nothing is written yet: --apply makes these runbooks, --to DIR writes them as files.")
    return lines or ["There is no job in these files."]


def _counts(one: ImportedRunbook) -> str:
    counts: Counter[str] = Counter(part.word for part in one.mapped)
    return ", ".join(f"{counts[word]} {text}" for word, text in WORDS.items() if counts[word]) or "nothing to map"
