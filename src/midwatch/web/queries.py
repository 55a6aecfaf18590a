"""Reads of the Now page: is anything on fire, is it mine, who is on call, and would anybody hear it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from midwatch.core import clock
from midwatch.core.statements import Select
from midwatch.people.models import Membership, Team, User
from midwatch.respond.alerts.lines import FIELDS, Line, line_from, newest
from midwatch.respond.alerts.models import AlertStatus, Maintenance
from midwatch.respond.alerts.queries import maintenances
from midwatch.respond.notify.models import Page, PageState
from midwatch.respond.notify.queries import Reachability, reachabilities
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import OnCallRow, next_start, on_call_rows, read_schedules, unplanned_gaps

ALERTS_SHOWN = 20
CALLS_MAX = 50
HIGH = ("P1", "P2")
GAPS_WITHIN = timedelta(days=14)
GAPS_SHOWN = 10
TEAMS_MAX = 50


@dataclass(frozen=True, slots=True)
class Call:
    """An alert that calls me. `note`: "Bo has it", of a step that goes out all the same."""

    alert: Line
    step_name: str
    note: str


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


_TEAMS = Select(lambda user: Membership.objects.filter(user=user).values_list("team_id", flat=True))
_CALLS = Select(
    lambda user: (
        Page.objects.filter(user=user, state=PageState.RUNNING, alert__is_test=False)
        .order_by("-alert_id")
        .values_list("step_name", "note", *(f"alert__{name}" for name in FIELDS))[:CALLS_MAX]
    )
)
_CALLED = Select(
    lambda user: Page.objects.filter(user=user, state=PageState.RUNNING).values_list("alert_id").distinct()
)


def seen_teams(user: User) -> tuple[int, ...] | None:
    """Whose alerts Now shows: those of one's teams; None for somebody in none: everybody's."""
    return tuple(sorted(_TEAMS(user.pk))) or None


def open_lines(teams: tuple[int, ...] | None) -> list[Line]:
    """What burns stands first, and is never cut off by forty warnings that came after it."""
    burning = newest(status=(AlertStatus.FIRING,), priority=HIGH, teams=teams)
    return list({line.pk: line for line in [*burning, *newest(teams=teams)]}.values())


def owned_lines(user: User) -> list[Line]:
    """The alerts that this person has."""
    return newest(status=(AlertStatus.ACKNOWLEDGED,), user=user.pk)[:ALERTS_SHOWN]


def calls_of(user: User) -> list[Call]:
    """The most urgent first. Those just answered stop a moment later, when the engine has heard of it."""
    found: dict[int, Call] = {}
    for step_name, note, *row in _CALLS(user.pk):
        line = line_from(row)
        if line.status == AlertStatus.FIRING or (note and line.is_open):
            found[line.pk] = Call(line, step_name, note)
    return sorted(found.values(), key=lambda call: (call.alert.priority, -call.alert.pk))


def calls_count(user: User) -> int:
    """Alerts that call this person and that nobody has answered."""
    return len(_CALLED(user.pk))


def cover(user: User) -> Cover:
    now = clock.now()
    teams = teams_of(user)
    own = {team.pk for team in teams}
    every = read_schedules(since=now)
    rows = on_call_rows({schedule: value for schedule, value in every.items() if schedule.team_id in own}, now)
    return Cover(
        rows=rows,
        gaps=_gaps({row.schedule: every[row.schedule] for row in rows}, now),
        unreachable=_unreachable(rows, teams),
        maintenances=maintenances(limit=GAPS_SHOWN),
        my_next=next_start(every.values(), user, now, now + GAPS_WITHIN),
        is_on_call=any(user in row.users for row in rows),
    )


def _gaps(schedules: Mapping[Schedule, resolve.Schedule], now: datetime) -> list[Gap]:
    """Holes that nobody planned: a schedule of office hours has none at night."""
    found = [
        Gap(schedule, start, end)
        for schedule, value in schedules.items()
        for start, end in unplanned_gaps(value, now, now + GAPS_WITHIN)
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
