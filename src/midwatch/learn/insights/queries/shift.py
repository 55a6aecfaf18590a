"""What a shift was like: who was woken when, and which alerts nobody acted on. Shown at each hand-off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from midwatch.core.zones import zone
from midwatch.learn.insights import measures
from midwatch.learn.insights.queries.alerts import SLACK, first_of
from midwatch.people.models import User
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.notify.models import Page
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import shifts_of_schedule

PAGES_MAX = 500
ALERTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Woken:
    user: User
    at: datetime
    alert: Alert
    is_night: bool


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """`woken`: calls of people on this schedule's shift, by the clock. `untouched`: ended, and no person did anything."""

    schedule: Schedule
    start: datetime
    end: datetime
    people: Sequence[User]
    woken: Sequence[Woken]
    alerts: int
    untouched: Sequence[Alert]
    still_open: Sequence[Alert]
    is_cut: bool  # there was more than is shown

    @property
    def nights(self) -> int:
        return sum(one.is_night for one in self.woken)


def shift_report(schedule: Schedule, start: datetime, end: datetime) -> ShiftReport:
    """Of the team's alerts between two moments, and of the calls to whoever was on the schedule then."""
    people = {user.pk: user for row in shifts_of_schedule(schedule, start, end) for user in [row.user]}
    first = first_of(Alert, "number", "created_at", start)
    alerts = Alert.objects.select_related("service", "acknowledged_by", "resolved_by").filter(
        team=schedule.team, number__gte=first, created_at__gte=start, created_at__lt=end
    )
    shown = list(alerts.order_by("number")[: ALERTS_MAX * 10])
    pages = (
        Page.objects.select_related("user", "alert")
        .filter(
            pk__gte=first_of(Page, "id", "started_at", start),
            pk__lt=first_of(Page, "id", "started_at", end + 2 * SLACK),
            started_at__gte=start,
            started_at__lt=end,
            user__in=people,
            alert__is_test=False,
        )
        .order_by("started_at", "pk")[: PAGES_MAX + 1]
    )
    woken = [
        Woken(page.user, page.started_at, page.alert, measures.is_night(page.started_at, zone(page.user.time_zone)))
        for page in pages
    ]
    untouched = [
        alert
        for alert in shown
        if alert.status == AlertStatus.RESOLVED and alert.acknowledged_by_id is None and alert.resolved_by_id is None
    ]
    return ShiftReport(
        schedule,
        start,
        end,
        sorted(people.values(), key=str),
        woken[:PAGES_MAX],
        len(shown),
        untouched[:ALERTS_MAX],
        [alert for alert in shown if alert.is_open][:ALERTS_MAX],
        len(woken) > PAGES_MAX or len(shown) >= ALERTS_MAX * 10,
    )
