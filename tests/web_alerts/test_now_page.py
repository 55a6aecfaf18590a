from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import BY, World
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.engine import hold
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert, start_maintenance
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import start
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify.models import Page
from midwatch.web import views

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def opened(world: World, title: str = "disk full", priority: str = "P1") -> Alert:
    alert = world.alert(title, priority)
    with transaction.atomic():
        start([(alert, None)])
    return alert


def test_all_quiet(world: World, as_: As) -> None:
    text = as_(world.bo).get("/").content.decode()
    assert "All quiet." in text
    assert "You are next on call" in text
    assert "You are on call." in as_(world.cy).get("/").content.decode()


def test_my_pages_are_first_and_huge(world: World, as_: As) -> None:
    urgent = opened(world)
    text = as_(world.cy).get("/").content.decode()
    assert "1 page for you" in text
    assert f'action="/alerts/{urgent.number}/acknowledge"' in text
    assert "is-huge" in text
    other = as_(world.bo).get("/").content.decode()
    assert "is-huge" not in other, "bo is not called"
    assert "Open alerts" in other


def test_acknowledge_from_here_comes_back_here(world: World, as_: As) -> None:
    alert = opened(world)
    client = as_(world.cy)
    answer = client.post(f"/alerts/{alert.number}/acknowledge", {"next": "/"}, follow=True)
    assert answer.redirect_chain == [("/", 302)]
    assert "You have" in answer.content.decode()


def test_who_is_on_call_until_when_and_next(world: World, as_: As) -> None:
    text = " ".join(as_(world.bo).get("/?part=cover", headers=PARTIAL).content.decode().split())
    assert "payments-primary" in text
    assert "Mon 12 Jan 09:00 CET" in text
    assert "then Bo" in text


def test_nobody_would_hear_it(world: World, as_: As) -> None:
    with transaction.atomic():
        ContactMethod.objects.filter(user=world.cy).delete()
        world.schedule.layers.update(end="2026-01-15T09:00")
    text = as_(world.bo).get("/").content.decode()
    assert "Nobody would hear it" in text
    assert "no contact method" in text
    assert "Nobody on call" in text


def test_maintenance_is_shown(world: World, as_: As) -> None:
    start_maintenance(
        world.service, BY, starts_at=clock.now(), ends_at=clock.now() + timedelta(hours=1), reason="kernel upgrade"
    )
    assert "kernel upgrade" in as_(world.bo).get("/").content.decode()


def test_what_i_have(world: World, as_: As) -> None:
    alert = opened(world)
    with transaction.atomic():
        acknowledge_alert(alert, actor_of(world.bo, "web"))
    assert "You have" in as_(world.bo).get("/").content.decode()


def test_polls_cost_nothing_when_nothing_happens(world: World, as_: As) -> None:
    opened(world)
    client = as_(world.cy)
    first = client.get("/", headers=PARTIAL)
    assert "<html" not in first.content.decode()
    again = client.get("/", headers={**PARTIAL, "HX-PTag": first["HX-PTag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_as_many_queries_for_many_alerts(world: World, as_: As) -> None:
    client = as_(world.bo)
    opened(world)
    client.get("/")
    hold.forget()  # whether paging is on hold is asked twice a second at most
    with CaptureQueriesContext(connection) as few:
        client.get("/", headers=PARTIAL)
    for number in range(15):
        opened(world, f"more {number}")
    hold.forget()
    with CaptureQueriesContext(connection) as many:
        client.get("/", headers=PARTIAL)
    assert len(many) == len(few)


def test_a_viewer_sees_no_buttons(world: World, as_: As) -> None:
    opened(world)
    text = as_(world.vi).get("/").content.decode()
    assert "disk full" in text
    assert "/acknowledge" not in text


def test_what_burns_is_never_pushed_out_by_what_came_after(world: World, as_: As) -> None:
    world.alert("the shop burns", "P1")
    for number in range(45):
        world.alert(f"warning {number}", "P3")
    text = as_(world.bo).get("/").content.decode()
    assert "the shop burns" in text
    assert text.index("the shop burns") < text.index("warning 44")


RESTLESS = re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"|<rel-time.*?</rel-time>', re.DOTALL)


@pytest.fixture
def _unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every poll reads for itself."""
    monkeypatch.setattr(views, "SHARED_SECONDS", 0.0)
    views._shared.clear()


def polled(client: Client, tag: str = "", path: str = "/") -> tuple[int, str, str]:
    """(status, tag, text without what moves by itself)."""
    answer = client.get(path, headers={**PARTIAL, "HX-PTag": tag} if tag else PARTIAL)
    return answer.status_code, answer["HX-PTag"], RESTLESS.sub("", answer.content.decode())


def update(model: type[Any], **fields: Any) -> None:
    with transaction.atomic():
        model.objects.update(**fields)


# Everything that a row, a call or a badge of the Now page is made of.
CHANGES: dict[str, Callable[[World, Alert], object]] = {
    "a new alert": lambda world, alert: opened(world, "another"),
    "a title": lambda world, alert: update(Alert, title="disk fuller"),
    "a priority": lambda world, alert: update(Alert, priority="P3"),
    "seen again": lambda world, alert: update(Alert, count=7),
    "acknowledged by me": lambda world, alert: acknowledge_alert(alert, actor_of(world.cy, "web")),
    "acknowledged by another": lambda world, alert: acknowledge_alert(alert, actor_of(world.bo, "web")),
    "acknowledged by a machine": lambda world, alert: update(Alert, status="acknowledged", is_acknowledged_by_machine=True),
    "snoozed": lambda world, alert: update(
        Alert, status="acknowledged", acknowledged_by=world.cy, snoozed_until=clock.now() + timedelta(hours=1)
    ),
    "resolved": lambda world, alert: update(Alert, status="resolved"),
    "still firing": lambda world, alert: update(Alert, is_still_firing=True),
    "a service's name": lambda world, alert: update(Service, display_name="Till"),
    "somebody's name": lambda world, alert: (
        update(Alert, status="acknowledged", acknowledged_by=world.cy),
        update(User, display_name="Cyril"),
    ),
    "declined": lambda world, alert: update(Page, state="declined"),
    "a step's name": lambda world, alert: update(Page, step_name="level 9"),
    "a call's note": lambda world, alert: update(Page, note="Bo has it"),
    "the escalation is held": lambda world, alert: update(Escalation, state="held"),
    "the escalation is exhausted": lambda world, alert: update(Escalation, state="exhausted"),
    "paging is on hold": lambda world, alert: hold.begin(actor_of(world.bo, "web"), "a drill"),
    "the next step has come": lambda world, alert: update(Escalation, state="paging", due_at=None),
    "I may only look now": lambda world, alert: update(User, role="viewer"),
    "my time zone": lambda world, alert: update(User, time_zone="Asia/Tokyo"),
    "the next day": lambda world, alert: clock.freeze(clock.now() + timedelta(days=1)),
}  # fmt: skip


@pytest.mark.postgresql
@pytest.mark.usefixtures("_unshared")
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_on_now_changes_its_tag(world: World, as_: As, change: str) -> None:
    """cy is called, bo sees it among the open alerts."""
    alert = opened(world)
    clients = [as_(world.cy), as_(world.bo)]
    before = [polled(client) for client in clients]
    for client, (_, tag, _) in zip(clients, before, strict=True):
        assert polled(client, tag)[0] == 304, "nothing has changed"
    CHANGES[change](world, alert)
    has_changed = []
    for client, (_, tag, text) in zip(clients, before, strict=True):
        _, _, new_text = polled(client)
        has_changed.append(new_text != text)
        if new_text != text:
            assert polled(client, tag)[0] == 200
    assert any(has_changed), "the change is one that can be seen"


def test_those_who_poll_share_one_answer_for_a_second_and_what_is_theirs_is_read_at_once(world: World, as_: As) -> None:
    bo, cy, now = as_(world.bo), as_(world.cy), [1_000.0]
    views._shared.clear()
    with mock.patch.object(views, "time", SimpleNamespace(monotonic=lambda: now[0])):
        _, tag, _ = polled(bo)
        _, tag_of_cy, _ = polled(cy)
        opened(world)
        assert polled(bo, tag)[0] == 304, "read by everybody a moment ago"
        assert polled(cy, tag_of_cy)[0] == 200, "cy is called"
        now[0] += views.SHARED_SECONDS
        assert polled(bo, tag)[0] == 200
        other = opened(world, "another")
        assert "another" in bo.get("/").content.decode(), "who opens the page reads everything"
        assert f"#{other.number}" in bo.get("/").content.decode()


def test_a_poll_of_now_that_finds_nothing_new_is_a_few_queries(world: World, as_: As) -> None:
    opened(world)
    client = as_(world.cy)
    _, tag, _ = polled(client)
    with CaptureQueriesContext(connection) as queries:
        assert polled(client, tag)[0] == 304
    assert len(queries) <= 9, [query["sql"][:80] for query in queries]
    _, tag, _ = polled(client, path="/calls")
    with CaptureQueriesContext(connection) as queries:
        assert polled(client, tag, "/calls")[0] == 304
    assert len(queries) <= 3


def test_the_badge_of_the_head_has_a_tag_of_its_own(world: World, as_: As) -> None:
    client = as_(world.cy)
    _, tag, _ = polled(client, path="/calls")
    opened(world)
    status, new_tag, text = polled(client, tag, "/calls")
    assert (status, "1 page for you" in text) == (200, True)
    assert polled(client, new_tag, "/calls")[0] == 304


def test_a_poll_of_who_was_turned_off_is_sent_to_the_log_in(world: World, as_: As) -> None:
    client = as_(world.cy)
    _, tag, _ = polled(client)
    update(User, is_active=False)
    answer = client.get("/", headers={**PARTIAL, "HX-PTag": tag})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/login")
