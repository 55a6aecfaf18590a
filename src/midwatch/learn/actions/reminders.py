"""When the owner of an action item is reminded, and when somebody beside them. Pure.

Reminders go on for as long as the item is open, long after its incident was closed (R17): a week before, on the day, then
the owner and soon their team's managers, every week.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

BEFORE = timedelta(days=7)
AT = time(9, 0)  # in the owner's zone
DAYS = {"high": 14, "medium": 30, "low": 90}  # the usual time for an item of a priority

Whom = Literal["owner", "owner and managers"]


@dataclass(frozen=True, slots=True)
class Reminder:
    """`at`: aware UTC. `sentence`: how it stands ("is due in 7 days")."""

    at: datetime
    whom: Whom
    sentence: str


def moments(due_on: date) -> list[tuple[date, Whom]]:
    """The first ones; after the last of them it goes on every week."""
    return [
        (due_on - BEFORE, "owner"),
        (due_on, "owner"),
        (due_on + timedelta(days=3), "owner"),
        (due_on + timedelta(days=7), "owner and managers"),
    ]


def next_reminder(due_on: date, zone: tzinfo, after: datetime) -> Reminder:
    """The first one later than `after` (aware). There is always one."""
    days = moments(due_on)
    last, whom = days[-1]
    while (candidate := _next_of(days, zone, after)) is None:
        last += timedelta(days=7)
        days = [(last, whom)]
    day, who = candidate
    return Reminder(datetime.combine(day, AT, zone).astimezone(UTC), who, standing(due_on, day))


def _next_of(days: list[tuple[date, Whom]], zone: tzinfo, after: datetime) -> tuple[date, Whom] | None:
    return next((one for one in days if datetime.combine(one[0], AT, zone) > after), None)


def standing(due_on: date, today: date) -> str:
    days = (due_on - today).days
    if days == 0:
        return "is due today"
    unit = "day" if abs(days) == 1 else "days"
    return f"is due in {days} {unit}" if days > 0 else f"is {-days} {unit} overdue"


def usual_due_on(priority: str, today: date) -> date:
    return today + timedelta(days=DAYS[priority])
