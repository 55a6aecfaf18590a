"""Why nothing starts, and what has rotted, stands on the runbook's page."""

from __future__ import annotations

from api_world import World
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.prepare.runbooks.actions import rails
from midwatch.prepare.runbooks.models import Probe
from runbook_world import make_runbook
from web_runbooks.test_runbook_page import As, words


def test_who_stopped_everything_and_why_stands_on_every_page(world: World, as_: As) -> None:
    make_runbook(world)
    assert "Does not start by itself" not in words(as_(world.vi), "/runbooks/restart-checkout")
    rails.stop_everything(Actor("Ana Novak", "web"), "the restarts made it worse")
    page = words(as_(world.vi), "/runbooks/restart-checkout")
    assert "Does not start by itself now: nothing starts by itself: Ana Novak stopped everything" in page
    assert "the restarts made it worse" in page


def test_what_has_rotted_stands_beside_its_proof(world: World, as_: As) -> None:
    found = make_runbook(world)
    Probe.objects.create(
        runbook=found, kind="url", subject="x", state="broken", sentence="link x answers 404", since=clock.now()
    )
    assert "link x answers 404 since" in words(as_(world.vi), "/runbooks/restart-checkout")
