"""The one clock. Everything that asks for the time asks here, so that a story can be told at any speed.

On PostgreSQL the time is the database's: `learn_offset` is fed with what the database said, so nodes with crooked
clocks agree. Jumps of the machine's clock are seen against the monotonic one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_lock = threading.Lock()
_offset = timedelta(0)
_frozen: datetime | None = None
_monotonic: Callable[[], float] = time.monotonic


def now() -> datetime:
    """Aware UTC."""
    if _frozen is not None:
        return _frozen
    return datetime.now(UTC) + _offset


def monotonic() -> float:
    """Seconds that never jump; only differences mean anything."""
    return _monotonic()


def measure_by(source: Callable[[], float]) -> None:
    """For simulation: lengths of time are measured by its clock; `time.monotonic` puts the machine's back."""
    global _monotonic  # noqa: PLW0603 - one clock a process
    _monotonic = source


def learn_offset(database_now: datetime, *, asked_at: datetime) -> timedelta:
    """Take the database's clock as ours. `asked_at`: the machine's own clock when the answer was taken."""
    global _offset  # noqa: PLW0603 - one clock a process
    with _lock:
        _offset = database_now - asked_at
    return _offset


def machine_now() -> datetime:
    """The machine's own clock, for measuring how crooked it is."""
    return datetime.now(UTC)


def offset() -> timedelta:
    return _offset


def freeze(at: datetime) -> None:
    """For stories and simulation: time stands still at `at` until moved."""
    global _frozen  # noqa: PLW0603
    if at.tzinfo is None:
        raise ValueError("the clock needs an aware datetime")
    _frozen = at.astimezone(UTC)


def forward(by: timedelta) -> datetime:
    if _frozen is None:
        raise RuntimeError("freeze the clock before moving it")
    freeze(_frozen + by)
    return now()


def thaw() -> None:
    global _frozen  # noqa: PLW0603
    _frozen = None
