"""The war room without a script: every act is a form, everything hostile is text, and a part answers 304 when nothing is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from api_world import World
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import Attachment, Entry, HandOverState, Incident, Lesson, RoleHolding, Task
from midwatch.respond.incidents.queries import commander_of

As = Callable[[User], Client]
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
PART = {"HTTP_HX_REQUEST_TYPE": "partial"}


def declared(world: World, by: User, title: str = "checkout is down", **more: Any) -> Incident:
    return actions.declare_incident(Declaration(title, "SEV2", service=world.service, **more), actor_of(by, "web"))


def test_title_and_severity_are_enough(world: World, as_: As) -> None:
    cy = as_(world.cy)
    assert "Declare incident" in cy.get("/incidents/declare").content.decode()
    answer = cy.post("/incidents/declare", {"title": "checkout is down", "severity": "SEV1"})
    assert answer["Location"] == "/incidents/1"
    made = Incident.objects.get()
    assert (made.title, made.severity, commander_of(made)) == ("checkout is down", "SEV1", world.cy)
    page = cy.get("/incidents/1").content.decode()
    assert "The first five minutes" in page
    assert "(as IC)" in page
    assert "Related and similar" in page


def test_a_form_without_a_title_says_so_and_keeps_the_rest(world: World, as_: As) -> None:
    answer = as_(world.cy).post("/incidents/declare", {"title": " ", "severity": "SEV1"})
    assert answer.status_code == 422
    assert not Incident.objects.exists()


def test_acknowledge_and_declare_is_one_act_and_a_second_tap_makes_no_second_incident(world: World, as_: As) -> None:
    alert = world.alert("disk full")
    bo = as_(world.bo)
    page = bo.get(f"/incidents/declare?alert={alert.number}").content.decode()
    assert 'value="disk full"' in page
    assert "Acknowledge and declare" in page
    given = {"title": "disk full", "severity": "SEV1", "alert": alert.number, "acknowledge": "1"}
    bo.post("/incidents/declare", given)
    made = Incident.objects.get()
    alert.refresh_from_db()
    assert alert.acknowledged_by == world.bo
    assert commander_of(made) == world.bo
    assert made.phase == "acknowledged"
    again = bo.post("/incidents/declare", given)
    assert again.status_code == 422
    assert "part of incident 1 already" in again.content.decode()
    assert Incident.objects.count() == 1
    assert "Part of incident 1" in bo.get(f"/alerts/{alert.number}").content.decode()
    assert "incident 1" in bo.get("/alerts?view=all").content.decode()


def test_when_the_declaration_fails_the_alert_is_not_acknowledged_either(world: World) -> None:
    alert = world.alert()
    with pytest.raises(ValueError, match="no severity"):
        actions.take_and_declare(alert, Declaration("x", "SEV9"), actor_of(world.cy, "web"))
    alert.refresh_from_db()
    assert alert.status == "firing"


def test_every_form_of_the_room_does_what_it_says(world: World, as_: As) -> None:
    cy, bo = as_(world.cy), as_(world.bo)
    made = declared(world, world.cy)
    steps: list[tuple[Client, str, dict[str, Any]]] = [
        (cy, "note", {"text": "restarted **db3**", "kind": "decision"}),
        (cy, "roles", {"role": "cm", "user": "bo"}),
        (cy, "tasks", {"title": "look at the logs", "user": "bo", "minutes": "15"}),
        (cy, "impact", {"service": "checkout", "level": "partial"}),
        (cy, "clients", {"name": "ACME", "impact": "no orders"}),
        (cy, "severity", {"severity": "SEV1", "why": "all of them"}),
        (cy, "change", {"title": "checkout and search are down", "summary": "since the deploy"}),
        (cy, "phase", {"phase": "mitigated"}),
    ]
    for client, path, body in steps:
        assert client.post(f"/incidents/1/{path}", body).status_code == 302, path
    task = Task.objects.get()
    bo.post(f"/incidents/1/tasks/{task.pk}/acknowledge")
    bo.post(f"/incidents/1/tasks/{task.pk}/done", {"outcome": "disk"})
    made.refresh_from_db()
    task.refresh_from_db()
    assert (made.severity, made.phase, made.title) == ("SEV1", "mitigated", "checkout and search are down")
    assert (task.outcome, task.done_at is not None) == ("disk", True)
    page = bo.get("/incidents/1").content.decode()
    for words in ("<strong>db3</strong>", "ACME", "partly down", "since the deploy", "1 done"):
        assert words in page, words


def test_a_role_is_offered_with_a_brief_and_taken_by_accepting(world: World, as_: As) -> None:
    made = declared(world, world.cy)
    cy, bo = as_(world.cy), as_(world.bo)
    cy.post("/incidents/1/offers", {"role": "ic", "user": "bo", "why": "my shift ends"})
    assert commander_of(made) == world.cy
    page = bo.get("/incidents/1").content.decode()
    assert "my shift ends" in page
    assert "I take it" in page
    offer = made.hand_overs.get()
    assert bo.post(f"/incidents/1/offers/{offer.pk}/accept").status_code == 302
    offer.refresh_from_db()
    assert (commander_of(made), offer.state) == (world.bo, HandOverState.ACCEPTED)
    assert cy.post("/incidents/1/roles", {"role": "cm", "user": "cy"}).status_code == 403  # cy leads no more


def test_an_offer_is_taken_back_by_who_made_it_or_leads_and_by_nobody_else(world: World, as_: As) -> None:
    made = declared(world, world.cy)
    cy, bo = as_(world.cy), as_(world.bo)
    cy.post("/incidents/1/offers", {"role": "ic", "user": "bo"})
    offer = made.hand_overs.get()
    assert bo.post(f"/incidents/1/offers/{offer.pk}/withdraw").status_code == 403
    offer.refresh_from_db()
    assert offer.state == HandOverState.OFFERED
    assert "/withdraw" not in bo.get("/incidents/1").content.decode()
    assert "/withdraw" in cy.get("/incidents/1").content.decode()
    cy.post(f"/incidents/1/offers/{offer.pk}/withdraw")
    offer.refresh_from_db()
    assert offer.state == HandOverState.WITHDRAWN


def test_what_a_private_incident_took_over_does_not_say_which(world: World, as_: As) -> None:
    made, secret = declared(world, world.cy), declared(world, world.cy)
    with transaction.atomic():
        type(secret).objects.filter(pk=secret.pk).update(is_private=True)
        type(made).objects.filter(pk=made.pk).update(merged_into=secret)
    assert "It goes on as" in as_(world.cy).get("/incidents/1").content.decode()
    assert "It goes on as" not in as_(world.vi).get("/incidents/1").content.decode()


def test_resolving_goes_through_a_gate_and_closing_comes_after(world: World, as_: As) -> None:
    made = declared(world, world.cy)
    cy = as_(world.cy)
    cy.post("/incidents/1/close")
    assert "resolve it before" in cy.get("/incidents/1").content.decode()
    cy.post("/incidents/1/resolve", {"clients": "none"})
    made.refresh_from_db()
    assert made.resolved_at == clock.now()
    assert made.clients_checked_by == "Cy"
    assert made.affected_services.get().ends_at == clock.now()
    assert "Checked by Cy: none affected" in cy.get("/incidents/1").content.decode()
    cy.post("/incidents/1/close")
    assert "demands a post-mortem" in cy.get("/incidents/1").content.decode()
    actions.set_lesson(made, Lesson.WAIVED, actor_of(world.cy, "web"), why="nothing new")
    cy.post("/incidents/1/close")
    made.refresh_from_db()
    assert not made.is_open
    assert not RoleHolding.objects.filter(incident=made, ended_at=None).exists()
    assert cy.post("/incidents/1/reopen", {"why": "errors are back"}).status_code == 302
    made.refresh_from_db()
    assert made.is_active


def test_a_moment_in_a_form_is_of_the_persons_own_wall_clock(world: World, as_: As) -> None:
    made = declared(world, world.cy)  # at 12:00 UTC, 13:00 in Prague
    client = as_(world.cy)
    client.post("/incidents/1/phase", {"phase": "detected", "at": "2026-01-08T12:45"})
    made.refresh_from_db()
    assert f"{made.detected_at:%H:%M}" == "11:45"
    client.post("/incidents/1/phase", {"phase": "mitigated", "at": "yesterday"})
    assert "is no moment" in client.get("/incidents/1").content.decode()


def test_everything_hostile_is_text(world: World, as_: As) -> None:
    declared(world, world.cy, title=HOSTILE, summary=HOSTILE)
    cy = as_(world.cy)
    cy.post("/incidents/1/note", {"text": f"{HOSTILE} [x](javascript:alert(1))"})
    cy.post("/incidents/1/clients", {"name": HOSTILE, "impact": HOSTILE, "evidence": HOSTILE, "query": HOSTILE})
    cy.post("/incidents/1/tasks", {"title": HOSTILE})
    cy.post("/incidents/1/offers", {"role": "ic", "user": "bo", "why": HOSTILE})
    for text in (
        as_(world.bo).get("/incidents/1").content.decode(),
        cy.get("/incidents").content.decode(),
        cy.get("/").content.decode(),
    ):
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert 'href="javascript:' not in text


def test_a_part_answers_304_until_something_changes(world: World, as_: As) -> None:
    declared(world, world.cy)
    cy = as_(world.cy)
    for part in ("head", "timeline", "rail"):
        first = cy.get(f"/incidents/1?part={part}", **PART)
        assert first.status_code == 200, part
        tag = first["HX-PTag"]
        assert cy.get(f"/incidents/1?part={part}", HTTP_HX_PTAG=tag, **PART).status_code == 304, part
    cy.post("/incidents/1/note", {"text": "a word"})
    assert cy.get("/incidents/1?part=timeline", HTTP_HX_PTAG=tag, **PART).status_code == 200


def test_a_note_in_place_brings_the_timeline_and_a_refused_one_brings_the_reason(world: World, as_: As) -> None:
    declared(world, world.cy)
    cy = as_(world.cy)
    answer = cy.post("/incidents/1/note", {"text": "restarted"}, **PART)
    assert answer.status_code == 200
    assert "restarted" in answer.content.decode()
    assert "<html" not in answer.content.decode()
    refused = cy.post("/incidents/1/note", {"text": ""}, **PART)
    assert (refused.status_code, refused.content.decode()) == (409, "write what was seen, decided or done")


def test_an_entry_is_amended_and_starred_never_edited(world: World, as_: As) -> None:
    made = declared(world, world.cy)
    cy = as_(world.cy)
    cy.post("/incidents/1/note", {"text": "restarted db3"})
    entry = Entry.objects.get(incident=made, kind="note")
    cy.post(f"/incidents/1/entries/{entry.pk}/amend", {"text": "restarted db4"})
    cy.post(f"/incidents/1/entries/{entry.pk}/star", {"star": "1"})
    page = cy.get("/incidents/1").content.decode()
    assert "restarted db3" in page
    assert "restarted db4" in page
    assert Entry.objects.get(pk=entry.pk).star.who == "Cy"
    cy.post(f"/incidents/1/entries/{entry.pk}/star", {"star": "0"})
    assert not hasattr(Entry.objects.get(pk=entry.pk), "star")


def test_a_file_stands_beside_the_entry_and_is_for_those_who_see_the_incident(world: World, as_: As) -> None:
    made = declared(world, world.cy, is_private=True)
    cy = as_(world.cy)
    cy.post("/incidents/1/note", {"text": "the log", "file": SimpleUploadedFile("db3.log", b"one line\n")})
    kept = Attachment.objects.get()
    assert kept.entry.incident == made
    address = f"/incidents/1/files/{kept.file_id}/db3.log"
    assert address in cy.get("/incidents/1").content.decode()
    answer = cy.get(address)
    assert b"".join(answer.streaming_content) == b"one line\n"
    assert "attachment" in answer["Content-Disposition"]
    with transaction.atomic():
        world.bo.memberships.all().delete()
    assert as_(world.bo).get(address).status_code == 404
    assert as_(world.bo).get("/incidents/1").status_code == 404
    refused = cy.post(
        "/incidents/1/note", {"text": "x", "file": SimpleUploadedFile("x.exe", b"MZ" + bytes(300))}, **PART
    )
    assert refused.status_code == 409
    assert Attachment.objects.count() == 1


def test_a_private_incident_is_nowhere_for_an_outsider(world: World, as_: As) -> None:
    alert = world.alert("a key leaked")
    acknowledge_alert(alert, actor_of(world.cy, "web"))
    declared(world, world.cy, title="a key leaked out", is_private=True, alert=alert)
    with transaction.atomic():
        world.bo.memberships.all().delete()
    outsider = as_(world.bo)
    assert outsider.get("/incidents/1").status_code == 404
    assert outsider.post("/incidents/1/note", {"text": "x"}).status_code == 404
    for path in ("/incidents", "/", f"/alerts/{alert.number}", "/alerts?view=all", "/incidents?q=key"):
        text = outsider.get(path).content.decode()
        assert "a key leaked out" not in text, path
        assert "Part of incident" not in text, path
        assert 'href="/incidents/1"' not in text, path


def test_the_list_has_the_open_ones_first_and_is_paged(world: World, as_: As) -> None:
    first = declared(world, world.cy, title="the first one")
    actions.set_phase(first, "resolved", actor_of(world.cy, "web"))
    for index in range(3):
        made = declared(world, world.cy, title=f"number {index}")
        actions.set_phase(made, "resolved", actor_of(world.cy, "web"))
        actions.set_lesson(made, Lesson.WAIVED, actor_of(world.cy, "web"), why="nothing new")
        actions.close_incident(made, actor_of(world.cy, "web"))
    cy = as_(world.cy)
    page = cy.get("/incidents").content.decode()
    assert page.index("the first one") < page.index("number 2") < page.index("number 0")
    assert "number 2" not in cy.get("/incidents?view=closed&before=3").content.decode()
    assert "number 1" not in cy.get("/incidents?q=number+2").content.decode()
    assert "No incident is like that" in cy.get("/incidents?severity=SEV1").content.decode()


def test_what_is_active_stands_on_now(world: World, as_: As) -> None:
    declared(world, world.cy)
    page = as_(world.cy).get("/").content.decode()
    assert "checkout is down" in page
    assert "All quiet" not in page
