"""Is paging on hold? Asked at each tick, before each claim and by each page, so the answer is kept for half a second."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from midwatch.core import clock
from midwatch.engine.models import Hold

KEPT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Held:
    """`alert_id`: the one alert that may page meanwhile. `is_dropped`: a drill, which never pages."""

    since: datetime
    by: str
    reason: str
    backup_at: datetime | None
    alert_id: int | None
    is_dropped: bool


_lock = threading.Lock()
_known: tuple[float, Held | None] | None = None


def gate() -> Held | None:
    """None: paging goes on. Raises what the database raises: who cannot ask must not page."""
    known = _known
    if known is not None and clock.monotonic() - known[0] < KEPT_SECONDS:
        return known[1]
    return look()


def look() -> Held | None:
    """The answer of the database, now."""
    global _known  # noqa: PLW0603 - one answer a process
    asked_at = clock.monotonic()
    found = Hold.objects.filter(released_at=None).order_by("began_at").first()
    held = None
    if found is not None:
        held = Held(
            since=found.began_at,
            by=found.by,
            reason=found.reason,
            backup_at=found.backup_at,
            alert_id=found.alert_id,
            is_dropped=found.dropped_at is not None,
        )
    with _lock:
        _known = (asked_at, held)
    return held


def forget() -> None:
    """This process changed it."""
    global _known  # noqa: PLW0603
    with _lock:
        _known = None
