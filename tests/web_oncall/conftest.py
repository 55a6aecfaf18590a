"""The screens of on call, looked at by logged-in clients of four people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client

from api_world import World, make_world
from midwatch.core import clock
from midwatch.people.models import User

ON_CALL = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)  # cy's week on payments-primary; bo's comes after


@pytest.fixture
def world(db: None) -> World:
    clock.freeze(ON_CALL)
    return make_world()


@pytest.fixture
def as_(db: None) -> Callable[[User], Client]:
    def client_of(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return client_of
