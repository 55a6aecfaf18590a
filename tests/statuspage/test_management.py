"""Statuspage's management API v1: asked as its clients ask."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from status_shop import BY, NOON, Shop, settle

from midwatch.core import clock
from midwatch.people import actions as people
from midwatch.people.models import User
from midwatch.respond.statuspage.models import Notice, Subscriber
from midwatch.respond.statuspage.v1.door import pace

HOUR = timedelta(hours=1)


class Caller:
    """A client with a token of its own."""

    def __init__(self, user: User | None, page: str) -> None:
        pace.forget()
        self.headers = {}
        if user is not None:
            self.headers = {"Authorization": f"OAuth {token_of(user)}"}
        self.root = f"/statuspage/v1/pages/{page}"

    def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str) -> Any:
        answer = Client().generic(
            method,
            f"{self.root}/{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={**self.headers, **headers},
        )
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None


def token_of(user: User) -> str:
    return people.create_token(user, "test", BY)


@pytest.fixture
def call(shop: Shop) -> Caller:
    return Caller(shop.world.cy, shop.page.wire_id)


def test_an_incident_from_opening_to_its_postmortem(shop: Shop, call: Caller) -> None:
    wanted = {
        "incident": {
            "name": "Cards fail", "status": "identified", "body": "We know.", "impact_override": "critical",
            "components": {shop.checkout.wire_id: "partial_outage"}, "metadata": {"jira": {"id": "X-1"}},
            "deliver_notifications": False,
        }
    }  # fmt: skip
    made = call("POST", "incidents.json", wanted, status=201)
    assert (made["status"], made["impact"], made["impact_override"]) == ("identified", "critical", "critical")
    assert made["metadata"] == {"jira": {"id": "X-1"}}
    assert [one["status"] for one in made["components"]] == ["partial_outage"]
    path = f"incidents/{made['id']}"
    clock.forward(HOUR)
    changed = call("PATCH", path, {"incident": {"status": "resolved", "body": "Over.\nReally."}})
    assert changed["incident_updates"][0]["body"] == "Over.\nReally."
    assert [one["status"] for one in changed["components"]] == ["operational"]
    update = changed["incident_updates"][0]["id"]
    amended = call("PATCH", f"{path}/incident_updates/{update}", {"incident_update": {"body": "Over."}})
    assert amended["body"] == "Over."
    draft = call("PUT", f"{path}/postmortem", {"postmortem": {"body_draft": "A disk."}})
    assert (draft["body"], draft["body_draft"]) == (None, "A disk.")
    published = call("PUT", f"{path}/postmortem/publish", {"postmortem": {"notify_subscribers": False}})
    assert published["body"] == "A disk."
    assert call("GET", path)["status"] == "postmortem"
    assert "A disk." in shop.get(f"/{path}").content.decode()
    assert call("PUT", f"{path}/postmortem/revert")["body"] is None
    assert [one["id"] for one in call("GET", "incidents?q=cards")] == [made["id"]]
    assert call("GET", "incidents/unresolved") == []
    call("DELETE", path)
    assert not Notice.objects.exists()


def test_a_form_with_brackets_a_key_in_the_address_and_a_slash_too_many(shop: Shop) -> None:
    """As the notifiers package asks."""
    token = token_of(shop.world.cy)
    form = {
        "incident[name]": "Cards", "incident[component_ids][]": [shop.checkout.wire_id],
        f"incident[components][{shop.search.wire_id}]": "degraded_performance", "incident[deliver_notifications]": "false",
    }  # fmt: skip
    path = f"/statuspage/v1//pages/{shop.page.name}/incidents.json?api_key={token}"
    answer = Client().post(path, form)
    assert answer.status_code == 201, answer.content
    found = {one["name"]: one["status"] for one in answer.json()["components"]}
    assert found == {"Checkout": "operational", "Search": "degraded_performance"}
    urlencoded = Client().patch(
        path.replace("incidents.json", f"incidents/{answer.json()['id']}"),
        "incident%5Bstatus%5D=monitoring",
        content_type="application/x-www-form-urlencoded",
    )
    assert urlencoded.json()["status"] == "monitoring"


def test_a_maintenance_that_moves_by_itself(shop: Shop, call: Caller) -> None:
    wanted = {
        "incident": {
            "name": "Upgrade", "scheduled_for": (NOON + HOUR).isoformat(), "scheduled_until": (NOON + 2 * HOUR).isoformat(),
            "scheduled_auto_in_progress": True, "scheduled_auto_completed": True, "component_ids": [shop.search.wire_id],
        }
    }  # fmt: skip
    made = call("POST", "incidents", wanted, status=201)
    assert (made["status"], made["impact"]) == ("scheduled", "maintenance")
    assert [one["id"] for one in call("GET", "incidents/upcoming")] == [made["id"]]
    later = {"incident": {"scheduled_until": (NOON + 3 * HOUR).isoformat()}}
    assert call("PATCH", f"incidents/{made['id']}", later)["scheduled_auto_completed"] is True
    clock.forward(HOUR)
    settle()
    assert [one["status"] for one in call("GET", "incidents/active_maintenance")] == ["in_progress"]
    clock.forward(2 * HOUR)
    settle()
    assert call("GET", f"incidents/{made['id']}")["status"] == "completed"


def test_components_groups_and_uptime(shop: Shop, call: Caller) -> None:
    made = call(
        "POST", "components", {"component": {"name": "Mail", "status": "operational", "showcase": True}}, status=201
    )
    group = call(
        "POST", "component-groups", {"description": "d", "component_group": {"name": "More", "components": [made["id"]]}},
        status=201,
    )  # fmt: skip
    assert group["components"] == [made["id"]]
    path = f"components/{made['id']}"
    assert call("GET", path)["group_id"] == group["id"]
    assert call("PATCH", path, {"component": {"status": "major_outage"}})["status"] == "major_outage"
    clock.forward(6 * HOUR)
    assert call("PUT", path, {"component": {"name": "Post", "status": "operational"}})["name"] == "Post"
    clock.forward(6 * HOUR)
    found = call("GET", f"{path}/uptime?start=2026-01-14T12:00:00Z&end=2026-01-15T00:00:00Z")
    assert (found["major_outage"], found["partial_outage"], found["uptime_percentage"]) == (6 * 3600, 0, 50.0)
    assert call("GET", f"component-groups/{group['id']}/uptime?start=2026-01-14T12:00:00Z")["major_outage"] == 6 * 3600
    call("DELETE", f"component-groups/{group['id']}")
    assert call("GET", path)["group_id"] is None
    call("DELETE", path, status=204)
    call("GET", path, status=404)


def test_subscribers(shop: Shop, call: Caller) -> None:
    wanted = {"subscriber": {"email": "vera@example.org", "component_ids": [shop.search.wire_id]}}
    made = call("POST", "subscribers", wanted, status=201)
    assert (made["mode"], made["components"]) == ("email", [shop.search.wire_id])
    assert Subscriber.objects.get().state == "unconfirmed", "an address is asked first"
    hook = {"subscriber": {"endpoint": "https://example.org/x", "skip_confirmation_notification": True}}
    call("POST", "subscribers", hook, status=201)
    assert call("GET", "subscribers/count")["webhook"] == 1
    assert call("GET", "subscribers/histogram_by_state")["email"]["unconfirmed"] == 1
    assert len(call("GET", "subscribers")) == 2
    call("POST", f"subscribers/{made['id']}/resend_confirmation", status=201)
    call("DELETE", f"subscribers/{made['id']}")
    assert [one["mode"] for one in call("GET", "subscribers")] == ["webhook"]
    call("POST", "subscribers", {"subscriber": {"endpoint": "http://127.0.0.1/x"}}, status=422)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "incidents", {"incident": {}}, 422),
        ("POST", "incidents", {}, 422),
        ("POST", "incidents", {"incident": {"name": "x", "status": "scheduled"}}, 422),
        ("POST", "incidents", {"incident": {"name": "x", "components": {"nothing": "operational"}}}, 422),
        ("POST", "incidents", {"incident": {"name": "x", "backfilled": True, "metadata": {"a": 1}}}, 422),
        ("POST", "incidents", {"incident": {"name": "x", "body": "y" * 25_001}}, 422),
        ("POST", "incidents", {"incident": {"name": "x", "scheduled_for": "soon"}}, 422),
        ("POST", "incidents", [1], 400),
        ("GET", "incidents/nothing", None, 404),
        ("GET", "metrics", None, 404),
        ("DELETE", "components", None, 405),
    ],
)
def test_refusals_have_a_message(call: Caller, method: str, path: str, body: Any, status: int) -> None:
    assert call(method, path, body, status=status)["message"]


def test_who_may(shop: Shop) -> None:
    nobody, viewer = Caller(None, "shop"), Caller(shop.world.vi, "shop")
    nobody("GET", "incidents", status=401)
    assert viewer("GET", "incidents") == []
    viewer("POST", "incidents", {"incident": {"name": "x"}}, status=403)
    viewer("GET", "subscribers", status=403)
    Caller(shop.world.cy, "elsewhere")("GET", "incidents", status=404)


def test_a_token_that_asks_without_end_is_told_so(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midwatch.respond.statuspage.v1.door.REQUESTS_MAX", 3)
    for _ in range(3):
        call("GET", "incidents")
    assert "3 requests" in call("GET", "incidents", status=429)["message"]
    later = clock.monotonic() + 61
    monkeypatch.setattr(clock, "_monotonic", lambda: later)
    call("GET", "incidents")
