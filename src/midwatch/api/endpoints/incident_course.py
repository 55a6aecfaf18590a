"""Incidents, how they go: phases, severity, who is asked for help, what suffered, what it is linked with."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from midwatch.api import incident_inputs as inputs
from midwatch.api.authentication import caller_of
from midwatch.api.endpoints import finding
from midwatch.api.endpoints.incident_finding import ACTS, acted, permitted
from midwatch.api.inputs import Nothing
from midwatch.api.problems import allowed, invalid, not_found
from midwatch.api.shapes import incidents as shapes
from midwatch.core.actor import Actor
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.models import AffectedClient, AffectedService, Incident, LinkedAlert, LinkKind
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.queries import visible_to

router = Router()


@router.post(
    "/incidents/{int:number}/phase", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="A phase is reached"
)
def set_phase(request: HttpRequest, number: int, wanted: inputs.NewPhase) -> Any:
    """Mitigated: the bleeding is stopped. Resolved: the service is restored; open impact windows end with it."""
    return acted(
        request, number, Act.PHASE, lambda incident, by: actions.set_phase(incident, wanted.phase, by, at=wanted.at)
    )


@router.post(
    "/incidents/{int:number}/reopen", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="It broke again"
)
def reopen(request: HttpRequest, number: int, wanted: inputs.Reopen) -> Any:
    return acted(
        request, number, Act.PHASE, lambda incident, by: actions.step_back(incident, wanted.phase, by, wanted.why)
    )


@router.post("/incidents/{int:number}/close", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="Close it")
def close_incident(request: HttpRequest, number: int, wanted: Nothing | None = None) -> Any:
    """Roles end with it. Refused while its post-mortem is open."""
    return acted(request, number, Act.CLOSE, actions.close_incident)


@router.post(
    "/incidents/{int:number}/severity", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="Change severity"
)
def change_severity(request: HttpRequest, number: int, wanted: inputs.NewSeverity) -> Any:
    """Roles and the IC stay as they are."""
    return acted(
        request,
        number,
        Act.SEVERITY,
        lambda incident, by: actions.change_severity(incident, wanted.severity, by, why=wanted.why),
    )


@router.post(
    "/incidents/{int:number}/responders",
    response={201: shapes.ResponderOut},
    openapi_extra=ACTS,
    summary="Page somebody into it",
)
def ask_responder(request: HttpRequest, number: int, wanted: inputs.NewResponder) -> Any:
    """A team, a service or a person, through their policy; `answered_by` says who came."""
    incident, by = permitted(request, number, Act.RESPONDER)
    given = [kind for kind in ("service", "team", "user") if getattr(wanted, kind)]
    if len(given) != 1:
        raise invalid("body", f"give exactly one of service, team, user; given: {' and '.join(given) or 'nobody'}")
    find = {"service": finding.service_named, "team": finding.team_named, "user": finding.user_named}[given[0]]
    target: Any = find(f"body.{given[0]}", getattr(wanted, given[0]))
    asked = allowed(lambda: actions.add_responder(incident, by, message=wanted.message, **{given[0]: target}))
    return Status(201, shapes.ResponderOut.of(asked))


# --- what suffered ---


@router.post(
    "/incidents/{int:number}/impact", response={201: shapes.ImpactOut}, openapi_extra=ACTS, summary="A service suffers"
)
def add_impact(request: HttpRequest, number: int, wanted: inputs.NewImpact) -> Any:
    incident, by = permitted(request, number, Act.IMPACT)
    service = finding.service_named("body.service", wanted.service)
    window = allowed(
        lambda: actions.affect_service(
            incident,
            service,
            by,
            level=wanted.level,
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            note_text=wanted.note,
        )
    )
    return Status(201, shapes.ImpactOut.of(window))


@router.post(
    "/incidents/{int:number}/impact/{int:id}",
    response=shapes.ImpactOut,
    openapi_extra=ACTS,
    summary="Set a window right",
)
def change_impact(request: HttpRequest, number: int, id: int, wanted: inputs.ChangeImpact) -> Any:
    incident, by = permitted(request, number, Act.IMPACT)
    windows = AffectedService.objects.select_related("service", "incident").filter(incident=incident)
    window = windows.filter(pk=id).first()
    if window is None:
        raise not_found("impact window", id)
    allowed(
        lambda: actions.change_window(
            window, by, level=wanted.level, starts_at=wanted.starts_at, ends_at=wanted.ends_at
        )
    )
    return shapes.ImpactOut.of(windows.get(pk=id))


@router.post(
    "/incidents/{int:number}/clients", response={201: shapes.ClientOut}, openapi_extra=ACTS, summary="A client suffers"
)
def add_client(request: HttpRequest, number: int, wanted: inputs.NewClient) -> Any:
    incident, by = permitted(request, number, Act.CLIENT)
    return Status(201, shapes.ClientOut.of(allowed(lambda: actions.register_client(incident, by, **wanted.dict()))))


@router.post(
    "/incidents/{int:number}/clients/checked",
    response=shapes.IncidentDetailOut,
    openapi_extra=ACTS,
    summary="The clients were checked; none affected is an answer",
)
def clients_checked(request: HttpRequest, number: int, wanted: Nothing | None = None) -> Any:
    return acted(request, number, Act.CLIENT, actions.clients_checked)


@router.post(
    "/incidents/{int:number}/clients/{int:id}/remove",
    response=shapes.IncidentDetailOut,
    openapi_extra=ACTS,
    summary="They were not affected after all",
)
def remove_client(request: HttpRequest, number: int, id: int, wanted: Nothing | None = None) -> Any:
    def do(incident: Incident, by: Actor) -> None:
        client = AffectedClient.objects.select_related("incident").filter(incident=incident, pk=id).first()
        if client is None:
            raise not_found("client", id)
        actions.remove_client(client, by)

    return acted(request, number, Act.CLIENT, do)


# --- what it is linked with ---


@router.post(
    "/incidents/{int:number}/alerts", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="Link an alert"
)
def link_alert(request: HttpRequest, number: int, wanted: inputs.AnAlert) -> Any:
    return acted(
        request,
        number,
        Act.LINK,
        lambda incident, by: actions.link_alert(incident, finding.alert_of(wanted.alert), by),
    )


@router.post(
    "/incidents/{int:number}/alerts/unlink",
    response=shapes.IncidentDetailOut,
    openapi_extra=ACTS,
    summary="An alert does not belong to it",
)
def unlink_alert(request: HttpRequest, number: int, wanted: inputs.AnAlert) -> Any:
    def do(incident: Incident, by: Actor) -> None:
        found = (
            LinkedAlert.objects.select_related("alert").filter(incident=incident, alert__number=wanted.alert).first()
        )
        if found is None:
            raise not_found("linked alert", wanted.alert)
        actions.unlink_alert(incident, found.alert, by)

    return acted(request, number, Act.LINK, do)


def _other(request: HttpRequest, field: str, number: int) -> Incident:
    found = visible_to(caller_of(request)).filter(number=number).first()
    if found is None:
        raise invalid(field, f"there is no incident {number}")
    return found


@router.post(
    "/incidents/{int:number}/links", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="Link an incident"
)
def link_incident(request: HttpRequest, number: int, wanted: inputs.AnotherIncident) -> Any:
    other = _other(request, "body.incident", wanted.incident)
    return acted(
        request,
        number,
        Act.LINK,
        lambda incident, by: actions.link_incident(incident, other, by, kind=LinkKind(wanted.kind)),
    )


@router.post(
    "/incidents/{int:number}/merge", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="It is a duplicate"
)
def merge_incident(request: HttpRequest, number: int, wanted: inputs.Merge) -> Any:
    """It is closed and goes on as `into`, with its alerts."""
    into = _other(request, "body.into", wanted.into)
    return acted(request, number, Act.MERGE, lambda incident, by: actions.merge(incident, into, by))
