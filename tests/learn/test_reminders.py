"""When the owner of an action item is reminded: before, on the day, and for as long as it is open (R17)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.zones import zone
from midwatch.learn.actions.reminders import next_reminder, standing

ZONES = st.sampled_from(["UTC", "Europe/Prague", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])


@given(st.dates(date(2026, 1, 1), date(2027, 12, 31)), ZONES, st.integers(-60 * 24, 120 * 24))
def test_there_is_always_a_next_one_and_each_is_later(due: date, name: str, hours: int) -> None:
    where = zone(name)
    after = datetime(due.year, due.month, due.day, tzinfo=UTC) + timedelta(hours=hours)
    for _ in range(6):
        found = next_reminder(due, where, after)
        assert found.at > after
        assert found.at.astimezone(where).hour == 9
        assert found.at - after <= timedelta(days=8) or after < found.at - timedelta(days=7)
        after = found.at


def test_a_week_before_on_the_day_then_the_managers_too_every_week() -> None:
    due, after = date(2026, 3, 10), datetime(2026, 3, 1, tzinfo=UTC)
    seen = []
    for _ in range(7):
        found = next_reminder(due, UTC, after)
        seen.append((found.at.date().isoformat(), found.whom, found.sentence))
        after = found.at
    assert seen == [
        ("2026-03-03", "owner", "is due in 7 days"),
        ("2026-03-10", "owner", "is due today"),
        ("2026-03-13", "owner", "is 3 days overdue"),
        ("2026-03-17", "owner and managers", "is 7 days overdue"),
        ("2026-03-24", "owner and managers", "is 14 days overdue"),
        ("2026-03-31", "owner and managers", "is 21 days overdue"),
        ("2026-04-07", "owner and managers", "is 28 days overdue"),
    ]


def test_words() -> None:
    assert standing(date(2026, 3, 2), date(2026, 3, 1)) == "is due in 1 day"
    assert standing(date(2026, 3, 1), date(2026, 3, 2)) == "is 1 day overdue"
