from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, World
from midwatch.core.models import AuditEntry
from midwatch.people.models import ContactMethod, Team, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.forms import length_text, seconds_from
from midwatch.respond.escalation.models import Escalation, EscalationPolicy, TeamPolicy
from midwatch.respond.escalation.queries import steps_of, target_words
from midwatch.respond.oncall.actions import create_schedule

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def posted(steps: list[dict[str, Any]], **given: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "step-TOTAL_FORMS": len(steps),
        "step-INITIAL_FORMS": len(steps),
        "repeat": 1,
        "repeat_after": "10m",
        "ack_timeout": "",
        "do": "save",
        **given,
    }
    for index, step in enumerate(steps):
        data |= {f"step-{index}-{name}": value for name, value in step.items()}
    return data


def shape(policy: EscalationPolicy) -> list[tuple[str, int, list[str]]]:
    return [
        (step.name, step.after_seconds, [target_words(target) for target in step.targets.all()])
        for step in steps_of(policy)
    ]


def test_a_policy_reads_as_sentences(world: World, as_: As) -> None:
    text = " ".join(as_(world.vi).get("/policies/payments").content.decode().split())
    assert "At once: notify <strong>payments-primary (on call)</strong>" in text
    assert "After 5m, if nobody has acknowledged: notify <strong>Payments (everybody)</strong>" in text
    assert "Checkout" in text, "what uses it"
    assert "/policies/payments/edit" not in text, "a viewer only looks"
    assert "payments-primary (on call)" in as_(world.vi).get("/policies").content.decode()


def test_the_dry_run_names_who_would_be_called(world: World, as_: As) -> None:
    text = as_(world.bo).get("/policies/payments?at=2026-01-08T13:00&priority=P1", headers=PARTIAL).content.decode()
    assert "<html" not in text
    assert "All reachable" in text
    assert "hook (webhook)" in text
    assert text.index("Cy") < text.index("Bo"), "cy's week: level 1"
    with transaction.atomic():
        ContactMethod.objects.filter(user=world.cy).delete()
    text = as_(world.bo).get("/policies/payments?at=2026-01-08T13:00", headers=PARTIAL).content.decode()
    assert "Cy has no usable method that rings" in text


@pytest.mark.parametrize("at", ["x", "2026-13-01T00:00", "0001-01-01T00:00", "9999-12-31T23:59", ""])
def test_a_dry_run_at_nonsense_is_one_now(world: World, as_: As, at: str) -> None:
    assert as_(world.bo).get("/policies/payments", {"at": at, "priority": "P7"}).status_code == 200


def test_the_template_in_one_click(world: World, as_: As) -> None:
    with transaction.atomic():
        team = Team.objects.create(name="search", display_name="Search", created_at=world.team.created_at)
    client = as_(world.ana)
    assert "Make one for Search" in client.get("/policies").content.decode()
    assert "no schedule yet" in client.post("/policies/new", {"team": "search"}, follow=True).content.decode()
    create_schedule("search-1", team, "UTC", BY, layers=[])
    create_schedule("search-2", team, "UTC", BY, layers=[])
    assert client.post("/policies/new", {"team": "search"})["Location"] == "/policies/search"
    policy = EscalationPolicy.objects.get(name="search")
    assert shape(policy) == [
        ("level 1", 0, ["search-1 (on call)"]),
        ("level 2", 300, ["search-2 (on call)"]),
        ("whole team", 900, ["Search (everybody)"]),
    ]
    assert TeamPolicy.objects.get(team=team).policy == policy
    assert client.post("/policies/new", {"team": "search"})["Location"] == "/policies/search-2", "a free name"
    assert as_(world.bo).post("/policies/new", {"team": "search"}).status_code == 403
    assert as_(world.vi).post("/policies/new", {"team": "search"}).status_code == 403


def test_edit_without_javascript(world: World, as_: As) -> None:
    client = as_(world.bo)
    page = client.get("/policies/payments/edit").content.decode()
    assert 'value="schedule:payments-primary:current" selected' in page
    steps: list[dict[str, Any]] = [
        {"name": "whole team", "after": "15m", "targets": ["team:payments:all", ""]},
        {"name": "level 1", "after": "0", "targets": ["schedule:payments-primary:current", "user:bo:current", ""]},
        {"name": "gone", "after": "1m", "targets": ["user:cy:current"], "remove": "on"},
        {"name": "", "after": "", "targets": [""]},
        {"name": "", "after": "90s", "targets": ["schedule:payments-primary:next"], "condition": "unresolved"},
    ]
    answer = client.post("/policies/payments/edit", posted(steps, ack_timeout="1h"))
    assert answer["Location"] == "/policies/payments"
    world.policy.refresh_from_db()
    assert shape(world.policy) == [
        ("level 1", 0, ["payments-primary (on call)", "Bo"]),
        ("level 2", 90, ["payments-primary (next on call)"]),
        ("whole team", 900, ["Payments (everybody)"]),
    ]
    assert (world.policy.repeat, world.policy.ack_timeout_seconds) == (1, 3600)
    assert AuditEntry.objects.filter(verb="change", object_kind="escalation policy", who="Bo").exists()
    again = client.get("/policies/payments/edit").content.decode()
    assert 'value="1m30s"' in again
    assert 'value="unresolved" selected' in again


def test_one_more_step_saves_nothing(world: World, as_: As) -> None:
    before = shape(world.policy)
    one = {"name": "level 1", "after": "2m", "targets": ["user:bo:current"]}
    text = as_(world.bo).post("/policies/payments/edit", posted([one], do="add")).content.decode()
    assert "Step 2" in text
    assert 'value="2m"' in text, "what was typed stays"
    assert shape(world.policy) == before
    assert as_(world.bo).post("/policies/payments/edit", {"do": "add", "step-TOTAL_FORMS": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("step", "given", "words"),
    [
        ({"name": "a", "after": "soon", "targets": ["user:bo:current"]}, {}, "is no length of time: write 90s, 5m"),
        ({"name": "a", "after": "2d", "targets": ["user:bo:current"]}, {}, "give 0 seconds to 24 hours"),
        ({"name": "a", "after": "0", "targets": [""]}, {}, "Choose whom this step notifies"),
        ({"name": "a", "after": "0", "targets": ["user:nobody-here:current"]}, {}, "Select a valid choice"),
        ({"name": "", "after": "0", "targets": [""]}, {}, "give at least one step"),
        ({"name": "a", "after": "0", "targets": ["user:bo:current"]}, {"repeat": "99"}, "less than or equal to 20"),
        ({"name": "a", "after": "0", "targets": ["user:bo:current"]}, {"repeat_after": ""}, "This field is required"),
    ],
)
def test_errors_say_what_to_write(world: World, as_: As, step: Any, given: Any, words: str) -> None:
    before = shape(world.policy)
    answer = as_(world.bo).post("/policies/payments/edit", posted([step], **given))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert shape(world.policy) == before


def test_who_may_edit(world: World, as_: As) -> None:
    assert as_(world.ana).get("/policies/payments/edit").status_code == 200, "administrators everything"
    assert as_(world.vi).get("/policies/payments/edit").status_code == 403
    with transaction.atomic():
        other = Team.objects.create(name="other", display_name="Other", created_at=world.team.created_at)
        EscalationPolicy.objects.filter(pk=world.policy.pk).update(team=other)
    assert as_(world.bo).get("/policies/payments/edit").status_code == 403, "not his team's any more"


def test_from_code_is_read_only(world: World, as_: As) -> None:
    with transaction.atomic():
        EscalationPolicy.objects.filter(pk=world.policy.pk).update(code_owner="config", code_file="teams.yaml:12")
    client = as_(world.ana)
    page = client.get("/policies/payments").content.decode()
    assert "teams.yaml:12" in page
    assert "/policies/payments/edit" not in page
    assert client.get("/policies/payments/edit").status_code == 403
    assert client.post("/policies/payments/delete").status_code == 403


def test_delete_only_what_nothing_uses(world: World, as_: As) -> None:
    client = as_(world.ana)
    assert "uses payments" in client.post("/policies/payments/delete", follow=True).content.decode()
    with transaction.atomic():
        spare = EscalationPolicy.objects.create(name="spare", team=world.team, created_at=world.team.created_at)
    assert "Nothing uses it" in client.get("/policies/spare").content.decode()
    client.post("/policies/spare/delete")
    assert not EscalationPolicy.objects.filter(pk=spare.pk).exists()
    assert client.get("/policies/spare").status_code == 404


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("5 min", 300), ("7", 420), ("4h", 14_400), ("1d", 86_400), ("0", 0)],
)
def test_lengths_as_people_write_them(text: str, seconds: int) -> None:
    assert seconds_from(text) == seconds
    assert seconds_from(length_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5x", "999999d"])
def test_lengths_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no length of time|is too long"):
        seconds_from(text)


def test_page_a_team_by_hand(world: World, as_: As) -> None:
    client = as_(world.bo)
    assert 'value="team:payments" selected' in client.get("/page?target=team:payments").content.decode()
    answer = client.post("/page", {"target": "team:payments", "title": "the shop is down", "priority": "P1"})
    alert = Alert.objects.get(title="the shop is down")
    assert answer["Location"] == f"/alerts/{alert.number}"
    assert alert.team == world.team
    assert Escalation.objects.get(alert=alert).policy == world.policy


@pytest.mark.parametrize(
    ("target", "field"),
    [("service:checkout", "service"), ("schedule:payments-primary", "team"), ("user:cy", "urgency")],
)
def test_page_others_by_hand(world: World, as_: As, target: str, field: str) -> None:
    as_(world.bo).post("/page", {"target": target, "title": "x", "priority": "P2"})
    assert getattr(Alert.objects.get(title="x"), field)


def test_paging_somebody_who_is_not_on_call_asks_first(world: World, as_: As) -> None:
    client = as_(world.ana)
    given = {"target": "user:bo", "title": "x", "priority": "P1"}
    text = client.post("/page", given).content.decode()
    assert "Bo is not on call." in text
    assert "Page Cy" in text
    assert not Alert.objects.filter(title="x").exists()
    client.post("/page", {**given, "sure": "1"})
    assert Alert.objects.filter(title="x").exists()


def test_page_errors(world: World, as_: As) -> None:
    client = as_(world.bo)
    for given in (
        {},
        {"target": "user:nobody-here", "title": "x", "priority": "P1"},
        {"target": "team:payments", "title": " ", "priority": "P1"},
    ):
        answer = client.post("/page", given)
        assert answer.status_code == 422
    assert as_(world.vi).get("/page").status_code == 403
