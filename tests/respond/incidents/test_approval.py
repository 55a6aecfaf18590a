"""An approval is of what the IC read: whatever of it changes afterwards makes it another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api_world import World, make_world
from midwatch.core import clock
from midwatch.people.queries import actor_of
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.models import UpdateState

SAID = Composed("identified", "Pool full.", "We found it.", "Checkout is slow", ["stakeholders"])


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "monitoring"},
        {"external_text": "It was the supplier."},
        {"internal_text": "Call nobody."},
        {"title": "All is lost"},
        {"targets": ["stakeholders", "statuspage:shop"]},
        {"components": {"shop/checkout": "major_outage"}},
        {"next_at": timedelta(hours=9)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_voids_what_was_read(world: World, change: dict[str, Any]) -> None:
    ic, cm = actor_of(world.cy, "web"), actor_of(world.bo, "web")
    made = actions.declare_incident(Declaration("checkout is slow", "SEV1", team=world.team), ic)
    actions.assign_role(made, "ic", world.cy, ic)
    actions.assign_role(made, "cm", world.bo, ic)
    update = actions.compose_update(made, SAID, cm)
    assert update.state == UpdateState.WAITING
    read = update.text_digest
    if "next_at" in change:
        change = {"next_at": clock.now() + change["next_at"]}
    changed = actions.change_update(update, replace(SAID, **change), cm)
    with pytest.raises(ValueError, match="changed after you opened it"):
        actions.approve_update(changed, ic, digest=read)
    assert actions.approve_update(changed, ic, digest=changed.text_digest).state == UpdateState.PUBLISHED
