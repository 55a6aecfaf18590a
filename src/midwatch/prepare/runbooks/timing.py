"""When a schedule comes next: `every` so long, or five fields of cron in a time zone. Pure.

Cron as crontab(5) has it: minute, hour, day of the month, month, day of the week; `*`, lists, ranges, steps, names; a day
is meant by either of the two day fields when both are given. A time that DST removes comes at the jump, one that it
doubles comes once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from midwatch.core.zones import comes_at, zone

EVERY_MIN, EVERY_MAX = timedelta(minutes=1), timedelta(days=366)
DAYS_AHEAD_MAX = 366 * 8 + 1  # 29 February, also over 2100
MISSED_MAX = 10_000  # counted one by one; more are "at least"
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: at for at, name in enumerate(_MONTH_NAMES, 1)}
WEEKDAYS = {name: at for at, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_PART = re.compile(r"(?P<first>\*|\w{1,3})(?:-(?P<last>\w{1,3}))?(?:/(?P<step>\d{1,3}))?", re.ASCII)
Field = frozenset[int]


@dataclass(frozen=True, slots=True)
class Cron:
    minutes: Field
    hours: Field
    days: Field
    months: Field
    weekdays: Field  # 0 is Sunday
    is_any_day: bool
    is_any_weekday: bool

    def means(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        is_day = day.day in self.days
        is_weekday = day.isoweekday() % 7 in self.weekdays
        if self.is_any_day or self.is_any_weekday:
            return is_day and is_weekday
        return is_day or is_weekday


@lru_cache(maxsize=512)
def parse_cron(text: str) -> Cron:
    """Raises `ValueError` with what to write instead."""
    words = SHORT.get(text.strip().lower(), text).split()
    if len(words) != 5:
        raise ValueError(f'cron: {text[:60]!r} has {len(words)} fields: write five, such as "30 6 * * mon-fri"')
    minute, hour, day, month, weekday = words
    weekdays = _field(weekday, 0, 7, WEEKDAYS, "day of the week")
    found = Cron(
        minutes=_field(minute, 0, 59, {}, "minute"),
        hours=_field(hour, 0, 23, {}, "hour"),
        days=_field(day, 1, 31, {}, "day"),
        months=_field(month, 1, 12, MONTHS, "month"),
        weekdays=frozenset(number % 7 for number in weekdays),
        is_any_day=day.startswith("*"),
        is_any_weekday=weekday.startswith("*"),
    )
    start = date(2024, 1, 1)  # a leap year follows within eight
    if not any(found.means(start + timedelta(days=ahead)) for ahead in range(DAYS_AHEAD_MAX)):
        raise ValueError(f"cron: {text[:60]!r} means no day that there is: look at day and month")
    return found


def _field(text: str, low: int, high: int, names: Mapping[str, int], what: str) -> Field:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        wrong = ValueError(f"cron: {part[:20]!r} is no {what}: write {low} to {high}, a list, a range or */5")
        if match is None:
            raise wrong
        first = low if match["first"] == "*" else _number(match["first"], names)
        last = _number(match["last"], names) if match["last"] else first
        if match["first"] == "*" or (match["step"] and not match["last"]):
            last = high
        step = int(match["step"] or 1)
        if first is None or last is None or not low <= first <= last <= high or step < 1:
            raise wrong
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, names: Mapping[str, int]) -> int | None:
    return int(text) if text.isdigit() else names.get(text.lower())


def next_cron(cron: Cron, after: datetime, zone_name: str) -> datetime:
    """The first moment later than `after`, aware UTC."""
    local = after.astimezone(zone(zone_name))
    day = local.date() - timedelta(days=1)  # a wall time of yesterday may come only after a jump
    for _ in range(DAYS_AHEAD_MAX):
        if cron.means(day):
            for hour in sorted(cron.hours):
                for minute in sorted(cron.minutes):
                    at = comes_at(datetime(day.year, day.month, day.day, hour, minute), zone_name)  # noqa: DTZ001
                    if at > after:
                        return at
        day += timedelta(days=1)
    raise AssertionError("parse_cron refuses what never comes")


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every` counts from `start`; without it `cron` says when, on the wall of the zone."""

    start: datetime
    every: timedelta | None = None
    cron: str = ""
    zone_name: str = "UTC"


def next_at(schedule: Schedule, after: datetime) -> datetime:
    """The first moment later than `after`."""
    if schedule.every is None:
        return next_cron(parse_cron(schedule.cron), after, schedule.zone_name)
    return schedule.start + (max(after - schedule.start, timedelta(0)) // schedule.every + 1) * schedule.every


def missed(schedule: Schedule, due_at: datetime, now: datetime) -> int:
    """How many moments after `due_at` have passed at `now`, beside the one that runs now. They are not made up for."""
    if schedule.every is not None:
        return max(now - due_at, timedelta(0)) // schedule.every
    count, at = 0, due_at
    while count < MISSED_MAX and (at := next_at(schedule, at)) <= now:
        count += 1
    return count
