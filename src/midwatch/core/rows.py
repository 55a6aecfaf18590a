"""Writing many rows: chosen columns by their keys, and new ones.

Django's `bulk_update` builds a CASE with a branch for each row and column, and its `bulk_create` asks each field of each
row several times how to be written; together they were most of the CPU time of draining the event log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, cast

from django.db import connection, models

PARAMETERS_MAX = 30_000  # of one statement: SQLite takes 32,766, PostgreSQL 65,535
_AS_THEY_ARE = frozenset(
    {
        "AutoField",
        "BigAutoField",
        "BigIntegerField",
        "BooleanField",
        "CharField",
        "FloatField",
        "ForeignKey",
        "IntegerField",
        "OneToOneField",
        "PositiveIntegerField",
        "PositiveSmallIntegerField",
        "SlugField",
        "SmallIntegerField",
        "TextField",
    }
)


def _writer(column: models.Field[Any, Any]) -> Callable[[Any], Any] | None:
    """How a value of this column goes to the database; None: as it is."""
    match column.get_internal_type():
        case kind if kind in _AS_THEY_ARE:
            return None
        case "DateTimeField":
            return None if connection.vendor == "postgresql" else _moment
        case "JSONField" if (
            connection.vendor == "sqlite" and cast("models.JSONField[Any, Any]", column).encoder is None
        ):
            return _json
        case _:
            return lambda value: column.get_db_prep_save(value, connection)


@lru_cache(maxsize=1024)
def _moment(value: datetime) -> str | None:
    """Rows of a batch share most of their moments."""
    return connection.ops.adapt_datetimefield_value(value)


def _json(value: Any) -> str:
    return "{}" if value == {} else json.dumps(value)


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Some columns of a model and how its instances' values go there."""

    names: tuple[str, ...]
    attributes: Callable[[dict[str, Any]], tuple[Any, ...]]
    written: tuple[tuple[int, Callable[[Any], Any]], ...]  # (place, how), where a value does not go as it is

    def of(self, row: models.Model) -> list[Any]:
        values = list(self.attributes(row.__dict__))
        for place, write in self.written:
            if values[place] is not None:
                values[place] = write(values[place])
        return values


@cache
def _columns(model: type[models.Model], vendor: str, names: tuple[str, ...]) -> _Columns:
    fields = [_field(model, name) for name in names]
    writers = [_writer(field) for field in fields]
    attributes = [field.attname for field in fields]
    return _Columns(
        names=tuple(connection.ops.quote_name(str(field.column)) for field in fields),
        attributes=itemgetter(*attributes) if len(fields) > 1 else lambda found: (found[attributes[0]],),
        written=tuple((place, write) for place, write in enumerate(writers) if write is not None),
    )


def update_columns(rows: Iterable[models.Model], fields: Sequence[str]) -> None:
    """Write `fields` of each row by its primary key. In the caller's transaction; all rows are of one model."""
    loaded = list(rows)
    if not loaded:
        return
    model = type(loaded[0])
    columns = _columns(model, connection.vendor, tuple(fields))
    pk = model._meta.pk
    assert pk is not None, "rows are found by their primary key"
    values = [[*columns.of(row), row.pk] for row in loaded]
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(str(pk.column))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(loaded) > 1:  # one by one would be a round trip for each row
            types = [str(_field(model, name).db_type(connection)) for name in fields]
            statement = _update_from_values(table, key, columns.names, types)
            one = f"({', '.join(['%s'] * (len(columns.names) + 1))})"
            at_once = max(1, PARAMETERS_MAX // (len(columns.names) + 1))
            for start in range(0, len(values), at_once):
                part = values[start : start + at_once]
                given = [value for row in part for value in row]
                cursor.execute(statement.format(values=", ".join([one] * len(part))), given)
            return
        assignments = ", ".join(f"{column} = %s" for column in columns.names)
        cursor.executemany(f"UPDATE {table} SET {assignments} WHERE {key} = %s", values)  # noqa: S608 - names of our own


def _update_from_values(table: str, key: str, columns: Sequence[str], types: Sequence[str]) -> str:
    assignments = ", ".join(
        f"{column} = CAST(given.column{place} AS {kind})"
        for place, (column, kind) in enumerate(zip(columns, types, strict=True), start=1)
    )
    mine = f"{table}.{key} = given.column{len(columns) + 1}"
    return f"UPDATE {table} SET {assignments} FROM (VALUES {{values}}) AS given WHERE {mine}"  # noqa: S608


@cache
def _new(model: type[models.Model], vendor: str) -> _Columns:
    names = []
    for field in model._meta.local_concrete_fields:
        if isinstance(field, models.AutoField):
            continue
        is_by_itself = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
        assert not is_by_itself, f"{field} writes itself"
        names.append(field.name)
    return _columns(model, vendor, tuple(names))


def insert_rows(rows: Iterable[models.Model]) -> None:
    """Write new rows of one model and give them their keys. In the caller's transaction.

    As `bulk_create`, for models whose key the database makes and whose defaults are made in Python.
    """
    loaded = list(rows)
    if not loaded:
        return
    model = type(loaded[0])
    pk = model._meta.pk
    assert isinstance(pk, models.AutoField), f"the database makes no key for {model.__name__}"
    columns = _new(model, connection.vendor)
    quote = connection.ops.quote_name
    head = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(columns.names)}) VALUES "  # noqa: S608 - names of our own
    one = f"({', '.join(['%s'] * len(columns.names))})"
    at_once = max(1, PARAMETERS_MAX // len(columns.names))
    key, alias = pk.attname, connection.alias
    _learn_keys(model, loaded)
    with connection.cursor() as cursor:
        for start in range(0, len(loaded), at_once):
            part = loaded[start : start + at_once]
            values = [value for row in part for value in columns.of(row)]
            cursor.execute(f"{head}{', '.join([one] * len(part))} RETURNING {quote(str(pk.column))}", values)
            for row, (made,) in zip(part, cursor.fetchall(), strict=True):
                row.__dict__[key] = made
                row._state.adding = False
                row._state.db = alias


def _learn_keys(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """A row that points at another one may have been made before the other had its key."""
    pointing = [(f.name, f.attname) for f in model._meta.local_concrete_fields if f.is_relation]
    for row in rows:
        values, others = row.__dict__, row._state.fields_cache
        for name, attribute in pointing:
            if values[attribute] is None and others.get(name) is not None:
                values[attribute] = others[name].pk
