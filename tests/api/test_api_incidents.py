"""The API of incidents: what the outside relies on, cursors, private ones, and every act once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from api_world import Api, World, problem
from midwatch.people.models import Membership

pytestmark = pytest.mark.postgresql  # runs again there


def declared(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.post("/incidents", {"title": "checkout is down", "severity": "SEV2", **more})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_title_and_a_severity_make_an_incident_with_its_commander(bo: Api) -> None:
    made = declared(bo)
    assert made["number"] == 1
    assert (made["status"], made["severity"]) == ("detected", "SEV2")
    assert made["roles"]["ic"] == {"person": "bo", "name": "Bo", "held_as": "assigned"}
    assert made["roles"]["cm"] == {"person": "bo", "name": "Bo", "held_as": "undelegated"}
    assert [one["held_as"] for one in made["roles"]["dc"]] == ["undelegated"]
    assert set(made["phases"]) == {"detected", "acknowledged", "mitigated", "resolved", "closed"}
    assert made["timeline"][0]["text"] == "Bo declared SEV2 checkout is down"
    assert bo.get("/incidents/1").json() == made
    assert bo.get("/incidents").json()["items"][0]["number"] == 1


def test_from_an_alert_the_one_who_acknowledges_leads_in_the_same_transaction(world: World, bo: Api) -> None:
    alert = world.alert()
    made = declared(bo, alert=alert.number, acknowledge=True)
    assert made["alerts"] == [alert.number]
    assert made["roles"]["ic"]["person"] == "bo"
    assert bo.get(f"/alerts/{alert.number}").json()["acknowledged_by"]["name"] == "bo"
    other = world.alert("another")
    problem(
        bo.post("/incidents", {"title": "x", "severity": "SEV9", "alert": other.number, "acknowledge": True}),
        422,
        "invalid",
    )
    assert bo.get(f"/alerts/{other.number}").json()["status"] == "firing"
    problem(bo.post("/incidents", {"title": "x", "severity": "SEV1", "acknowledge": True}), 422, "invalid")
    problem(bo.post("/incidents", {"title": "x", "severity": "SEV1", "alert": 77}), 422, "invalid")


def test_cursors_neither_repeat_nor_hide(bo: Api) -> None:
    for index in range(5):
        declared(bo, title=f"number {index}")
    seen, cursor = [], ""
    while True:
        page = bo.get("/incidents", limit=2, cursor=cursor).json()
        seen += [one["number"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        declared(bo, title="meanwhile") if len(seen) == 2 else None
    assert seen == [5, 4, 3, 2, 1]
    problem(bo.get("/incidents", cursor="nonsense"), 422, "invalid")
    first = bo.get("/incidents/1/timeline", limit=1).json()
    assert first["next_cursor"]
    second = bo.get("/incidents/1/timeline", limit=1, cursor=first["next_cursor"]).json()
    assert second["items"][0]["id"] < first["items"][0]["id"]


def test_a_private_one_is_404_for_others(world: World, bo: Api) -> None:
    declared(Api(world.cy), is_private=True, title="a key leaked")
    with transaction.atomic():
        Membership.objects.all().delete()
    assert bo.get("/incidents").json()["items"] == []
    for path in ("/incidents/1", "/incidents/1/timeline", "/incidents/1/updates"):
        problem(bo.get(path), 404, "not_found")
    problem(bo.post("/incidents/1/notes", {"text": "x"}), 404, "not_found")
    declared(bo)
    problem(bo.post("/incidents/2/merge", {"into": 1}), 422, "invalid")
    problem(bo.post("/incidents/2/links", {"incident": 1}), 422, "invalid")


def test_what_is_not_theirs_is_403_and_says_whose_it_is(world: World, bo: Api, viewer: Api) -> None:
    declared(Api(world.cy))
    said = problem(bo.post("/incidents/1/roles", {"role": "cm", "user": "bo"}), 403, "forbidden")
    assert "Incident Commander's" in said["detail"]
    said = problem(viewer.post("/incidents/1/notes", {"text": "x"}), 403, "forbidden")
    assert "viewer" in said["detail"]


def test_an_incident_lives_through_its_whole_course(world: World, bo: Api) -> None:
    cy = Api(world.cy)
    declared(cy, service="checkout", severity="SEV3")
    note = cy.post("/incidents/1/notes", {"text": "restarted db3", "kind": "decision"}).json()
    assert cy.post(f"/incidents/1/notes/{note['id']}/amend", {"text": "restarted db4"}).json()["amends"] == note["id"]
    assert cy.post(f"/incidents/1/notes/{note['id']}/star").json()["is_starred"] is True
    assert cy.post("/incidents/1/roles", {"role": "dc", "user": "bo"}).json()["roles"]["dc"][0]["person"] == "bo"
    task = cy.post("/incidents/1/tasks", {"title": "look", "user": "cy", "minutes": 10}).json()
    assert "keeps the overview" in task["warning"]
    assert cy.post(f"/incidents/1/tasks/{task['id']}/done", {"outcome": "disk"}).json()["status"] == "done"
    offer = cy.post("/incidents/1/hand-overs", {"user": "bo"}).json()
    problem(cy.post(f"/incidents/1/hand-overs/{offer['id']}/accept"), 409, "refused")
    assert bo.post(f"/incidents/1/hand-overs/{offer['id']}/accept").json()["state"] == "accepted"
    assert bo.get("/incidents/1").json()["roles"]["ic"]["person"] == "bo"
    asked = bo.post("/incidents/1/responders", {"user": "cy", "message": "help"})
    assert (asked.status_code, asked.json()["answered_by"]) == (201, None)
    said = bo.post("/incidents/1/updates", {"stage": "investigating", "internal": "we look"}).json()
    assert said["state"] == "published"
    client = bo.post("/incidents/1/clients", {"name": "ACME", "impact": "no orders"}).json()
    assert bo.post(f"/incidents/1/clients/{client['id']}/remove").json()["clients"]["affected"] == []
    assert bo.post("/incidents/1/clients/checked").json()["clients"]["checked_by"] == "Bo"
    problem(bo.post("/incidents/1/close"), 409, "refused")
    assert bo.post("/incidents/1/phase", {"phase": "mitigated"}).json()["status"] == "mitigated"
    done = bo.post("/incidents/1/phase", {"phase": "resolved"}).json()
    assert done["impact"][0]["ends_at"] == done["phases"]["resolved"]
    assert bo.post("/incidents/1/close").json()["status"] == "closed"
    assert bo.get("/incidents", status="open").json()["items"] == []
    assert bo.post("/incidents/1/reopen", {"why": "again"}).json()["status"] == "mitigated"


def test_administrators_say_who_hears_of_updates(ana: Api, bo: Api) -> None:
    wanted = {
        "kind": "email",
        "address": "Desk@Example.com",
        "name": "Desk",
        "severity_at_most": "SEV2",
        "secret": "s" * 20,
    }
    assert bo.post("/stakeholders", wanted).status_code == 403
    made = ana.post("/stakeholders", wanted)
    assert made.status_code == 201
    assert made.json()["address"] == "Desk@example.com"
    assert "secret" not in made.json()
    assert ana.post("/stakeholders", {**wanted, "address": "no address"}).status_code == 409
    assert [one["name"] for one in ana.get("/stakeholders").json()["items"]] == ["Desk"]
    assert bo.get("/stakeholders").status_code == 403
    assert ana.post(f"/stakeholders/{made.json()['id']}/remove", {}).status_code == 204
    assert ana.get("/stakeholders").json()["items"] == []
