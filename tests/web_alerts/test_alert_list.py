from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import World, asked
from midwatch.engine import hold
from midwatch.people.models import Role, User
from midwatch.respond.alerts.models import Alert

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def titles(answer: Any) -> list[str]:
    return [row.alert.title for row in answer.context["rows"]]


def test_newest_first_and_paged_by_number(world: World, as_: As) -> None:
    world.alerts(60)
    client = as_(world.bo)
    first = client.get("/alerts?view=all")
    assert titles(first)[0] == "alert 59"
    assert len(titles(first)) == 50
    world.alert("arrived meanwhile")
    second = client.get(first.context["older_url"])
    assert titles(second) == [f"alert {number}" for number in range(9, -1, -1)]
    assert second.context["older_url"] == ""


def test_filters_stand_in_the_address(world: World, as_: As) -> None:
    world.alerts(2)
    urgent = world.alert("disk full", "P5")
    client = as_(world.bo)
    assert titles(client.get("/alerts?view=all&priority=P5")) == ["disk full"]
    assert titles(client.get("/alerts?view=all&q=disk")) == ["disk full"]
    assert titles(client.get(f"/alerts?view=all&q=%23{urgent.number}")) == ["disk full"]
    assert titles(client.get("/alerts?view=all&status=resolved")) == []
    assert titles(client.get("/alerts?view=all&service=checkout&priority=P5")) == ["disk full"]
    assert titles(client.get("/alerts?view=all&service=nothing")) == []
    nonsense = client.get("/alerts?view=all&status=exploded&priority=P9&before=x&newest=-4&rows=a,b")
    assert len(titles(nonsense)) == 3


def test_the_default_view_is_my_teams(world: World, as_: As) -> None:
    world.alerts(1)
    assert as_(world.bo).get("/alerts").context["filters"].view == "teams"
    assert as_(world.ana).get("/alerts").context["filters"].view == "all", "ana is in no team"
    assert titles(as_(world.bo).get("/alerts?view=mine")) == []


def test_a_poll_gets_the_same_rows_and_counts_the_new_ones(world: World, as_: As) -> None:
    old = world.alert("old")
    client = as_(world.bo)
    page = client.get("/alerts?view=all&status=firing")
    poll = page.context["poll_url"]
    client.post(f"/alerts/{old.number}/acknowledge")
    world.alert("new")
    again = client.get(poll, headers=PARTIAL)
    text = again.content.decode()
    assert "<html" not in text
    assert titles(again) == ["old"], "acknowledged now and no more 'firing', but it does not vanish under the finger"
    assert "1 new" in text


def test_a_poll_of_nothing_new_is_an_empty_304(world: World, as_: As) -> None:
    world.alert()
    client = as_(world.bo)
    poll = client.get("/alerts?view=all").context["poll_url"]
    first = client.get(poll, headers=PARTIAL)
    second = client.get(poll, headers={**PARTIAL, "HX-PTag": first["HX-PTag"]})
    assert (second.status_code, second.content) == (304, b"")


def test_as_many_queries_for_fifty_rows_as_for_two(world: World, as_: As) -> None:
    client = as_(world.bo)
    world.alerts(2)
    client.get("/alerts?view=all")
    hold.forget()  # whether paging is on hold is asked twice a second at most
    with CaptureQueriesContext(connection) as few:
        client.get("/alerts?view=all")
    world.alerts(60)
    hold.forget()
    with CaptureQueriesContext(connection) as many:
        client.get("/alerts?view=all")
    assert asked(many) == asked(few)
    assert len(many) <= 14


def test_bulk_acknowledge_says_who_was_quicker(world: World, as_: As) -> None:
    mine, taken = world.alert("mine"), world.alert("taken")
    as_(world.cy).post(f"/alerts/{taken.number}/acknowledge")
    numbers = [mine.number, taken.number]
    answer = as_(world.bo).post(
        "/alerts/bulk", {"act": "acknowledge", "number": numbers, "next": "/alerts?view=all"}, follow=True
    )
    assert answer.redirect_chain == [("/alerts?view=all", 302)]
    text = answer.content.decode()
    assert "You have 1 alert." in text
    assert f"Cy has #{taken.number} since" in text
    assert Alert.objects.get(pk=mine.pk).acknowledged_by == world.bo


def test_bulk_resolve_and_nothing_ticked(world: World, as_: As) -> None:
    found = world.alerts(3)
    client = as_(world.bo)
    client.post("/alerts/bulk", {"act": "resolve", "number": [alert.number for alert in found]})
    assert set(Alert.objects.values_list("status", flat=True)) == {"resolved"}
    assert "Tick some alerts first" in client.post("/alerts/bulk", {"act": "resolve"}, follow=True).content.decode()
    odd = client.post("/alerts/bulk", {"act": "delete", "number": [9**30, "x", -1]}, follow=True)
    assert "Tick some alerts first" in odd.content.decode()


@pytest.mark.parametrize("next_", ["//evil.example/", "https://evil.example/", "javascript:alert(1)"])
def test_next_stays_here(world: World, as_: As, next_: str) -> None:
    alert = world.alert()
    answer = as_(world.bo).post(f"/alerts/{alert.number}/acknowledge", {"next": next_})
    assert answer["Location"] == f"/alerts/{alert.number}"


def test_a_viewer_looks_and_does_not_act(world: World, as_: As) -> None:
    alert = world.alert()
    client = as_(world.vi)
    page = client.get("/alerts?view=all").content.decode()
    assert "disk full" in page
    assert 'name="number"' not in page
    for answer in (
        client.post("/alerts/bulk", {"act": "resolve", "number": [alert.number]}),
        client.post(f"/alerts/{alert.number}/acknowledge"),
        client.post(f"/alerts/{alert.number}/escalate"),
    ):
        assert answer.status_code == 403
    assert Alert.objects.get(pk=alert.pk).status == "firing"


def test_the_empty_list_shows_how_to_send_the_first_alert(world: World, as_: As) -> None:
    text = as_(world.bo).get("/alerts?view=all").content.decode()
    assert "curl -X POST http://midwatch.example/in/KEY" in text
    assert world.source.key not in text, "a key is a secret; the source's page shows it to those who may see it"


def test_strangers_log_in_first(world: World) -> None:
    assert world.vi.role == Role.VIEWER
    assert Client().get("/alerts")["Location"].startswith("/login")
    assert Client().post("/alerts/bulk").status_code == 302


def test_acts_need_the_csrf_token(world: World) -> None:
    alert = world.alert()
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.bo)
    assert client.post(f"/alerts/{alert.number}/acknowledge").status_code == 403
    assert client.get(f"/alerts/{alert.number}/acknowledge").status_code == 405
