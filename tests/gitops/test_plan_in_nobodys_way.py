"""A plan is computed beside everybody else: it holds no write ticket, changes nothing, and says what apply then does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection, connections, transaction
from test_gitops_life import doc, user

from midwatch.core import clock
from midwatch.core.models import AuditEntry, OutboxEvent
from midwatch.core.rehearsal import rehearsal
from midwatch.core.sqlite.copies import NoCopyError
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops import effects
from midwatch.gitops.actions import apply_text, plan_text
from midwatch.gitops.models import Applied
from midwatch.people.models import Team, User

pytestmark = pytest.mark.django_db(transaction=True)
SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows, and has no write ticket")
BEFORE = user("ana") + user("bo") + doc("Team", "ops", "members: [{user: ana}, {user: bo}]")
AFTER = user("ana", "timeZone: Europe/Prague") + user("cy") + doc("Team", "ops", "members: [{user: ana}, {user: cy}]")


@pytest.fixture(autouse=True)
def _applied() -> Iterator[None]:
    apply_text(BEFORE)
    yield
    connection.close()


def counted() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in (User, Team, Applied, AuditEntry, OutboxEvent)}


@pytest.mark.parametrize("prune", [False, True])
def test_a_plan_says_what_apply_does_and_leaves_nothing_behind(prune: bool) -> None:
    known = counted()
    planned = plan_text(AFTER, prune=prune)
    assert counted() == known
    assert User.objects.get(name="ana").time_zone == "UTC"
    applied = apply_text(AFTER, prune=prune)
    assert (planned.changes, planned.effects, planned.gone) == (applied.changes, applied.effects, applied.gone)
    assert plan_text(AFTER, prune=prune).changes == []


@SQLITE
def test_others_write_while_a_plan_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands still where everything is written; meanwhile somebody else's transaction goes through."""
    wrote: list[str] = []

    def write() -> None:
        with transaction.atomic():
            Team.objects.create(name="others", display_name="", created_at=clock.now())
        wrote.append("others")
        connections.close_all()

    whole = effects.of_policies

    def slow(*given: object) -> object:
        other = threading.Thread(target=write)
        other.start()
        other.join(5)
        assert User.objects.filter(name="cy").exists(), "the plan sees what it would have written"
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(effects, "of_policies", slow)
    planned = plan_text(AFTER)
    assert wrote == ["others"]
    assert planned.changes
    assert Team.objects.filter(name="others").exists()
    assert not User.objects.filter(name="cy").exists()


def test_what_is_wrong_is_said_and_the_connection_is_as_before() -> None:
    with pytest.raises(ConfigurationError):
        plan_text(doc("Team", "ops", "members: [{user: nobody}]"))
    apply_text(AFTER)
    assert User.objects.filter(name="cy").exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA foreign_keys")
            assert cursor.fetchone() == (1,)


def _written_and_undone() -> None:
    with transaction.atomic():
        User.objects.filter(name="ana").update(display_name="one")
        raise KeyError


@SQLITE
def test_a_copy_that_a_savepoint_took_away_is_made_again() -> None:
    with rehearsal():
        with pytest.raises(KeyError):
            _written_and_undone()
        User.objects.filter(name="ana").update(display_name="two")
        assert User.objects.get(name="ana").display_name == "two"
    assert User.objects.get(name="ana").display_name == "Ana"


@SQLITE
def test_a_write_whose_table_cannot_be_told_is_refused() -> None:
    with pytest.raises(NoCopyError), rehearsal(), connection.cursor() as cursor:
        cursor.execute("UPDATE people_user SET display_name = 'x'")
    assert not User.objects.filter(display_name="x").exists()
