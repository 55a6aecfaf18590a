"""Statuspage's public API v2: the same keys, the same nulls."""

from __future__ import annotations

from datetime import timedelta

from status_shop import BY, NOON, Shop

from midwatch.core import clock
from midwatch.respond.statuspage import actions
from midwatch.respond.statuspage.actions import NewNotice, NewUpdate, Schedule

PAGE = {"id", "name", "url", "time_zone", "updated_at"}
COMPONENT = {
    "id", "name", "status", "created_at", "updated_at", "position", "description", "showcase", "start_date",
    "group_id", "page_id", "group", "only_show_if_degraded",
}  # fmt: skip
INCIDENT = {
    "id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink",
    "started_at", "page_id", "incident_updates", "components", "reminder_intervals",
}  # fmt: skip
UPDATE = {
    "id", "status", "body", "incident_id", "created_at", "updated_at", "display_at", "affected_components",
    "deliver_notifications", "custom_tweet", "tweet_id",
}  # fmt: skip
KEYS = {
    "summary": {"page", "components", "incidents", "scheduled_maintenances", "status"},
    "status": {"page", "status"},
    "components": {"page", "components"},
    "incidents": {"page", "incidents"},
    "incidents/unresolved": {"page", "incidents"},
    "scheduled-maintenances": {"page", "scheduled_maintenances"},
    "scheduled-maintenances/upcoming": {"page", "scheduled_maintenances"},
    "scheduled-maintenances/active": {"page", "scheduled_maintenances"},
}


def test_every_answer_has_its_keys_and_no_others(shop: Shop) -> None:
    for name, keys in KEYS.items():
        answer = shop.get(f"/api/v2/{name}.json")
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert answer["Content-Type"].startswith("application/json")
        found = answer.json()
        assert set(found) == keys, name
        assert set(found["page"]) == PAGE


def test_the_shapes_of_what_is_listed(shop: Shop) -> None:
    hour = timedelta(hours=1)
    new = NewNotice("Cards", "one\ntwo < three", components={shop.checkout: "partial_outage"})
    notice = actions.open_notice(shop.page, new, BY)
    clock.forward(hour)
    actions.post_update(notice, NewUpdate("identified", "we know"), BY)
    actions.open_notice(shop.page, NewNotice("Upgrade", schedule=Schedule(NOON + 9 * hour, NOON + 10 * hour)), BY)
    found = shop.json("summary")
    assert found["status"] == {"indicator": "major", "description": "Partial System Outage"}
    (incident,) = found["incidents"]
    assert set(incident) == INCIDENT
    assert (incident["impact"], incident["status"], incident["resolved_at"]) == ("major", "identified", None)
    newest, first = incident["incident_updates"]
    assert set(newest) == set(first) == UPDATE
    assert newest["affected_components"] is None, "null, never []"
    assert first["affected_components"] == [
        {"code": shop.checkout.wire_id, "name": "Checkout", "old_status": "operational", "new_status": "partial_outage"}
    ]
    assert first["body"] == "one<br />two &lt; three"
    assert first["created_at"] == "2026-01-14T13:00:00.000+01:00", "in the page's zone, with milliseconds"
    (maintenance,) = found["scheduled_maintenances"]
    assert set(maintenance) == INCIDENT | {"scheduled_for", "scheduled_until"}
    assert (maintenance["impact"], maintenance["status"]) == ("maintenance", "scheduled")
    components = {one["name"]: one for one in found["components"]}
    assert set(components["Checkout"]) == COMPONENT
    assert set(components["Web"]) == COMPONENT | {"components"}
    assert components["Web"]["components"] == [shop.checkout.wire_id, shop.search.wire_id]
    assert components["Checkout"]["group_id"] == components["Web"]["id"]
    assert components["Web"]["group_id"] is None
    assert len(shop.checkout.wire_id) == 12


def test_utc_is_written_as_z(shop: Shop) -> None:
    page = actions.create_page("plain", actions.PageFields(shop.world.team, "Plain"), BY)
    found = shop.get().client.get(f"/status/{page.name}/api/v2/status.json").json()
    assert found["page"]["updated_at"] == "2026-01-14T12:00:00.000Z"
    assert found["page"]["time_zone"] == "Etc/UTC"
