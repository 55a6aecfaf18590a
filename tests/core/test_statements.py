"""Queries prepared once mean what the querysets mean, whatever they are called with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from midwatch.core.models import OutboxEvent
from midwatch.core.rows import insert_rows, update_columns
from midwatch.core.statements import Select, Update
from midwatch.people.models import Membership, Role, Team, User

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
NOW = datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC)


def users(count: int) -> list[User]:
    made = [
        User(name=f"u{n}", display_name=f"It's 50% {n}", created_at=NOW + timedelta(minutes=n)) for n in range(count)
    ]
    insert_rows(made)
    return made


def test_rows_get_their_keys_and_are_what_was_given() -> None:
    made = users(5)
    assert [User.objects.get(pk=one.pk).name for one in made] == [one.name for one in made]
    assert User.objects.get(name="u3").created_at == NOW + timedelta(minutes=3)
    assert User.objects.get(name="u3").notify_on == User().notify_on
    assert not made[0]._state.adding


def test_a_row_that_points_at_one_made_after_it() -> None:
    team, person = Team(name="t", display_name="T", created_at=NOW), users(1)[0]
    member = Membership(team=team, user=person)
    insert_rows([team])
    insert_rows([member])
    assert Membership.objects.get().team == team


def test_lists_of_every_length_in_few_texts() -> None:
    made = users(9)
    by_ids = Select(lambda ids: User.objects.filter(pk__in=ids).order_by("pk"))
    for length in range(10):
        assert by_ids({one.pk for one in made[:length]}) == made[:length]
    assert len(by_ids._texts) == 5  # 1, 2, 4, 8, 16


def test_values_are_not_kept() -> None:
    """The second answer is about the second value, and about the database as it is then."""
    made = users(2)
    named = Select(lambda name: User.objects.filter(name=name).values_list("pk", "display_name"))
    assert named("u0") == [(made[0].pk, "It's 50% 0")]
    User.objects.filter(pk=made[1].pk).update(display_name="new")
    assert named("u1") == [(made[1].pk, "new")]
    assert named("'; DROP TABLE people_user; --") == []


def test_joined_rows_and_constants() -> None:
    team = Team(name="t", display_name="T", created_at=NOW)
    insert_rows([team])
    insert_rows([Membership(team=team, user=one) for one in users(3)])
    found = Select(
        lambda now: (
            Membership.objects.filter(team__name="t", user__created_at__gt=now)
            .select_related("user", "team")
            .order_by("user__name")
        )
    )(NOW)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert [(one.user.name, one.team.display_name) for one in found] == [("u1", "T"), ("u2", "T")]
    assert not queries.captured_queries


def test_updates_count_rows_and_take_nothing_for_an_answer() -> None:
    made = users(3)
    rename = Update(lambda ids, name: (User.objects.filter(pk__in=ids), {"display_name": name}))
    assert rename([one.pk for one in made[:2]], "both") == 2
    assert rename([], "nobody") == 0
    assert list(User.objects.order_by("pk").values_list("display_name", flat=True)) == ["both", "both", "It's 50% 2"]
    later = Update(lambda pk, at: (User.objects.filter(pk=pk), {"last_login": at}))
    assert later(made[0].pk, NOW)
    assert User.objects.get(pk=made[0].pk).last_login == NOW
    assert later(made[0].pk, None)
    assert User.objects.get(pk=made[0].pk).last_login is None


def test_expressions_are_taken() -> None:
    insert_rows([OutboxEvent(name="n", payload={"a": [1]}, created_at=NOW, due_at=NOW, attempts=2)])
    more = Update(lambda by: (OutboxEvent.objects.all(), {"attempts": F("attempts") + by}))
    assert more(3) == 1
    assert OutboxEvent.objects.get().attempts == 5
    assert OutboxEvent.objects.get().payload == {"a": [1]}


def test_columns_of_many_rows() -> None:
    made = users(4)
    for place, one in enumerate(made):
        one.display_name = f"now {place}"
        one.last_login = NOW if place % 2 else None
    with CaptureQueriesContext(connection) as queries:
        update_columns(made, ["display_name", "last_login"])
    assert len(queries.captured_queries) == 1
    assert list(User.objects.order_by("pk").values_list("display_name", "last_login")) == [
        ("now 0", None),
        ("now 1", NOW),
        ("now 2", None),
        ("now 3", NOW),
    ]


def test_a_value_that_no_query_can_hold_is_an_error() -> None:
    with pytest.raises(TypeError, match="takes numbers"):
        Select(lambda flag: User.objects.filter(is_active=flag))(True)


def test_values_of_every_kind_come_back_as_djangos() -> None:
    fields = ("pk", "name", "is_active", "notify_on", "created_at")
    insert_rows(
        [
            User(name=f"p{index}", role=role, is_active=index != 2, notify_on={"resolved": "mail"}, created_at=NOW)
            for index, role in enumerate((Role.MEMBER, Role.VIEWER, Role.MEMBER, Role.ADMINISTRATOR))
        ]
    )

    def own(roles: list[str], pk: int | None) -> QuerySet[User, tuple[Any, ...]]:
        found = User.objects.filter(role__in=roles, is_active=True).order_by("name")
        return (found if pk is None else found.filter(pk__gt=pk)).values_list(*fields)[:3]

    prepared = Select(own)
    first = User.objects.get(name="p0").pk
    for roles in (["member"], [Role.VIEWER, Role.MEMBER], ["nobody's"], list(Role), []):
        for pk in (None, first):
            assert prepared(roles, pk) == list(own(roles, pk)), (roles, pk)


def test_a_value_that_a_lookup_changes_is_refused() -> None:
    with pytest.raises(AssertionError, match="nowhere in its SQL"):
        Select(lambda name: User.objects.filter(name__icontains=name))("p")
