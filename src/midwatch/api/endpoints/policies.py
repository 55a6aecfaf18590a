"""Escalation policies, and what one would do."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router

from midwatch.api import inputs, shapes, views
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Cursor, Limit, Priority
from midwatch.api.moments import Moment
from midwatch.api.pages import LIMIT_DEFAULT, by_name
from midwatch.core import clock
from midwatch.respond.escalation.models import EscalationPolicy
from midwatch.respond.escalation.queries import dry_run

router = Router()
FULL = ("steps__targets__schedule", "steps__targets__team", "steps__targets__user")


@router.get("/policies", response=inputs.list_of(shapes.PolicyOut), summary="List escalation policies")
def list_policies(request: HttpRequest, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    found = EscalationPolicy.objects.select_related("team").prefetch_related(*FULL)
    return by_name(found, "policies", cursor, limit, shapes.PolicyOut.of)


@router.get("/policies/{name}", response=shapes.PolicyOut, summary="One escalation policy")
def get_policy(request: HttpRequest, name: str) -> Any:
    return shapes.PolicyOut.of(_policy(name))


def _policy(name: str) -> EscalationPolicy:
    found = EscalationPolicy.objects.select_related("team").prefetch_related(*FULL)
    return finding.by_name(found, "escalation policy", name)


@router.get("/policies/{name}/dry-run", response=shapes.DryRunOut, summary="Who would be paged when")
def dry_run_policy(
    request: HttpRequest,
    name: str,
    priority: Priority = "P1",
    at: Annotated[Moment | None, Query(description="as if it fired then; default: now")] = None,
    service: Annotated[str, Query(max_length=63, description="as for an alert of this service")] = "",
) -> Any:
    of = finding.service_named("query.service", service) if service else None
    start = at or clock.now()
    return views.dry_run_out(dry_run(_policy(name), urgency=views.urgency_of(priority, of, start), at=start))
