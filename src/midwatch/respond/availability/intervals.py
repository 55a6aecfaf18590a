"""Arithmetic of time that was up and time that was down: pure, no clock, no rows.

An interval is half open: it holds its start and not its end, so that intervals that touch make one. Moments are aware;
lengths are real seconds, so a day of 23 or 25 hours (daylight saving) is as long as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

Level = Literal["degraded", "partial", "major"]
WORST_FIRST: tuple[Level, ...] = ("major", "partial", "degraded")
# What a second of each level takes from the uptime. Degraded was slow, not down; a part of it counts as Statuspage has it.
WEIGHTS: Mapping[Level, float] = {"major": 1.0, "partial": 0.3, "degraded": 0.0}
DAYS_MAX = 3_700


class Interval(NamedTuple):
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


Layers = Mapping[Level, Sequence[Interval]]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time in as few intervals as possible, sorted; empty ones vanish."""
    joined: list[Interval] = []
    for one in sorted(i for i in intervals if i.start < i.end):
        if joined and one.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return joined


def intersection(some: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """Time that is in both."""
    left, right = union(some), union(others)
    common: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i].start, right[j].start), min(left[i].end, right[j].end)
        if start < end:
            common.append(Interval(start, end))
        if left[i].end < right[j].end:
            i += 1
        else:
            j += 1
    return common


def subtraction(some: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """Time that is in `some` and not in `others`."""
    left: list[Interval] = []
    away = union(others)
    j = 0
    for one in union(some):
        start = one.start
        while j < len(away) and away[j].end <= start:
            j += 1
        k = j
        while k < len(away) and away[k].start < one.end:
            if start < away[k].start:
                left.append(Interval(start, away[k].start))
            start = max(start, away[k].end)
            k += 1
        if start < one.end:
            left.append(Interval(start, one.end))
    return left


def clip(intervals: Iterable[Interval], start: datetime, end: datetime) -> list[Interval]:
    """What of them lies within the window."""
    return union(Interval(max(i.start, start), min(i.end, end)) for i in intervals)


def seconds(intervals: Iterable[Interval]) -> float:
    """How long they are together, time that several share counted once."""
    return sum(i.seconds for i in union(intervals))


def worst_of(levelled: Iterable[tuple[Level, Interval]]) -> dict[Level, list[Interval]]:
    """By level, without overlap: at each moment only the worst level counts."""
    by_level: dict[Level, list[Interval]] = {level: [] for level in WORST_FIRST}
    for level, interval in levelled:
        by_level[level].append(interval)
    layers: dict[Level, list[Interval]] = {}
    worse: list[Interval] = []
    for level in WORST_FIRST:
        layers[level] = subtraction(by_level[level], worse)
        worse = union([*worse, *by_level[level]])
    return layers


def without(layers: Layers, excused: Iterable[Interval]) -> dict[Level, list[Interval]]:
    """The layers less time that does not count, such as maintenance."""
    away = union(excused)
    return {level: subtraction(found, away) for level, found in layers.items()}


@dataclass(frozen=True, slots=True)
class Sums:
    """Seconds of a window: how long it is, and how much of it each level took."""

    length: float
    major: float = 0.0
    partial: float = 0.0
    degraded: float = 0.0

    def weighted(self, weights: Mapping[Level, float] = WEIGHTS) -> float:
        """Seconds that are taken from the uptime."""
        return self.major * weights["major"] + self.partial * weights["partial"] + self.degraded * weights["degraded"]

    def uptime_percent(self, weights: Mapping[Level, float] = WEIGHTS) -> float | None:
        """0 to 100; None for a window without length: nothing is known."""
        if self.length <= 0:
            return None
        return max(0.0, 100.0 * (1.0 - self.weighted(weights) / self.length))


def sums(layers: Layers, start: datetime, end: datetime) -> Sums:
    """Of the window from `start` to `end`. `layers` as `worst_of` makes them."""
    found = {level: seconds(clip(layers.get(level, ()), start, end)) for level in WORST_FIRST}
    length = max(0.0, (end - start).total_seconds())
    return Sums(length, major=found["major"], partial=found["partial"], degraded=found["degraded"])


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day of a zone. `start` and `end` in UTC; `sums` of what of it was measured, None when nothing was."""

    on: date
    start: datetime
    end: datetime
    sums: Sums | None


def day_bounds(on: date, zone: ZoneInfo) -> Interval:
    """A day of the zone in UTC. A midnight that daylight saving skips is the moment of the jump; one it doubles, the first."""
    return Interval(_midnight(on, zone), _midnight(on + timedelta(days=1), zone))


def per_day(
    layers: Layers, first: date, last: date, zone: ZoneInfo, *, known_from: datetime, known_until: datetime
) -> list[Day]:
    """The days `first` to `last`, both included. Nothing is known before `known_from` and after `known_until`."""
    count = (last - first).days + 1
    if not 0 < count <= DAYS_MAX:
        raise ValueError(f"give 1 to {DAYS_MAX} days, not {count}")
    days: list[Day] = []
    for number in range(count):
        on = first + timedelta(days=number)
        bounds = day_bounds(on, zone)
        start, end = max(bounds.start, known_from), min(bounds.end, known_until)
        days.append(Day(on, *bounds, sums(layers, start, end) if start < end else None))
    return days


def _midnight(on: date, zone: ZoneInfo) -> datetime:
    # fold=0: of a doubled hour the first; of a skipped one the offset before the jump, which is the moment of the jump
    # when read at midnight and later than it otherwise, so go back to the jump.
    wall = datetime.combine(on, time(0), tzinfo=zone)
    found = wall.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
        return _first_of_day(on, found - timedelta(days=1), found + timedelta(days=1), zone)
    return found


def _first_of_day(on: date, low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The first second whose date in the zone is `on` or later: by halving."""
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (low, middle) if middle.astimezone(zone).date() >= on else (middle, high)
    return high
