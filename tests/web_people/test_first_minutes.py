"""The first minutes: five steps that can be left and taken up, and what stands at their end pages somebody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.people import actions
from midwatch.people.models import ContactMethod, Role, Team, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.escalation.queries import dry_run, policy_for, steps_of
from midwatch.respond.oncall.queries import who_is_on_call
from midwatch.web import first_team

As = Callable[[User], Client]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]
BY = Actor("Test", "cli")
TEAM = {"display_name": "Operations", "unit": "weeks", "weekday": "0", "hour": "9"}


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content.decode()[:2_000]
    return str(answer.content.decode())


@pytest.fixture
def ana(db: None) -> User:
    profile = actions.Profile("Ana Novak", "ana@example.com", "UTC", Role.ADMINISTRATOR)
    return actions.create_user("ana", profile, BY, password="a-good-long-password")


def test_from_nothing_to_a_page_that_would_arrive(ana: User, as_: As) -> None:
    client = as_(ana)
    assert client.get("/welcome")["Location"] == "/welcome/you"
    you = {"display_name": "Ana Novak", "email": "ana@example.com", "time_zone": "Europe/Prague"}
    assert client.post("/welcome/you", you)["Location"] == "/welcome/reach"
    client.post("/welcome/reach", {"type": "ntfy", "address": "https://ntfy.example.com/ana-x7"})
    assert client.get("/welcome")["Location"] == "/welcome/reach", "not confirmed yet"
    assert "Not confirmed" in text(client.get("/welcome/reach", headers={"HX-Request-Type": "partial"}))
    sent = client.post("/settings/people/ana/contacts/ntfy/test", {"next": "/welcome/reach"})
    assert sent["Location"] == "/welcome/reach"
    actions.confirm_contact(ContactMethod.objects.get(), actor_of(ana, "link"))
    assert "It reaches me" in text(client.get("/welcome/reach"))
    assert client.post("/welcome/reach", {"do": "skip"})["Location"] == "/welcome/team"
    people = "Bo Nielsen <bo@example.com>\n\n  Cy  \n"
    assert client.post("/welcome/team", {**TEAM, "colleagues": people})["Location"] == "/welcome/team"
    page = text(client.get("/welcome/team"))
    assert "Not invited yet" in page
    assert "Cy" in page
    made = client.post("/welcome/source", {"team": "operations", "service": "Checkout", "type": "alertmanager"})
    assert made["Location"] == "/welcome/source?name=checkout-alertmanager"
    source = Source.objects.get()
    page = text(client.get(made["Location"]))
    assert f"/in/{source.key}" in page
    assert "Waiting for the first event" in page
    Source.objects.update(last_event_at=clock.now())
    part = client.get(made["Location"], headers={"HX-Request-Type": "partial"})
    assert "Received" in text(part)
    assert client.get("/welcome")["Location"] == "/welcome/check"
    page = text(client.get("/welcome/check"))
    assert "Ana Novak" in page
    assert client.post("/welcome/check", {"source": source.name})["Location"] == "/welcome/check"
    test = Alert.objects.get()
    assert test.is_test
    assert Escalation.objects.filter(alert=test).exists()
    assert client.post("/welcome/check", {"do": "skip"})["Location"] == "/"


def test_the_team_of_the_template(ana: User) -> None:
    wanted = first_team.FirstTeam("Operations", [("Bo", "bo@example.com"), ("Cy", "")], "weeks", 0, 9)
    team, policy = first_team.create(wanted, ana, BY)
    assert [step.name for step in steps_of(policy)] == ["level 1", "level 2", "whole team"]
    assert policy_for(None, team) == policy
    rows = {row.schedule.name: [user.name for user in row.users] for row in who_is_on_call(team)}
    assert rows == {"operations-primary": ["ana"], "operations-secondary": ["bo"]}
    assert team.memberships.get(user=ana).role == "manager"
    assert [line.user.name for line in dry_run(policy).lines if line.user][:1] == ["ana"]


def test_alone_there_is_no_second_level(ana: User) -> None:
    team, policy = first_team.create(first_team.FirstTeam("Ops", [], "days", 0, 9), ana, BY)
    assert [step.name for step in steps_of(policy)] == ["level 1", "whole team"]
    assert [row.schedule.name for row in who_is_on_call(team)] == ["ops-primary"]


@pytest.mark.parametrize(
    ("unit", "weekday", "hour", "start"),
    [
        ("weeks", 0, 9, "2026-01-05T09:00"),
        ("weeks", 3, 9, "2026-01-08T09:00"),
        ("weeks", 3, 14, "2026-01-01T14:00"),
        ("weeks", 6, 23, "2026-01-04T23:00"),
        ("days", 0, 9, "2026-01-08T09:00"),
        ("days", 0, 14, "2026-01-07T14:00"),
    ],
)
def test_somebody_is_on_call_from_the_first_minute(unit: str, weekday: int, hour: int, start: str) -> None:
    now = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)  # a Thursday, 13:00 in Prague
    wanted = first_team.FirstTeam("x", [], unit, weekday, hour)
    assert first_team.last_hand_over(wanted, now, "Europe/Prague").isoformat(timespec="minutes") == start


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"display_name": "!!!"}, "is no name"),
        ({"display_name": ""}, "required"),
        ({"colleagues": "Bo not@an@email"}, "is no e-mail address"),
        ({"colleagues": "Bo ana@example.com"}, "has this e-mail address already"),
        ({"colleagues": "\n".join(f"P{index}" for index in range(60))}, "at most 50"),
        ({"weekday": "9"}, "Select a valid choice"),
    ],
)
def test_all_of_a_team_or_nothing(ana: User, as_: As, more: dict[str, str], words: str) -> None:
    assert words in text(as_(ana).post("/welcome/team", {**TEAM, **more}), 422)
    assert not Team.objects.exists()
    assert User.objects.exclude(name="admin-token").count() == 1


def test_each_step_can_be_left_for_later(ana: User, as_: As) -> None:
    client = as_(ana)
    where = client.get("/welcome")["Location"]
    seen = []
    while where.startswith("/welcome/"):
        seen.append(where.rpartition("/")[2])
        text(client.get(where))
        where = client.post(where, {"do": "skip"})["Location"]
    assert seen == ["you", "reach", "team", "source", "check"]
    assert where == "/"
    assert "of 5 steps" in text(client.get("/settings"))
    assert as_(ana).get("/welcome")["Location"] == "/welcome/you", "another device asks again"


def test_a_member_sets_up_only_themselves(ana: User, as_: As) -> None:
    bo = actions.create_user("bo", actions.Profile("Bo"), BY, password="a-good-long-password")
    client = as_(bo)
    assert client.get("/welcome")["Location"] == "/welcome/you"
    assert client.post("/welcome/you", {"do": "skip"})["Location"] == "/welcome/reach"
    assert client.post("/welcome/reach", {"do": "skip"})["Location"] == "/"
    for step in ("team", "source", "check"):
        assert client.get(f"/welcome/{step}").status_code == 403
        assert client.post(f"/welcome/{step}", {"do": "skip"}).status_code == 403


def test_the_source_step_wants_a_team_first_and_refuses_in_words(ana: User, as_: As) -> None:
    client = as_(ana)
    assert "make the team first" in text(client.get("/welcome/source"))
    with transaction.atomic():
        actions.create_team("ops", "Ops", BY)
    assert "is no name" in text(
        client.post("/welcome/source", {"team": "ops", "service": "???", "type": "generic"}), 422
    )
    for _ in range(2):
        client.post("/welcome/source", {"team": "ops", "service": "Checkout", "type": "pagerduty"})
    assert list(Source.objects.order_by("pk").values_list("name", flat=True)) == [
        "checkout-pagerduty",
        "checkout-pagerduty-2",
    ]
    page = text(client.get("/welcome/source"))
    assert "/v2/enqueue" in page
    assert client.get("/welcome/source?name=none").status_code == 404


def test_configuration_says_who_one_is(ana: User, as_: As) -> None:
    with transaction.atomic():
        User.objects.update(code_owner="config", code_file="people.yaml:1")
    client = as_(ana)
    assert "people.yaml:1" in text(client.get("/welcome/you"))
    assert client.post("/welcome/you", {"display_name": "X"})["Location"] == "/welcome/reach"
    ana.refresh_from_db()
    assert ana.display_name == "Ana Novak"
