"""The API's tests stand in the small world of `api_world`, at its noon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api_world import NOW, Api, World, make_world
from midwatch.core import clock


@pytest.fixture
def world(db: None) -> Iterator[World]:
    clock.freeze(NOW)
    yield make_world()
    clock.thaw()


@pytest.fixture
def ana(world: World) -> Api:
    return Api(world.ana)


@pytest.fixture
def bo(world: World) -> Api:
    return Api(world.bo)


@pytest.fixture
def viewer(world: World) -> Api:
    return Api(world.vi)


@pytest.fixture
def nobody(world: World) -> Api:
    return Api(None)
