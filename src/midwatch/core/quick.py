"""Models whose instances are made by the hundred in one transaction.

Django sets each field of a new instance by `setattr`, through two signals and a descriptor for each relation. That was a
quarter of the CPU time from an event to its page. These instances are what Django's own are; only making them is shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self, cast

from django.db import models
from django.db.models.base import ModelState


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's instances are made of. `made`: defaults that are made anew each time, such as lists."""

    attributes: tuple[str, ...]  # in the order of the columns
    relations: dict[str, tuple[str, type[models.Model]]]  # "alert" -> ("alert_id", Alert)
    known: frozenset[str]
    defaults: dict[str, Any]
    made: tuple[tuple[str, Callable[[], Any]], ...]


@cache
def shape_of(model: type[models.Model]) -> Shape:
    defaults: dict[str, Any] = {}
    made: list[tuple[str, Callable[[], Any]]] = []
    relations: dict[str, tuple[str, type[models.Model]]] = {}
    fields = model._meta.concrete_fields
    assert "id" in {field.attname for field in fields if field.primary_key}, f"{model.__name__} has a key of its own"
    for field in fields:
        assert not field.generated, f"{field} is made by the database: this model is not for here"
        if field.is_relation:
            relations[field.name] = (field.attname, cast("type[models.Model]", field.related_model))
        if field.has_default() and callable(field.default):
            made.append((field.attname, field.default))
        else:
            defaults[field.attname] = field.get_default()
    attributes = tuple(field.attname for field in fields)
    return Shape(attributes, relations, frozenset({*attributes, *relations}), defaults, tuple(made))


class Quick(models.Model):
    """Instances are made from keywords of fields, or from a whole row; for all else Django's way is taken."""

    class Meta:
        abstract = True

    if not TYPE_CHECKING:  # for the type checker the constructor is Django's, which knows each field

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            shape = shape_of(type(self))
            if args or not kwargs.keys() <= shape.known or not _are_instances(kwargs, shape):
                super().__init__(*args, **kwargs)
                return
            state = ModelState()
            mine = self.__dict__
            mine["_state"] = state
            mine.update(shape.defaults)
            for name, make in shape.made:
                if name not in kwargs:
                    mine[name] = make()
            for name, value in kwargs.items():
                if name in shape.relations:
                    mine[shape.relations[name][0]] = None if value is None else value.pk
                    state.fields_cache[name] = value
                else:
                    mine[name] = value

        @property
        def pk(self) -> Any:
            return self.id

        @pk.setter
        def pk(self, value: Any) -> None:
            self.id = value

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any]) -> Self:
        shape = shape_of(cls)
        if len(values) != len(shape.attributes):
            return super().from_db(db, field_names, values)
        return cls.from_row(db, cast("Sequence[Any]", values))

    @classmethod
    def from_row(cls, db: str | None, values: Sequence[Any]) -> Self:
        """From the values of all columns, in their order."""
        found = cls.__new__(cls)
        state = ModelState()
        state.adding = False
        state.db = db
        mine = found.__dict__
        mine["_state"] = state
        mine.update(zip(shape_of(cls).attributes, values, strict=True))
        return found


def _are_instances(given: dict[str, Any], shape: Shape) -> bool:
    """Else Django says what is wrong."""
    relations = shape.relations
    return all(
        value is None or isinstance(value, relations[name][1]) for name, value in given.items() if name in relations
    )
