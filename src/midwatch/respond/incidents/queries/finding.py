"""Which incidents there are for whom: private ones are for those who take part."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from midwatch.catalog.models import Service
from midwatch.core.text import whole_number
from midwatch.people.models import MemberRole, Membership, User
from midwatch.respond.incidents.duties import IC
from midwatch.respond.incidents.models import HandOver, Incident, Responder, RoleHolding


def visible_to(user: User) -> QuerySet[Incident]:
    """Every incident, and of the private ones those that this person takes part in, was offered a role in or paged into,
    or whose team they manage; administrators see all."""
    found = Incident.objects.select_related("service", "team", "type")
    if user.is_administrator:
        return found
    mine = (
        Q(Exists(RoleHolding.objects.filter(incident=OuterRef("pk"), user=user)))
        | Q(Exists(HandOver.objects.filter(incident=OuterRef("pk"), taking=user)))
        | Q(Exists(Responder.objects.filter(Q(user=user) | Q(answered_by=user), incident=OuterRef("pk"))))
        | Q(team__in=Membership.objects.filter(user=user, role=MemberRole.MANAGER).values("team"))
    )
    return found.filter(Q(is_private=False) | mine)


def may_see(user: User, incident: Incident) -> bool:
    return not incident.is_private or visible_to(user).filter(pk=incident.pk).exists()


def commander_of(incident: Incident) -> User:
    """Who leads now, or led when it was closed."""
    found = RoleHolding.objects.filter(incident=incident, role=IC).select_related("user").order_by("-assumed_at", "-id")
    held = found.first()
    assert held is not None, "an incident is declared together with its IC"
    return held.user


def open_incident_of(service: Service) -> Incident | None:
    """The one that a further alert of this service belongs to."""
    return (
        Incident.objects.filter(service=service, resolved_at=None, closed_at=None, is_drill=False, is_private=False)
        .order_by("-number")
        .first()
    )


def incident_number(text: str) -> int | None:
    """The number in "42", "#42" or "incident 42"."""
    return whole_number(text.strip().lower().removeprefix("incident").strip().removeprefix("#"))
