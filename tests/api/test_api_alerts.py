"""The API of alerts: lists, one, paging somebody, acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from api_world import NOW, Api, World, problem
from midwatch.api.shapes import AlertOut
from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.respond.alerts.models import Alert

pytestmark = pytest.mark.postgresql  # runs again there


def test_a_list_newest_first_with_what_an_alert_has(world: World, bo: Api) -> None:
    world.alert("first")
    world.alert("second", "P3")
    found = bo.get("/alerts").json()
    assert [one["title"] for one in found["items"]] == ["second", "first"]
    assert found["next_cursor"] is None
    first = found["items"][1]
    assert first["number"] == 1
    assert first["status"] == "firing"
    assert first["priority"] == "P1"
    assert first["count"] == 1
    assert first["service"] == "checkout"
    assert first["team"] == "payments"
    assert first["labels"] == {}
    assert datetime.fromisoformat(first["created_at"]) == NOW
    assert first["url"].endswith("/alerts/1")


def test_a_list_says_of_each_alert_what_the_alert_itself_says(world: World, bo: Api) -> None:
    """The list is written without the classes that the description is made from; it must not drift from them."""
    plain, rich, snoozed, bare = world.alert("plain"), world.alert("rich"), world.alert("snoozed"), world.alert("bare")
    moment = NOW + timedelta(microseconds=123_456)
    with transaction.atomic():
        Alert.objects.filter(pk=rich.pk).update(
            labels={"instance": "db3:9100", "count": 7},
            links=[{"href": "https://example.com/?a=1&b", "text": "<b>"}],
            count=12,
            starts_at=moment,
            last_seen_at=moment,
            is_still_firing=True,
            urgency="high",
        )
        Alert.objects.filter(pk=snoozed.pk).update(
            status="acknowledged",
            acknowledged_by=world.cy,
            acknowledged_at=moment,
            snoozed_until=moment,
        )
        Alert.objects.filter(pk=bare.pk).update(
            service=None,
            team=None,
            source=None,
            status="resolved",
            resolved_at=NOW,
            is_acknowledged_by_machine=True,
        )
    items = bo.get("/alerts").json()["items"]
    assert [one["number"] for one in items] == [bare.number, snoozed.number, rich.number, plain.number]
    names = set(AlertOut.model_fields)
    for one in items:
        whole = bo.get(f"/alerts/{one['number']}").json()
        assert one == {name: value for name, value in whole.items() if name in names}


def test_a_cursor_neither_repeats_nor_hides_while_rows_arrive(world: World, bo: Api) -> None:
    world.alerts(7)
    seen: list[int] = []
    cursor = ""
    for _ in range(10):
        found = bo.get("/alerts", limit=3, cursor=cursor).json()
        seen += [one["number"] for one in found["items"]]
        world.alerts(2)
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_full_last_page_says_that_it_is_the_last(world: World, bo: Api) -> None:
    world.alerts(4)
    found = bo.get("/alerts", limit=4).json()
    assert len(found["items"]) == 4
    assert found["next_cursor"] is None


def test_the_largest_page_has_200(world: World, bo: Api) -> None:
    world.alerts(201)
    found = bo.get("/alerts", limit=200).json()
    assert len(found["items"]) == 200
    assert len(bo.get("/alerts", limit=200, cursor=found["next_cursor"]).json()["items"]) == 1
    assert len(bo.get("/alerts").json()["items"]) == 50


def test_filters(world: World, bo: Api) -> None:
    one, two, three = world.alerts(3)
    bo.post(f"/alerts/{two.number}/acknowledge")
    bo.post(f"/alerts/{three.number}/resolve")

    def numbers(**query: object) -> list[int]:
        return [found["number"] for found in bo.get("/alerts", **query).json()["items"]]

    assert numbers(status="firing") == [one.number]
    assert numbers(status="open") == [two.number, one.number]
    assert numbers(status="acknowledged,resolved") == [three.number, two.number]
    assert numbers(service="checkout", team="payments") == [3, 2, 1]
    assert numbers(q="alert 1") == [two.number]
    assert numbers(view="mine") == [two.number]
    assert numbers(priority="p1") == [3, 2, 1]
    assert numbers(priority="P5") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "broken"}, "query.status"),
        ({"priority": "P9"}, "query.priority"),
        ({"service": "nothing"}, "query.service"),
        ({"team": "nothing"}, "query.team"),
        ({"view": "hers"}, "query.view"),
        ({"limit": "0"}, "query.limit"),
        ({"limit": "201"}, "query.limit"),
        ({"limit": "many"}, "query.limit"),
        ({"cursor": "nonsense"}, "query.cursor"),
        ({"cursor": "WyJ1c2VycyIsICJhIl0"}, "query.cursor"),
        ({"cursor": "x" * 2000}, "query.cursor"),
        ({"q": "a\0b"}, "query.q"),
    ],
)
def test_wrong_questions_name_the_field(bo: Api, query: dict[str, str], field: str) -> None:
    found = problem(bo.get("/alerts", **query), 422, "invalid")
    assert found["errors"][0]["field"] == field
    assert found["errors"][0]["message"]


def test_one_alert_with_timeline_deliveries_and_escalation(world: World, bo: Api) -> None:
    made = bo.post("/alerts", {"title": "Checkout is down", "service": "checkout", "description": "since noon"})
    assert made.status_code == 201
    number = made.json()["number"]
    assert made["Location"] == f"/api/v1/alerts/{number}"
    bo.post(f"/alerts/{number}/note", {"text": "looking"})
    found = bo.get(f"/alerts/{number}").json()
    assert found["description"] == "since noon"
    assert found["timeline"][0]["kind"] == "opened"
    assert "looking" in [entry["text"] for entry in found["timeline"]]
    assert found["escalation"]["policy"] == "payments"
    assert [step["name"] for step in found["escalation"]["steps"]] == ["level 1", "whole team"]
    assert [(page["user"]["name"], page["step"], page["state"]) for page in found["pages"]] == [
        ("bo", "level 1", "running")
    ]
    assert isinstance(found["deliveries"], list)
    assert found["similar"] == []


@pytest.mark.parametrize("target", ["team", "service", "schedule", "user"])
def test_paging_somebody(world: World, bo: Api, target: str) -> None:
    names = {"team": "payments", "service": "checkout", "schedule": "payments-primary", "user": "cy"}
    answer = bo.post("/alerts", {"title": "help", "priority": "P2", target: names[target]})
    assert answer.status_code == 201, answer.content
    assert answer.json()["priority"] == "P2"
    assert answer.json()["status"] == "firing"
    assert AuditEntry.objects.filter(verb="page", via="api", user_id=world.bo.pk).count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "x"}, "body"),
        ({"title": "x", "team": "payments", "user": "bo"}, "body"),
        ({"title": "x", "team": "nothing"}, "body.team"),
        ({"title": "x", "user": "nobody-here"}, "body.user"),
        ({"team": "payments"}, "body.title"),
        ({"title": "   ", "team": "payments"}, "body.title"),
        ({"title": 5, "team": "payments"}, "body.title"),
        ({"title": "x", "team": "payments", "priority": "P6"}, "body.priority"),
        ({"title": "x", "team": "payments", "sevice": "y"}, "body.sevice"),
        ({"title": "x\0y", "team": "payments"}, "body.title"),
        ({"title": "x", "team": "payments", "description": 10**30}, "body.description"),
    ],
)
def test_wrong_pages_name_the_field(bo: Api, body: dict[str, object], field: str) -> None:
    found = problem(bo.post("/alerts", body), 422, "invalid")
    assert field in [error["field"] for error in found["errors"]]
    assert Alert.objects.count() == 0


def test_a_long_title_is_cut(world: World, bo: Api) -> None:
    answer = bo.post("/alerts", {"title": "x" * 100_000, "team": "payments"})
    assert answer.status_code == 201
    assert len(answer.json()["title"]) == 1000


def test_the_first_wins_and_the_second_learns_who_it_was(world: World, ana: Api, bo: Api) -> None:
    alert = world.alert()
    first = bo.post(f"/alerts/{alert.number}/acknowledge")
    assert first.status_code == 200
    assert first.json()["is_changed"] is True
    assert first.json()["status"] == "acknowledged"
    assert first.json()["acknowledged_by"]["name"] == "bo"
    second = ana.post(f"/alerts/{alert.number}/acknowledge", {})
    assert second.status_code == 200
    assert second.json()["is_changed"] is False
    assert second.json()["sentence"].startswith("Bo has #1 since 12:00")


def test_every_act(world: World, bo: Api) -> None:
    alert = world.alert(priority="P3")
    path = f"/alerts/{alert.number}"
    assert bo.post(f"{path}/acknowledge").json()["status"] == "acknowledged"
    assert bo.post(f"{path}/unacknowledge").json()["status"] == "firing"
    assert bo.post(f"{path}/priority", {"priority": "P1"}).json()["priority"] == "P1"
    assert "Noted" in bo.post(f"{path}/note", {"text": "restarted"}).json()["sentence"]
    assert bo.post(f"{path}/responders", {"user": "cy"}).status_code == 200
    assert bo.post(f"{path}/reassign", {"user": "cy"}).status_code == 200
    assert bo.post(f"{path}/escalate").status_code == 200
    assert bo.post(f"{path}/decline").status_code == 200
    snoozed = bo.post(f"{path}/snooze", {"for": "2h"}).json()
    assert datetime.fromisoformat(snoozed["snoozed_until"]) == NOW + timedelta(hours=2)
    assert bo.post(f"{path}/resolve").json()["status"] == "resolved"
    kinds = {entry["kind"] for entry in bo.get(path).json()["timeline"]}
    assert {"acknowledged", "unacknowledged", "priority", "note", "snoozed", "resolved"} <= kinds


def test_snooze_until_for_and_without_saying(world: World, bo: Api) -> None:
    alert = world.alert()
    path = f"/alerts/{alert.number}/snooze"

    def until(body: object) -> datetime:
        return datetime.fromisoformat(bo.post(path, body).json()["snoozed_until"])

    assert until(None) == NOW + timedelta(hours=1)
    assert until({"until": "2026-01-14T15:30:00+01:00"}) == datetime(2026, 1, 14, 14, 30, tzinfo=UTC)
    assert until({"for": "90m"}) == NOW + timedelta(minutes=90)
    assert problem(bo.post(path, {"for": "2h", "until": "2026-01-15"}), 422, "invalid")
    for wrong in ({"for": "soon"}, {"for": "0s"}, {"until": "2020-01-01"}, {"until": "x"}, {"until": 5}):
        found = problem(bo.post(path, wrong), 422, "invalid")
        assert found["errors"][0]["field"] in {"body.for", "body.until"}
    assert "30 days" in problem(bo.post(path, {"for": "31d"}), 409, "refused")["detail"]


def test_a_manager_answers_for_somebody_and_both_names_stay(world: World, bo: Api) -> None:
    alert = world.alert()
    answer = bo.post(f"/alerts/{alert.number}/acknowledge", {"user": "cy"})
    assert answer.json()["acknowledged_by"]["name"] == "cy"
    assert "Cy (by Bo)" in [entry["who"] for entry in bo.get(f"/alerts/{alert.number}").json()["timeline"]]


def test_who_is_no_manager_answers_for_nobody(world: World) -> None:
    alert = world.alert()
    answer = Api(world.cy).post(f"/alerts/{alert.number}/acknowledge", {"user": "bo"})
    assert "manager" in problem(answer, 403, "forbidden")["detail"]


def test_the_manager_of_nobody_in_particular(world: World, bo: Api) -> None:
    alert = world.alert()
    problem(bo.post(f"/alerts/{alert.number}/resolve", {"user": "ana"}), 403, "forbidden")
    found = problem(bo.post(f"/alerts/{alert.number}/resolve", {"user": "nobody-here"}), 422, "invalid")
    assert found["errors"][0]["field"] == "body.user"


ACTS = [
    ("acknowledge", None),
    ("unacknowledge", None),
    ("resolve", None),
    ("snooze", {"for": "1h"}),
    ("escalate", None),
    ("note", {"text": "x"}),
    ("priority", {"priority": "P2"}),
    ("reassign", {"user": "bo"}),
    ("responders", {"user": "bo"}),
    ("decline", None),
]


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_viewers_look_only(world: World, viewer: Api, act: str, body: object) -> None:
    alert = world.alert()
    assert viewer.get(f"/alerts/{alert.number}").status_code == 200
    problem(viewer.post(f"/alerts/{alert.number}/{act}", body), 403, "forbidden")
    alert.refresh_from_db()
    assert alert.status == "firing"


@pytest.mark.parametrize(("act", "body"), ACTS)
@pytest.mark.parametrize("number", ["77", "9223372036854775807", "9" * 40])
def test_no_such_alert(bo: Api, act: str, body: object, number: str) -> None:
    found = problem(bo.post(f"/alerts/{number}/{act}", body), 404, "not_found")
    assert number[:20] in found["detail"]
    problem(bo.get(f"/alerts/{number}"), 404, "not_found")


def test_viewers_page_nobody(viewer: Api) -> None:
    problem(viewer.post("/alerts", {"title": "x", "team": "payments"}), 403, "forbidden")


def test_a_list_asks_a_constant_number_of_questions(
    world: World, bo: Api, django_assert_max_num_queries: object
) -> None:
    world.alerts(60)
    bo.get("/alerts")
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        bo.get("/alerts", limit=50)


def test_the_clock_is_the_house_s(world: World, bo: Api) -> None:
    alert = world.alert()
    clock.forward(timedelta(minutes=7))
    answer = bo.post(f"/alerts/{alert.number}/acknowledge").json()
    assert datetime.fromisoformat(answer["acknowledged_at"]) == NOW + timedelta(minutes=7)
