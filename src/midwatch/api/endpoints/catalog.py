"""Teams, services, sources."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from midwatch.api import inputs, shapes
from midwatch.api.authentication import acting, caller_of, is_manager
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Cursor, Limit
from midwatch.api.pages import LIMIT_DEFAULT, by_name
from midwatch.api.problems import allowed
from midwatch.catalog.models import Service
from midwatch.people.models import Team
from midwatch.respond.alerts.actions import send_test_alert
from midwatch.respond.alerts.models import Source
from midwatch.respond.alerts.queries import problems
from midwatch.respond.escalation.models import ServicePolicy, TeamPolicy

router = Router()
ACTS = {"x-acts": True}


@router.get("/teams", response=inputs.list_of(shapes.TeamOut), summary="List teams")
def list_teams(request: HttpRequest, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    policies = dict(TeamPolicy.objects.values_list("team_id", "policy__name"))
    found = Team.objects.prefetch_related("memberships__user")
    return by_name(found, "teams", cursor, limit, lambda team: shapes.TeamOut.of(team, policies.get(team.pk)))


@router.get("/teams/{name}", response=shapes.TeamOut, summary="One team")
def get_team(request: HttpRequest, name: str) -> Any:
    team = finding.by_name(Team.objects.prefetch_related("memberships__user"), "team", name)
    return shapes.TeamOut.of(team, TeamPolicy.objects.filter(team=team).values_list("policy__name", flat=True).first())


@router.get("/services", response=inputs.list_of(shapes.ServiceOut), summary="List services")
def list_services(request: HttpRequest, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    policies = dict(ServicePolicy.objects.values_list("service_id", "policy__name"))
    found = Service.objects.select_related("team").prefetch_related("depends_on")
    return by_name(found, "services", cursor, limit, lambda one: shapes.ServiceOut.of(one, policies.get(one.pk)))


@router.get("/services/{name}", response=shapes.ServiceOut, summary="One service")
def get_service(request: HttpRequest, name: str) -> Any:
    service = finding.by_name(Service.objects.select_related("team"), "service", name)
    policy = ServicePolicy.objects.filter(service=service).values_list("policy__name", flat=True).first()
    return shapes.ServiceOut.of(service, policy)


@router.get("/sources", response=inputs.list_of(shapes.SourceOut), summary="List sources")
def list_sources(request: HttpRequest, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    shows_key = is_manager(caller_of(request))
    found = Source.objects.select_related("service")
    return by_name(found, "sources", cursor, limit, lambda one: shapes.SourceOut.of(one, shows_key=shows_key))


@router.get("/sources/{name}", response=shapes.SourceDetailOut, summary="One source and its problems")
def get_source(request: HttpRequest, name: str) -> Any:
    source = finding.by_name(Source.objects.select_related("service"), "source", name)
    return shapes.SourceDetailOut(
        **shapes.source_values(source, shows_key=is_manager(caller_of(request))),
        problems=[shapes.SourceProblemOut.of(problem) for problem in problems(source)],
    )


@router.post(
    "/sources/{name}/test", response={202: shapes.TestAlertOut}, openapi_extra=ACTS, summary="Send a test alert"
)
def send_test_to_source(request: HttpRequest, name: str, wanted: inputs.Nothing | None = None) -> Any:
    """Takes the way of a real event; it gets no number, and nobody is paged."""
    by = acting(request)
    source = finding.by_name(Source.objects.select_related("service"), "source", name)
    allowed(lambda: send_test_alert(source, by))
    return Status(202, {"sentence": f"A test alert went through {source.name}; it is on the source's page."})
