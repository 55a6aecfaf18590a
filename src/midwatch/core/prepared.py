"""Queries that Django compiles once. Building the SQL of a list took five times as long as running it on SQLite.

    _MINE = Prepared(lambda user, status: Alert.objects.filter(owner=user, status__in=status).values_list("number"))
    rows = _MINE.rows(user=7, status=("firing",))

`build` is called once for each shape with stand-ins; what it does with its arguments must not depend on their values. An
argument is a whole number, a text, or a tuple of such; tuples of another length are another shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

NUMBER = -7_000_000_000_000_000_000  # stand-ins: values that stand in no query of ours by themselves
SHAPES_MAX = 500

Value = int | str
Given = Value | tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    params: tuple[Any, ...]  # constants, and None where an argument goes
    places: tuple[tuple[int, str, int], ...]  # (place in params, argument, its index or -1)
    converters: tuple[tuple[int, tuple[Any, ...], Any], ...]


class Prepared:
    """A query of values, by its shape."""

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}

    def rows(self, **given: Given) -> list[tuple[Any, ...]]:
        """Raises what Django's own query would. An empty tuple has no rows, as `__in` of nothing has none."""
        if any(value == () for value in given.values()):
            return []
        shape = (connection.vendor, *((name, len(v) if isinstance(v, tuple) else type(v)) for name, v in given.items()))
        found = self._compiled.get(shape)
        if found is None:
            if len(self._compiled) >= SHAPES_MAX:
                self._compiled.clear()
            found = self._compiled[shape] = _compile(self._build, given)
        params = list(found.params)
        for place, name, index in found.places:
            value: Any = given[name]
            params[place] = value if index < 0 else value[index]
        with connection.cursor() as cursor:
            cursor.execute(found.sql, params)
            rows = cursor.fetchall()
        return [tuple(row) for row in rows] if not found.converters else _converted(rows, found.converters)


def _stand_in(value: Value, index: int) -> Value:
    return NUMBER - index if isinstance(value, int) else f"\x01stand-in {index}"


def _compile(build: Callable[..., QuerySet[Any, Any]], given: dict[str, Given]) -> _Compiled:
    stand_ins: dict[str, Any] = {}
    meant: dict[Value, tuple[str, int]] = {}
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        made = [_stand_in(one, len(meant) + offset) for offset, one in enumerate(values)]
        for index, one in enumerate(made):
            meant[one] = (name, index if isinstance(value, tuple) else -1)
        stand_ins[name] = tuple(made) if isinstance(value, tuple) else made[0]
    compiler = build(**stand_ins).query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    places = tuple((place, *meant[one]) for place, one in enumerate(params) if _is_known(one, meant))
    missing = set(given) - {name for _, name, _ in places}
    assert not missing, f"{missing}: the database's adapter changes this argument, so it cannot be put in later"
    kept = tuple(None if _is_known(one, meant) else one for one in params)
    converters = compiler.get_converters([column[0] for column in compiler.select])
    return _Compiled(
        sql, kept, places, tuple((place, tuple(found), column) for place, (found, column) in converters.items())
    )


def _is_known(param: object, meant: dict[Value, tuple[str, int]]) -> bool:
    return isinstance(param, int | str) and param in meant


def _converted(rows: Any, converters: tuple[tuple[int, tuple[Any, ...], Any], ...]) -> list[tuple[Any, ...]]:
    found = [list(row) for row in rows]
    for place, convert, column in converters:
        for row in found:
            value = row[place]
            for one in convert:
                value = one(value, column, connection)
            row[place] = value
    return [tuple(row) for row in found]
