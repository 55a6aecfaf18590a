"""The API of everything beside alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from api_world import KEY, NOW, Api, World, problem
from midwatch.core import clock
from midwatch.respond.alerts.models import Maintenance
from midwatch.respond.notify.models import Delivery
from midwatch.respond.oncall.models import Override

pytestmark = pytest.mark.postgresql  # runs again there


def test_who_is_on_call(world: World, viewer: Api) -> None:
    found = viewer.get("/oncall").json()
    assert found["next_cursor"] is None
    (row,) = found["items"]
    assert row["schedule"] == "payments-primary"
    assert row["team"] == "payments"
    assert row["users"] == [{"name": "bo", "display_name": "Bo"}]
    assert datetime.fromisoformat(row["until"]) == datetime(2026, 1, 19, 8, tzinfo=UTC)
    assert [user["name"] for user in row["next_users"]] == ["cy"]
    assert datetime.fromisoformat(row["next_from"]) == datetime(2026, 1, 19, 8, tzinfo=UTC)


def test_who_was_on_call_and_whose_team(world: World, viewer: Api) -> None:
    def names(**query: str) -> list[str]:
        return [user["name"] for row in viewer.get("/oncall", **query).json()["items"] for user in row["users"]]

    assert names(team="payments", at="2026-01-06T00:00Z") == ["cy"]
    assert names(at="2026-01-12T08:30:00+01:00") == ["cy"]
    assert names(at="2026-01-12T09:30:00+01:00") == ["bo"]
    for query, field in (
        ({"team": "nothing"}, "query.team"),
        ({"at": "noon"}, "query.at"),
        ({"at": "9999"}, "query.at"),
    ):
        assert problem(viewer.get("/oncall", **query), 422, "invalid")["errors"][0]["field"] == field


def test_a_plus_that_became_a_space(world: World, viewer: Api) -> None:
    answer = viewer.client.get("/api/v1/oncall?at=2026-01-12T09:30:00+01:00", headers=viewer.headers)
    assert answer.json()["items"][0]["users"][0]["name"] == "bo"


def test_shifts(world: World, viewer: Api) -> None:
    found = viewer.get("/schedules/payments-primary/shifts", **{"from": "2026-01-05T08:00Z", "to": "2026-01-26"}).json()
    assert [(one["user"]["name"], one["start"][:10], one["layer"]) for one in found["items"]] == [
        ("cy", "2026-01-05", "weekly"),
        ("bo", "2026-01-12", "weekly"),
        ("cy", "2026-01-19", "weekly"),
    ]
    assert viewer.get("/schedules/payments-primary/shifts").json()["items"]
    problem(viewer.get("/schedules/nothing/shifts"), 404, "not_found")
    for query in ({"from": "2026-02-01", "to": "2026-01-01"}, {"from": "2026-01-01", "to": "2029-01-01"}):
        assert problem(viewer.get("/schedules/payments-primary/shifts", **query), 422, "invalid")


def test_schedules(world: World, viewer: Api) -> None:
    (one,) = viewer.get("/schedules").json()["items"]
    assert one == viewer.get("/schedules/payments-primary").json()
    assert one["layers"] == ["weekly"]
    assert one["is_from_code"] is False
    problem(viewer.get("/schedules/nothing"), 404, "not_found")


def test_an_override_made_seen_and_cancelled(world: World, bo: Api) -> None:
    path = "/schedules/payments-primary/overrides"
    body = {
        "user": "cy",
        "starts_at": "2026-01-15T09:00+01:00",
        "ends_at": "2026-01-15T17:00+01:00",
        "reason": "dentist",
    }
    made = bo.post(path, body)
    assert made.status_code == 201, made.content
    override = made.json()
    assert made["Location"] == f"/api/v1{path}/{override['id']}"
    assert override["kind"] == "replace"
    assert override["created_by"] == "Bo"
    assert bo.get(path).json()["items"] == [override]
    assert bo.get("/oncall", at="2026-01-15T12:00Z").json()["items"][0]["users"][0]["name"] == "cy"
    gone = bo.delete(f"{path}/{override['id']}")
    assert gone.status_code == 204
    assert gone.content == b""
    assert bo.get(path).json()["items"] == []
    problem(bo.delete(f"{path}/{override['id']}"), 404, "not_found")
    problem(bo.delete(f"{path}/{'9' * 40}"), 404, "not_found")


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"user": None}, 422, "body.user"),
        ({"user": "nobody-here"}, 422, "body.user"),
        ({"replaces": "nobody-here"}, 422, "body.replaces"),
        ({"ends_at": "2026-01-14T12:00Z"}, 422, "body.ends_at"),
        ({"ends_at": None}, 422, "body.ends_at"),
        ({"kind": "swap"}, 422, "body.kind"),
        ({"kind": "remove"}, 422, "body.user"),
        ({"starts_at": "2020-01-01", "ends_at": "2020-01-02"}, 409, ""),
        ({"ends_at": "2030-01-01"}, 409, ""),
    ],
)
def test_overrides_that_cannot_be(bo: Api, change: dict[str, object], status: int, field: str) -> None:
    body = {"user": "cy", "starts_at": "2026-01-15T09:00Z", "ends_at": "2026-01-15T17:00Z", **change}
    answer = bo.post("/schedules/payments-primary/overrides", body)
    found = problem(answer, status, "invalid" if status == 422 else "refused")
    assert not field or found["errors"][0]["field"] == field
    assert Override.objects.count() == 0


def test_viewers_cover_nothing(viewer: Api) -> None:
    body = {"user": "cy", "ends_at": "2026-01-15T17:00Z"}
    problem(viewer.post("/schedules/payments-primary/overrides", body), 403, "forbidden")
    problem(viewer.delete("/schedules/payments-primary/overrides/1"), 403, "forbidden")


def test_people(world: World, bo: Api) -> None:
    found = bo.get("/users").json()
    assert [one["name"] for one in found["items"]] == ["ana", "bo", "cy", "vi"]
    first = bo.get("/users", limit=3).json()
    assert [one["name"] for one in bo.get("/users", limit=3, cursor=first["next_cursor"]).json()["items"]] == ["vi"]
    assert bo.get("/users/ana").json()["role"] == "administrator"
    problem(bo.get("/users/nobody-here"), 404, "not_found")


def test_the_installation_s_token_is_no_person(world: World, nobody: Api) -> None:
    with mock.patch("midwatch.people.actions.access.api_token", return_value="t" * 30):
        nobody.headers["Authorization"] = f"Bearer {'t' * 30}"
        assert nobody.get("/users/me").json()["role"] == "administrator"
        assert [one["name"] for one in nobody.get("/users").json()["items"]] == ["ana", "bo", "cy", "vi"]
        assert nobody.get("/sources").json()["items"][0]["key"] == "****cdef"


def test_me(world: World, bo: Api) -> None:
    found = bo.get("/users/me").json()
    assert found["name"] == "bo"
    assert found["teams"] == ["payments"]
    assert found["contact_methods"] == [
        {
            "name": "hook",
            "type": "webhook",
            "address": "https://example.com/bo",
            "is_usable": True,
            "is_ringing": True,
            "why": "",
        }
    ]
    assert found["is_reachable_high"] is True


def test_teams_and_services(world: World, viewer: Api) -> None:
    (team,) = viewer.get("/teams").json()["items"]
    assert team == viewer.get("/teams/payments").json()
    assert team["escalation_policy"] == "payments"
    assert [(one["user"]["name"], one["role"]) for one in team["members"]] == [("bo", "manager"), ("cy", "responder")]
    (service,) = viewer.get("/services").json()["items"]
    assert service == viewer.get("/services/checkout").json()
    assert service["escalation_policy"] == "payments"
    assert service["tier"] == 3
    problem(viewer.get("/teams/nothing"), 404, "not_found")
    problem(viewer.get("/services/nothing"), 404, "not_found")


def test_keys_are_masked_and_only_for_managers(world: World, ana: Api, bo: Api, viewer: Api) -> None:
    for api, key in ((ana, "****cdef"), (bo, "****cdef"), (Api(world.cy), None), (viewer, None)):
        for answer in (api.get("/sources"), api.get("/sources/prometheus")):
            assert KEY not in answer.content.decode()
            found = answer.json()
            assert (found["items"][0] if "items" in found else found)["key"] == key
    problem(viewer.get("/sources/nothing"), 404, "not_found")


def test_a_test_alert_through_a_source(world: World, bo: Api, viewer: Api) -> None:
    answer = bo.post("/sources/prometheus/test")
    assert answer.status_code == 202, answer.content
    assert bo.get("/alerts").json()["items"] == []  # it takes no number and stands in no list
    problem(viewer.post("/sources/prometheus/test"), 403, "forbidden")
    problem(bo.post("/sources/nothing/test"), 404, "not_found")


def test_policies_and_what_one_would_do(world: World, viewer: Api) -> None:
    (policy,) = viewer.get("/policies").json()["items"]
    assert policy == viewer.get("/policies/payments").json()
    assert [(step["name"], step["after_seconds"]) for step in policy["steps"]] == [("level 1", 0), ("whole team", 300)]
    assert policy["steps"][0]["targets"] == [
        {"schedule": "payments-primary", "team": None, "user": None, "notify": "current"}
    ]
    found = viewer.get("/policies/payments/dry-run").json()
    assert found["is_all_reachable"] is True
    assert [(line["step"], line["user"]) for line in found["lines"]][:1] == [("level 1", "bo")]
    assert datetime.fromisoformat(found["lines"][0]["at"]) == NOW
    later = viewer.get("/policies/payments/dry-run", at="2026-01-20T00:00Z", service="checkout", priority="p3").json()
    assert later["lines"][0]["user"] == "cy"
    problem(viewer.get("/policies/nothing"), 404, "not_found")
    problem(viewer.get("/policies/payments/dry-run", priority="P0"), 422, "invalid")
    problem(viewer.get("/policies/payments/dry-run", service="nothing"), 422, "invalid")


def test_a_dry_run_says_who_cannot_be_reached(world: World, viewer: Api) -> None:
    world.bo.contact_methods.all().delete()
    found = viewer.get("/policies/payments/dry-run").json()
    assert found["is_all_reachable"] is False
    assert any("Bo" in problem for problem in found["problems"])


def test_maintenance(world: World, bo: Api, viewer: Api) -> None:
    made = bo.post("/maintenance", {"service": "checkout", "ends_at": "2026-01-14T14:00Z", "reason": "new disks"})
    assert made.status_code == 201, made.content
    found = made.json()
    assert datetime.fromisoformat(found["starts_at"]) == NOW
    assert viewer.get("/maintenance", service="checkout").json()["items"] == [found]
    problem(viewer.post(f"/maintenance/{found['id']}/end"), 403, "forbidden")
    clock.forward(timedelta(minutes=10))
    ended = bo.post(f"/maintenance/{found['id']}/end").json()
    assert datetime.fromisoformat(ended["ends_at"]) == NOW + timedelta(minutes=10)
    assert viewer.get("/maintenance").json()["items"] == []
    problem(bo.post("/maintenance/77/end"), 404, "not_found")


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"service": "nothing"}, 422, "body.service"),
        ({"ends_at": "2026-01-14T11:00Z"}, 422, "body.ends_at"),
        ({"ends_at": "yesterday"}, 422, "body.ends_at"),
        ({"reason": "x" * 301}, 422, "body.reason"),
        ({"ends_at": "2027-01-14T11:00Z"}, 409, ""),
    ],
)
def test_maintenance_that_cannot_be(bo: Api, change: dict[str, object], status: int, field: str) -> None:
    body = {"service": "checkout", "ends_at": "2026-01-14T14:00Z", **change}
    found = problem(bo.post("/maintenance", body), status, "invalid" if status == 422 else "refused")
    assert not field or found["errors"][0]["field"] == field
    assert Maintenance.objects.count() == 0


def test_a_test_page_to_somebody(world: World, bo: Api, viewer: Api) -> None:
    answer = bo.post("/users/cy/test-page", {"contact_method": "hook"})
    assert answer.status_code == 202, answer.content
    assert [one["method"] for one in answer.json()["deliveries"]] == ["hook"]
    assert Delivery.objects.filter(user=world.cy, kind="test").count() == 1
    assert problem(bo.post("/users/cy/test-page", {"contact_method": "fax"}), 422, "invalid")
    problem(bo.post("/users/nobody-here/test-page"), 404, "not_found")
    problem(viewer.post("/users/cy/test-page"), 403, "forbidden")
    clock.freeze(datetime(2026, 1, 14, 22, 30, tzinfo=UTC))
    problem(bo.post("/users/cy/test-page"), 409, "refused")
    assert bo.post("/users/bo/test-page").status_code == 202


def test_a_test_page_to_a_rotation_leaves_those_asleep_for_whom_it_is_night(world: World, bo: Api, viewer: Api) -> None:
    type(world.cy).objects.filter(pk=world.cy.pk).update(time_zone="Pacific/Auckland")  # 01:00 there
    answer = bo.post("/schedules/payments-primary/test-page")
    assert answer.status_code == 202, answer.content
    assert {one["user"] for one in answer.json()["deliveries"]} == {"bo"}
    assert ["cy" in one or "Cy" in one for one in answer.json()["refused"]] == [True]
    problem(viewer.post("/schedules/payments-primary/test-page"), 403, "forbidden")
    problem(bo.post("/schedules/none/test-page"), 404, "not_found")
