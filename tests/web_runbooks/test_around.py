"""What stands around executions: guard-rails, runners, Now, an incident's room, an alert that fills the options."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import World
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.models import Brake, Freeze, Runner
from midwatch.prepare.runbooks.queries.rails import brake
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents.actions import Declaration, declare_incident
from runbook_world import FULL_BODY, make_execution, make_runbook

As = Callable[[User], Client]


def test_everything_is_stopped_and_goes_on(world: World, as_: As) -> None:
    cy, ana = as_(world.cy), as_(world.ana)
    assert "say why" in cy.post("/settings/runbooks/stop", {"reason": ""}, follow=True).content.decode()
    page = cy.post("/settings/runbooks/stop", {"reason": "it deletes carts", "cancels": "1"}, follow=True)
    assert "it deletes carts" in page.content.decode()
    assert Brake.objects.get().cancels_running
    assert cy.post("/settings/runbooks/release", {"reason": "x"}).status_code == 403
    assert ana.post("/settings/runbooks/release", {"reason": "mended"}).status_code == 302
    assert brake() is None


def test_a_freeze_is_of_the_wall_clock(world: World, as_: As) -> None:
    ana = as_(world.ana)
    body = {"title": "Sale", "reason": "the sale", "starts_at": "2026-01-09T09:00", "ends_at": "2026-01-09T18:00"}
    page = ana.post("/settings/runbooks/freezes", {**body, "service": "checkout"}, follow=True).content.decode()
    assert "the sale" in page
    freeze = Freeze.objects.get()
    assert (freeze.service, freeze.ends_at - freeze.starts_at) == (world.service, freeze.ends_at - freeze.starts_at)
    wrong = ana.post("/settings/runbooks/freezes", {**body, "ends_at": "soon"}, follow=True).content.decode()
    assert "Write a day and a time" in wrong
    assert ana.post(f"/settings/runbooks/freezes/{freeze.pk}/end", {"reason": "over"}).status_code == 302
    assert not Freeze.objects.exists()
    assert as_(world.bo).post("/settings/runbooks/freezes", body).status_code == 403


def test_a_runner_s_token_is_shown_once(world: World, as_: As) -> None:
    ana = as_(world.ana)
    made = ana.post("/runners/new", {"name": "eu-1", "tags": "eu, web", "team": "payments"}).content.decode()
    runner = Runner.objects.get()
    found = re.search(r"<code[^>]*>([^<]{20,})</code>", made)
    assert found is not None
    again = ana.get("/runners").content.decode()
    assert found[1] not in again
    assert (runner.tags, runner.team) == (["eu", "web"], world.team)
    assert "never seen" in again
    assert "shown this once" in ana.post(f"/runners/{runner.pk}/token").content.decode()
    for do in ("off", "remove"):
        assert ana.post(f"/runners/{runner.pk}/{do}").status_code == 302
    assert not Runner.objects.exists()
    assert "is no name" in ana.post("/runners/new", {"name": "Not a name"}, follow=True).content.decode()


def test_where_it_is_also_seen(world: World, as_: As) -> None:
    incident = declare_incident(Declaration("down", "SEV2", service=world.service), actor_of(world.cy, "web"))
    execution = make_execution(world, incident_number=incident.number)
    cy = as_(world.cy)
    link = f'href="/executions/{execution.number}"'
    assert link in cy.get("/").content.decode()
    assert link in cy.get(f"/incidents/{incident.number}").content.decode()


def test_an_alert_fills_the_options(world: World, as_: As) -> None:
    make_runbook(world, body=FULL_BODY.replace("{name: host, ", "{name: host, label: instance, "))
    alert = world.alert()
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(labels={"instance": "db7", "odd=name": "x"})
    cy = as_(world.cy)
    page = cy.get(f"/runbooks/restart-checkout?alert={alert.number}").content.decode()
    assert f"/runbooks/restart-checkout/start?alert={alert.number}" in page
    start = cy.get(f"/runbooks/restart-checkout/start?alert={alert.number}").content.decode()
    assert 'value="db7"' in start
    assert "OPTION_HOST=db7" in start
    hostile = {"instance": "db7; rm -rf /"}
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(labels=hostile)
    assert "rm -rf" not in cy.get(f"/runbooks/restart-checkout/start?alert={alert.number}").content.decode()


@pytest.mark.parametrize("address", ["/", "/runbooks", "/executions"])
def test_lists_leave_the_texts_where_they_are(as_: As, world: World, address: str) -> None:
    """Each may be half a megabyte, and a page of them would be read by everybody who has Now open."""
    make_execution(world)
    with CaptureQueriesContext(connection) as asked:
        page = as_(world.cy).get(address).content.decode()
    assert "Restart" in page
    assert not [one["sql"] for one in asked.captured_queries if 'runbooks_revision"."body' in one["sql"]]
