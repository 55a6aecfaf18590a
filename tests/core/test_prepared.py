"""A query that was compiled once answers as Django's own does, whatever the values and on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from midwatch.core.prepared import Prepared
from midwatch.people.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
NOW = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)
FIELDS = ("pk", "name", "is_active", "notify_on", "created_at")


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    User.objects.bulk_create(
        User(name=f"p{index}", role=role, is_active=index != 2, notify_on={"resolved": "mail"}, created_at=NOW)
        for index, role in enumerate(("member", "viewer", "member", "administrator"))
    )


def test_values_of_every_kind_come_back_as_djangos() -> None:
    prepared = Prepared(
        lambda role: User.objects.filter(role=role, is_active=True).order_by("name").values_list(*FIELDS)
    )
    for role in ("member", "viewer", "nobody's", "'; DROP TABLE people_user; --"):
        own = User.objects.filter(role=role, is_active=True).order_by("name").values_list(*FIELDS)
        assert prepared.rows(role=role) == list(own)


def test_lists_of_another_length_are_another_shape() -> None:
    prepared = Prepared(
        lambda roles, pk: User.objects.filter(role__in=roles, pk__gt=pk).order_by("name").values_list("name")[:3]
    )
    first = User.objects.order_by("pk")[0].pk
    assert prepared.rows(roles=("viewer",), pk=0) == [("p1",)]
    assert prepared.rows(roles=("viewer", "member"), pk=first) == [("p1",), ("p2",)]
    assert prepared.rows(roles=("member", "administrator"), pk=first) == [("p2",), ("p3",)]
    assert prepared.rows(roles=("member", "member"), pk=0) == [("p0",), ("p2",)]
    assert prepared.rows(roles=(), pk=0) == []


def test_it_is_compiled_once_a_shape() -> None:
    built: list[str] = []

    def build(name: str) -> object:
        built.append(name)
        return User.objects.filter(name=name).values_list("role")

    prepared = Prepared(build)  # type: ignore[arg-type]
    assert [prepared.rows(name=f"p{index}") for index in (0, 1, 3)] == [
        [("member",)],
        [("viewer",)],
        [("administrator",)],
    ]
    assert len(built) == 1


def test_a_value_that_the_adapter_changes_is_refused() -> None:
    prepared = Prepared(lambda name: User.objects.filter(name__icontains=name).values_list("pk"))
    with pytest.raises(AssertionError, match="cannot be put in later"):
        prepared.rows(name="p")
