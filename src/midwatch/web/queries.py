"""Reads of the Now page: is anything on fire, is it mine, who is on call, and would anybody hear it?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from midwatch.core import clock
from midwatch.people.models import Membership, Team, User
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus, Maintenance
from midwatch.respond.alerts.queries import AlertFilter, alerts, maintenances, open_count
from midwatch.respond.notify.models import Page
from midwatch.respond.notify.queries import Reachability, reachabilities, running_pages
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import OnCallRow, resolvables, shifts_of, unplanned_gaps, who_is_on_call

ALERTS_SHOWN = 20
HIGH = ("P1", "P2")
GAPS_WITHIN = timedelta(days=14)
GAPS_SHOWN = 10
TEAMS_MAX = 50


@dataclass(frozen=True, slots=True)
class Fires:
    """What moves: the alerts that call me, that I have, and that are open. `others` leaves the first two out."""

    pages: Sequence[Page]
    mine: Sequence[Alert]
    others: Sequence[Alert]
    open_count: int


@dataclass(frozen=True, slots=True)
class Gap:
    schedule: Schedule
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Cover:
    """What changes by the hour: who answers, where nobody does, who would not hear it, what is in maintenance."""

    rows: Sequence[OnCallRow]
    gaps: Sequence[Gap]
    unreachable: Sequence[Reachability]
    maintenances: Sequence[Maintenance]
    my_next: datetime | None
    is_on_call: bool


def teams_of(user: User) -> list[Team]:
    """The teams that a person looks after: their own; for somebody in none, all."""
    own = list(Team.objects.filter(memberships__user=user).order_by("display_name", "name")[:TEAMS_MAX])
    return own or list(Team.objects.order_by("display_name", "name")[:TEAMS_MAX])


def fires(user: User) -> Fires:
    view = "teams" if Membership.objects.filter(user=user).exists() else "all"
    wanted = AlertFilter(status=tuple(OPEN), view=view, user=user)
    # Those just answered stop a moment later, when the engine has heard of it.
    calling = [
        page
        for page in running_pages(user)
        if page.alert.status == AlertStatus.FIRING or (page.note and page.alert.is_open)
    ]
    by_alert = {page.alert_id: page for page in reversed(calling)}
    pages = sorted(by_alert.values(), key=lambda page: (page.alert.priority, -page.alert_id))
    mine = alerts(AlertFilter(status=("acknowledged",), view="mine", user=user), limit=ALERTS_SHOWN)
    shown = {page.alert_id for page in pages} | {alert.pk for alert in mine}
    # What burns stands first, and is never cut off by forty warnings that came after it.
    burning = alerts(AlertFilter(status=("firing",), priority=HIGH, view=view, user=user), limit=ALERTS_SHOWN * 2)
    newest = alerts(wanted, limit=ALERTS_SHOWN * 2)
    others = {alert.pk: alert for alert in [*burning, *newest] if alert.pk not in shown}
    return Fires(pages=pages, mine=mine, others=list(others.values())[:ALERTS_SHOWN], open_count=open_count(wanted))


def cover(user: User) -> Cover:
    now = clock.now()
    teams = teams_of(user)
    own = {team.pk for team in teams}
    rows = [row for row in who_is_on_call(at=now) if row.schedule.team_id in own]
    shifts = shifts_of(user, now, now + GAPS_WITHIN)
    return Cover(
        rows=rows,
        gaps=_gaps([row.schedule for row in rows], now),
        unreachable=_unreachable(rows, teams),
        maintenances=maintenances(limit=GAPS_SHOWN),
        my_next=min((shift.start for shift in shifts if shift.start > now), default=None),
        is_on_call=any(user in row.users for row in rows),
    )


def _gaps(schedules: Iterable[Schedule], now: datetime) -> list[Gap]:
    """Holes that nobody planned: a schedule of office hours has none at night."""
    wanted = list(schedules)
    values = resolvables(wanted, since=now)
    found = [
        Gap(schedule, start, end)
        for schedule in wanted
        for start, end in unplanned_gaps(values[schedule.pk], now, now + GAPS_WITHIN)
    ]
    return sorted(found, key=lambda gap: gap.start)[:GAPS_SHOWN]


def _unreachable(rows: Sequence[OnCallRow], teams: Sequence[Team]) -> list[Reachability]:
    """Whoever is on call now or next, or is paged with the whole team, and has no method that rings."""
    people = {person.pk: person for row in rows for person in [*row.users, *row.next_users]}
    paged = Membership.objects.filter(team__in=teams, is_paged=True, user__is_active=True).select_related("user")
    people |= {membership.user_id: membership.user for membership in paged}
    states = reachabilities(people.values())
    return sorted(
        (state for state in states.values() if not state.is_reachable_high), key=lambda state: str(state.user)
    )
