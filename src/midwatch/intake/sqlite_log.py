"""The event log beside the embedded database: a file of its own, read by offset.

In the main file the engine's transactions took intake's 99th percentile from 9 to 990 ms. One writer (the lane's
thread) appends and prunes; ids never repeat (AUTOINCREMENT); the offset lives in the main database and names the
file's epoch.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
from django.db import connection

from midwatch.core import clock, wake
from midwatch.core.sqlite import cache
from midwatch.core.statements import Select, Update
from midwatch.intake.canary import CANARY_SOURCE
from midwatch.intake.models import Offset
from midwatch.intake.records import (
    BATCH_BYTES_MAX,
    BODY_MAX,
    CANARY_KEPT,
    COLUMNS,
    Batch,
    ConflictError,
    LogError,
    Record,
    Row,
    microseconds,
    minted_value,
    moment,
)

BUSY_SECONDS = 5.0
ROWS_A_STATEMENT = 128
SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS epoch (uuid TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS health (checked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL,
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    minted TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS event_source ON event (source_id, id);
INSERT INTO epoch SELECT '{epoch}' WHERE NOT EXISTS (SELECT 1 FROM epoch);
COMMIT;
"""
_OFFSET = Select(lambda: Offset.objects.filter(pk=1))
_MOVE = Update(
    lambda epoch, offset, items, old_epoch, old_offset, old_items: (
        Offset.objects.filter(pk=1, epoch=old_epoch, offset=old_offset, items_done=old_items),
        {"epoch": epoch, "offset": offset, "items_done": items},
    )
)
_INSERT = f"INSERT INTO event ({COLUMNS}) VALUES "  # noqa: S608 - names of our own
_ROW = "(?,?,?,?,?,?,?)"
_SELECT = f"SELECT id, {COLUMNS} FROM event"  # noqa: S608
_SELECT_HEADS = _SELECT.replace("body", "coalesce(substr(body, 1, ?), x'')")  # substr of an empty blob is NULL


def _connect(path: Path, *, mode: str) -> Any:
    made = sqlite.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
    )
    made.execute("PRAGMA synchronous=FULL")
    made.execute("PRAGMA mmap_size=0")
    return made


def _record(row: tuple[Any, ...]) -> Record:
    number, token, source_id, kind, received, content_type, minted, body = row
    return Record(
        id=number,
        token=token,
        source_id=source_id,
        kind=kind,
        received_at=moment(received),
        body=bytes(body),
        minted=minted_value(minted),
        content_type=content_type,
    )


def _until(rows: Iterable[tuple[Any, ...]], bytes_max: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        found.append(row)
        size += len(row[-1])
        if size >= bytes_max:
            break
    return found


class SqliteStore:
    """The writing end, for the lane's writer thread alone."""

    def __init__(self, path: Path, main_database: Path) -> None:
        self.path = path
        self.main_database = main_database
        self._connection: Any = None

    def open(self) -> None:
        if self._connection is not None:
            return
        try:
            made = _connect(self.path, mode="rwc")
            self.path.chmod(0o600)
            made.execute("PRAGMA journal_mode=WAL")
            made.execute("PRAGMA journal_size_limit=67108864")
            made.executescript(SCHEMA.format(epoch=uuid.uuid4()))
        except (sqlite.Error, OSError) as error:
            raise LogError(f"the event log {self.path.name} cannot be opened: {error}") from error
        self._connection = made

    def write(self, rows: Sequence[Row]) -> None:
        self.open()
        try:
            if len(rows) <= ROWS_A_STATEMENT:
                self._insert(rows)  # one statement is one transaction, and one hand-over of the interpreter's lock
            else:
                self._insert_many(rows)
        except sqlite.Error as error:
            self.close()
            raise LogError(f"the event log {self.path.name} cannot be written: {error}") from error
        wake.wake()

    def _insert(self, rows: Sequence[Row]) -> None:
        values = [value for row in rows for value in row]
        self._connection.execute(_INSERT + ",".join([_ROW] * len(rows)), values)

    def _insert_many(self, rows: Sequence[Row]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            self._insert(rows[start : start + ROWS_A_STATEMENT])
        self._connection.execute("COMMIT")

    def check(self) -> None:
        self.open()
        try:
            self._connection.executescript(
                "BEGIN IMMEDIATE; DELETE FROM health; INSERT INTO health VALUES (1); COMMIT;"
            )
        except sqlite.Error as error:
            self.close()
            raise LogError(f"the event log {self.path.name} cannot be written: {error}") from error

    def prune(self, before: datetime, limit: int) -> int:
        self.open()
        try:
            done_until = self._consumed()
            cursor = self._connection.execute(
                "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <= ? ORDER BY id LIMIT ?)"
                " AND received_at < ?",
                (done_until, limit, microseconds(before)),
            )
            self._connection.execute(
                "DELETE FROM event WHERE source_id = ? AND id <= ? AND received_at < ?",
                (CANARY_SOURCE, done_until, microseconds(clock.now() - CANARY_KEPT)),
            )
        except sqlite.Error as error:
            self.close()
            raise LogError(f"the event log {self.path.name} cannot be pruned: {error}") from error
        return int(cursor.rowcount)

    def _consumed(self) -> int:
        """The offset in the main database, or 0 when it belongs to another log."""
        if not self.main_database.exists():
            return 0
        with closing(_connect(self.main_database, mode="ro")) as main:
            row = main.execute("SELECT epoch, offset FROM intake_offset WHERE id = 1").fetchone()
        epoch = self._connection.execute("SELECT uuid FROM epoch").fetchone()[0]
        return int(row[1]) if row is not None and row[0] == epoch else 0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqliteLog:
    """The reading end: any thread of any process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def _reader(self) -> Any:
        """This thread's connection, or None while there is no log yet."""
        found = getattr(self._local, "connection", None)
        if found is None:
            if not self.path.exists():
                return None
            found = _connect(self.path, mode="rw")  # reading a WAL file may have to write its index
            found.execute("PRAGMA query_only=ON")
            found.execute(f"PRAGMA cache_size=-{cache.KIB_OF_HELPERS}")  # what was read is not read again
            self._local.connection = found
        return found

    def _rows(
        self, query: str, values: Sequence[object] = (), *, bytes_max: int | None = None
    ) -> list[tuple[Any, ...]]:
        """`bytes_max`: of the last column, beyond which no further row is read."""
        try:
            reader = self._reader()
            if reader is None:
                return []
            found = reader.execute(query, values)
            return list(found) if bytes_max is None else _until(found, bytes_max)
        except sqlite.Error as error:
            if "no such table" in str(error):
                return []  # its maker is still at it
            self.close()
            raise LogError(f"the event log {self.path.name} cannot be read: {error}") from error

    def _state(self) -> tuple[str, int]:
        """(epoch, the highest id ever given)."""
        rows = self._rows(
            "SELECT uuid, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event') FROM epoch"
        )
        return (str(rows[0][0]), int(rows[0][1])) if rows else ("", 0)

    @staticmethod
    def _position(epoch: str, last: int) -> tuple[Offset, int, bool]:
        """(the stored offset, where to read on, is that a replay)."""
        stored = next(iter(_OFFSET()), None) or Offset(pk=1)
        is_ours = stored.epoch == epoch and stored.offset <= last  # an older copy of the log has fewer ids
        return stored, stored.offset if is_ours else 0, not is_ours and stored.epoch != ""

    @contextmanager
    def next_batch(self, limit: int) -> Iterator[Batch]:
        assert connection.in_atomic_block, "next_batch belongs inside transaction.atomic()"
        epoch, last = self._state()
        if not epoch:
            yield Batch([])
            return
        stored, start, is_replayed = self._position(epoch, last)
        query = f"{_SELECT} WHERE id > ? ORDER BY id LIMIT ?"
        records = [_record(row) for row in self._rows(query, (start, limit), bytes_max=BATCH_BYTES_MAX)]
        if records and start == stored.offset and epoch == stored.epoch:
            records[0] = replace(records[0], items_done=stored.items_done)

        def finish(count: int, items: int) -> None:
            if records:
                self._move(stored, epoch, records[count - 1].id if count else start, items)

        yield Batch(records, finish=finish, is_replayed=is_replayed and bool(records))

    @staticmethod
    def _move(stored: Offset, epoch: str, offset: int, items: int) -> None:
        if stored._state.adding:
            Offset.objects.bulk_create([stored], ignore_conflicts=True)
        moved = _MOVE(epoch, offset, items, stored.epoch, stored.offset, stored.items_done)
        if moved != 1:
            raise ConflictError("the event log's offset was moved by another consumer")

    def is_waiting(self) -> bool:
        epoch, last = self._state()
        if not epoch:
            return False
        _, start, _ = self._position(epoch, last)
        return start < last and bool(self._rows("SELECT 1 FROM event WHERE id > ? LIMIT 1", (start,)))

    def backlog(self) -> int:
        epoch, last = self._state()
        if not epoch:
            return 0
        _, start, _ = self._position(epoch, last)
        return int(self._rows("SELECT count(*) FROM event WHERE id > ?", (start,))[0][0]) if start < last else 0

    def waits_since(self) -> datetime | None:
        epoch, last = self._state()
        if not epoch:
            return None
        _, start, _ = self._position(epoch, last)
        rows = self._rows("SELECT received_at FROM event WHERE id > ? ORDER BY id LIMIT 1", (start,))
        return moment(rows[0][0]) if rows else None

    def events_of(self, source_id: int, limit: int, *, body_max: int | None = None) -> list[Record]:
        query = f"{_SELECT_HEADS} WHERE source_id = ? ORDER BY id DESC LIMIT ?"
        rows = self._rows(query, (body_max or BODY_MAX, source_id, limit))
        return [_record(row) for row in rows]

    def find(self, token: str, source_id: int) -> Record | None:
        rows = self._rows(f"{_SELECT} WHERE source_id = ? AND token = ? ORDER BY id DESC LIMIT 1", (source_id, token))
        return _record(rows[0]) if rows else None

    def close(self) -> None:
        found = getattr(self._local, "connection", None)
        if found is not None:
            found.close()
            self._local.connection = None
