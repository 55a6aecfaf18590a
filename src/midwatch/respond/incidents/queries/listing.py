"""The list of incidents: open ones first, then the closed, each newest first; and those that are burning now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from midwatch.core.statements import Select
from midwatch.people.models import User
from midwatch.respond.incidents.duties import IC
from midwatch.respond.incidents.models import Incident, Phase, RoleHolding
from midwatch.respond.incidents.queries.finding import incident_number, visible_to

OPEN_PHASES = (Phase.DETECTED, Phase.ACKNOWLEDGED, Phase.MITIGATED, Phase.RESOLVED)
ACTIVE_PHASES = (Phase.DETECTED, Phase.ACKNOWLEDGED, Phase.MITIGATED)
WORDS_MAX = 8
ACTIVE_MAX = 200  # running at once, of everybody


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """`state`: open, closed or "" for all. `mine`: those that this person holds a role in now."""

    state: str = ""
    severities: Sequence[str] = ()
    service: str = ""
    team: str = ""
    q: str = ""
    mine: User | None = None

    @property
    def is_narrow(self) -> bool:
        return bool(self.severities or self.service or self.team or self.q or self.mine)


def incidents(viewer: User, by: IncidentFilter) -> QuerySet[Incident]:
    """Newest first. A page of them: `.filter(number__lt=...)[:50]`, which every index of the table ends with."""
    found = visible_to(viewer)
    if by.state == "open":
        found = found.filter(phase__in=OPEN_PHASES)
    elif by.state == "closed":
        found = found.filter(phase=Phase.CLOSED)
    if by.severities:
        found = found.filter(severity__in=by.severities)
    if by.service:
        found = found.filter(service__name=by.service)
    if by.team:
        found = found.filter(team__name=by.team)
    if by.mine is not None:
        found = found.filter(holdings__in=RoleHolding.objects.filter(user=by.mine, ended_at=None))
    number = incident_number(by.q)
    if number is not None:
        found = found.filter(number=number)
    else:
        for word in by.q.split()[:WORDS_MAX]:
            found = found.filter(title__icontains=word)
    return found.order_by("-number").distinct() if by.mine is not None else found.order_by("-number")


_ACTIVE = Select(
    lambda: (
        Incident.objects.select_related("service", "team", "type")
        .filter(phase__in=ACTIVE_PHASES)
        .order_by("is_drill", "severity", "-number")[:ACTIVE_MAX]
    )
)


def active_incidents(viewer: User, limit: int = 20) -> list[Incident]:
    """What is not resolved yet, the gravest first; drills last. Everybody who has Now open asks every five seconds."""
    found = _ACTIVE()
    hidden = {incident.pk for incident in found if incident.is_private}
    seen = set(visible_to(viewer).filter(pk__in=hidden).values_list("pk", flat=True)) if hidden else set()
    return [incident for incident in found if incident.pk not in hidden or incident.pk in seen][:limit]


def commanders_of(found: Sequence[Incident]) -> dict[int, User]:
    """Who leads each of them now, or led at its end, by id of the incident."""
    held = RoleHolding.objects.filter(incident__in=found, role=IC).select_related("user").order_by("assumed_at", "id")
    return {holding.incident_id: holding.user for holding in held}
