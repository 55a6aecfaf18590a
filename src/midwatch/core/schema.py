"""Changes of large tables while others read and write them: operations for migrations with `atomic = False`.

On PostgreSQL an index is built CONCURRENTLY, for as long as that takes; one left over from an attempt that was broken off is
built again. On SQLite the statement holds the write ticket; `serve` migrates before it takes events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.migrations.operations import AddIndex
from django.db.migrations.operations.base import Operation

LIMITS = ("statement_timeout", "lock_timeout")


@contextmanager
def unhurried(connection: Any) -> Iterator[Any]:
    """A cursor without the session's time limits, which are made for people who wait. They come back as they were: of
    `midwatch upgrade` they may be lifted already."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            yield cursor
            return
        patience = connection.connection.answer_seconds
        connection.connection.answer_seconds = None
        cursor.execute("SELECT current_setting(%s), current_setting(%s)", LIMITS)
        limits = cursor.fetchone()
        try:
            for name in LIMITS:
                cursor.execute("SELECT set_config(%s, '0', false)", [name])
            yield cursor
        finally:
            for name, limit in zip(LIMITS, limits, strict=True):
                cursor.execute("SELECT set_config(%s, %s, false)", [name, limit])
            connection.connection.answer_seconds = patience


class AddIndexBesideTraffic(AddIndex):
    """`AddIndex` that stops nobody."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        with unhurried(schema_editor.connection) as cursor:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
            schema_editor.add_index(model, self.index, concurrently=True)


class DropIndexesOf(Operation):
    """The indexes that Django made for single columns (their names are its own). `reversible` by doing nothing: the state
    that would need them is older than the indexes that replace them."""

    reversible = True
    atomic = False

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self.table = table
        self.columns = tuple(columns)

    def state_forwards(self, app_label: str, state: Any) -> None: ...

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        with unhurried(connection) as cursor:
            known = connection.introspection.get_constraints(cursor, self.table)
            beside = " CONCURRENTLY" if connection.vendor == "postgresql" else ""
            for name, one in known.items():
                is_plain = one["index"] and not (one["unique"] or one["primary_key"] or one["foreign_key"])
                is_djangos = name.startswith(f"{self.table}_")
                if is_plain and is_djangos and len(one["columns"]) == 1 and one["columns"][0] in self.columns:
                    cursor.execute(f"DROP INDEX{beside} {schema_editor.quote_name(name)}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None: ...

    def describe(self) -> str:
        return f"Drop Django's own indexes of {self.table}: {', '.join(self.columns)}"
