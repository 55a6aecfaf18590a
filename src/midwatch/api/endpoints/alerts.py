"""Alerts: list, look, page somebody, act."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status
from ninja.responses import NinjaJSONEncoder

from midwatch.api import inputs, shapes
from midwatch.api.authentication import acting, acting_for, caller_of
from midwatch.api.commands import SNOOZE_DEFAULT
from midwatch.api.endpoints import finding
from midwatch.api.inputs import PRIORITIES, Cursor, Limit
from midwatch.api.pages import LIMIT_DEFAULT, cursor_of, last_number
from midwatch.api.problems import allowed, invalid
from midwatch.api.views import detail_of
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.respond.alerts import actions
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus
from midwatch.respond.alerts.queries import AlertFilter, numbers
from midwatch.respond.escalation import actions as escalation

router = Router()
ACTS = {"x-acts": True}
Statuses = Annotated[str, Query(description="firing, acknowledged, resolved or open; several with commas; default all")]
Words = Annotated[str, Query(max_length=200, description="Words of the title, or a number")]


@router.get("/alerts", response=inputs.list_of(shapes.AlertOut), summary="List alerts, newest first")
def list_alerts(
    request: HttpRequest,
    status: Statuses = "",
    service: Annotated[str, Query(max_length=63)] = "",
    team: Annotated[str, Query(max_length=63)] = "",
    priority: Annotated[str, Query(description="P1 to P5; several with commas")] = "",
    q: Words = "",
    view: Annotated[str, Query(description="all, mine (I have it) or teams (my teams')")] = "all",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    if view not in {"all", "mine", "teams"}:
        raise invalid("query.view", "write all, mine or teams")
    if service:
        finding.service_named("query.service", service)
    if team:
        finding.team_named("query.team", team)
    by = AlertFilter(
        status=_statuses(status),
        service=service,
        team=team,
        q=q.strip(),
        view=view,
        user=caller_of(request),
        priority=_priorities(priority),
    )
    before = last_number("alerts", cursor)
    shown = numbers(by, before_number=before, limit=limit)
    # A full page may be the last one; then the next is empty, and says so.
    more = len(shown) == limit and bool(numbers(by, before_number=shown[-1], limit=1))
    page = {
        "items": shapes.listed_alerts(shown),
        "next_cursor": cursor_of("alerts", shown[-1]) if more else None,
    }
    return HttpResponse(json.dumps(page, cls=NinjaJSONEncoder), content_type="application/json; charset=utf-8")


def _statuses(given: str) -> tuple[str, ...]:
    found: list[str] = []
    for word in given.replace(",", " ").split():
        if word == "open":
            found.extend(OPEN)
        elif word in AlertStatus.values:
            found.append(word)
        elif word != "all":
            raise invalid("query.status", f"{word[:30]!r}: write open, {', '.join(AlertStatus.values)}")
    return tuple(dict.fromkeys(found))


def _priorities(given: str) -> tuple[str, ...]:
    found = tuple(word.upper() for word in given.replace(",", " ").split())
    wrong = next((word for word in found if word not in PRIORITIES), None)
    if wrong is not None:
        raise invalid("query.priority", f"{wrong[:30]!r}: write P1, P2, P3, P4 or P5")
    return found


@router.post("/alerts", response={201: shapes.AlertOut}, openapi_extra=ACTS, summary="Page somebody")
def page_somebody(request: HttpRequest, response: HttpResponse, wanted: inputs.PageSomebody) -> Any:
    by = acting(request)
    given = [kind for kind in ("team", "service", "schedule", "user") if getattr(wanted, kind)]
    if len(given) != 1:
        said = "nobody" if not given else " and ".join(given)
        raise invalid("body", f"say whom to page by exactly one of team, service, schedule, user; given: {said}")
    targets: dict[str, Any] = {}
    for kind, find in FINDERS.items():
        name = getattr(wanted, kind)
        if name:
            targets[kind] = find(f"body.{kind}", name)
    alert = allowed(
        lambda: escalation.page_somebody(
            wanted.title, by, priority=wanted.priority, description=wanted.description, **targets
        )
    )
    shown = shapes.AlertOut.of(finding.alert_of(alert.number or 0))
    response["Location"] = f"/api/v1/alerts/{alert.number}"
    return Status(201, shown)


FINDERS: dict[str, Callable[[str, str], Any]] = {
    "team": finding.team_named,
    "service": finding.service_named,
    "schedule": finding.schedule_named,
    "user": finding.user_named,
}


@router.get("/alerts/{int:number}", response=shapes.AlertDetailOut, summary="One alert, its timeline and deliveries")
def get_alert(request: HttpRequest, number: int) -> Any:
    return detail_of(finding.alert_of(number))


def _acted(outcome: actions.Outcome) -> shapes.ActedOut:
    return shapes.ActedOut(
        **shapes.alert_values(outcome.alert), is_changed=outcome.is_changed, sentence=outcome.sentence
    )


def _act(request: HttpRequest, number: int, do: Callable[[Alert, Actor], actions.Outcome]) -> shapes.ActedOut:
    by = acting(request)
    alert = finding.alert_of(number)
    return _acted(allowed(lambda: do(alert, by)))


def _act_for(
    request: HttpRequest, number: int, person: str | None, do: Callable[[Alert, Actor], actions.Outcome]
) -> shapes.ActedOut:
    acting(request)
    by = acting_for(request, finding.user_named("body.user", person) if person else None)
    alert = finding.alert_of(number)
    return _acted(allowed(lambda: do(alert, by)))


@router.post("/alerts/{int:number}/acknowledge", response=shapes.ActedOut, openapi_extra=ACTS, summary="I have it")
def acknowledge_alert(request: HttpRequest, number: int, wanted: inputs.ForSomebody | None = None) -> Any:
    """The first wins; to the second `is_changed` is false and `sentence` says who has it."""
    return _act_for(request, number, wanted.user if wanted else None, actions.acknowledge_alert)


@router.post("/alerts/{int:number}/unacknowledge", response=shapes.ActedOut, openapi_extra=ACTS, summary="Give it back")
def unacknowledge_alert(request: HttpRequest, number: int, wanted: inputs.Nothing | None = None) -> Any:
    """A new round of paging starts."""
    return _act(request, number, actions.unacknowledge_alert)


@router.post("/alerts/{int:number}/resolve", response=shapes.ActedOut, openapi_extra=ACTS, summary="It is over")
def resolve_alert(request: HttpRequest, number: int, wanted: inputs.ForSomebody | None = None) -> Any:
    return _act_for(request, number, wanted.user if wanted else None, actions.resolve_alert)


@router.post("/alerts/{int:number}/snooze", response=shapes.ActedOut, openapi_extra=ACTS, summary="Quiet for a while")
def snooze_alert(request: HttpRequest, number: int, wanted: inputs.Snooze | None = None) -> Any:
    """At its end whoever is on call then is paged."""
    given = wanted or inputs.Snooze()
    if given.until and given.length is not None:
        raise invalid("body", "write either until or for")
    until = given.until or clock.now() + (SNOOZE_DEFAULT if given.length is None else given.length)
    if until <= clock.now():
        raise invalid("body.until" if given.until else "body.for", "give a time in the future")
    return _act(request, number, lambda alert, by: actions.snooze_alert(alert, by, until=until))


@router.post(
    "/alerts/{int:number}/escalate", response=shapes.ActedOut, openapi_extra=ACTS, summary="Page the next step"
)
def escalate_alert(request: HttpRequest, number: int, wanted: inputs.Nothing | None = None) -> Any:
    return _act(request, number, escalation.escalate_now)


@router.post("/alerts/{int:number}/note", response=shapes.ActedOut, openapi_extra=ACTS, summary="Write a note")
def note_alert(request: HttpRequest, number: int, wanted: inputs.Note) -> Any:
    return _act(request, number, lambda alert, by: actions.add_note(alert, by, wanted.text))


@router.post(
    "/alerts/{int:number}/priority", response=shapes.ActedOut, openapi_extra=ACTS, summary="Change the priority"
)
def prioritise_alert(request: HttpRequest, number: int, wanted: inputs.ChangePriority) -> Any:
    """Raising an open alert to P1 or P2 starts the high rules now; lowering never stops a page under way."""
    return _act(request, number, lambda alert, by: actions.change_priority(alert, by, wanted.priority))


@router.post(
    "/alerts/{int:number}/reassign", response=shapes.ActedOut, openapi_extra=ACTS, summary="Give it to somebody"
)
def reassign_alert(request: HttpRequest, number: int, wanted: inputs.Person) -> Any:
    """The new person is paged and has until the next step, at most 5 min; the policy goes on until someone answers."""
    acting(request)
    to = finding.user_named("body.user", wanted.user)
    return _act(request, number, lambda alert, by: escalation.reassign(alert, to, by))


@router.post("/alerts/{int:number}/responders", response=shapes.ActedOut, openapi_extra=ACTS, summary="Add a responder")
def add_responder(request: HttpRequest, number: int, wanted: inputs.Person) -> Any:
    acting(request)
    user = finding.user_named("body.user", wanted.user)
    return _act(request, number, lambda alert, by: escalation.add_responder(alert, user, by))


@router.post("/alerts/{int:number}/decline", response=shapes.ActedOut, openapi_extra=ACTS, summary="I cannot take it")
def decline_alert(request: HttpRequest, number: int, wanted: inputs.ForSomebody | None = None) -> Any:
    """Pages the next person now."""
    person = finding.user_named("body.user", wanted.user) if wanted and wanted.user else None
    acting_for(request, person)
    user = person or caller_of(request)
    return _act_for(request, number, user.name, lambda alert, by: escalation.decline(alert, user, by))
