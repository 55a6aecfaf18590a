"""Writing an incident's timeline: written once, mended by another entry, starred for the post-mortem."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from midwatch.core import audit, clock, topics
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.text import clean
from midwatch.respond.incidents.models import Entry, Incident, Star

TEXT_MAX = 4_000
PERSONS_KINDS = ("note", "decision", "observation")


def note(
    incident: Incident, kind: str, text: str, by: Actor = ENGINE, *, happened_at: datetime | None = None, **detail: Any
) -> Entry:
    """What Midwatch saw or did. In the caller's transaction."""
    return _write(incident, kind, text, by, happened_at, is_automatic=True, detail=detail)


def changed(incident: Incident) -> None:
    """Whoever has the room or the list open reads it again. In the caller's transaction."""
    topics.touch(f"incident:{incident.number}", "incidents")


def _write(
    incident: Incident,
    kind: str,
    text: str,
    by: Actor,
    happened_at: datetime | None,
    *,
    is_automatic: bool,
    detail: dict[str, Any],
    amends: Entry | None = None,
) -> Entry:
    now = clock.now()
    changed(incident)
    return Entry.objects.create(
        incident=incident,
        at=now,
        happened_at=happened_at or now,
        kind=kind,
        who=str(by)[:200],
        user_id=by.user_id,
        text=clean(text, TEXT_MAX),
        is_automatic=is_automatic,
        detail={"via": by.via, **detail},
        amends=amends,
    )


def add_note(
    incident: Incident, by: Actor, text: str, *, kind: str = "note", happened_at: datetime | None = None
) -> Entry:
    """What a person wrote (Markdown): a note, a decision or an observation. Raises ValueError with a sentence."""
    check_note(text, kind, happened_at)
    with transaction.atomic():
        return _write(incident, kind, text, by, happened_at, is_automatic=False, detail={})


def amend(entry: Entry, by: Actor, text: str) -> Entry:
    """Set an entry right: the first one stays, and the page shows both."""
    check_note(text, "note", None)
    with transaction.atomic():
        return _write(
            entry.incident, "amendment", text, by, entry.happened_at, is_automatic=False, detail={}, amends=entry
        )


def check_note(text: str, kind: str, happened_at: datetime | None) -> None:
    if not text.strip():
        raise ValueError("write what was seen, decided or done")
    if len(text) > TEXT_MAX:
        raise ValueError(f"at most {TEXT_MAX} characters fit into an entry: attach the rest as a file")
    if kind not in PERSONS_KINDS:
        raise ValueError(f"{kind!r} is no kind of entry: give one of {', '.join(PERSONS_KINDS)}")
    if happened_at is not None and happened_at > clock.now():
        raise ValueError("it lies in the future: give a moment that has been")


def star(entry: Entry, by: Actor, *, is_starred: bool) -> None:
    """For the post-mortem, or not any more. Twice is once."""
    with transaction.atomic():
        if is_starred:
            _, is_changed = Star.objects.get_or_create(entry=entry, defaults={"who": str(by)[:200], "at": clock.now()})
        else:
            is_changed = bool(Star.objects.filter(entry=entry).delete()[0])
        if is_changed:
            changed(entry.incident)
            verb = "star" if is_starred else "take the star off"
            audit.record(by, verb, "incident", str(entry.incident), {"entry": entry.pk})
