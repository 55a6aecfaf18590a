"""A runbook is read, written with its preview, and changed; what is wrong is told by line."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from api_world import World
from midwatch.people.models import User
from midwatch.prepare.runbooks.models import Revision, Runbook, StepSwitch
from runbook_world import BODY, make_execution, make_runbook

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def words(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def test_what_it_says_with_its_steps(world: World, as_: As) -> None:
    make_execution(world, make_runbook(world, matchers=[{"service": "checkout", "labels": {"severity": "~p.*"}}]))
    page = words(as_(world.vi), "/runbooks/restart-checkout")
    for found in (
        "Restart checkout",
        "Restart it when the pool",
        "echo restarted",
        "You press, it runs",
        "severity=~p.*",
    ):
        assert found in page, found
    assert "Turn this step off" not in page
    assert "/runbooks/restart-checkout/edit" not in page
    assert as_(world.vi).get("/runbooks/none").status_code == 404


def test_a_link_leads_away(world: World, as_: As) -> None:
    make_runbook(world, "wiki", title="Wiki", url="https://wiki.example/shop")
    assert 'href="https://wiki.example/shop"' in words(as_(world.vi), "/runbooks/wiki")


def test_written_previewed_and_changed(world: World, as_: As) -> None:
    cy = as_(world.cy)
    assert "---\ntitle" in words(cy, "/new-runbook")
    body = {"team": "payments", "body": BODY.replace("\n", "\r\n"), "note": "first", "is_active": "1", "name": ""}
    shown = cy.post("/new-runbook", {**body, "do": "preview"}).content.decode()
    assert "Look at the dashboard" in shown
    assert not Runbook.objects.exists()
    part = cy.post("/new-runbook/preview", body, headers=PARTIAL).content.decode()
    assert "Look at the dashboard" in part
    assert "<html" not in part
    assert cy.post("/new-runbook", body)["Location"] == "/runbooks/restart-checkout"
    runbook = Runbook.objects.get()
    assert (runbook.title, runbook.service, runbook.team) == ("Restart checkout", world.service, world.team)
    assert Revision.objects.get().body == BODY
    twice = cy.post("/new-runbook", body)
    assert twice.status_code == 422
    assert "There is a runbook called restart-checkout" in twice.content.decode()

    form = words(cy, "/runbooks/restart-checkout/edit")
    assert 'name="base" value="1"' in form
    changed = {**body, "body": BODY.replace("echo restarted", "echo again"), "base": "1", "note": "louder"}
    assert cy.post("/runbooks/restart-checkout/edit", changed).status_code == 302
    stale = cy.post("/runbooks/restart-checkout/edit", {**changed, "body": "# Mine"})
    assert stale.status_code == 409
    assert 'name="base" value="2"' in stale.content.decode()
    history = words(cy, "/runbooks/restart-checkout/history")
    assert "louder" in history
    assert "+ echo again" in history
    assert "- echo restarted" in history
    assert "louder" not in words(cy, "/runbooks/restart-checkout/history?before=2")


def test_what_is_wrong_is_told_by_line(world: World, as_: As) -> None:
    cy = as_(world.cy)
    wrong = '---\ntitle: x\ncolour: red\n---\n\n```sh {"name": "a", "kind": "magic"}\ntrue\n```\n'
    refused = cy.post("/new-runbook", {"team": "payments", "body": wrong, "name": "x"})
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "line 3" in page
    assert "line 6" in page
    assert "magic" in page
    assert "colour: red" in page, "what was typed stays"
    unknown = {"team": "payments", "body": "---\ntitle: x\nservice: nowhere\n---\n", "name": "x"}
    assert "no service nowhere" in cy.post("/new-runbook", unknown).content.decode()
    assert cy.post("/new-runbook", {"team": "others", "body": BODY}).status_code == 422
    assert as_(world.vi).post("/new-runbook", {"team": "payments", "body": BODY}).status_code == 403
    assert not Runbook.objects.exists()


def test_a_step_is_turned_off_with_a_reason(world: World, as_: As) -> None:
    make_runbook(world)
    cy, url = as_(world.cy), "/runbooks/restart-checkout/switch"
    refused = cy.post(url, {"step": "restart", "reason": " "}, follow=True).content.decode()
    assert "say why" in refused
    page = cy.post(url, {"step": "restart", "reason": "the script is broken"}, follow=True).content.decode()
    assert "the script is broken" in page
    assert cy.post(url, {"step": "nothing", "reason": "x"}).status_code == 404
    assert cy.post(url, {"step": "restart", "is_on": "1"}).status_code == 302
    assert not StepSwitch.objects.exists()


def test_a_text_that_cannot_be_read_any_more_is_shown_as_it_is(world: World, as_: As) -> None:
    make_runbook(world, body='```sh {"name": "a", "kind": "magic"}\n<b>true</b>\n```\n')
    page = words(as_(world.vi), "/runbooks/restart-checkout")
    assert "cannot be carried out" in page
    assert "&lt;b&gt;true" in page
