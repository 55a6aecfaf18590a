"""Times as two people read them: in the viewer's zone, and in the schedule's where that shows another hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from midwatch.core.zones import wall_at, zone
from midwatch.respond.oncall.models import Schedule

CLOCK_CHANGE_DAYS = 60
DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Moment:
    """`there`: "10:00 CET", what the schedule's clock shows; "" when it shows the same as the viewer's."""

    at: datetime
    there: str


def moment(at: datetime | None, schedule: Schedule) -> Moment | None:
    return None if at is None else Moment(at, there(at, schedule.time_zone))


def there(at: datetime, zone_name: str) -> str:
    here, elsewhere = timezone.localtime(at), at.astimezone(zone(zone_name))
    if here.utcoffset() == elsewhere.utcoffset():
        return ""
    return date_format(elsewhere, "H:i T" if here.date() == elsewhere.date() else "D H:i T", use_l10n=False)


def wall_words(at: datetime, zone_name: str) -> str:
    """ "Tue 6 Jan 18:00" in a zone."""
    return date_format(at.astimezone(zone(zone_name)), "D j M H:i", use_l10n=False)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """DST begins or ends at `at`: the wall goes from `before` to `after` ("02:00", "03:00")."""

    at: datetime
    before: str
    after: str
    is_forward: bool


def next_clock_change(zone_name: str, now: datetime) -> ClockChange | None:
    """In the next 60 days, to the second."""
    local = zone(zone_name)
    start = now.replace(microsecond=0)
    known = start.astimezone(local).utcoffset() or timedelta(0)

    def has_changed(seconds: int) -> bool:
        return (start + timedelta(seconds=seconds)).astimezone(local).utcoffset() != known

    day = next((day for day in range(1, CLOCK_CHANGE_DAYS + 1) if has_changed(day * DAY_SECONDS)), None)
    if day is None:
        return None
    low, high = (day - 1) * DAY_SECONDS, day * DAY_SECONDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if has_changed(middle) else (middle, high)
    at = start + timedelta(seconds=high)
    before, after = (at + known).replace(tzinfo=None), wall_at(at, zone_name)
    return ClockChange(at, f"{before:%H:%M}", f"{after:%H:%M}", after > before)
