"""Writing many rows: chosen columns by their keys, and new ones.

Django's `bulk_update` builds a CASE with a branch for each row and column, and its `bulk_create` asks each field of each
row several times how to be written; together they were most of the CPU time of draining the event log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
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
            return connection.ops.adapt_datetimefield_value
        case _:
            return lambda value: column.get_db_prep_save(value, connection)


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


@cache
def _writers(model: type[models.Model], vendor: str, names: tuple[str, ...]) -> list[tuple[str, str, Any]]:
    """(attribute, column, how it is written) of these fields."""
    fields = [_field(model, name) for name in names]
    return [(field.attname, connection.ops.quote_name(str(field.column)), _writer(field)) for field in fields]


def _values(row: models.Model, writers: Sequence[tuple[str, str, Any]]) -> list[Any]:
    found = row.__dict__
    return [found[name] if write is None else write(found[name]) for name, _, write in writers]


def update_columns(rows: Iterable[models.Model], fields: Sequence[str]) -> None:
    """Write `fields` of each row by its primary key. In the caller's transaction; all rows are of one model."""
    loaded = list(rows)
    if not loaded:
        return
    model = type(loaded[0])
    writers = _writers(model, connection.vendor, tuple(fields))
    pk = model._meta.pk
    assert pk is not None, "rows are found by their primary key"
    values = [[*_values(row, writers), row.pk] for row in loaded]
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(str(pk.column))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(loaded) > 1:  # one by one would be a round trip for each row
            types = [str(_field(model, name).db_type(connection)) for name in fields]
            statement = _update_from_values(table, key, [column for _, column, _ in writers], types)
            one = f"({', '.join(['%s'] * (len(writers) + 1))})"
            at_once = max(1, PARAMETERS_MAX // (len(writers) + 1))
            for start in range(0, len(values), at_once):
                part = values[start : start + at_once]
                given = [value for row in part for value in row]
                cursor.execute(statement.format(values=", ".join([one] * len(part))), given)
            return
        assignments = ", ".join(f"{column} = %s" for _, column, _ in writers)
        cursor.executemany(f"UPDATE {table} SET {assignments} WHERE {key} = %s", values)  # noqa: S608 - names of our own


def _update_from_values(table: str, key: str, columns: Sequence[str], types: Sequence[str]) -> str:
    assignments = ", ".join(
        f"{column} = CAST(given.column{place} AS {kind})"
        for place, (column, kind) in enumerate(zip(columns, types, strict=True), start=1)
    )
    mine = f"{table}.{key} = given.column{len(columns) + 1}"
    return f"UPDATE {table} SET {assignments} FROM (VALUES {{values}}) AS given WHERE {mine}"  # noqa: S608


@cache
def _new(model: type[models.Model], vendor: str) -> list[tuple[str, str, Any]]:
    names = []
    for field in model._meta.local_concrete_fields:
        if isinstance(field, models.AutoField):
            continue
        is_by_itself = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
        assert not is_by_itself, f"{field} writes itself"
        names.append(field.name)
    return _writers(model, vendor, tuple(names))


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
    writers = _new(model, connection.vendor)
    quote = connection.ops.quote_name
    names = ", ".join(column for _, column, _ in writers)
    head = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES "  # noqa: S608 - names of our own
    one = f"({', '.join(['%s'] * len(writers))})"
    at_once = max(1, PARAMETERS_MAX // len(writers))
    _learn_keys(model, loaded)
    with connection.cursor() as cursor:
        for start in range(0, len(loaded), at_once):
            part = loaded[start : start + at_once]
            values = [value for row in part for value in _values(row, writers)]
            cursor.execute(f"{head}{', '.join([one] * len(part))} RETURNING {quote(str(pk.column))}", values)
            for row, (key,) in zip(part, cursor.fetchall(), strict=True):
                row.pk = key
                row._state.adding = False
                row._state.db = connection.alias


def _learn_keys(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """A row that points at another one may have been made before the other had its key."""
    pointing = [field for field in model._meta.local_concrete_fields if field.is_relation]
    for row in rows:
        for field in pointing:
            other = row._state.fields_cache.get(field.name)
            if other is not None and row.__dict__[field.attname] is None:
                row.__dict__[field.attname] = other.pk
