"""Arithmetic of up and down, against counting every single second."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.respond.availability import intervals
from midwatch.respond.availability.intervals import WORST_FIRST, Interval, Level

ZERO = datetime(2026, 3, 3, tzinfo=UTC)
SPAN = 120


def at(second: int) -> datetime:
    return ZERO + timedelta(seconds=second)


moments = st.integers(0, SPAN)
some = st.lists(st.builds(lambda a, b: Interval(at(min(a, b)), at(max(a, b))), moments, moments), max_size=8)
levels: st.SearchStrategy[Level] = st.sampled_from(WORST_FIRST)
levelled = st.lists(
    st.tuples(levels, st.builds(lambda a, b: Interval(at(min(a, b)), at(max(a, b))), moments, moments)), max_size=8
)


def counted(found: list[Interval]) -> set[int]:
    """Every second that they hold."""
    return {second for second in range(SPAN) if any(i.start <= at(second) < i.end for i in found)}


def is_tidy(found: list[Interval]) -> bool:
    return all(i.start < i.end for i in found) and all(
        before.end < after.start for before, after in itertools.pairwise(found)
    )


@given(some, some)
def test_sets_of_seconds(a: list[Interval], b: list[Interval]) -> None:
    assert counted(intervals.union([*a, *b])) == counted(a) | counted(b)
    assert counted(intervals.intersection(a, b)) == counted(a) & counted(b)
    assert counted(intervals.subtraction(a, b)) == counted(a) - counted(b)
    assert intervals.seconds([*a, *b]) == len(counted(a) | counted(b))
    for found in (intervals.union(a), intervals.intersection(a, b), intervals.subtraction(a, b)):
        assert is_tidy(found)


@given(some, moments, moments)
def test_a_window_cuts(found: list[Interval], one: int, other: int) -> None:
    start, end = min(one, other), max(one, other)
    assert counted(intervals.clip(found, at(start), at(end))) == counted(found) & set(range(start, end))


@given(levelled, some, moments, moments)
def test_the_uptime_is_that_of_counting_seconds(
    found: list[tuple[Level, Interval]], excused: list[Interval], one: int, other: int
) -> None:
    start, end = min(one, other), max(one, other)
    layers = intervals.without(intervals.worst_of(found), excused)
    took = dict.fromkeys(WORST_FIRST, 0)
    for second in set(range(start, end)) - counted(excused):
        hit = {level for level, i in found if i.start <= at(second) < i.end}
        worst = next((level for level in WORST_FIRST if level in hit), None)
        if worst is not None:
            took[worst] += 1
    sums = intervals.sums(layers, at(start), at(end))
    assert (sums.major, sums.partial, sums.degraded) == (took["major"], took["partial"], took["degraded"])
    if start == end:
        assert sums.uptime_percent() is None
    else:
        lost = took["major"] + 0.3 * took["partial"]
        assert sums.uptime_percent() == pytest.approx(100 * (1 - lost / (end - start)))


@given(
    st.sampled_from(
        ["UTC", "Europe/Prague", "America/Sao_Paulo", "Pacific/Apia", "Asia/Beirut", "Africa/Cairo", "Asia/Kathmandu"]
    ),
    st.dates(date(2008, 1, 1), date(2026, 12, 1)),
    st.lists(st.tuples(levels, st.integers(0, 6 * 48), st.integers(0, 6 * 48)), max_size=4),
)
@settings(max_examples=60)
def test_days_hold_every_second_once(name: str, first: date, found: list[tuple[Level, int, int]]) -> None:
    """Half hours, over days that have 23, 24, 25 or no hours."""
    zone = ZoneInfo(name)
    half = timedelta(minutes=30)
    begin = intervals.day_bounds(first, zone).start
    spans = [(level, Interval(begin + min(a, b) * half, begin + max(a, b) * half)) for level, a, b in found]
    layers = intervals.worst_of(spans)
    days = intervals.per_day(
        layers, first, first + timedelta(days=5), zone, known_from=begin, known_until=begin + timedelta(days=30)
    )
    for before, after in itertools.pairwise(days):
        assert before.end == after.start, "no gap and no overlap"
    for day in days:
        took = 0.0
        moment = day.start
        while moment < day.end:
            assert moment.astimezone(zone).date() == day.on
            took += 1800 if any(i.start <= moment < i.end for _, i in spans) else 0
            moment += half
        assert took == (0 if day.sums is None else day.sums.major + day.sums.partial + day.sums.degraded)


def test_a_midnight_that_daylight_saving_skips_or_doubles() -> None:
    beirut, havana = ZoneInfo("Asia/Beirut"), ZoneInfo("America/Havana")
    assert intervals.day_bounds(date(2025, 3, 30), beirut).seconds == 23 * 3600
    assert intervals.day_bounds(date(2025, 11, 2), havana).seconds == 25 * 3600
    assert intervals.day_bounds(date(2011, 12, 30), ZoneInfo("Pacific/Apia")).seconds == 0, "the day that was not"


def test_nothing_is_known_before_the_beginning_and_after_now() -> None:
    utc = ZoneInfo("UTC")
    known_from = datetime(2026, 3, 2, 18, tzinfo=UTC)
    days = intervals.per_day(
        {},
        date(2026, 3, 1),
        date(2026, 3, 4),
        utc,
        known_from=known_from,
        known_until=datetime(2026, 3, 3, 6, tzinfo=UTC),
    )
    assert [day.sums and day.sums.length for day in days] == [None, 6 * 3600, 6 * 3600, None]


def test_more_days_than_anybody_means_are_refused() -> None:
    with pytest.raises(ValueError, match="give 1 to"):
        intervals.per_day({}, date(1, 1, 1), date(2026, 1, 1), ZoneInfo("UTC"), known_from=ZERO, known_until=ZERO)
