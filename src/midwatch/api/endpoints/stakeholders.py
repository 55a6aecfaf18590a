"""Stakeholders of incidents: who hears of updates beside those who take part. For administrators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from midwatch.api.authentication import acting, caller_of
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Body, Cursor, Limit, Name, Nothing, Text, list_of
from midwatch.api.pages import LIMIT_DEFAULT, by_id
from midwatch.api.problems import ProblemError, allowed, not_found
from midwatch.core.actor import Actor
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.models import Stakeholder

router = Router()
ACTS = {"x-acts": True}


class StakeholderOut(Schema):
    """`is_failing`: the last messages did not reach them."""

    id: int
    kind: str
    address: str
    name: str
    audience: str
    team: str | None
    service: str | None
    severity_at_most: str
    is_failing: bool

    @classmethod
    def of(cls, one: Stakeholder) -> StakeholderOut:
        return cls(
            id=one.pk,
            kind=one.kind,
            address=one.address,
            name=one.name,
            audience=one.audience,
            team=one.team.name if one.team else None,
            service=one.service.name if one.service else None,
            severity_at_most=one.severity_at_most,
            is_failing=one.failing_since is not None,
        )


class NewStakeholder(Body):
    kind: Literal["email", "webhook"]
    address: Annotated[Text, Field(max_length=1_000)]
    name: Annotated[str, Field(max_length=200)] = ""
    audience: Literal["internal", "external"] = "internal"
    team: Name | None = None
    service: Name | None = None
    severity_at_most: Literal["SEV1", "SEV2", "SEV3", "SEV4"] = "SEV4"
    secret: Annotated[str, Field(max_length=500)] = ""


def _administrator(request: HttpRequest) -> Actor:
    by = acting(request)
    if not caller_of(request).is_administrator:
        raise ProblemError("forbidden", "stakeholders are for administrators")
    return by


@router.get("/stakeholders", response=list_of(StakeholderOut), summary="Who hears of updates")
def list_stakeholders(request: HttpRequest, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    _administrator(request)
    found = Stakeholder.objects.select_related("team", "service").filter(removed_at=None)
    return by_id(found, "stakeholders", cursor, limit, StakeholderOut.of)


@router.post("/stakeholders", response={201: StakeholderOut}, openapi_extra=ACTS, summary="Add a stakeholder")
def add_stakeholder(request: HttpRequest, wanted: NewStakeholder) -> Any:
    by = _administrator(request)
    team = finding.team_named("body.team", wanted.team) if wanted.team else None
    service = finding.service_named("body.service", wanted.service) if wanted.service else None
    given = wanted.model_dump(exclude={"team", "service"})
    made = allowed(lambda: actions.add_stakeholder(by, team=team, service=service, **given))
    return Status(201, StakeholderOut.of(made))


@router.post("/stakeholders/{int:pk}/remove", response={204: None}, openapi_extra=ACTS, summary="Take one off")
def remove_stakeholder(request: HttpRequest, pk: int, wanted: Nothing | None = None) -> Any:
    by = _administrator(request)
    found = Stakeholder.objects.filter(pk=min(pk, 2**63 - 1), removed_at=None).first()
    if found is None:
        raise not_found("stakeholder", pk)
    actions.remove_stakeholder(found, by)
    return Status(204, None)
