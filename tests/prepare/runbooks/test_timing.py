"""When a schedule comes, in whatever zone, and what it missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.prepare.runbooks.timing import Schedule, missed, next_at, parse_cron

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # a Tuesday


def cron(text: str, after: datetime = NOW, zone: str = "UTC") -> datetime:
    return next_at(Schedule(NOW, cron=text, zone_name=zone), after)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("* * * * *", "2026-03-03T12:01"),
        ("0 12 * * *", "2026-03-04T12:00"),
        ("*/20 8-10 * * mon-fri", "2026-03-04T08:00"),
        ("15,45 * * * *", "2026-03-03T12:15"),
        ("30 6 * * 7", "2026-03-08T06:30"),
        ("0 0 1 * *", "2026-04-01T00:00"),
        ("0 0 13 * fri", "2026-03-06T00:00"),  # either day field, as crontab(5) says
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("@weekly", "2026-03-08T00:00"),
        ("10/30 12 * * *", "2026-03-03T12:10"),
    ],
)
def test_five_fields_as_crontab_has_them(text: str, at: str) -> None:
    assert cron(text) == datetime.fromisoformat(at).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "* * 31 2 *", "*/0 * * * *", "5-1 * * * *", "x * * * *"])
def test_what_is_no_cron_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|look"):
        parse_cron(text)


def test_a_time_that_the_clock_change_removes_comes_at_the_jump_and_a_doubled_one_once() -> None:
    before = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    assert cron("30 2 * * *", before, "Europe/Prague") == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    autumn = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    first = cron("30 2 * * *", autumn, "Europe/Prague")
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert cron("30 2 * * *", first, "Europe/Prague") == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_what_passed_is_counted_and_not_piled_up() -> None:
    every = Schedule(NOW, every=timedelta(hours=1))
    assert missed(every, NOW, NOW) == 0
    assert missed(every, NOW, NOW + timedelta(hours=7, minutes=1)) == 7
    assert missed(Schedule(NOW, cron="0 * * * *"), NOW, NOW + timedelta(hours=7, minutes=1)) == 7


@settings(deadline=None)
@given(st.integers(60, 90_000), st.integers(0, 10_000_000))
def test_every_comes_strictly_later_and_keeps_its_beat(seconds: int, later: int) -> None:
    every = timedelta(seconds=seconds)
    after = NOW + timedelta(seconds=later)
    found = next_at(Schedule(NOW, every=every), after)
    assert after < found <= after + every
    assert (found - NOW) % every == timedelta(0)
