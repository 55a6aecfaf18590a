"""The first team in one go: its people, who is on call for level 1 and level 2, and the policy of the usual template.

Several rooms' acts in one transaction: all of it is there, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from midwatch.catalog.actions import ServiceFields, create_service
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.text import NAME_MAX, slug
from midwatch.core.zones import wall_at
from midwatch.people import actions
from midwatch.people.models import MemberRole, Team, User
from midwatch.people.queries import RESERVED_NAMES
from midwatch.respond.alerts.actions.sources import SourceFields, create_source
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.actions.policies import create_from_template
from midwatch.respond.escalation.models import EscalationPolicy
from midwatch.respond.oncall.actions import LayerFields, create_schedule
from midwatch.respond.oncall.models import Schedule, Unit
from midwatch.web.people.common import check_email_is_free

COLLEAGUES_MAX = 50


@dataclass(frozen=True, slots=True)
class FirstTeam:
    """`colleagues`: (name, e-mail) of people to make. `unit`: weeks or days. `weekday`: 0 is Monday, of weekly turns."""

    display_name: str
    colleagues: Sequence[tuple[str, str]]
    unit: str
    weekday: int
    hour: int


def create(wanted: FirstTeam, me: User, by: Actor) -> tuple[Team, EscalationPolicy]:
    """Level 1 in turn, level 2 is whoever comes next, then the whole team. Raises `ValueError`."""
    if len(wanted.colleagues) > COLLEAGUES_MAX:
        raise ValueError(f"at most {COLLEAGUES_MAX} colleagues at once: add the others on the team's page")
    name = slug(wanted.display_name, NAME_MAX - len("-secondary"))
    with transaction.atomic():
        team = actions.create_team(name, wanted.display_name, by)
        others = [_person(colleague, email, me.time_zone, by) for colleague, email in wanted.colleagues]
        members = [actions.Member(me, MemberRole.MANAGER), *(actions.Member(other) for other in others)]
        actions.set_members(team, members, by)
        people = [me, *others]
        start = last_hand_over(wanted, clock.now(), me.time_zone)
        level_1 = _schedule(f"{name}-primary", team, people, wanted, start, me.time_zone, by)
        level_2 = None
        if len(people) > 1:
            turned = [*people[1:], people[0]]
            level_2 = _schedule(f"{name}-secondary", team, turned, wanted, start, me.time_zone, by)
        policy = create_from_template(name, team, by, level_1=level_1, level_2=level_2)
    return team, policy


def last_hand_over(wanted: FirstTeam, now: datetime, zone_name: str) -> datetime:
    """On the wall, not after now: somebody is on call from the first minute."""
    wall = wall_at(now, zone_name)
    start = wall.replace(hour=wanted.hour, minute=0, second=0, microsecond=0)
    if wanted.unit == Unit.WEEKS:
        start -= timedelta(days=(start.weekday() - wanted.weekday) % 7)
    step = timedelta(weeks=1) if wanted.unit == Unit.WEEKS else timedelta(days=1)
    return start - step if start > wall else start


def _schedule(
    name: str, team: Team, people: Sequence[User], wanted: FirstTeam, start: datetime, zone_name: str, by: Actor
) -> Schedule:
    layer = LayerFields(
        "weekly" if wanted.unit == Unit.WEEKS else "daily", start, 1, wanted.unit, [[one] for one in people]
    )
    return create_schedule(name, team, zone_name, by, layers=[layer])


def _person(display_name: str, email: str, zone_name: str, by: Actor) -> User:
    check_email_is_free(email)
    first = slug(display_name.split(maxsplit=1)[0], NAME_MAX - 3) or "person"
    known = {*User.objects.filter(name__startswith=first).values_list("name", flat=True), *RESERVED_NAMES}
    name = next(one for one in (first, *(f"{first}-{number}" for number in range(2, 1_000))) if one not in known)
    return actions.create_user(name, actions.Profile(display_name, email, zone_name), by)


def connect(team: Team, service_name: str, type_: str, by: Actor) -> Source:
    """A service and a source of it. A service of this name that the team has already is taken. Raises `ValueError`."""
    name = slug(service_name, NAME_MAX - 20)
    with transaction.atomic():
        service = Service.objects.filter(name=name, team=team).first()
        if service is None:
            service = create_service(name, ServiceFields(team, service_name), by)
        taken = set(Source.objects.filter(name__startswith=name).values_list("name", flat=True))
        wanted = f"{name}-{type_}"
        free = next(one for one in (wanted, *(f"{wanted}-{number}" for number in range(2, 1_000))) if one not in taken)
        return create_source(free, SourceFields(type_, service), by)
