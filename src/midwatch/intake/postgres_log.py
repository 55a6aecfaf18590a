"""The event log on PostgreSQL: a table, consumed by marking rows in the transaction that makes the alerts.

An offset would lose events: ids become visible out of order when several nodes write. One consumer at a time, by the
lock of the one row of `intake_consumer`, so that firing and resolved of one key keep their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection

from midwatch.core import clock
from midwatch.core.postgresql.base import Connection, parameters
from midwatch.core.postgresql.wake import PG_CHANNEL
from midwatch.core.wake import WORK
from midwatch.intake.canary import CANARY_SOURCE
from midwatch.intake.records import (
    BATCH_BYTES_MAX,
    BODY_MAX,
    CANARY_KEPT,
    COLUMNS,
    Batch,
    LogError,
    Record,
    Row,
    minted_value,
)

_SELECT = f"SELECT id, {COLUMNS} FROM intake_event"  # noqa: S608 - names of our own
_SELECT_HEADS = _SELECT.replace("body", "substring(body from 1 for %s)")
# One statement is one transaction and one round trip: the rows, and the call that wakes the engine at the commit.
_WRITE = f"""
WITH added AS (
    INSERT INTO intake_event ({COLUMNS})
    SELECT token, source_id, kind, to_timestamp(at / 1000000.0), content_type, minted, body
    FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::bytea[])
        AS new (token, source_id, kind, at, content_type, minted, body)
)
SELECT pg_notify('{PG_CHANNEL}', '{WORK}')
"""  # noqa: S608
# The next events, as many as together hold so many bytes, and one at least.
_NEXT = f"""
SELECT id, {COLUMNS} FROM (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS before
    FROM (SELECT id, {COLUMNS} FROM intake_event WHERE done_at IS NULL ORDER BY id LIMIT %s) AS waiting
) AS sized WHERE before < %s ORDER BY id
"""  # noqa: S608
# "offset" is here the event of which some items are alerts already.
_PARTLY = """
INSERT INTO intake_offset (id, epoch, "offset", items_done) VALUES (1, '', %s, %s)
ON CONFLICT (id) DO UPDATE SET "offset" = excluded."offset", items_done = excluded.items_done
"""
_PRUNE = """
DELETE FROM intake_event WHERE id IN (
    SELECT id FROM intake_event WHERE done_at IS NOT NULL AND received_at < %s
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
"""


_PRUNE_CANARIES = "DELETE FROM intake_event WHERE source_id = %s AND done_at IS NOT NULL AND received_at < %s"


class PostgresStore:
    """The writing end: a connection of its own, which comes back after every failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    def open(self) -> None:
        self._open()

    def _open(self) -> Connection:
        if self._connection is None:
            given = {**parameters(self._url), "autocommit": True, "application_name": "midwatch intake"}
            try:
                self._connection = Connection.open(**given)
                self._connection.prepare_threshold = None  # prepared statements break behind transaction poolers
                self._learn_time(self._connection)
            except psycopg.Error as error:
                self.close()
                raise LogError(f"PostgreSQL cannot be reached: {type(error).__name__}") from error
        return self._connection

    @staticmethod
    def _learn_time(connection: Connection) -> None:
        """The clock of all nodes is the database's."""
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        if row is not None:
            clock.learn_offset(row[0], asked_at=clock.machine_now())

    def write(self, rows: Sequence[Row]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        try:
            self._open().execute(_WRITE, columns)
        except psycopg.OperationalError:
            self.close()  # a failover: once more, on a new connection
            self._again(columns)
        except psycopg.Error as error:
            self.close()
            raise LogError(f"the event log cannot be written: {type(error).__name__}") from error

    def _again(self, columns: list[list[Any]]) -> None:
        try:
            self._open().execute(_WRITE, columns)
        except psycopg.Error as error:
            self.close()
            raise LogError(f"the event log cannot be written: {type(error).__name__}") from error

    def check(self) -> None:
        try:
            self._open().execute(
                "UPDATE intake_event SET token = token WHERE false"
            )  # fails where nothing may be written
            self._open().execute("SELECT pg_current_xact_id()")  # a commit of its own; fails on a standby
        except psycopg.Error as error:
            self.close()
            raise LogError(f"the event log cannot be written: {type(error).__name__}") from error

    def prune(self, before: datetime, limit: int) -> int:
        try:
            self._learn_time(self._open())
            self._open().execute(_PRUNE_CANARIES, (CANARY_SOURCE, clock.now() - CANARY_KEPT))
            return self._open().execute(_PRUNE, (before, limit)).rowcount
        except psycopg.Error as error:
            self.close()
            raise LogError(f"the event log cannot be pruned: {type(error).__name__}") from error

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _record(row: tuple[Any, ...]) -> Record:
    number, token, source_id, kind, received, content_type, minted, body = row
    return Record(
        id=number,
        token=token,
        source_id=source_id,
        kind=kind,
        received_at=received,
        body=bytes(body),
        minted=minted_value(minted),
        content_type=content_type,
    )


class PostgresLog:
    """The reading end, through Django's connection."""

    @contextmanager
    def next_batch(self, limit: int) -> Iterator[Batch]:
        assert connection.in_atomic_block, "next_batch belongs inside transaction.atomic()"
        records: list[Record] = []
        begun = 0
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM intake_consumer WHERE id = 1 FOR UPDATE SKIP LOCKED")
            if cursor.fetchone() is not None:
                cursor.execute(_NEXT, [limit, BATCH_BYTES_MAX])
                records = [_record(row) for row in cursor.fetchall()]
            if records:
                cursor.execute('SELECT items_done FROM intake_offset WHERE id = 1 AND "offset" = %s', [records[0].id])
                begun = next((int(row[0]) for row in cursor.fetchall()), 0)
                records[0] = replace(records[0], items_done=begun)

        def finish(count: int, items: int) -> None:
            with connection.cursor() as cursor:
                ids = [record.id for record in records[:count]]
                cursor.execute("UPDATE intake_event SET done_at = %s WHERE id = ANY(%s)", [clock.now(), ids])
                if items or begun:
                    cursor.execute(_PARTLY, [records[count].id if count < len(records) else 0, items])

        yield Batch(records, finish=finish) if records else Batch([])

    def is_waiting(self) -> bool:
        return bool(self._rows("SELECT 1 FROM intake_event WHERE done_at IS NULL LIMIT 1"))

    def backlog(self) -> int:
        return int(self._rows("SELECT count(*) FROM intake_event WHERE done_at IS NULL")[0][0])

    def waits_since(self) -> datetime | None:
        rows = self._rows("SELECT received_at FROM intake_event WHERE done_at IS NULL ORDER BY id LIMIT 1")
        return rows[0][0] if rows else None

    def events_of(self, source_id: int, limit: int, *, body_max: int | None = None) -> list[Record]:
        query = f"{_SELECT_HEADS} WHERE source_id = %s ORDER BY id DESC LIMIT %s"
        rows = self._rows(query, [body_max or BODY_MAX, source_id, limit])
        return [_record(row) for row in rows]

    def find(self, token: str, source_id: int) -> Record | None:
        query = f"{_SELECT} WHERE source_id = %s AND token = %s ORDER BY id DESC LIMIT 1"
        rows = self._rows(query, [source_id, token])
        return _record(rows[0]) if rows else None

    @staticmethod
    def _rows(query: str, values: Sequence[int | str] = ()) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query, list(values))
            return list(cursor.fetchall())
