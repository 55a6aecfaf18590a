"""Who is on call, shifts, overrides."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from midwatch.api import inputs, shapes, views
from midwatch.api.authentication import acting
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Cursor, Limit
from midwatch.api.moments import Moment
from midwatch.api.pages import LIMIT_DEFAULT, by_id, by_name
from midwatch.api.problems import allowed, invalid, not_found
from midwatch.core import clock
from midwatch.respond.notify import actions as notify_actions
from midwatch.respond.oncall import actions
from midwatch.respond.oncall.models import Override, Schedule
from midwatch.respond.oncall.queries import rotation_of, shifts_of_schedule, who_is_on_call

router = Router()
ACTS = {"x-acts": True}
SHIFTS_DEFAULT = timedelta(days=14)
SHIFTS_RANGE_MAX = timedelta(days=400)


@router.get("/oncall", response=inputs.list_of(shapes.OnCallOut), summary="Who is on call, until when, who is next")
def list_on_call(
    request: HttpRequest,
    team: Annotated[str, Query(max_length=63)] = "",
    at: Annotated[Moment | None, Query(description="default: now")] = None,
) -> Any:
    wanted = finding.team_named("query.team", team) if team else None
    rows = who_is_on_call(team=wanted, at=at or clock.now())
    return {"items": [views.on_call_out(row) for row in rows], "next_cursor": None}


@router.get("/schedules", response=inputs.list_of(shapes.ScheduleOut), summary="List schedules")
def list_schedules(request: HttpRequest, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    found = Schedule.objects.select_related("team").prefetch_related("layers")
    return by_name(found, "schedules", cursor, limit, shapes.ScheduleOut.of)


@router.get("/schedules/{name}", response=shapes.ScheduleOut, summary="One schedule")
def get_schedule(request: HttpRequest, name: str) -> Any:
    return shapes.ScheduleOut.of(_schedule(name))


def _schedule(name: str) -> Schedule:
    return finding.by_name(Schedule.objects.select_related("team").prefetch_related("layers"), "schedule", name)


@router.get("/schedules/{name}/shifts", response=inputs.list_of(shapes.ShiftOut), summary="Who is on call when")
def list_shifts(
    request: HttpRequest,
    name: str,
    start: Annotated[Moment | None, Query(alias="from", description="default: now")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="default: 14 days after `from`")] = None,
) -> Any:
    begins = start or clock.now()
    ends = end or begins + SHIFTS_DEFAULT
    if ends <= begins:
        raise invalid("query.to", "give a moment after `from`")
    if ends - begins > SHIFTS_RANGE_MAX:
        raise invalid("query.to", f"ask for at most {SHIFTS_RANGE_MAX.days} days")
    rows = shifts_of_schedule(_schedule(name), begins, ends)
    return {"items": [views.shift_out(row) for row in rows], "next_cursor": None}


@router.post(
    "/schedules/{name}/test-page", response={202: shapes.TestPagesOut}, openapi_extra=ACTS, summary="Test a rotation"
)
def send_test_pages(request: HttpRequest, name: str) -> Any:
    """A test page to everybody who takes turns in it; those for whom it is night are left asleep, and named."""
    by = acting(request)
    sent, refused = notify_actions.send_test_pages(rotation_of(_schedule(name)), by)
    return Status(202, {"deliveries": [shapes.DeliveryOut.of(delivery) for delivery in sent], "refused": refused})


@router.get("/schedules/{name}/overrides", response=inputs.list_of(shapes.OverrideOut), summary="List overrides")
def list_overrides(request: HttpRequest, name: str, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    """Those that run or are to come."""
    found = Override.objects.filter(schedule=_schedule(name), cancelled_at=None, ends_at__gt=clock.now())
    return by_id(found.select_related("user", "replaces"), "overrides", cursor, limit, shapes.OverrideOut.of)


@router.post(
    "/schedules/{name}/overrides", response={201: shapes.OverrideOut}, openapi_extra=ACTS, summary="Cover a schedule"
)
def create_override(request: HttpRequest, response: HttpResponse, name: str, wanted: inputs.NewOverride) -> Any:
    by = acting(request)
    schedule = _schedule(name)
    if wanted.kind != "remove" and not wanted.user:
        raise invalid("body.user", "say who covers")
    if wanted.kind == "remove" and wanted.user:
        raise invalid("body.user", "leave it out: `replaces` says who is not on call")
    starts_at = wanted.starts_at or clock.now()
    if wanted.ends_at <= starts_at:
        raise invalid("body.ends_at", "give a moment after the start")
    user = finding.user_named("body.user", wanted.user) if wanted.user else None
    replaces = finding.user_named("body.replaces", wanted.replaces) if wanted.replaces else None
    override = allowed(
        lambda: actions.create_override(
            schedule,
            by,
            kind=wanted.kind,
            user=user,
            replaces=replaces,
            starts_at=starts_at,
            ends_at=wanted.ends_at,
            reason=wanted.reason,
        )
    )
    response["Location"] = f"/api/v1/schedules/{schedule.name}/overrides/{override.pk}"
    return Status(201, shapes.OverrideOut.of(override))


@router.delete(
    "/schedules/{name}/overrides/{int:id}", response={204: None}, openapi_extra=ACTS, summary="Cancel an override"
)
def cancel_override(request: HttpRequest, name: str, id: int) -> Any:
    by = acting(request)
    override = Override.objects.filter(
        schedule=_schedule(name), cancelled_at=None, pk=min(id, finding.NUMBER_MAX)
    ).first()
    if override is None:
        raise not_found("override", id)
    allowed(lambda: actions.cancel_override(override, by))
    return Status(204, None)
