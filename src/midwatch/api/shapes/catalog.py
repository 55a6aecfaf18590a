"""Services and sources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from midwatch.catalog.models import Service
from midwatch.respond.alerts.models import Source, SourceProblem


class ServiceOut(Schema):
    name: str
    display_name: str
    description: str
    team: str
    tier: int
    urgency: str
    escalation_policy: str | None
    depends_on: list[str]
    links: list[dict[str, Any]]
    is_from_code: bool

    @classmethod
    def of(cls, service: Service, policy: str | None) -> ServiceOut:
        return cls(
            name=service.name,
            display_name=service.display_name,
            description=service.description,
            team=service.team.name,
            tier=service.tier,
            urgency=service.urgency,
            escalation_policy=policy,
            depends_on=sorted(other.name for other in service.depends_on.all()),
            links=list(service.links),
            is_from_code=service.is_from_code,
        )


class SourceOut(Schema):
    """`key`: masked, and only for managers and administrators; null for others."""

    name: str
    type: str
    service: str
    key: str | None
    is_active: bool
    last_event_at: datetime | None
    expect_every_seconds: int | None
    is_from_code: bool

    @classmethod
    def of(cls, source: Source, *, shows_key: bool) -> SourceOut:
        return cls(**source_values(source, shows_key=shows_key))


def source_values(source: Source, *, shows_key: bool) -> dict[str, Any]:
    return {
        "name": source.name,
        "type": source.type,
        "service": source.service.name,
        "key": f"****{source.key[-4:]}" if shows_key else None,
        "is_active": source.is_active,
        "last_event_at": source.last_event_at,
        "expect_every_seconds": source.expect_every_seconds,
        "is_from_code": source.is_from_code,
    }


class SourceProblemOut(Schema):
    at: datetime
    kind: str
    reason: str

    @classmethod
    def of(cls, problem: SourceProblem) -> SourceProblemOut:
        return cls(at=problem.at, kind=problem.kind, reason=problem.reason)


class SourceDetailOut(SourceOut):
    problems: list[SourceProblemOut]


class TestAlertOut(Schema):
    sentence: str
