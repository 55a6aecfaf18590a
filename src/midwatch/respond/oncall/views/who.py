"""Who is on call, until when, and who is next: one's own schedules first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from midwatch.core import clock
from midwatch.core.render import page_or_partial
from midwatch.people.models import Membership, User
from midwatch.people.viewing import editable_teams, viewer
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import (
    OnCallRow,
    calendar_token,
    resolvables,
    shifts_of,
    unplanned_gaps,
    who_is_on_call,
)
from midwatch.respond.oncall.views.moments import Moment, moment
from midwatch.settings import settings

GAPS_WITHIN = timedelta(days=14)
GAPS_SHOWN = 3
SHIFTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Card:
    """One schedule now. `is_mine`: the viewer is on call; `is_alone`: and nobody else."""

    schedule: Schedule
    users: Sequence[User]
    until: Moment | None
    next_users: Sequence[User]
    next_from: Moment | None
    gaps: Sequence[tuple[Moment, Moment]]
    more_gaps: int
    is_mine: bool
    is_alone: bool
    quiet_until: Moment | None


def card_of(row: OnCallRow, values: resolve.Schedule, user: User, now: datetime) -> Card:
    found = unplanned_gaps(values, now, now + GAPS_WITHIN)
    gaps = [_gap(low, high, row.schedule) for low, high in found[:GAPS_SHOWN]]
    return Card(
        schedule=row.schedule,
        users=row.users,
        until=moment(row.until, row.schedule),
        next_users=row.next_users,
        next_from=moment(row.next_from, row.schedule),
        gaps=gaps,
        more_gaps=len(found) - len(gaps),
        is_mine=user in row.users,
        is_alone=list(row.users) == [user],
        quiet_until=moment(row.quiet_until, row.schedule),
    )


def _gap(low: datetime, high: datetime, schedule: Schedule) -> tuple[Moment, Moment]:
    start, end = moment(low, schedule), moment(high, schedule)
    assert start is not None
    assert end is not None
    return start, end


@login_required
@require_safe
def who(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    now = clock.now()
    rows = who_is_on_call(at=now)
    values = resolvables([row.schedule for row in rows], since=now)
    cards = [card_of(row, values[row.schedule.pk], user, now) for row in rows]
    own_teams = set(Membership.objects.filter(user=user).values_list("team_id", flat=True))
    mine = [card for card in cards if card.is_mine]
    teams = [card for card in cards if not card.is_mine and card.schedule.team_id in own_teams]
    rest = [card for card in cards if not card.is_mine and card.schedule.team_id not in own_teams]
    context = {
        "groups": [("mine", mine), ("teams", teams), ("rest", rest)],
        "has_cards": bool(cards),
        "my_shifts": [row for row in shifts_of(user, now, now + GAPS_WITHIN) if row.start > now][:SHIFTS_SHOWN],
        "calendar_url": f"{settings().base_url}/ical/{calendar_token(user)}.ics",
        "may_act": user.may_act,
        "may_create": bool(editable_teams(user)),
    }
    return page_or_partial(request, "oncall/who.html", context)
