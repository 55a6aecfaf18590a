"""Secrets are set and removed on a page that never shows one."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from api_world import World
from midwatch.core.models import AuditEntry
from midwatch.people.models import User
from midwatch.prepare.runbooks.actions.secrets import Reader, values_of
from midwatch.prepare.runbooks.models import Secret

As = Callable[[User], Client]
VALUE = "correct-horse-battery"


def test_set_given_out_changed_and_removed(world: World, as_: As) -> None:
    bo = as_(world.bo)
    made = bo.post("/secrets/new", {"name": "deploy-key", "team": "payments", "value": VALUE}, follow=True)
    assert "deploy-key is set" in made.content.decode()
    values_of(["deploy-key"], world.team, Reader("a test"))
    page = bo.get("/secrets").content.decode()
    assert "deploy-key" in page
    assert "given to a step" in page
    assert VALUE not in page + made.content.decode()
    assert "never" in page.partition("given to a step")[0].rpartition("encrypted anew")[2]
    secret = Secret.objects.get()
    assert "is set" in bo.post(f"/secrets/{secret.pk}/value", {"value": "another-value"}, follow=True).content.decode()
    assert values_of(["deploy-key"], world.team, Reader("a test")) == {"deploy-key": "another-value"}
    assert (
        "already"
        in bo.post(
            "/secrets/new", {"name": "deploy-key", "team": "payments", "value": VALUE}, follow=True
        ).content.decode()
    )
    assert as_(world.ana).post("/secrets/rotate", follow=True).content.decode().count("1 are encrypted anew")
    assert bo.post(f"/secrets/{secret.pk}/remove").status_code == 302
    assert not Secret.objects.exists()
    assert VALUE not in str(list(AuditEntry.objects.values()))


def test_who_may(world: World, as_: As) -> None:
    cy, bo, ana = as_(world.cy), as_(world.bo), as_(world.ana)
    body = {"name": "deploy-key", "team": "payments", "value": VALUE}
    assert cy.post("/secrets/new", body).status_code == 403
    assert bo.post("/secrets/new", {**body, "team": ""}).status_code == 403
    assert bo.post("/secrets/rotate").status_code == 403
    refused = bo.post("/secrets/new", {**body, "value": "", "variable": "MIDWATCH_REF_X"}, follow=True)
    assert "an administrator names it" in refused.content.decode()
    assert (
        ana.post("/secrets/new", {**body, "value": "", "variable": "HOME"}, follow=True)
        .content.decode()
        .count("MIDWATCH_REF_")
    )
    assert ana.post("/secrets/new", {**body, "value": "", "variable": "MIDWATCH_REF_X"}).status_code == 302
    secret = Secret.objects.get()
    assert "cannot be read" in ana.get("/secrets").content.decode()
    assert bo.post(f"/secrets/{secret.pk}/value", {"value": VALUE}).status_code == 403
    assert ana.post(f"/secrets/{2**62}/remove").status_code == 404
    short = ana.post("/secrets/new", {"name": "pin", "team": "", "value": "123"}, follow=True).content.decode()
    assert "at least 4 characters" in short
