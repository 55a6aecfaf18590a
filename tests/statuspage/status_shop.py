"""A page of one team: a group with two components, one of which stands for a service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from api_world import World, make_world
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import OutboxEvent
from midwatch.engine.reactions import react
from midwatch.engine.tick import move_maintenances
from midwatch.respond.statuspage import actions, rendering
from midwatch.respond.statuspage.actions import ComponentFields, PageFields
from midwatch.respond.statuspage.models import Component, Page
from midwatch.respond.statuspage.views.subscribing import tries

BY = Actor("Cy", "web")
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \"q\" 's' & [x](javascript:alert(1))"


@dataclass
class Shop:
    """`checkout` stands for the service checkout; `search` for none."""

    world: World
    page: Page
    group: Component
    checkout: Component
    search: Component

    def get(self, path: str = "", **headers: str) -> Any:
        return Client().get(f"/status/shop{path}", headers=headers)

    def json(self, name: str) -> dict[str, Any]:
        answer = self.get(f"/api/v2/{name}.json")
        assert answer.status_code == 200
        return dict(answer.json())


def settle() -> None:
    """What follows from what happened, until nothing does."""
    for _ in range(20):
        move_maintenances()
        if not react():
            return
    raise AssertionError("it does not come to an end")


def waiting_events() -> set[str]:
    return set(OutboxEvent.objects.filter(done_at=None).values_list("name", flat=True))


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    clock.freeze(NOON)
    rendering.kept.forget()
    tries.forget()
    world = make_world()
    page = actions.create_page("shop", PageFields(world.team, "Example Shop", time_zone="Europe/Prague"), BY)
    group = actions.add_component(page, ComponentFields("Web", is_group=True), BY)
    checkout = actions.add_component(page, ComponentFields("Checkout", parent=group, service=world.service), BY)
    search = actions.add_component(page, ComponentFields("Search", parent=group), BY)
    yield Shop(world, page, group, checkout, search)
    clock.thaw()
