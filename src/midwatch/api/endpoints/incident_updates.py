"""Incidents, what is said of them: updates with the IC's approval, their rhythm; and the IC's powers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from midwatch.api import incident_inputs as inputs
from midwatch.api.endpoints import finding
from midwatch.api.endpoints.incident_finding import ACTS, acted, permitted, seen
from midwatch.api.inputs import Cursor, Limit, list_of
from midwatch.api.pages import LIMIT_DEFAULT, by_id
from midwatch.api.problems import allowed, not_found
from midwatch.api.shapes import incidents as shapes
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.models import Incident, Update
from midwatch.respond.incidents.permits import Act

router = Router()


@router.get("/incidents/{int:number}/updates", response=list_of(shapes.UpdateOut), summary="What was said, and waits")
def list_updates(request: HttpRequest, number: int, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    incident = seen(request, number)
    return by_id(Update.objects.filter(incident=incident), "updates", cursor, limit, shapes.UpdateOut.of)


@router.post(
    "/incidents/{int:number}/updates", response={201: shapes.UpdateOut}, openapi_extra=ACTS, summary="Write an update"
)
def write_update(request: HttpRequest, number: int, wanted: inputs.NewUpdate) -> Any:
    """Published at once, or `waiting`: words for clients need the IC's approval where the severity asks for it."""
    incident, by = permitted(request, number, Act.PUBLISH)
    composed = actions.Composed(
        stage=wanted.stage,
        internal_text=wanted.internal,
        external_text=wanted.external,
        title=wanted.title,
        targets=wanted.targets,
        components=wanted.components,
        next_at=wanted.next_at,
    )
    return Status(201, shapes.UpdateOut.of(allowed(lambda: actions.compose_update(incident, composed, by))))


def _update(incident: Incident, id: int) -> Update:
    found = Update.objects.select_related("incident").filter(incident=incident, pk=id).first()
    if found is None:
        raise not_found("update", id)
    return found


@router.post(
    "/incidents/{int:number}/updates/{int:id}/approve", response=shapes.UpdateOut, openapi_extra=ACTS, summary="Approve"
)
def approve_update(request: HttpRequest, number: int, id: int, wanted: inputs.Approval) -> Any:
    """By the IC, of these very words; 409 when they were changed since."""
    incident, by = permitted(request, number, Act.APPROVE)
    found = _update(incident, id)
    return shapes.UpdateOut.of(allowed(lambda: actions.approve_update(found, by, digest=wanted.digest)))


@router.post(
    "/incidents/{int:number}/updates/{int:id}/refuse",
    response=shapes.UpdateOut,
    openapi_extra=ACTS,
    summary="Send back",
)
def refuse_update(request: HttpRequest, number: int, id: int, wanted: inputs.Refusal) -> Any:
    incident, by = permitted(request, number, Act.APPROVE)
    found = _update(incident, id)
    return shapes.UpdateOut.of(allowed(lambda: actions.refuse_update(found, by, wanted.why)))


@router.post(
    "/incidents/{int:number}/rhythm", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="A long incident"
)
def decide_on_rhythm(request: HttpRequest, number: int, wanted: inputs.Rhythm) -> Any:
    return acted(
        request,
        number,
        Act.PUBLISH,
        lambda incident, by: actions.decide_on_long(incident, by, is_long=wanted.is_long),
    )


@router.post(
    "/incidents/{int:number}/silence",
    response=shapes.IncidentDetailOut,
    openapi_extra=ACTS,
    summary="Silence a service",
)
def silence_service(request: HttpRequest, number: int, wanted: inputs.Silence) -> Any:
    """A power of the IC: its alerts are kept and page nobody, until then or until the incident is closed."""
    service = finding.service_named("body.service", wanted.service)
    return acted(
        request, number, Act.POWERS, lambda incident, by: actions.silence(incident, service, by, until=wanted.until)
    )


@router.post(
    "/incidents/{int:number}/on-call", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="Put on call"
)
def put_on_call(request: HttpRequest, number: int, wanted: inputs.OnCallInstead) -> Any:
    """A power of the IC: instead of whoever is on call there, until then or until the incident is closed."""
    schedule = finding.schedule_named("body.schedule", wanted.schedule)
    user = finding.user_named("body.user", wanted.user)
    return acted(
        request,
        number,
        Act.POWERS,
        lambda incident, by: actions.put_on_call(incident, schedule, user, by, until=wanted.until),
    )
