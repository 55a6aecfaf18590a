"""When an audience hears next, and how far a broken promise goes (R6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from midwatch.respond.incidents.cadence import LONG_EVERY, Rhythm, adherence, due, ladder, next_promise

START = datetime(2026, 3, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
lengths = st.integers(1, 600).map(lambda minutes: minutes * MINUTE)


def test_the_first_update_has_its_own_time_and_the_clock_starts_at_the_last_one() -> None:
    rhythm = Rhythm(20 * MINUTE, 5 * MINUTE)
    assert next_promise(rhythm, declared_at=START, last_at=None) == START + 5 * MINUTE
    late = START + 47 * MINUTE
    assert next_promise(rhythm, declared_at=START, last_at=late) == late + 20 * MINUTE
    assert next_promise(rhythm, declared_at=START, last_at=late, is_long=True) == late + LONG_EVERY
    assert next_promise(Rhythm(None), declared_at=START, last_at=None) is None


@given(lengths, st.lists(st.integers(0, 700).map(lambda minutes: minutes * MINUTE), max_size=30))
def test_each_rung_is_gone_once_in_order_however_often_and_late_one_looks(
    ahead: timedelta, looks: list[timedelta]
) -> None:
    promised = START + ahead
    level, gone = 0, []
    for look in sorted(looks):
        reached, again_at = due(promised, START, level, START + look)
        gone += [rung.level for rung in reached]
        level = max([level, *gone])
        assert again_at is None or again_at > START + look
    assert gone == sorted(set(gone))
    assert all(rung.at <= START + max(looks) for rung in ladder(promised, START) if rung.level in gone)


@given(lengths)
def test_a_heads_up_comes_before_the_moment_and_after_the_promise(ahead: timedelta) -> None:
    rungs = ladder(START + ahead, START)
    assert [rung.whom for rung in rungs] == ["cm", "cm", "ic", "level 2"]
    assert [rung.at for rung in rungs] == sorted(rung.at for rung in rungs)
    assert START < rungs[0].at <= START + ahead


@given(st.lists(st.integers(-100, 700), max_size=20), lengths)
def test_silences_fill_the_incident_exactly(minutes: list[int], length: timedelta) -> None:
    found = adherence([START + minute * MINUTE for minute in minutes], START, START + length)
    assert sum(found.silences, timedelta(0)) == length
    assert found.updates == sum(0 <= minute * MINUTE.seconds <= length.total_seconds() for minute in minutes)
    assert found.longer_than(found.longest or timedelta(0)) == 0


def test_a_silence_from_the_start_counts() -> None:
    found = adherence([START + 35 * MINUTE, START + 50 * MINUTE], START, START + 60 * MINUTE)
    assert (found.first_after, found.longer_than(30 * MINUTE), found.longer_than(20 * MINUTE)) == (35 * MINUTE, 1, 1)
