"""Writing the timeline: what happened, in a sentence, with its facts beside it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from midwatch.core import clock, topics
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.rows import insert_rows
from midwatch.core.text import clean
from midwatch.respond.alerts.models import TimelineEntry

TEXT_MAX = 2_000


def entry(
    alert_id: int, kind: str, text: str, by: Actor = ENGINE, *, at: datetime | None = None, **detail: Any
) -> TimelineEntry:
    """An unsaved entry, for writing many at once."""
    return TimelineEntry(
        alert_id=alert_id,
        at=at or clock.now(),
        kind=kind,
        who=str(by)[:200],
        user_id=by.user_id,
        text=clean(text, TEXT_MAX),
        detail=detail,
    )


def note(alert_id: int, kind: str, text: str, by: Actor = ENGINE, **detail: Any) -> None:
    note_many([entry(alert_id, kind, text, by, **detail)])


def note_many(entries: Iterable[TimelineEntry]) -> None:
    """What people do is seen by others at once; what the engine does thousands of times a minute, by the page's poll."""
    written = list(entries)
    insert_rows(written)
    topics.touch(*(f"alert:{one.alert_id}" for one in written if one.user_id is not None))
