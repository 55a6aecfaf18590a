"""Queries of the hot path: Django writes the SQL once, afterwards it is only run.

Building a queryset and its SQL took five times as long as SQLite took to answer, and most of the CPU time between an
event and its page was that. What is kept is text, never data: each call asks the database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import sql
from django.db.models.expressions import Col
from django.db.models.query import FlatValuesListIterable, ModelIterable

from midwatch.core.quick import Quick

M = TypeVar("M")
Order = list[tuple[int | None, object]]
_PLAIN = re.compile(r"[\w ./-]*", re.ASCII)
_FIRST_NUMBER = 1_900_000_000  # no literal of a query is as high; below 2**31, for columns of 32 bits
_FIRST_MOMENT = datetime(1901, 1, 1, tzinfo=UTC)


class _Marks:
    """Stand-ins for values, which are found again among the parameters of the SQL that Django made."""

    def __init__(self) -> None:
        self.places: dict[object, int] = {}

    def of(self, value: object) -> Any:
        place = len(self.places)
        mark: Any
        match value:
            case int() if not isinstance(value, bool):
                mark = _FIRST_NUMBER + place
            case str():
                mark = f"mark {place} of a prepared query"
            case datetime():
                mark = _FIRST_MOMENT + timedelta(microseconds=place + 1)
            case _:
                raise TypeError(f"a prepared query takes numbers, texts, moments and lists of them, not {value!r}")
        self.places[_adapted(mark)] = place
        return mark

    def settle(self, text: str, params: Sequence[object]) -> tuple[str, Order]:
        """The SQL with texts and numbers that never change written out, and for each parameter that is left its place
        among the values, or what it always is.

        Written out, because SQLite takes an index with a condition (`WHERE state = 'running'`) for a parameter only after
        preparing the statement a second time, at each run.
        """
        parts = text.split("%s")
        assert len(parts) == len(params) + 1, f"this SQL cannot be prepared: {text}"
        settled, order = parts[0], []
        for param, part in zip(params, parts[1:], strict=True):
            place = self.places.get(param) if isinstance(param, int | str | datetime) else None
            literal = None if place is not None else _literal(param)
            if literal is None:
                order.append((place, param))
            settled += ("%s" if literal is None else literal) + part
        missing = set(self.places.values()) - {place for place, _ in order}
        assert not missing, f"values {missing} of a prepared query are nowhere in its SQL"
        return settled, order


def _literal(param: object) -> str | None:
    """None: it stays a parameter."""
    if isinstance(param, str) and _PLAIN.fullmatch(param):
        return f"'{str.__str__(param)}'"
    return str(int(param)) if isinstance(param, int) and not isinstance(param, bool) else None


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _padded(values: Iterable[Any]) -> list[Any]:
    """To a power of two, by repeating the last: `IN (1, 2, 2, 2)`. Few texts serve all lengths."""
    found = list(values)
    length = 1
    while length < len(found):
        length *= 2
    return found + found[-1:] * (length - len(found))


class _Prepared:
    """SQL by the shape of the values: how long the lists are, and which values are None."""

    def __init__(self) -> None:
        self._texts: dict[tuple[object, ...], tuple[str, Order, Any] | None] = {}

    def _prepare(self, values: Sequence[Any]) -> tuple[str, list[Any], Any] | None:
        """The SQL, its parameters and how to read its rows; None when no row can be meant."""
        given = [_padded(v) if isinstance(v, Collection) and not isinstance(v, str) else v for v in values]
        shape = (connection.vendor, *(len(v) if isinstance(v, list) else type(v) for v in given))
        if any(v == [] for v in given):
            return None
        if shape not in self._texts:
            self._texts[shape] = self._text(given)
        known = self._texts[shape]
        if known is None:
            return None
        text, order, reading = known
        flat = [_adapted(one) for v in given if v is not None for one in (v if isinstance(v, list) else (v,))]
        return text, [constant if place is None else flat[place] for place, constant in order], reading

    def _text(self, given: Sequence[Any]) -> tuple[str, Order, Any] | None:
        marks = _Marks()
        marked = [
            [marks.of(one) for one in v] if isinstance(v, list) else v if v is None else marks.of(v) for v in given
        ]
        try:
            text, params, reading = self._compile(marked)
        except EmptyResultSet:
            return None
        return *marks.settle(text, params), reading

    def _compile(self, marked: Sequence[Any]) -> tuple[str, Sequence[object], Any]:
        raise NotImplementedError


class Select(_Prepared, Generic[M]):
    """`Select(lambda ids, now: Alert.objects.select_related("team").filter(pk__in=ids, expires_at__lte=now))`.

    Called with values in the place of the names. Gives instances, or tuples (of `values_list` of several columns), or
    plain values (of `flat=True`). Prefetches and annotations are not for here.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any, M]]) -> None:
        super().__init__()
        self._build = build

    def __call__(self, *values: Any) -> list[M]:
        prepared = self._prepare(values)
        if prepared is None:
            return []
        text, params, reading = prepared
        with connection.cursor() as cursor:
            cursor.execute(text, params)
            return list(reading(cursor.fetchall()))

    def _compile(self, marked: Sequence[Any]) -> tuple[str, Sequence[object], Any]:
        return _compiled(self._build(*marked))


def fetch(queryset: models.QuerySet[Any, M]) -> list[M]:
    """The rows of a queryset that is too various to be prepared, with its texts and numbers written out."""
    try:
        text, params, reading = _compiled(queryset)
    except EmptyResultSet:
        return []
    text, order = _Marks().settle(text, params)
    with connection.cursor() as cursor:
        left: list[Any] = [param for _, param in order]
        cursor.execute(text, left)
        return list(reading(cursor.fetchall()))


def _compiled(queryset: models.QuerySet[Any, Any]) -> tuple[str, Sequence[object], Any]:
    """SQL, parameters, and how its rows are read."""
    compiler = queryset.query.get_compiler(connection=connection)
    text, params = compiler.as_sql()
    converters = compiler.get_converters([column[0] for column in compiler.select])
    kind = queryset._iterable_class
    if kind is not ModelIterable:
        is_flat = kind is FlatValuesListIterable
        readers = _readers(converters, 0, len(compiler.select))
        return text, params, lambda rows: _tuples(rows, readers, is_flat=is_flat)
    assert not compiler.annotation_col_map, "instances with annotations are not for here"
    return text, params, _Instances(compiler, converters)


def _tuples(
    rows: Iterable[Any], readers: Sequence[tuple[int, Callable[[Any], Any]]], *, is_flat: bool
) -> Iterator[Any]:
    for row in rows:
        values = list(row)
        for place, read in readers:
            values[place] = read(values[place])
        yield values[0] if is_flat else tuple(values)


class _Instances:
    """As Django's `ModelIterable` reads rows, but what several rows point at is read once and shared by them."""

    def __init__(self, compiler: Any, converters: Any) -> None:
        self._parts: list[_Part] = []
        self._add(compiler.klass_info, compiler, converters, above=-1)
        self._alias = connection.alias

    def _add(self, info: Any, compiler: Any, converters: Any, above: int) -> None:
        assert not info.get("from_parent"), "models that inherit tables are not for here"
        start, end = info["select_fields"][0], info["select_fields"][-1] + 1
        model = info["model"]
        names = [column[0].target.attname for column in compiler.select[start:end]]
        is_whole = names == [field.attname for field in model._meta.concrete_fields] and issubclass(model, Quick)
        self._parts.append(
            _Part(
                made=model.from_row if is_whole else lambda alias, values: model.from_db(alias, names, values),
                columns=slice(start, end),
                key=start + names.index(model._meta.pk.attname),
                readers=_readers(converters, start, end),
                above=above,
                link=info.get("local_setter"),
                link_back=info.get("remote_setter"),
            )
        )
        here = len(self._parts) - 1
        for below in info.get("related_klass_infos", ()):
            self._add(below, compiler, converters, here)

    def __call__(self, rows: Iterable[Any]) -> Iterator[Any]:
        shared: list[dict[object, Any]] = [{} for _ in self._parts]
        alias = self._alias
        for row in rows:
            made: list[Any] = []
            for part, known in zip(self._parts, shared, strict=True):
                if part.above < 0:
                    made.append(part.read(row, alias))
                    continue
                above, key = made[part.above], row[part.key]
                if above is None or key is None:
                    found = None
                elif (found := known.get(key)) is None:
                    found = known[key] = part.read(row, alias)
                made.append(found)
                if above is not None:
                    part.link(above, found)
                    if found is not None:
                        part.link_back(found, above)
            yield made[0]


@dataclass(frozen=True, slots=True)
class _Part:
    """One model's columns of a row, and what it hangs on."""

    made: Callable[[str, list[Any]], Any]
    columns: slice
    key: int
    readers: tuple[tuple[int, Callable[[Any], Any]], ...]
    above: int  # of the parts; -1: the model that was asked for
    link: Any
    link_back: Any

    def read(self, row: Any, alias: str) -> Any:
        values = list(row[self.columns])
        for place, read in self.readers:
            values[place] = read(values[place])
        return self.made(alias, values)


def _readers(converters: Any, start: int, end: int) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    """How columns become values: Django's converters, the frequent ones without asking the same questions each time."""
    readers = {
        place - start: _reader(found, column) for place, (found, column) in converters.items() if start <= place < end
    }
    return tuple((place, read) for place, read in readers.items() if read is not None)


def _reader(converters: Sequence[Any], column: Any) -> Callable[[Any], Any] | None:
    """None: what the database's library gives is the value."""
    is_plain = len(converters) == 1 and isinstance(column, Col)
    if is_plain and connection.vendor == "sqlite":
        match column.output_field.get_internal_type():
            case "DateTimeField" if connection.timezone is UTC:
                return _moment
            case "BooleanField":
                return None
    if is_plain and type(column.output_field) is models.JSONField and column.output_field.decoder is None:
        return _json

    def convert(value: Any) -> Any:
        for one in converters:
            value = one(value, column, connection)
        return value

    return convert


def _moment(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _json(value: Any) -> Any:
    return None if value is None else {} if value == "{}" else json.loads(value)


class Update(_Prepared):
    """`Update(lambda pk, now: (Source.objects.filter(pk=pk), {"last_event_at": now}))`. Called, it says how many rows."""

    def __init__(self, build: Callable[..., tuple[models.QuerySet[Any], dict[str, Any]]]) -> None:
        super().__init__()
        self._build = build

    def __call__(self, *values: Any) -> int:
        prepared = self._prepare(values)
        if prepared is None:
            return 0
        text, params, _ = prepared
        with connection.cursor() as cursor:
            cursor.execute(text, params)
            return int(cursor.rowcount)

    def _compile(self, marked: Sequence[Any]) -> tuple[str, Sequence[object], Any]:
        queryset, changes = self._build(*marked)
        query: Any = queryset.query.chain(sql.UpdateQuery)
        query.add_update_values(changes)
        compiler = query.get_compiler(connection=connection)
        text, params = compiler.as_sql()
        return text, params, None
