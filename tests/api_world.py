"""A small world for the API's and the command line's tests: three people, one team, one service, one source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.people import actions as people
from midwatch.people.models import ContactMethod, Membership, Team, User
from midwatch.respond.alerts.actions import open_alert
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.escalation.models import EscalationPolicy, PolicyStep, ServicePolicy, StepTarget, TeamPolicy
from midwatch.respond.oncall.actions import LayerFields, create_schedule
from midwatch.respond.oncall.models import Schedule

NOW = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"
BY = Actor("Test", "cli")


@dataclass
class World:
    ana: User  # administrator
    bo: User  # member, manager of payments
    cy: User  # member, responder
    vi: User  # viewer
    team: Team
    service: Service
    schedule: Schedule
    policy: EscalationPolicy
    source: Source

    def alert(self, title: str = "disk full", priority: str = "P1") -> Alert:
        with transaction.atomic():
            return open_alert(title=title, by=BY, priority=priority, service=self.service)

    def alerts(self, count: int) -> list[Alert]:
        with transaction.atomic():
            return [
                open_alert(title=f"alert {index}", by=BY, service=self.service, dedup_key=f"k{index}")
                for index in range(count)
            ]


def _person(name: str, role: str) -> User:
    with transaction.atomic():
        user = people.create_user(name, people.Profile(name.title(), f"{name}@example.com", "Europe/Prague", role), BY)
        ContactMethod.objects.create(
            user=user, name="hook", type="webhook", address=f"https://example.com/{name}", confirmed_at=clock.now()
        )
    return user


def make_world() -> World:
    ana, bo = _person("ana", "administrator"), _person("bo", "member")
    cy, vi = _person("cy", "member"), _person("vi", "viewer")
    with transaction.atomic():
        team = Team.objects.create(name="payments", display_name="Payments", created_at=NOW)
        Membership.objects.create(team=team, user=bo, role="manager", position=0)
        Membership.objects.create(team=team, user=cy, role="responder", position=1)
        service = Service.objects.create(name="checkout", display_name="Checkout", team=team, created_at=NOW)
        source = Source.objects.create(name="prometheus", type="alertmanager", key=KEY, service=service, created_at=NOW)
        policy = EscalationPolicy.objects.create(name="payments", team=team, created_at=NOW)
        ServicePolicy.objects.create(service=service, policy=policy)
        TeamPolicy.objects.create(team=team, policy=policy)
    weekly = LayerFields("weekly", datetime(2026, 1, 5, 9), 1, "weeks", [[cy], [bo]])
    schedule = create_schedule("payments-primary", team, "Europe/Prague", BY, layers=[weekly])
    with transaction.atomic():
        first = PolicyStep.objects.create(policy=policy, position=0, name="level 1", after_seconds=0)
        StepTarget.objects.create(step=first, schedule=schedule)
        second = PolicyStep.objects.create(policy=policy, position=1, name="whole team", after_seconds=300)
        StepTarget.objects.create(step=second, team=team, notify="all")
    return World(ana, bo, cy, vi, team, service, schedule, policy, source)


class Api:
    """A client of one person, by token."""

    def __init__(self, user: User | None) -> None:
        self.client = Client()
        self.headers = {}
        if user is not None:
            token = people.create_token(user, "test", BY, expires_at=clock.now() + timedelta(days=1))
            self.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1{path}", query, headers=self.headers)

    def post(self, path: str, body: Any = None, *, raw: bytes | None = None) -> Any:
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        return self.client.post(f"/api/v1{path}", data, content_type="application/json", headers=self.headers)

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/api/v1{path}", headers=self.headers)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer, checked."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(answer.content)
    assert found["code"] == code, found
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found


def asked(queries: CaptureQueriesContext) -> int:
    """How many queries, but for the look at the hold, which a process takes once a second and not for each page."""
    return len([query for query in queries.captured_queries if "engine_hold" not in query["sql"]])
