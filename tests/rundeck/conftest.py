"""Rundeck's clients ask a small world, whose local steps are done by whatever the test says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api_world import BY, NOW, World, make_world
from midwatch.core import clock
from midwatch.core.foreign import ForeignFile
from midwatch.core.integration import ImportWish, importers
from midwatch.prepare.runbooks.actions import Place, take
from midwatch.prepare.runbooks.models import Runbook
from rundeck_jobs import TEST_JOB
from rundeck_world import Caller, Local


@pytest.fixture
def world(db: None) -> Iterator[World]:
    clock.freeze(NOW)
    yield make_world()
    clock.thaw()


@pytest.fixture
def job(world: World) -> Runbook:
    found = importers()["rundeck"].read([ForeignFile("j.yaml", TEST_JOB.encode())], ImportWish(team="payments"))
    return take(found.runbooks[0], Place(world.team, None, BY, "rundeck", is_trusted=True)).runbook


@pytest.fixture
def local() -> Local:
    return Local()


@pytest.fixture
def cy(world: World) -> Caller:
    return Caller(world.cy)


@pytest.fixture
def ana(world: World) -> Caller:
    return Caller(world.ana)
