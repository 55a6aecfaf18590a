"""Figures from counted lengths: right to within a bucket, whatever the lengths."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.zones import zone
from midwatch.learn.insights.measures import (
    STEP,
    Lengths,
    by_week,
    is_night,
    is_out_of_hours,
    share,
    trend,
    week_of,
    weeks,
    words,
)

seconds = st.lists(st.integers(0, 400_000), min_size=1, max_size=200)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(seconds, st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_right_to_within_a_bucket(lengths: list[int], which: float) -> None:
    found = Lengths()
    for one in lengths:
        found.add_length(timedelta(seconds=one))
    ranked = sorted(lengths)
    exact = ranked[max(0, -(-round(which * 1_000_000) * len(ranked) // 1_000_000) - 1)]
    quantile = found.quantile(which)
    assert quantile is not None
    assert exact - STEP < quantile.total_seconds() <= exact


@given(seconds)
def test_the_mean_is_right_to_within_half_a_bucket(lengths: list[int]) -> None:
    found = Lengths()
    for one in lengths:
        found.add_length(timedelta(seconds=one))
    mean = found.mean()
    assert mean is not None
    assert abs(mean.total_seconds() - statistics.fmean(lengths)) <= STEP / 2 + 1e-6


def test_nothing_has_no_figure() -> None:
    assert (Lengths().quantile(0.5), Lengths().mean(), share(0, 0), words(None)) == (None, None, None, "\u2013")


def test_night_and_working_hours_are_those_of_where_the_person_lives() -> None:
    moment = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)  # a Tuesday
    assert is_night(moment, zone("Europe/Prague"))
    assert not is_night(moment, zone("Asia/Tokyo"))
    assert not is_out_of_hours(moment, zone("Asia/Tokyo"))
    assert is_out_of_hours(moment + timedelta(days=5), zone("Asia/Tokyo"))


@given(moments, st.integers(1, 400))
def test_weeks_cover_the_period_without_a_gap(start: datetime, days: int) -> None:
    end = start + timedelta(days=days)
    found = weeks(start, end)
    assert (found[0][0], found[-1][1]) == (start, end)
    assert all(before[1] == after[0] for before, after in pairwise(found))
    values = {week_of(start): 3}
    assert by_week(values, found)[0] == 3
    assert sum(by_week(values, found)) == 3


def test_words_and_trends() -> None:
    assert words(timedelta(seconds=260)) == "4 min 20 s"
    assert words(timedelta(hours=3, minutes=5)) == "3 h 5 min"
    assert words(timedelta(days=2)) == "2 d"
    assert words(timedelta(seconds=9)) == "9 s"
    assert trend(10, 20) == "better"
    assert trend(0.9, 0.5, is_less_better=False) == "better"
    assert trend(100, 101) == "same"
    assert trend(None, 1) == ""
    assert trend(62, 0) == ""
