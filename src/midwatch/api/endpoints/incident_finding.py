"""Finding an incident for a caller, and what every act on one shares."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from midwatch.api.authentication import caller_of
from midwatch.api.endpoints import finding
from midwatch.api.incident_views import detail_of
from midwatch.api.problems import ProblemError, allowed, not_found
from midwatch.api.shapes import incidents as shapes
from midwatch.core.actor import Actor
from midwatch.people.queries import actor_of
from midwatch.respond.incidents import permits
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.queries import visible_to

ACTS = {"x-acts": True}


def seen(request: HttpRequest, number: int) -> Incident:
    """By the number in the address; 404 also for a private one that is none of the caller's business."""
    if number > finding.NUMBER_MAX:
        raise not_found("incident", number)
    found = visible_to(caller_of(request)).select_related("merged_into").filter(number=number).first()
    if found is None:
        raise not_found("incident", number)
    return found


def again(incident: Incident) -> Incident:
    return Incident.objects.select_related("service", "team", "type", "merged_into").get(pk=incident.pk)


def permitted(request: HttpRequest, number: int, act: Act) -> tuple[Incident, Actor]:
    incident = seen(request, number)
    user = caller_of(request)
    if not permits.may(user, incident, act):
        raise ProblemError("forbidden", permits.why_not(act))
    return incident, actor_of(user, "api")


def acted(
    request: HttpRequest, number: int, act: Act, do: Callable[[Incident, Actor], object]
) -> shapes.IncidentDetailOut:
    """The act, and the incident as it is then."""
    incident, by = permitted(request, number, act)
    allowed(lambda: do(incident, by))
    return detail_of(again(incident), caller_of(request))
