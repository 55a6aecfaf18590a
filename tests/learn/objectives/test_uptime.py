"""The calculator: uptime.is' conventions and its published figures, exact; there and back; what cannot be read is said."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.learn.objectives.uptime import (
    UptimeError,
    allowed,
    convention_named,
    gregorian_average,
    left,
    letters,
    nines,
    of_calendar,
    of_contracts,
    read_downtime,
    read_hours,
    read_sla,
    shown,
    words,
)

MEAN = gregorian_average()
percents = st.decimals("0.0001", "100", places=6).map(Fraction)
week_hours = st.lists(st.integers(0, 24).map(Fraction), min_size=7, max_size=7).filter(any)


def seconds(sla: str, hours: str = "") -> dict[str, float]:
    return {one.period: float(one.downtime) for one in allowed(read_sla(sla), MEAN, read_hours(hours))}


@pytest.mark.parametrize(
    ("sla", "month", "quarter", "year"),
    [
        ("99.5", 13148.73, 39446.19, 157784.76),
        ("99.9", 2629.746, 7889.238, 31556.952),
        ("99.95", 1314.873, 3944.619, 15778.476),
        ("99.99", 262.9746, 788.9238, 3155.6952),
        ("99.999", 26.29746, 78.89238, 315.56952),
        ("95", 131487.3, 394461.9, 1577847.6),
        ("two-nines", 26297.46, 78892.38, 315569.52),
    ],
)
def test_published_figures(sla: str, month: float, quarter: float, year: float) -> None:
    found = seconds(sla)
    assert found["month"] == pytest.approx(month, abs=1e-6)
    assert found["quarter"] == pytest.approx(quarter, abs=1e-6)
    assert found["year"] == pytest.approx(year, abs=1e-6)


def test_the_page_of_two_nines_in_words() -> None:
    found = {one.period: words(one.downtime) for one in allowed(read_sla("99"), MEAN)}
    assert found == {
        "day": "14m 24s",
        "week": "1h 40m 48s",
        "month": "7h 18m 17s",
        "quarter": "21h 54m 52s",
        "year": "3d 15h 39m 30s",
    }


def test_service_hours_have_no_day() -> None:
    found = seconds("99.9", "8,8,8,8,8,0,0")
    assert list(found) == ["week", "month", "quarter", "year"]
    assert found["week"] == 144
    assert found["year"] == pytest.approx(144 * 52.1775, abs=1e-6)


def test_what_is_left_of_a_day() -> None:
    day = left(read_downtime("1h20m"), MEAN)[0]
    assert float(day.sla) == pytest.approx(94.44444444444444, abs=1e-12)
    assert left(read_downtime("3d"), MEAN)[0].sla == 0


def test_other_conventions() -> None:
    assert [words(one.downtime) for one in allowed(read_sla("99.9"), of_contracts())][2:] == [
        "43m 12s",
        "2h 9m 36s",
        "8h 45m 36s",
    ]
    leap = of_calendar(date(2028, 2, 10)).lengths
    assert [leap[period] / 86_400 for period in ("month", "quarter", "year")] == [29, 91, 366]
    assert of_calendar(date(2027, 12, 31)).lengths["quarter"] == 92 * 86_400
    with pytest.raises(UptimeError, match="write gregorian-average, 30d/365d, calendar"):
        convention_named("julian", date(2026, 1, 1))


@given(percents, week_hours)
def test_there_and_back(percent: Fraction, hours: list[Fraction]) -> None:
    for one in allowed(percent, MEAN, hours):
        again = {figure.period: figure.sla for figure in left(one.downtime, MEAN, hours)}
        assert again[one.period] == percent


@given(week_hours)
def test_the_letters_of_a_week_come_back(hours: list[Fraction]) -> None:
    assert read_hours(letters(hours)) == tuple(hours)
    assert read_hours(",".join(str(one) for one in hours)) == tuple(hours)


@given(st.integers(1, 10**9))
def test_a_downtime_in_words_comes_back(length: int) -> None:
    assert read_downtime(words(Fraction(length))) == length


def test_what_is_shown_is_never_more_than_it_is() -> None:
    assert shown(Fraction("99.99999999"), 4) == "99.9999"
    assert words(Fraction(1, 10**6)) == "under 1 ms"
    assert words(Fraction("0.0864")) == "0.086s"
    assert nines(Fraction("99.9")) == pytest.approx(3)
    assert nines(Fraction(100)) is None


@pytest.mark.parametrize("text", ["", "0", "101", "-1", "1e2", "99.9.9", "ninety", "ten-nines", "9" * 50, "NaN", "٩٩"])
def test_no_sla(text: str) -> None:
    with pytest.raises(UptimeError, match=r"write a percentage above 0 and up to 100, as 99\.9"):
        read_sla(text)


@pytest.mark.parametrize("text", ["", "h", "1x", "1h 2", "-5", "1h" * 60, "9" * 13])
def test_no_downtime(text: str) -> None:
    with pytest.raises(UptimeError, match="write"):
        read_downtime(text)


@pytest.mark.parametrize("text", ["25", "8,8,8,8,8,0,0,0", "a,b", "zzzzzzz", "0,0,0,0,0,0,0", "aaaaaaa", "8;8"])
def test_no_hours(text: str) -> None:
    with pytest.raises(UptimeError):
        read_hours(text)
