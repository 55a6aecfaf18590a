"""Reading sources' keys from PostgreSQL, on a connection of the asking thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg

from midwatch.core.postgresql.base import Connection, parameters
from midwatch.intake.keys import KnownSource, UnreadableError, by_key

QUERY = (
    "SELECT id, type, key, previous_key FROM alerts_source "
    "WHERE is_active AND (key = ANY(%(keys)s) OR previous_key = ANY(%(keys)s))"
)


class PostgresTable:
    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    def read(self, keys: Sequence[str]) -> Mapping[str, KnownSource]:
        is_kept = self._connection is not None
        try:
            rows = self._rows(keys)
        except psycopg.Error as error:
            self.close()
            if not is_kept:
                raise UnreadableError(type(error).__name__) from error
            return self.read(keys)  # a kept connection may be dead: once more on a new one
        return by_key(rows, keys)

    def _rows(self, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        if self._connection is None:
            given = {**parameters(self._url), "autocommit": True, "application_name": "midwatch keys"}
            self._connection = Connection.open(**given)
            self._connection.prepare_threshold = None
        return self._connection.execute(QUERY, {"keys": list(keys)}).fetchall()

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
