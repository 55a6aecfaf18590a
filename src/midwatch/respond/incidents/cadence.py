"""When an audience hears next, and how far a broken promise goes. Pure.

The clock of an audience starts at its last update, not at a blind interval; what a person promised in an update counts
before the severity's rhythm (R6). Nobody is asked twice for the same thing: each rung of the ladder has its own moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

HEADS_UP_MAX = timedelta(minutes=5)
TO_COMMANDER = timedelta(minutes=5)
TO_LEVEL_2 = timedelta(minutes=10)
LONG_AFTER = timedelta(hours=2)  # after it somebody decides on the slower rhythm, in so many words
LONG_EVERY = timedelta(hours=1)

Whom = Literal["cm", "ic", "level 2"]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a severity promises to one audience. `every` None: nothing."""

    every: timedelta | None
    first: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """Who is told what at which moment. `level` is the rung that is then reached."""

    level: int
    whom: Whom
    at: datetime
    is_broken: bool


def next_promise(
    rhythm: Rhythm, *, declared_at: datetime, last_at: datetime | None, is_long: bool = False
) -> datetime | None:
    """When the audience should hear next by the rhythm, or None. A long incident speaks every hour at most."""
    if rhythm.every is None:
        return None
    every = max(rhythm.every, LONG_EVERY) if is_long else rhythm.every
    if last_at is None:
        return declared_at + (rhythm.first or every)
    return last_at + every


def ladder(promised_at: datetime, since: datetime) -> tuple[Rung, ...]:
    """CM a little before and at the moment, then the IC, then level 2. `since`: when the promise was made, so that the
    heads-up comes after it and not at once."""
    ahead = min(HEADS_UP_MAX, max(timedelta(0), (promised_at - since) / 4))
    return (
        Rung(1, "cm", promised_at - ahead, is_broken=False),
        Rung(2, "cm", promised_at, is_broken=True),
        Rung(3, "ic", promised_at + TO_COMMANDER, is_broken=True),
        Rung(4, "level 2", promised_at + TO_LEVEL_2, is_broken=True),
    )


def due(promised_at: datetime, since: datetime, level: int, now: datetime) -> tuple[tuple[Rung, ...], datetime | None]:
    """(rungs whose moment has come and that were not gone yet, when to look again)."""
    rungs = [rung for rung in ladder(promised_at, since) if rung.level > level]
    reached = tuple(rung for rung in rungs if rung.at <= now)
    ahead = [rung.at for rung in rungs if rung.at > now]
    return reached, min(ahead, default=None)


@dataclass(frozen=True, slots=True)
class Adherence:
    """How an audience was kept informed. Lengths are of silences: between updates, and from the start to the first one."""

    updates: int
    first_after: timedelta | None
    longest: timedelta | None
    silences: tuple[timedelta, ...]

    def longer_than(self, length: timedelta) -> int:
        return sum(silence > length for silence in self.silences)


def adherence(updates: Sequence[datetime], started_at: datetime, ended_at: datetime) -> Adherence:
    """Measured from the start of the incident to its end (or now). Updates outside are not counted (N5)."""
    heard = sorted(at for at in updates if started_at <= at <= ended_at)
    marks = [started_at, *heard, ended_at]
    silences = tuple(later - earlier for earlier, later in pairwise(marks) if later > earlier)
    return Adherence(len(heard), heard[0] - started_at if heard else None, max(silences, default=None), silences)
