"""Instances made the short way are what Django's own way makes."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from midwatch.core.quick import Quick
from midwatch.core.rows import insert_rows
from midwatch.core.statements import Select
from midwatch.people.models import Membership, Team, User
from midwatch.respond.alerts.models import Alert

NOW = datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC)
MODELS = [model for model in apps.get_models() if issubclass(model, Quick)]


def _as_django(model: type[models.Model], **given: Any) -> models.Model:
    made = model.__new__(model)
    models.Model.__init__(made, **given)
    return made


def _values(of: models.Model) -> dict[str, Any]:
    return {name: value for name, value in of.__dict__.items() if name != "_state"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_defaults_are_djangos(model: type[models.Model]) -> None:
    made, theirs = _values(model()), _values(_as_django(model))
    drawn = {
        field.attname for field in model._meta.fields if callable(field.default) and field.default() != field.default()
    }
    assert made.keys() == theirs.keys()
    assert {name: made[name] for name in made.keys() - drawn} == {name: theirs[name] for name in theirs.keys() - drawn}
    assert all(type(made[name]) is type(theirs[name]) for name in drawn)


def test_mutable_defaults_are_not_shared() -> None:
    one, two = Alert(), Alert()
    one.labels["host"] = "db3"
    assert two.labels == {}


def test_relations_by_instance_and_by_key() -> None:
    team = Team(pk=7, name="t")
    by_instance, by_key = Membership(team=team, user=None), Membership(team_id=7)
    assert by_instance.team_id == by_key.team_id == team.pk
    assert by_instance.team is team
    assert by_instance._state.adding
    assert "team" not in by_key._state.fields_cache


@pytest.mark.parametrize("given", [{"nonsense": 1}, {"team": User(name="u")}])
def test_what_is_wrong_django_says(given: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"nonsense|must be a"):
        Membership(**given)


@pytest.mark.django_db
def test_rows_from_the_database_whole_and_in_part() -> None:
    made = User(name="ana", display_name="Ana", created_at=NOW)
    insert_rows([made])
    whole, part = User.objects.get(pk=made.pk), User.objects.only("name").get(pk=made.pk)
    assert _values(whole) == _values(made)
    assert not whole._state.adding
    assert part.get_deferred_fields() >= {"display_name"}
    assert (part.display_name, part.created_at) == ("Ana", NOW)
    assert copy.deepcopy(whole) == whole
    whole.display_name = "changed"
    whole.refresh_from_db()
    assert whole.display_name == "Ana"


@pytest.mark.django_db
def test_what_many_rows_point_at_is_one_instance() -> None:
    team = Team(name="t", display_name="T", created_at=NOW)
    people = [User(name=f"u{n}", display_name="", created_at=NOW) for n in range(3)]
    insert_rows([team])
    insert_rows(people)
    insert_rows([Membership(team=team, user=user) for user in people])
    found = Select(lambda ids: Membership.objects.filter(team_id__in=ids).select_related("team", "user"))([team.pk])
    assert len({id(one.team) for one in found}) == 1
    assert [one.user.name for one in found] == ["u0", "u1", "u2"]
    assert found[0].team == team
