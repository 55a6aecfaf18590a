"""Verbs about post-mortems, and the linter for texts that are written elsewhere."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from midwatch.api import shapes
from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, show, table
from midwatch.learn.postmortems import export
from midwatch.learn.postmortems.blameless import Known, Person, lint
from midwatch.learn.postmortems.models import OPEN_STATES, Postmortem
from midwatch.learn.postmortems.queries import document
from midwatch.people.queries import people

TEXT_BYTES_MAX = 1_000_000


def list_postmortems(args: Namespace) -> int:
    """Open ones; with --all every one, the newest first, 200 at most."""
    found = Postmortem.objects.select_related("incident", "owner", "facilitator").order_by("-incident__number")
    if not args.all:
        found = found.filter(state__in=OPEN_STATES)
    rows = list(found[:200])
    data = [shapes.PostmortemOut.of(one).model_dump(mode="json") for one in rows]
    lines = [
        (one.number, one.incident.severity, one.state, one.owner.name, shown_time(one.due_at), one.incident.title)
        for one in rows
    ]
    heads = ("NUMBER", "SEVERITY", "STATE", "OWNER", "DUE", "TITLE")
    show(args, data, table(lines, heads) if rows else ["There is no open post-mortem."])
    return 0


def show_postmortem(args: Namespace) -> int:
    """As Markdown, or as JSON."""
    related = ("incident__team", "incident__service", "owner", "facilitator")
    found = Postmortem.objects.select_related(*related).filter(incident__number=min(args.number, 2**53)).first()
    if found is None:
        raise VerbError(f"there is no post-mortem {args.number}: `midwatch postmortem list --all` shows them")
    data = shapes.PostmortemDetailOut.of(found).model_dump(mode="json") if args.json else None
    show(args, data, export.markdown(document(found)).splitlines())
    return 0


def lint_file(args: Namespace) -> int:
    """Exit code 1 when something is flagged; hints alone are 0."""
    text = _text(args.file)
    known = Known(Person(pk, name, shown) for pk, name, shown in people().values_list("pk", "name", "display_name"))
    found = lint(text, known)
    data: list[dict[str, Any]] = [
        {
            "line": one.line,
            "rule": one.rule.value,
            "is_hint": one.is_hint,
            "text": one.text,
            "reason": one.reason,
            "suggestion": one.suggestion,
        }
        for one in found
    ]
    lines = [f"{args.file}:{one.line}: {one.rule.value}: “{one.text}”: {one.suggestion}" for one in found]
    show(args, data, lines or ["Nothing blames anybody."])
    return 1 if any(not one.is_hint for one in found) else 0


def _text(name: str) -> str:
    try:
        raw = sys.stdin.buffer.read(TEXT_BYTES_MAX + 1) if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise VerbError(
            f"{name} cannot be read ({error.strerror}): give a text file, or - for standard input"
        ) from error
    if len(raw) > TEXT_BYTES_MAX:
        raise VerbError(f"{name} is larger than {TEXT_BYTES_MAX} bytes: give one document at a time")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerbError(f"{name} is no UTF-8 text") from error
