"""The figures of a period read the rows of that period: no statement reads alerts or pages from one end to the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from api_world import World
from growth.plans import GROWING, statements
from growth.plans import full_scans as scans_of
from growth.test_lists_at_size import history
from midwatch.core import clock
from midwatch.learn.insights.queries import Scope, report, shift_report
from midwatch.learn.insights.queries.alerts import first_of
from midwatch.respond.alerts.models import Alert

__all__ = ["history"]
pytestmark = pytest.mark.postgresql
STATEMENTS_MAX = 200  # the ends of a period are found by halving: some twenty for each of them


@pytest.mark.parametrize("scope", ["everybody", "team", "service"])
def test_no_figure_reads_a_growing_table_whole(scope: str, world: World, history: int) -> None:
    wanted = {"everybody": Scope(), "team": Scope(team=world.team), "service": Scope(service=world.service)}[scope]
    now = clock.now()
    with statements() as asked:
        found = report(wanted, now - timedelta(days=30), now + timedelta(seconds=1), now)
    assert found.of("alerts").value == 60
    assert len(asked) <= STATEMENTS_MAX
    looked_at = [statement for statement in asked if any(table in statement[0] for table in GROWING)]
    assert looked_at
    for statement in looked_at:
        assert scans_of(statement) == [], statement[0]
        assert "MIN(" not in statement[0].upper() or "MAX(" not in statement[0].upper(), "SQLite reads all for both"


@pytest.mark.skipif(
    connection.vendor != "sqlite", reason="told to read no table whole, PostgreSQL walks an index for the join"
)
def test_a_statement_of_our_own_that_reads_all_pages_is_found(world: World) -> None:
    """The check can fail."""
    assert scans_of(
        ("SELECT COUNT(*) FROM notify_page p JOIN people_user u ON u.id = p.user_id WHERE p.note = %s", ["x"])
    )


def test_the_shift_report_reads_its_shift(world: World, history: int) -> None:
    now = clock.now()
    with statements() as asked:
        shift_report(world.schedule, now - timedelta(hours=12), now + timedelta(seconds=1))
    for statement in asked:
        assert scans_of(statement) == [], statement[0]


def test_the_first_of_a_period_is_found_by_halving(world: World, history: int) -> None:
    at = clock.now()
    with statements() as asked:
        assert first_of(Alert, "number", "created_at", at) <= history + 1
        assert first_of(Alert, "number", "created_at", at + timedelta(days=1)) == history + 61
    assert len(asked) < 30
