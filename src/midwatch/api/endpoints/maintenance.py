"""Maintenance: alerts of a service are kept, nobody is paged; what still fires at its end pages."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from midwatch.api import inputs, shapes
from midwatch.api.authentication import acting
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Cursor, Limit
from midwatch.api.pages import LIMIT_DEFAULT, by_id
from midwatch.api.problems import allowed, invalid, not_found
from midwatch.core import clock
from midwatch.respond.alerts import actions
from midwatch.respond.alerts.models import Maintenance

router = Router()
ACTS = {"x-acts": True}


@router.get("/maintenance", response=inputs.list_of(shapes.MaintenanceOut), summary="Running and planned maintenance")
def list_maintenance(
    request: HttpRequest,
    service: Annotated[str, Query(max_length=63)] = "",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    found = Maintenance.objects.filter(ends_at__gt=clock.now()).select_related("service")
    if service:
        found = found.filter(service=finding.service_named("query.service", service))
    return by_id(found, "maintenance", cursor, limit, shapes.MaintenanceOut.of)


@router.post("/maintenance", response={201: shapes.MaintenanceOut}, openapi_extra=ACTS, summary="Start or plan one")
def start_maintenance(request: HttpRequest, wanted: inputs.NewMaintenance) -> Any:
    by = acting(request)
    service = finding.service_named("body.service", wanted.service)
    starts_at = wanted.starts_at or clock.now()
    if wanted.ends_at <= max(starts_at, clock.now()):
        raise invalid("body.ends_at", "give a moment after the start and in the future")
    made = allowed(
        lambda: actions.start_maintenance(
            service, by, starts_at=starts_at, ends_at=wanted.ends_at, reason=wanted.reason
        )
    )
    return Status(201, shapes.MaintenanceOut.of(made))


@router.post("/maintenance/{int:id}/end", response=shapes.MaintenanceOut, openapi_extra=ACTS, summary="End one now")
def end_maintenance(request: HttpRequest, id: int, wanted: inputs.Nothing | None = None) -> Any:
    by = acting(request)
    found = Maintenance.objects.select_related("service").filter(pk=min(id, finding.NUMBER_MAX))
    maintenance = found.first()
    if maintenance is None:
        raise not_found("maintenance", id)
    allowed(lambda: actions.end_maintenance(maintenance, by))
    return shapes.MaintenanceOut.of(found.get())
