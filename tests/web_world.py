"""Fixtures of the tests that look at screens: a world with four people, and clients that are logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.test import Client

from api_world import World, make_world
from midwatch.core import clock
from midwatch.engine import hold
from midwatch.people.models import User

ON_CALL = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)  # cy's week on payments-primary; bo's comes after


@pytest.fixture
def noon() -> Iterator[None]:
    clock.freeze(ON_CALL)
    hold.forget()
    yield
    clock.thaw()
    hold.forget()


@pytest.fixture
def world(db: None, noon: None) -> World:
    return make_world()


@pytest.fixture
def as_(db: None) -> Callable[[User], Client]:
    """A client that is logged in. (Django's test client sends no CSRF token and is excused from it.)"""

    def client_of(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return client_of
