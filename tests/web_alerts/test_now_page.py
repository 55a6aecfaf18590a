from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import BY, World
from midwatch.core import clock
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert, start_maintenance
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import start

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
    with CaptureQueriesContext(connection) as few:
        client.get("/", headers=PARTIAL)
    for number in range(15):
        opened(world, f"more {number}")
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
