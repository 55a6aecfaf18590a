"""Which messages about shifts and gaps are due: reads, without writing that they were sent.

Each has a stable `key`: the caller sends a key once. A message that came due while nothing ran is still given for as
long as it means something (`GRACE`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from midwatch.people.models import Team, User
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import named, resolvables, schedules, unplanned_gaps

SHIFT_START_DEFAULT = ("24h", "0s")
AHEAD_MAX = timedelta(days=7)
GRACE = timedelta(hours=6)  # of a notice ahead of a shift
START_GRACE = timedelta(hours=1)  # of the notice at its start
GAP_DAYS_AHEAD = (7, 1)
GAP_LOOK = timedelta(days=60)
_LENGTH = re.compile(r"(\d{1,7})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class ShiftNotice:
    """`user` is to hear that their shift starts, in `ahead` or (zero) now. `ends_at` None: no end in sight."""

    key: str
    user: User
    schedule: Schedule
    starts_at: datetime
    ends_at: datetime | None
    ahead: timedelta


@dataclass(frozen=True, slots=True)
class GapWarning:
    """`team` is to hear that nobody will be on call. `ends_at` None: no end in sight."""

    key: str
    team: Team
    schedule: Schedule
    starts_at: datetime
    ends_at: datetime | None
    days_ahead: int


def due_shift_notices(now: datetime) -> list[ShiftNotice]:
    """24 h before a shift and at its start, or as the person wants it (`notifyOn.shiftStart`)."""
    wanted = list(schedules())
    low, high = now - START_GRACE, now + AHEAD_MAX + timedelta(hours=1)
    values = resolvables(wanted, since=low - timedelta(hours=1))
    starting = [
        (schedule, stretch)
        for schedule in wanted
        for stretch in resolve.stretches(values[schedule.pk], low - timedelta(seconds=1), high)
        if stretch.start >= low
    ]
    people = named(stretch.user for _, stretch in starting)
    notices = []
    for schedule, stretch in starting:
        user = people[stretch.user]
        for ahead in lengths_ahead(user):
            if _is_due(stretch.start, ahead, now):
                ends_at = _end_of(values[schedule.pk], stretch, high)
                key = f"shift/{schedule.pk}/{user.pk}/{stretch.start:%Y%m%dT%H%M%S}/{int(ahead.total_seconds())}"
                notices.append(ShiftNotice(key, user, schedule, stretch.start, ends_at, ahead))
    return notices


@dataclass(frozen=True, slots=True)
class ShiftChange:
    """`people` begin their shift of `schedule`. `ends_at` None: no end in sight, or not all at once."""

    key: str
    schedule: Schedule
    people: Sequence[User]
    starts_at: datetime
    ends_at: datetime | None


def shift_changes(now: datetime, team_ids: Sequence[int]) -> list[ShiftChange]:
    """Who began a shift within the last hour, by schedule and moment."""
    wanted = [one for one in schedules() if one.team_id in set(team_ids)]
    low = now - START_GRACE
    values = resolvables(wanted, since=low - timedelta(hours=1))
    high = now + timedelta(hours=1)
    found: dict[tuple[int, datetime], list[resolve.Shift]] = {}
    for schedule in wanted:
        for stretch in resolve.stretches(values[schedule.pk], low - timedelta(seconds=1), high):
            if low <= stretch.start <= now:
                found.setdefault((schedule.pk, stretch.start), []).append(stretch)
    people = named(stretch.user for stretches in found.values() for stretch in stretches)
    by_pk = {one.pk: one for one in wanted}
    changes = []
    for (pk, start), stretches in found.items():
        ends = {_end_of(values[pk], stretch, high) for stretch in stretches}
        changes.append(
            ShiftChange(
                f"shift/{pk}/{start:%Y%m%dT%H%M%S}",
                by_pk[pk],
                [people[stretch.user] for stretch in stretches],
                start,
                ends.pop() if len(ends) == 1 else None,
            )
        )
    return changes


def lengths_ahead(user: User) -> list[timedelta]:
    """How long before a shift this person wants to hear of it."""
    wanted = user.notify_on.get("shiftStart", SHIFT_START_DEFAULT)
    found = {_length(text) for text in wanted if isinstance(text, str)}
    return sorted((length for length in found if length is not None and length <= AHEAD_MAX), reverse=True)


def _length(text: str) -> timedelta | None:
    match = _LENGTH.fullmatch(text)
    return None if match is None else timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _is_due(start: datetime, ahead: timedelta, now: datetime) -> bool:
    due = start - ahead
    if not ahead:
        return due <= now < due + START_GRACE
    return due <= now < min(due + GRACE, start)


def _end_of(values: resolve.Schedule, stretch: resolve.Shift, high: datetime) -> datetime | None:
    if stretch.end < high:
        return stretch.end
    return next((one.until for one in resolve.current(values, stretch.start) if one.user == stretch.user), None)


def gap_warnings(now: datetime) -> list[GapWarning]:
    """7 days and 1 day before nobody is on call; a gap that somebody made later than that is told at once."""
    wanted = list(schedules())
    values = resolvables(wanted, since=now)
    warnings = []
    for schedule in wanted:
        for start, end in unplanned_gaps(values[schedule.pk], now, now + timedelta(days=GAP_DAYS_AHEAD[0], hours=1)):
            days_ahead = _days_ahead(start - now)
            if start > now and days_ahead is not None:
                ends_at = _gap_end(values[schedule.pk], start, end, now)
                key = f"gap/{schedule.pk}/{start:%Y%m%dT%H%M%S}/{days_ahead}"
                warnings.append(GapWarning(key, schedule.team, schedule, start, ends_at, days_ahead))
    return warnings


def _days_ahead(until_gap: timedelta) -> int | None:
    """The latest of the moments of warning that have come."""
    come: Sequence[int] = [days for days in GAP_DAYS_AHEAD if until_gap <= timedelta(days=days)]
    return min(come, default=None)


def _gap_end(values: resolve.Schedule, start: datetime, end: datetime, now: datetime) -> datetime | None:
    if end < now + timedelta(days=GAP_DAYS_AHEAD[0]):
        return end
    limit = start + GAP_LOOK
    following = [high for low, high in unplanned_gaps(values, start, limit) if low == start]
    return following[0] if following and following[0] < limit else None
