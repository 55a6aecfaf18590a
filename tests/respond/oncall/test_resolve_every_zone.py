"""The resolver against a clock with alarms (`oncall_alarm_clock`): every change of every zone, and schedules at random.

The changes come from the raw zone files, not from the code under test.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oncall_alarm_clock import AlarmClock, wall, watch

from midwatch.core.zones import all_zones, comes_at
from midwatch.respond.oncall.resolve import (
    Layer,
    Override,
    Restriction,
    Schedule,
    Shift,
    WeeklyRestriction,
    current,
    gaps,
    on_call_at,
    shifts,
    stretches,
)
from raw_zones import Change, raw_changes, raw_zone

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
TICK = timedelta(minutes=5)  # finer than the grid on which zones change and the layers below are laid
SECOND = timedelta(seconds=1)
MANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def changes_of(name: str) -> list[Change]:
    return [change for change in raw_changes(raw_zone(name)) if FIRST <= change[0] < LAST]


def all_changes() -> dict[Change, str]:
    """Each different change, with one zone that has it: only the moment and the two offsets matter to a wall clock."""
    found: dict[Change, str] = {}
    for name in all_zones():
        for change in changes_of(name):
            found.setdefault(change, name)
    return found


CHANGES = sorted((change, name) for change, name in all_changes().items())


def test_there_is_something_to_test() -> None:
    assert len({name for _, name in CHANGES}) > 20
    assert sum(1 for name in all_zones() if changes_of(name)) > 150
    assert {after - before for (_, before, after), _ in CHANGES} >= {
        timedelta(hours=1),
        timedelta(hours=-1),
        timedelta(minutes=30),
        timedelta(minutes=-30),
    }


def test_hand_offs_around_every_change_of_every_zone() -> None:
    """In each zone, for each change: the first tick at which the wall shows the time or later is the hand-off."""
    checked = 0
    for name in all_zones():
        for at, before, after in changes_of(name):
            ticks = [at + step * timedelta(minutes=15) for step in range(-20, 21)]
            shown = [wall(tick, name) for tick in ticks]
            for minutes in (-60, -30, -15, 0, 15, 30, 45, 60, 90):
                hand_off = (at + max(before, after)).replace(tzinfo=None) + timedelta(minutes=minutes)
                expected = next(tick for tick, clock in zip(ticks, shown, strict=True) if clock >= hand_off)
                assert comes_at(hand_off, name) == expected, (name, at, hand_off)
                layer = Layer("daily", hand_off - timedelta(days=500), None, 1, "days", (("ana",), ("bo",)))
                schedule = Schedule(name, "cover", (layer,))
                assert on_call_at(schedule, expected) == ("ana",), (name, at, hand_off)
                assert on_call_at(schedule, expected - SECOND) == ("bo",), (name, at, hand_off)
                checked += 1
    assert checked > 10_000


@pytest.mark.parametrize("minutes", [30, 60])
def test_an_hourly_rotation_and_a_night_watched_across_every_different_change(minutes: int) -> None:
    """Starts off the hour too, so that hand-offs fall inside what is removed or doubled."""
    for (at, _, after), name in CHANGES:
        start = (at + after).replace(tzinfo=None, minute=0) - timedelta(hours=30, minutes=minutes)
        hourly = Layer("hourly", start, None, 1, "hours", tuple((person,) for person in "abcdefg"))
        night = Layer("night", start, None, 1, "days", (("n",), ("m",)), (Restriction(None, time(1, 30), time(2, 30)),))
        schedule = Schedule(name, "all", (hourly, night))
        low, high = at - timedelta(hours=20), at + timedelta(hours=8)
        seen = dict(watch(schedule, low, high, timedelta(minutes=15)))
        assert {tick: on_call_at(schedule, tick) for tick in seen} == seen, (name, at)
        agrees(schedule, low, high, seen)


def agrees(schedule: Schedule, low: datetime, high: datetime, seen: dict[datetime, tuple[str, ...]]) -> None:
    """`shifts`, `stretches` and `gaps` say what was seen at the ticks, and only where somebody changes do they end."""
    ticks = sorted(seen)
    for found in (shifts(schedule, low, high), stretches(schedule, low, high)):
        assert found == sorted(found, key=lambda shift: shift.start)
        on: dict[datetime, set[str]] = {tick: set() for tick in ticks}
        index = {tick: place for place, tick in enumerate(ticks)}
        for shift in found:
            assert low <= shift.start < shift.end <= high
            first = index.get(shift.start)
            assert first is not None, "a shift starts between two ticks"
            for tick in ticks[first:]:
                if tick >= shift.end:
                    break
                on[tick].add(shift.user)
        assert on == {tick: set(people) for tick, people in seen.items()}
    for since, until in gaps(schedule, low, high):
        assert low <= since < until <= high
    empty = {tick for tick in ticks for since, until in gaps(schedule, low, high) if since <= tick < until}
    assert empty == {tick for tick, people in seen.items() if not people}


people = st.sampled_from(["ana", "bo", "cy", "dana", "eve"])
clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 5, 30, 45])) | st.sampled_from([time(2), time(3)])
days = st.none() | st.lists(st.integers(0, 6), max_size=4).map(tuple)
restrictions = st.builds(Restriction, days, clock_times, clock_times) | st.builds(
    WeeklyRestriction, st.integers(0, 6), clock_times, st.integers(0, 6), clock_times
)


@st.composite
def layers(draw: st.DrawFn, around: datetime) -> Layer:
    back = timedelta(minutes=5 * draw(st.integers(-2 * 288, 40 * 288) | st.sampled_from([0, 288, 12 * 300])))
    end = draw(st.none() | st.integers(-300, 600).map(lambda fives: around + timedelta(minutes=5 * fives)))
    unit, most = draw(st.sampled_from([("hours", 30), ("days", 3), ("weeks", 2)]))
    turns = st.lists(people, max_size=2).map(tuple)
    return Layer(
        name=draw(st.sampled_from(["first", "second"])),
        start=around - back,
        end=end,
        every=draw(st.integers(1, most)),
        unit=unit,
        participants=tuple(draw(st.lists(turns, max_size=4))),
        restrictions=tuple(draw(st.lists(restrictions, max_size=3))),
        turn_offset=draw(st.integers(-2, 3)),
    )


@st.composite
def overrides(draw: st.DrawFn, around: datetime, number: int) -> Override:
    start = around + timedelta(minutes=5 * draw(st.integers(-700, 600)))
    end = start + timedelta(minutes=5 * draw(st.integers(-1, 500)))
    kind = draw(st.sampled_from(["replace", "replace", "add", "remove"]))
    user = None if kind == "remove" else draw(people)
    replaces = None if kind == "add" else draw(st.none() | people)
    return Override(start, end, kind, user, replaces, number)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    """A schedule and a change of its zone."""
    (at, before, _), name = draw(st.sampled_from(CHANGES))
    around = (at + before).replace(tzinfo=None)
    return Schedule(
        time_zone=name,
        combine=draw(st.sampled_from(["cover", "all"])),
        layers=tuple(draw(st.lists(layers(around), min_size=1, max_size=3))),
        overrides=tuple(draw(overrides(at, number)) for number in range(draw(st.integers(0, 4)))),
    ), at


@MANY
@given(schedules())
def test_any_schedule_watched_across_a_change(drawn: tuple[Schedule, datetime]) -> None:
    schedule, at = drawn
    low, high = at - timedelta(hours=40), at + timedelta(hours=32)
    seen = dict(watch(schedule, low, high, TICK))
    assert {tick: on_call_at(schedule, tick) for tick in seen} == seen
    agrees(schedule, low, high, seen)


@MANY
@given(schedules(), st.integers(-100_000, 100_000))
def test_current_says_the_real_ends(drawn: tuple[Schedule, datetime], minutes: int) -> None:
    schedule, change = drawn
    at = change + timedelta(minutes=minutes)
    answer = current(schedule, at)
    assert tuple(one.user for one in answer) == on_call_at(schedule, at)
    for one in answer:
        for end, is_inside in ((one.since, timedelta(0)), (one.until, -SECOND)):
            if end is not None:
                assert one.user in on_call_at(schedule, end + is_inside)
                assert one.user not in on_call_at(schedule, end + is_inside - (SECOND if end == one.since else -SECOND))
        since = at - timedelta(days=400) if one.since is None else one.since
        until = at + timedelta(days=400) if one.until is None else one.until
        assert since <= at < until
        unbroken = [shift for shift in stretches(schedule, since, until) if shift.user == one.user]
        assert [(shift.start, shift.end) for shift in unbroken] == [(since, until)]
        if one.since is not None and one.until is not None:
            matching = shifts(schedule, at, at + SECOND, is_whole=True)
            assert any(shift.user == one.user and shift.start >= since and shift.end <= until for shift in matching)


@MANY
@given(schedules(), st.integers(0, 20) | st.integers(0, 6000), st.integers(1, 20) | st.integers(1, 6000))
def test_a_whole_shift_has_the_same_times_wherever_one_looks(
    drawn: tuple[Schedule, datetime], before: int, after: int
) -> None:
    """The ranges end within the hour that DST repeats too."""
    schedule, at = drawn
    low, high = at - timedelta(minutes=5 * before), at + timedelta(minutes=5 * after)
    inside = (at - timedelta(minutes=5 * (before // 2)), at + timedelta(minutes=5 * (after // 2) + 1))
    wide, narrow = (set(shifts(schedule, *bounds, is_whole=True)) for bounds in ((low, high), inside))
    assert narrow == {shift for shift in wide if shift.start < inside[1] and shift.end > inside[0]}
    assert set(shifts(schedule, low, high)) == {clipped(shift, low, high) for shift in wide}


def clipped(shift: Shift, low: datetime, high: datetime) -> Shift:
    return Shift(
        shift.user,
        max(shift.start, low),
        min(shift.end, high),
        shift.layer,
        shift.is_override,
        shift.override_id,
    )


@MANY
@given(schedules())
def test_shifts_end_only_where_somebody_changes(drawn: tuple[Schedule, datetime]) -> None:
    """Nobody's shift is followed at once by the same person's by the same layer or override: that is one shift."""
    schedule, at = drawn
    low, high = at - timedelta(days=3), at + timedelta(days=3)
    for person, layer, override_id in {(s.user, s.layer, s.override_id) for s in shifts(schedule, low, high)}:
        if [one.name for one in schedule.layers].count(layer) < 2:
            own = [
                s
                for s in shifts(schedule, low, high)
                if (s.user, s.layer, s.override_id) == (person, layer, override_id)
            ]
            assert not {s.start for s in own} & {s.end for s in own}
    for person in {s.user for s in stretches(schedule, low, high)}:
        own = [s for s in stretches(schedule, low, high) if s.user == person]
        assert not {s.start for s in own} & {s.end for s in own}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CHANGES),
    st.integers(0, 30 * 365),
    st.sampled_from([("hours", 7), ("days", 1), ("weeks", 2)]),
    st.integers(2, 7),
)
@example(CHANGES[0], 30 * 365, ("hours", 7), 5)
def test_decades_from_the_start_the_turn_is_the_one_that_stepping_finds(
    drawn: tuple[Change, str], days_back: int, every: tuple[str, int], people_count: int
) -> None:
    (at, before, _), name = drawn
    unit, most = every
    start = (at + before).replace(tzinfo=None) - timedelta(days=days_back)
    layer = Layer("old", start, None, most, unit, tuple((str(one),) for one in range(people_count)))  # type: ignore[arg-type]
    low = at - timedelta(days=1)
    stepped = AlarmClock(layer, wall(low, name))
    assert on_call_at(Schedule(name, "cover", (layer,)), low) == tuple(stepped.people())
