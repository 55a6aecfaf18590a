"""Incidents: declare, look, lead, help. What somebody may not see is 404, what they may not do is 403."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from midwatch.api import incident_inputs as inputs
from midwatch.api.authentication import acting, caller_of
from midwatch.api.endpoints import finding
from midwatch.api.endpoints.incident_finding import ACTS, acted, again, permitted, seen
from midwatch.api.incident_views import detail_of
from midwatch.api.inputs import Cursor, Limit, Nothing, list_of
from midwatch.api.pages import LIMIT_DEFAULT, cursor_of, last_number, page
from midwatch.api.problems import ProblemError, allowed, invalid, not_found
from midwatch.api.shapes import incidents as shapes
from midwatch.core.actor import Actor
from midwatch.respond.incidents import actions, permits
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import Entry, HandOver, HandOverState, Incident, IncidentType, Severity, Task
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.queries import IncidentFilter, incidents
from midwatch.respond.incidents.queries.room import timeline

router = Router()
Words = Annotated[str, Query(max_length=200, description="Words of the title, or a number")]


@router.get("/incidents", response=list_of(shapes.IncidentOut), summary="List incidents, newest first")
def list_incidents(
    request: HttpRequest,
    status: Annotated[str, Query(description="open, closed or all (default)")] = "all",
    severity: Annotated[str, Query(description="SEV1 to SEV4; several with commas")] = "",
    service: Annotated[str, Query(max_length=63)] = "",
    team: Annotated[str, Query(max_length=63)] = "",
    q: Words = "",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    if status not in {"open", "closed", "all"}:
        raise invalid("query.status", "write open, closed or all")
    if service:
        finding.service_named("query.service", service)
    if team:
        finding.team_named("query.team", team)
    by = IncidentFilter("" if status == "all" else status, _severities(severity), service, team, q.strip())
    found = incidents(caller_of(request), by)
    before = last_number("incidents", cursor)
    if before is not None:
        found = found.filter(number__lt=before)
    rows = list(found.select_related("merged_into")[: limit + 1])
    return page(rows, limit, shapes.IncidentOut.of, lambda row: cursor_of("incidents", row.number))


def _severities(given: str) -> tuple[str, ...]:
    found = tuple(word.upper() for word in given.replace(",", " ").split())
    wrong = next((word for word in found if word not in Severity.values), None)
    if wrong is not None:
        raise invalid("query.severity", f"{wrong[:30]!r}: write SEV1, SEV2, SEV3 or SEV4")
    return found


@router.post(
    "/incidents", response={201: shapes.IncidentDetailOut}, openapi_extra=ACTS, summary="Declare: title and severity"
)
def declare_incident(request: HttpRequest, response: HttpResponse, wanted: inputs.NewIncident) -> Any:
    """Whoever acknowledged the alert leads; else level 1 of its policy; else you, until the one on call accepts."""
    by = acting(request)
    declaration = _declaration(wanted)
    if wanted.acknowledge and declaration.alert is not None:
        alert = declaration.alert
        made = allowed(lambda: actions.take_and_declare(alert, declaration, by))
    else:
        made = allowed(lambda: actions.declare_incident(declaration, by))
    response["Location"] = f"/api/v1/incidents/{made.number}"
    return Status(201, detail_of(again(made), caller_of(request)))


def _declaration(wanted: inputs.NewIncident) -> Declaration:
    if wanted.acknowledge and wanted.alert is None:
        raise invalid("body.acknowledge", "say which alert")
    kind = finding.named(IncidentType.objects.all(), "body.type", "type", wanted.type) if wanted.type else None
    moments = wanted.moments.model_dump(exclude_none=True) if wanted.moments else {}
    if wanted.commander and not moments:
        raise invalid("body.commander", "is for back-filled ones: give moments, or assign the role afterwards")
    return Declaration(
        title=wanted.title,
        severity=wanted.severity,
        service=finding.service_named("body.service", wanted.service) if wanted.service else None,
        team=finding.team_named("body.team", wanted.team) if wanted.team else None,
        alert=_alert_in_body(wanted.alert) if wanted.alert else None,
        type=kind,
        summary=wanted.summary,
        is_private=wanted.is_private,
        is_drill=wanted.is_drill,
        commander=finding.user_named("body.commander", wanted.commander) if wanted.commander else None,
        moments=moments,
    )


def _alert_in_body(number: int) -> Any:
    try:
        return finding.alert_of(number)
    except ProblemError as error:
        raise invalid("body.alert", f"there is no alert {number}") from error


@router.get(
    "/incidents/{int:number}", response=shapes.IncidentDetailOut, summary="One incident: roles, timeline, phases, all"
)
def get_incident(request: HttpRequest, number: int) -> Any:
    return detail_of(seen(request, number), caller_of(request))


@router.get("/incidents/{int:number}/timeline", response=list_of(shapes.EntryOut), summary="Its timeline, newest first")
def list_timeline(
    request: HttpRequest,
    number: int,
    kind: Annotated[str, Query(description="note, decision, phase, role, ...; several with commas")] = "",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    incident = seen(request, number)
    kinds = tuple(word[:40] for word in kind.replace(",", " ").split()[:20])
    rows = timeline(incident, kinds=kinds, before_id=last_number("timeline", cursor), limit=limit + 1)
    return page(rows, limit, shapes.EntryOut.of, lambda row: cursor_of("timeline", row.pk))


@router.post(
    "/incidents/{int:number}/change", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="Title, summary"
)
def change_incident(request: HttpRequest, number: int, wanted: inputs.ChangeIncident) -> Any:
    return acted(
        request,
        number,
        Act.RENAME,
        lambda incident, by: actions.rename(incident, by, title=wanted.title, summary=wanted.summary),
    )


# --- the timeline ---


@router.post("/incidents/{int:number}/notes", response={201: shapes.EntryOut}, openapi_extra=ACTS, summary="Write")
def add_note(request: HttpRequest, number: int, wanted: inputs.NewEntry) -> Any:
    incident, by = permitted(request, number, Act.NOTE)
    entry = allowed(
        lambda: actions.add_note(incident, by, wanted.text, kind=wanted.kind, happened_at=wanted.happened_at)
    )
    return Status(201, shapes.EntryOut.of(entry))


def _entry(incident: Incident, id: int) -> Entry:
    found = Entry.objects.select_related("incident", "star").filter(incident=incident, pk=id).first()
    if found is None:
        raise not_found("entry", id)
    return found


@router.post(
    "/incidents/{int:number}/notes/{int:id}/amend",
    response={201: shapes.EntryOut},
    openapi_extra=ACTS,
    summary="Set an entry right; the first one stays",
)
def amend_entry(request: HttpRequest, number: int, id: int, wanted: inputs.Amendment) -> Any:
    incident, by = permitted(request, number, Act.NOTE)
    entry = _entry(incident, id)
    return Status(201, shapes.EntryOut.of(allowed(lambda: actions.amend(entry, by, wanted.text))))


@router.post(
    "/incidents/{int:number}/notes/{int:id}/star",
    response=shapes.EntryOut,
    openapi_extra=ACTS,
    summary="Star it for the post-mortem",
)
def star_entry(request: HttpRequest, number: int, id: int, wanted: Nothing | None = None) -> Any:
    return _starred(request, number, id, is_starred=True)


@router.post(
    "/incidents/{int:number}/notes/{int:id}/unstar",
    response=shapes.EntryOut,
    openapi_extra=ACTS,
    summary="Take the star off",
)
def unstar_entry(request: HttpRequest, number: int, id: int, wanted: Nothing | None = None) -> Any:
    return _starred(request, number, id, is_starred=False)


def _starred(request: HttpRequest, number: int, id: int, *, is_starred: bool) -> shapes.EntryOut:
    incident, by = permitted(request, number, Act.STAR)
    actions.star(_entry(incident, id), by, is_starred=is_starred)
    return shapes.EntryOut.of(_entry(incident, id))


# --- roles ---


@router.post(
    "/incidents/{int:number}/roles", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="Give a role"
)
def give_role(request: HttpRequest, number: int, wanted: inputs.GiveRole) -> Any:
    """The IC names a CM and DCs. The IC's own role moves by `hand-overs`."""

    def do(incident: Incident, by: Actor) -> None:
        actions.assign_role(incident, wanted.role, finding.user_named("body.user", wanted.user), by)

    return acted(request, number, Act.ROLE, do)


@router.post(
    "/incidents/{int:number}/roles/end", response=shapes.IncidentDetailOut, openapi_extra=ACTS, summary="End a role"
)
def end_role(request: HttpRequest, number: int, wanted: inputs.GiveRole) -> Any:
    """By the IC, or by whoever holds it; what it covered is the IC's again."""
    user = finding.user_named("body.user", wanted.user)
    act = Act.OFFER if user.pk == caller_of(request).pk else Act.ROLE
    return acted(request, number, act, lambda incident, by: actions.end_role(incident, wanted.role, user, by))


@router.post(
    "/incidents/{int:number}/hand-overs", response={201: shapes.HandOverOut}, openapi_extra=ACTS, summary="Offer a role"
)
def offer_role(request: HttpRequest, number: int, wanted: inputs.Offer) -> Any:
    """With a brief of how things stand. The leaving one holds it until the other accepts."""
    incident, by = permitted(request, number, Act.OFFER)
    user = finding.user_named("body.user", wanted.user)
    if not permits.may_offer(caller_of(request), incident, wanted.role):
        raise ProblemError("forbidden", permits.why_not(Act.ROLE))
    made = allowed(lambda: actions.offer_role(incident, wanted.role, user, by, why=wanted.why))
    return Status(201, shapes.HandOverOut.of(made))


def _offer(incident: Incident, id: int) -> HandOver:
    found = HandOver.objects.select_related("incident", "leaving", "taking").filter(incident=incident, pk=id).first()
    if found is None:
        raise not_found("hand-over", id)
    return found


@router.post(
    "/incidents/{int:number}/hand-overs/{int:id}/accept",
    response=shapes.HandOverOut,
    openapi_extra=ACTS,
    summary="Take the role that was offered to you",
)
def accept_role(request: HttpRequest, number: int, id: int, wanted: Nothing | None = None) -> Any:
    return _answered(request, number, id, is_accepted=True)


@router.post(
    "/incidents/{int:number}/hand-overs/{int:id}/decline",
    response=shapes.HandOverOut,
    openapi_extra=ACTS,
    summary="Leave it with whoever holds it",
)
def decline_role(request: HttpRequest, number: int, id: int, wanted: Nothing | None = None) -> Any:
    return _answered(request, number, id, is_accepted=False)


def _answered(request: HttpRequest, number: int, id: int, *, is_accepted: bool) -> shapes.HandOverOut:
    incident, by = permitted(request, number, Act.ANSWER_OFFER)
    offer = _offer(incident, id)
    answered = allowed(lambda: actions.answer_offer(offer, by, is_accepted=is_accepted))
    wanted = HandOverState.ACCEPTED if is_accepted else HandOverState.DECLINED
    if answered.state != wanted:
        raise ProblemError("refused", f"this offer is {answered.state} already")
    return shapes.HandOverOut.of(answered)


@router.post(
    "/incidents/{int:number}/hand-overs/{int:id}/withdraw",
    response=shapes.HandOverOut,
    openapi_extra=ACTS,
    summary="Take an offer back",
)
def withdraw_offer(request: HttpRequest, number: int, id: int, wanted: Nothing | None = None) -> Any:
    incident, by = permitted(request, number, Act.OFFER)
    offer = _offer(incident, id)
    if not permits.may_withdraw(caller_of(request), incident, offer):
        raise ProblemError("forbidden", "only who made the offer, or who leads, takes it back")
    actions.withdraw_offer(offer, by)
    return shapes.HandOverOut.of(_offer(incident, id))


# --- tasks ---


@router.post(
    "/incidents/{int:number}/tasks", response={201: shapes.TaskMadeOut}, openapi_extra=ACTS, summary="Ask for something"
)
def open_task(request: HttpRequest, number: int, wanted: inputs.NewTask) -> Any:
    incident, by = permitted(request, number, Act.TASK)
    doer = finding.user_named("body.user", wanted.user) if wanted.user else None
    made = allowed(
        lambda: actions.open_task(incident, by, wanted.title, role=wanted.role, doer=doer, minutes=wanted.minutes)
    )
    warning = actions.warning_of(incident, wanted.role, doer)
    return Status(201, shapes.TaskMadeOut(**shapes.TaskOut.of(made).model_dump(), warning=warning))


def _task(incident: Incident, id: int) -> Task:
    found = Task.objects.select_related("incident", "doer").filter(incident=incident, pk=id).first()
    if found is None:
        raise not_found("task", id)
    return found


def _on_task(request: HttpRequest, number: int, id: int, do: Callable[[Task, Actor], None]) -> shapes.TaskOut:
    incident, by = permitted(request, number, Act.TASK)
    task = _task(incident, id)
    allowed(lambda: do(task, by))
    return shapes.TaskOut.of(_task(incident, id))


@router.post(
    "/incidents/{int:number}/tasks/{int:id}/acknowledge",
    response=shapes.TaskOut,
    openapi_extra=ACTS,
    summary="I have it",
)
def acknowledge_task(request: HttpRequest, number: int, id: int, wanted: Nothing | None = None) -> Any:
    user = caller_of(request)
    return _on_task(request, number, id, lambda task, by: actions.acknowledge_task(task, user, by))


@router.post("/incidents/{int:number}/tasks/{int:id}/done", response=shapes.TaskOut, openapi_extra=ACTS, summary="Done")
def finish_task(request: HttpRequest, number: int, id: int, wanted: inputs.Outcome | None = None) -> Any:
    outcome = wanted.outcome if wanted else ""
    return _on_task(request, number, id, lambda task, by: actions.finish_task(task, by, outcome=outcome))


@router.post(
    "/incidents/{int:number}/tasks/{int:id}/drop", response=shapes.TaskOut, openapi_extra=ACTS, summary="Not needed"
)
def drop_task(request: HttpRequest, number: int, id: int, wanted: inputs.Outcome | None = None) -> Any:
    outcome = wanted.outcome if wanted else ""
    return _on_task(
        request, number, id, lambda task, by: actions.finish_task(task, by, outcome=outcome, is_dropped=True)
    )
