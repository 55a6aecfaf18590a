"""Reading tables whole and cheaply: the statement is written once, and rows come back as plain values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from django.db import connection, models
from django.db.models.functions import Cast

Row = Mapping[str, Any]


@lru_cache(20_000)
def _parsed(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def moment(value: object) -> datetime | None:
    """SQLite holds UTC without saying so, as text or (by the column's type) as a datetime; PostgreSQL says it."""
    if isinstance(value, str):
        return _parsed(value)
    found = cast("datetime | None", value)
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _json(value: object) -> Any:
    return json.loads(value) if isinstance(value, str) else value


@dataclass
class Table:
    """`rows` of a queryset without parameters that change. A row that is as it was is not made anew: most are."""

    rows: models.QuerySet[Any, Any]
    columns: Sequence[str]
    _sql: str = ""
    _params: Sequence[Any] = ()
    _converters: list[tuple[str, Callable[[Any], Any]]] = field(default_factory=list)
    _known: dict[Any, tuple[tuple[Any, ...], Row]] = field(
        default_factory=dict
    )  # by id: as it was read, as it is shown

    def forget(self) -> None:
        self._known.clear()

    def read(self, more: str = "", params: Sequence[Any] = ()) -> list[Row]:
        """`more`: appended before ORDER BY, with its `params`."""
        if not self._sql:
            self._write()
        with connection.cursor() as cursor:
            cursor.execute(self._sql.replace("/*more*/", more), [*self._params, *params])
            return [self._row(tuple(row)) for row in cursor.fetchall()]

    def _row(self, read: tuple[Any, ...]) -> Row:
        known = self._known.get(read[0])
        if known is not None and known[0] == read:
            return known[1]
        row = dict(zip(self.columns, read, strict=True))
        for name, convert in self._converters:
            row[name] = convert(row[name])
        self._known[read[0]] = (read, row)
        return row

    def _write(self) -> None:
        shown: list[Any] = list(self.columns)
        if connection.vendor == "sqlite":  # as text: Django's own reading of moments is most of the time of a run
            shown = [
                Cast(name, models.TextField())
                if isinstance(_field(self.rows.model, name), models.DateTimeField)
                else name
                for name in self.columns
            ]
        query = self.rows.order_by().values_list(*shown).query
        sql, params = query.sql_with_params()
        table = connection.ops.quote_name(self.rows.model._meta.db_table)
        where = "" if " WHERE " in sql else " WHERE 1 = 1"
        self._sql, self._params = f"{sql}{where} /*more*/ ORDER BY {table}.id", params
        for name in self.columns:
            kind = _field(self.rows.model, name)
            if isinstance(kind, models.DateTimeField):
                self._converters.append((name, moment))
            elif isinstance(kind, models.JSONField):
                self._converters.append((name, _json))
            elif isinstance(kind, models.BooleanField):
                self._converters.append((name, bool))


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    *path, last = name.split("__")
    for one in path:
        related = model._meta.get_field(one).related_model
        model = cast("type[models.Model]", related)
    return cast("models.Field[Any, Any]", model._meta.get_field(last))


def earliest(statements: Iterable[str], now: datetime) -> list[datetime | None]:
    """Each statement gives one moment; `:now` stands for the time in it."""
    shown = connection.ops.adapt_datetimefield_value(now)
    sql = " UNION ALL ".join(f"SELECT ({one}) AS at" for one in statements)
    with connection.cursor() as cursor:
        cursor.execute(sql.replace(":now", "%s"), [shown] * sql.count(":now"))
        return [moment(row[0]) for row in cursor.fetchall()]
