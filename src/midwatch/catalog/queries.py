"""Reads of the catalog."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from midwatch.catalog.models import ChangeEvent, Service
from midwatch.people.models import Team, User


def services(team: Team | None = None) -> QuerySet[Service]:
    found = Service.objects.select_related("team").order_by("display_name", "name")
    return found if team is None else found.filter(team=team)


def services_of(user: User) -> QuerySet[Service]:
    """Services of this person's teams."""
    return services().filter(team__memberships__user=user)


def dependency_edges() -> dict[int, set[int]]:
    """Every service that depends on others, with those, by id, in one query."""
    edges: dict[int, set[int]] = {}
    for from_id, to_id in Service.depends_on.through.objects.values_list("from_service_id", "to_service_id"):
        edges.setdefault(from_id, set()).add(to_id)
    return edges


def changes_of(service: Service, *, since: datetime | None = None, limit: int = 50) -> list[ChangeEvent]:
    """What changed lately, newest first: the first question when something breaks."""
    found = ChangeEvent.objects.filter(service=service)
    if since is not None:
        found = found.filter(at__gte=since)
    return list(found.order_by("-at", "-id")[:limit])
