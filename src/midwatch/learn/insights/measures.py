"""Figures from counted lengths and moments. Pure.

Lengths come as counts by bucket of `STEP` seconds, so that a hundred thousand of them are a few thousand rows of a query;
a median or a p90 is right to within a bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise

STEP = 10  # seconds
WORKING = (time(8), time(18))
NIGHT = (time(22), time(7))
WEEKEND = (5, 6)


@dataclass(slots=True)
class Lengths:
    """How often which length, in buckets of `STEP` seconds."""

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, bucket: int, count: int = 1) -> None:
        bucket = max(0, bucket)
        self.counts[bucket] = self.counts.get(bucket, 0) + count

    def add_length(self, length: timedelta) -> None:
        self.add(int(length.total_seconds()) // STEP)

    def merge(self, other: Lengths) -> None:
        for bucket, count in other.counts.items():
            self.add(bucket, count)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def mean(self) -> timedelta | None:
        if not self.counts:
            return None
        total = sum((bucket * STEP + STEP / 2) * count for bucket, count in self.counts.items())
        return timedelta(seconds=total / self.count)

    def quantile(self, share: float) -> timedelta | None:
        """The nearest rank: the smallest length such that `share` of all are not longer."""
        if not self.counts:
            return None
        wanted = max(1, -(-int(share * 1_000_000) * self.count // 1_000_000))
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return timedelta(seconds=bucket * STEP)
        raise AssertionError("the ranks end with the last bucket")


def is_night(moment: datetime, zone: tzinfo) -> bool:
    """From 22 to 7 where the person lives."""
    at = moment.astimezone(zone).time()
    return at >= NIGHT[0] or at < NIGHT[1]


def is_out_of_hours(moment: datetime, zone: tzinfo) -> bool:
    """Not from 8 to 18, Monday to Friday, where the person lives."""
    local = moment.astimezone(zone)
    return local.weekday() in WEEKEND or not WORKING[0] <= local.time() < WORKING[1]


def share(part: int, whole: int) -> float | None:
    """0 to 1; None of nothing."""
    return part / whole if whole else None


def weeks(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Weeks from Monday to Monday in UTC that touch the period, clipped to it."""
    first = datetime.combine(start.astimezone(UTC).date(), time(0), UTC)
    monday = first - timedelta(days=first.weekday())
    found = []
    while monday < end:
        found.append((max(monday, start), min(monday + timedelta(days=7), end)))
        monday += timedelta(days=7)
    return found


def week_of(moment: datetime) -> datetime:
    day = datetime.combine(moment.astimezone(UTC).date(), time(0), UTC)
    return day - timedelta(days=day.weekday())


def trend(now: float | None, before: float | None, *, is_less_better: bool = True) -> str:
    """better, worse, same, or "" when there was nothing before."""
    if now is None or not before:
        return ""  # nothing to compare with
    if abs(now - before) <= 0.05 * max(abs(now), abs(before)):
        return "same"
    return "better" if (now < before) == is_less_better else "worse"


def words(length: timedelta | None) -> str:
    """ "4 min 20 s", "3 h 5 min", "2 d 4 h"; "–" of nothing."""
    if length is None:
        return "\u2013"
    seconds = int(length.total_seconds())
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for (unit, size), (smaller, part) in pairwise(units):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def by_week(values: Mapping[datetime, int], buckets: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """How many in each bucket; values are by the start of their week."""
    return [values.get(week_of(start), 0) for start, _ in buckets]
