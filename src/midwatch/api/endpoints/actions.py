"""Action items, and the figures of the insights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status
from pydantic import Field

from midwatch.api.authentication import acting, caller_of
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Body, Cursor, Limit, Name, Text, list_of
from midwatch.api.pages import LIMIT_DEFAULT, cursor_of, last_number, page
from midwatch.api.problems import allowed, invalid, not_found
from midwatch.api.shapes.actions import ActionOut, InsightsOut
from midwatch.core import clock
from midwatch.learn.actions import actions
from midwatch.learn.actions.actions import NewItem
from midwatch.learn.actions.models import TITLE_MAX, ActionItem, ItemPriority, ItemState, ItemType
from midwatch.learn.actions.queries import overdue, visible_items
from midwatch.learn.insights.queries import Scope, report
from midwatch.respond.incidents.queries import visible_to

router = Router()
ACTS = {"x-acts": True}
DAYS_MAX = 400
Number = Annotated[int, Field(ge=1, lt=2**63)]


class NewAction(Body):
    """`incident`: the number of the one it comes from. Without an owner it is a draft; without a date it gets the usual one
    of its priority."""

    title: Annotated[Text, Field(max_length=TITLE_MAX)]
    type: ItemType = ItemType.PREVENT
    priority: ItemPriority = ItemPriority.MEDIUM
    owner: Name | None = None
    due_on: date | None = None
    description: Annotated[str, Field(max_length=20_000)] = ""
    team: Name | None = None
    service: Name | None = None
    incident: Number | None = None
    proof: dict[str, str] = Field(default_factory=dict)


class ActionChange(Body):
    """Only what is to be changed; a draft that gets an owner is open."""

    title: Annotated[Text, Field(max_length=TITLE_MAX)] | None = None
    type: ItemType | None = None
    priority: ItemPriority | None = None
    owner: Name | None = None
    due_on: date | None = None
    description: Annotated[str, Field(max_length=20_000)] | None = None
    proof: dict[str, str] | None = None


class Words(Body):
    text: Annotated[Text, Field(max_length=1_000)]


class DebtIn(Body):
    incident: Number
    would_have_prevented: bool


@router.get("/actions", response=list_of(ActionOut), summary="List action items, newest first")
def list_actions(
    request: HttpRequest,
    owner: Annotated[str, Query(max_length=63)] = "",
    team: Annotated[str, Query(max_length=63)] = "",
    state: Annotated[str, Query(description="draft, open, done or dropped")] = "",
    is_overdue: Annotated[bool, Query(alias="overdue")] = False,
    incident: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    today = clock.now().date()
    found = visible_items(caller_of(request)).order_by("-number")
    if state and state not in ItemState.values:
        raise invalid("query.state", f"write one of {', '.join(ItemState.values)}")
    if owner:
        found = found.filter(owner=finding.user_named("query.owner", owner))
    if team:
        found = found.filter(team=finding.team_named("query.team", team))
    found = found.filter(state=state) if state else found
    found = found.filter(incident__number=incident) if incident else found
    found = overdue(found, today) if is_overdue else found
    before = last_number("actions", cursor)
    found = found.filter(number__lt=before) if before is not None else found
    return page(
        list(found[: limit + 1]),
        limit,
        lambda item: ActionOut.of(item, today),
        lambda item: cursor_of("actions", item.number),
    )


def seen(request: HttpRequest, number: int) -> ActionItem:
    found = visible_items(caller_of(request)).filter(number=number).first()
    if found is None:
        raise not_found("action item", number)
    return found


def shown(item: ActionItem) -> ActionOut:
    fresh = ActionItem.objects.select_related("owner", "team", "service", "incident").get(pk=item.pk)
    return ActionOut.of(fresh, clock.now().date())


@router.post("/actions", response={201: ActionOut}, openapi_extra=ACTS, summary="Note an action item")
def note_action(request: HttpRequest, response: HttpResponse, wanted: NewAction) -> Any:
    by = acting(request)
    incident = None
    if wanted.incident is not None:
        incident = visible_to(caller_of(request)).filter(number=wanted.incident).first()
        if incident is None:
            raise invalid("body.incident", f"there is no incident {wanted.incident}")
    new = NewItem(
        wanted.title,
        type=wanted.type,
        priority=wanted.priority,
        owner=finding.user_named("body.owner", wanted.owner) if wanted.owner else None,
        due_on=wanted.due_on,
        description=wanted.description,
        team=finding.team_named("body.team", wanted.team) if wanted.team else None,
        service=finding.service_named("body.service", wanted.service) if wanted.service else None,
        incident=incident,
        origin="post-mortem" if incident else "API",
        proof=dict(wanted.proof),
    )
    item = allowed(lambda: actions.note_item(new, by))
    response["Location"] = f"/api/v1/actions/{item.number}"
    return Status(201, shown(item))


@router.get("/actions/{int:number}", response=ActionOut, summary="One action item")
def get_action(request: HttpRequest, number: int) -> Any:
    return shown(seen(request, number))


@router.post("/actions/{int:number}/change", response=ActionOut, openapi_extra=ACTS, summary="Change an action item")
def change_action(request: HttpRequest, number: int, wanted: ActionChange) -> Any:
    by = acting(request)
    item = seen(request, number)
    given: dict[str, Any] = wanted.model_dump(exclude_unset=True, exclude_none=True)
    if "owner" in given:
        given["owner"] = finding.user_named("body.owner", given["owner"])
    owner = given.pop("owner", None) if item.state == ItemState.DRAFT else None
    if given:
        allowed(lambda: actions.change_item(item, by, **given))
    if owner is not None:
        allowed(lambda: actions.open_item(item, owner, by, due_on=wanted.due_on))
    return shown(item)


def _act(request: HttpRequest, number: int, work: Callable[[ActionItem], object]) -> ActionOut:
    item = seen(request, number)
    allowed(lambda: work(item))
    return shown(item)


@router.post("/actions/{int:number}/done", response=ActionOut, openapi_extra=ACTS, summary="It is done: what was done?")
def finish_action(request: HttpRequest, number: int, said: Words) -> Any:
    by = acting(request)
    return _act(request, number, lambda item: actions.finish_item(item, by, said.text))


@router.post(
    "/actions/{int:number}/drop", response=ActionOut, openapi_extra=ACTS, summary="Decide against it, with a reason"
)
def drop_action(request: HttpRequest, number: int, said: Words) -> Any:
    by = acting(request)
    return _act(request, number, lambda item: actions.drop_item(item, by, said.text))


@router.post("/actions/{int:number}/reopen", response=ActionOut, openapi_extra=ACTS, summary="Open it again")
def reopen_action(request: HttpRequest, number: int, said: Words) -> Any:
    by = acting(request)
    return _act(request, number, lambda item: actions.reopen_item(item, by, said.text))


@router.post(
    "/actions/{int:number}/debt", response=ActionOut, openapi_extra=ACTS, summary="Would it have prevented an incident?"
)
def answer_debt(request: HttpRequest, number: int, said: DebtIn) -> Any:
    by = acting(request)
    incident = visible_to(caller_of(request)).filter(number=said.incident).first()
    if incident is None:
        raise invalid("body.incident", f"there is no incident {said.incident}")
    would = said.would_have_prevented
    return _act(request, number, lambda item: actions.answer_debt(incident, item, by, would_have_prevented=would))


@router.get("/insights", response=InsightsOut, summary="Figures of a period, with their definitions")
def insights(
    request: HttpRequest,
    days: Annotated[int, Query(ge=1, le=DAYS_MAX)] = 30,
    team: Annotated[str, Query(max_length=63)] = "",
    service: Annotated[str, Query(max_length=63)] = "",
) -> Any:
    """By team and service, never by person."""
    scope = Scope(
        finding.team_named("query.team", team) if team else None,
        finding.service_named("query.service", service) if service else None,
    )
    now = clock.now()
    return InsightsOut.of(report(scope, now - timedelta(days=days), now, now))
