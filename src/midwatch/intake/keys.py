"""Which source does a key belong to? Asked for every event, answered from memory for at most five seconds.

A miss always asks the database, so a new key works at once and a revoked one dies in five seconds. Questions that come
together are asked together: a flood of wrong keys costs a query for two hundred of them. A database that cannot be read
is an error of ours (503), never "unknown key".
"""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import pysqlite3.dbapi2 as sqlite

from midwatch.core.guard import guarded
from midwatch.intake import canary
from midwatch.settings import settings

KEY_MAX = 64  # as the table has it
HIT_SECONDS = 5.0
HITS_MAX = 50_000
ASK_MAX = 200
PENDING_MAX = 5_000
ANSWER_SECONDS = 5.0
QUERY = (
    "SELECT id, type, key, previous_key FROM alerts_source WHERE is_active AND (key IN ({0}) OR previous_key IN ({0}))"
)


@dataclass(frozen=True, slots=True)
class KnownSource:
    id: int
    type: str


class UnreadableError(Exception):
    """The sources cannot be read now."""


class Table(Protocol):
    """Reads `alerts_source` on a connection of its own, in the asking thread."""

    def read(self, keys: Sequence[str]) -> Mapping[str, KnownSource]:
        """Raises `UnreadableError`."""

    def close(self) -> None: ...


def by_key(rows: Sequence[tuple[Any, ...]], asked: Sequence[str]) -> dict[str, KnownSource]:
    wanted = set(asked)
    found: dict[str, KnownSource] = {}
    for number, type_, key, previous_key in rows:
        for name in (previous_key, key):
            if name in wanted:
                found[name] = KnownSource(int(number), str(type_))
    return found


class SqliteTable:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Any = None

    def read(self, keys: Sequence[str]) -> Mapping[str, KnownSource]:
        try:
            if self._connection is None:
                uri = f"{self._path.absolute().as_uri()}?mode=rw"
                self._connection = sqlite.connect(
                    uri, uri=True, isolation_level=None, timeout=1.0, check_same_thread=False
                )
                self._connection.execute("PRAGMA query_only=ON")
            marks = ",".join(["?"] * len(keys))
            rows = list(self._connection.execute(QUERY.format(marks), [*keys, *keys]))
        except sqlite.Error as error:
            self.close()
            raise UnreadableError(str(error)) from error
        return by_key(rows, keys)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def table() -> Table:
    if settings().is_sqlite:
        return SqliteTable(settings().main_database)
    made: Table = importlib.import_module("midwatch.intake.postgres_keys").PostgresTable(settings().database_url)
    return made


class SourceKeys:
    """The cache. All methods but the thread's belong to the event loop's thread."""

    def __init__(self, source_table: Table) -> None:
        self._table = source_table
        self._hits: dict[str, tuple[float, KnownSource]] = {}
        self._pending: dict[str, asyncio.Future[KnownSource | None]] = {}
        self._questions: SimpleQueue[str | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="intake-keys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._questions.put(None)

    def hit(self, key: str) -> KnownSource | None:
        """From memory, when it was read in the last five seconds."""
        found = self._hits.get(key)
        if found is not None and time.monotonic() < found[0]:
            return found[1]
        return None

    async def find(self, key: str) -> KnownSource | None:
        """None: there is no such key. Raises `UnreadableError`."""
        known = self.hit(key)
        if known is not None:
            return known
        if not key or len(key) > KEY_MAX or "\x00" in key or not _is_text(key):
            return None
        future = self._pending.get(key)
        if future is None:
            if len(self._pending) >= PENDING_MAX:
                raise UnreadableError("too many questions are waiting")
            assert self._loop is not None, "start() comes first"
            future = self._pending[key] = self._loop.create_future()
            self._questions.put(key)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.shield(future)
        except TimeoutError:
            raise UnreadableError("the database does not answer") from None

    def _answer(self, keys: Sequence[str], found: Mapping[str, KnownSource] | None) -> None:
        until = time.monotonic() + HIT_SECONDS
        if len(self._hits) > HITS_MAX:
            self._hits.clear()
        for key in keys:
            future = self._pending.pop(key)
            if found is None:
                future.set_exception(UnreadableError("the database cannot be read"))
                future.exception()  # the askers may be gone
                self._hits.pop(key, None)
                continue
            known = found.get(key)
            if known is None:
                self._hits.pop(key, None)
            else:
                self._hits[key] = (until, known)
            future.set_result(known)

    def _run(self) -> None:
        while True:
            first = self._questions.get()
            if first is None:
                break
            keys = [first]
            is_last = False
            with suppress(Empty):
                while len(keys) < ASK_MAX:
                    key = self._questions.get_nowait()
                    if key is None:
                        is_last = True
                        break
                    keys.append(key)
            found = guarded("intake.keys", lambda asked=keys: self._read(asked), otherwise=None)  # type: ignore[misc]
            if self._loop is not None:
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._answer, keys, found)
            if is_last:
                break
        self._table.close()

    def _read(self, keys: Sequence[str]) -> Mapping[str, KnownSource] | None:
        try:
            found = self._table.read(keys)
        except UnreadableError:
            return None
        own = canary.key()
        return {**found, own: KnownSource(canary.CANARY_SOURCE, "generic")} if own in keys else found


def _is_text(key: str) -> bool:
    """No lone surrogates: a path may hold any bytes."""
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
