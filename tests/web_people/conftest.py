"""The screens of people, teams, settings and the first minutes, seen by four people: ana is administrator, bo manages
payments, cy answers in it, vi only looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.test import Client

from api_world import World, make_world
from midwatch.core import clock
from midwatch.people.models import User

NOON = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)  # cy's week on payments-primary


@pytest.fixture
def noon() -> Iterator[None]:
    clock.freeze(NOON)
    yield
    clock.thaw()


@pytest.fixture
def world(db: None, noon: None) -> World:
    return make_world()


@pytest.fixture
def as_(db: None) -> Callable[[User], Client]:
    def client_of(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return client_of
