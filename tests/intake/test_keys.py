"""Keys: from memory for five seconds, a miss always asks, an unreadable database is never "unknown"."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

import postgres
from midwatch.intake import keys as module
from midwatch.intake.keys import KnownSource, SourceKeys, SqliteTable, UnreadableError
from midwatch.intake.postgres_keys import PostgresTable

KNOWN = KnownSource(1, "generic")


class FakeTable:
    def __init__(self, rows: Mapping[str, KnownSource]) -> None:
        self.rows = dict(rows)
        self.asked: list[list[str]] = []
        self.is_readable = True
        self.may_read = threading.Event()
        self.may_read.set()

    def read(self, keys: Sequence[str]) -> Mapping[str, KnownSource]:
        self.asked.append(list(keys))
        assert self.may_read.wait(20)
        if not self.is_readable:
            raise UnreadableError("gone")
        return {key: self.rows[key] for key in keys if key in self.rows}

    def close(self) -> None: ...


def with_keys(work: Callable[[SourceKeys, FakeTable], Awaitable[None]]) -> FakeTable:
    table = FakeTable({"good": KNOWN})

    async def main() -> None:
        keys = SourceKeys(table)
        keys.start()
        await asyncio.wait_for(work(keys, table), 20)
        keys.stop()

    asyncio.run(main())
    return table


def test_a_hit_is_remembered_and_a_miss_is_not() -> None:
    async def work(keys: SourceKeys, table: FakeTable) -> None:
        assert await keys.find("good") == KNOWN
        assert await keys.find("good") == KNOWN
        assert keys.hit("good") == KNOWN
        assert await keys.find("new") is None
        table.rows["new"] = KnownSource(2, "grafana")
        assert await keys.find("new") == KnownSource(2, "grafana")  # works at once

    assert with_keys(work).asked == [["good"], ["new"], ["new"]]


def test_a_revoked_key_dies_within_the_time_of_a_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.HIT_SECONDS <= 5
    monkeypatch.setattr(module, "HIT_SECONDS", 0.05)

    async def work(keys: SourceKeys, table: FakeTable) -> None:
        assert await keys.find("good") == KNOWN
        del table.rows["good"]
        while keys.hit("good"):
            await asyncio.sleep(0.01)
        assert await keys.find("good") is None

    with_keys(work)


def test_an_unreadable_database_is_an_error_and_a_hit_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(keys: SourceKeys, table: FakeTable) -> None:
        assert await keys.find("good") == KNOWN
        table.is_readable = False
        assert await keys.find("good") == KNOWN
        with pytest.raises(UnreadableError):
            await keys.find("other")

    with_keys(work)


def test_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)

    async def work(keys: SourceKeys, table: FakeTable) -> None:
        table.may_read.clear()
        with pytest.raises(UnreadableError, match="does not answer"):
            await keys.find("good")
        table.may_read.set()
        while keys.hit("good") is None:
            await asyncio.sleep(0.01)  # the answer that came late is used

    with_keys(work)


def test_questions_that_come_together_are_asked_together() -> None:
    async def work(keys: SourceKeys, table: FakeTable) -> None:
        table.may_read.clear()
        first = asyncio.create_task(keys.find("first"))
        while not table.asked:
            await asyncio.sleep(0.005)
        others = [asyncio.create_task(keys.find(f"wrong-{number % 50}")) for number in range(100)]
        await asyncio.sleep(0.01)
        table.may_read.set()
        assert await first is None
        assert await asyncio.gather(*others) == [None] * 100

    table = with_keys(work)
    assert [len(asked) for asked in table.asked] == [1, 50]


def test_a_flood_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 3)

    async def work(keys: SourceKeys, table: FakeTable) -> None:
        table.may_read.clear()
        waiting = [asyncio.create_task(keys.find(f"wrong-{number}")) for number in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(UnreadableError, match="too many"):
            await keys.find("wrong-9")
        table.may_read.set()
        await asyncio.gather(*waiting)

    with_keys(work)


@pytest.mark.parametrize("key", ["", "x" * 65, "a\x00b", "\udcff\ud800"])
def test_what_cannot_be_a_key_is_not_asked(key: str) -> None:
    async def work(keys: SourceKeys, table: FakeTable) -> None:
        assert await keys.find(key) is None

    assert with_keys(work).asked == []


ROWS = [
    (1, "generic", "a" * 32, None, True),
    (2, "pagerduty", "b" * 32, "c" * 32, True),
    (3, "generic", "d" * 32, "e" * 32, False),
]
WANTED = {
    "a" * 32: KnownSource(1, "generic"),
    "b" * 32: KnownSource(2, "pagerduty"),
    "c" * 32: KnownSource(2, "pagerduty"),
}
ASKED = [letter * 32 for letter in "abcdef"]
COLUMNS = "(id integer, type text, key text, previous_key text, is_active boolean)"


def test_the_embedded_table(tmp_path: Path) -> None:
    path = tmp_path / "midwatch.sqlite3"
    table = SqliteTable(path)
    with pytest.raises(UnreadableError):
        table.read(ASKED)  # no database yet
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA journal_mode=WAL")
    with pytest.raises(UnreadableError, match="no such table"):
        table.read(ASKED)  # not migrated yet
    with sqlite3.connect(path) as made:
        made.execute(f"CREATE TABLE alerts_source {COLUMNS}")
        made.executemany("INSERT INTO alerts_source VALUES (?, ?, ?, ?, ?)", ROWS)
    assert table.read(ASKED) == WANTED
    with sqlite3.connect(path) as made:
        made.execute("BEGIN IMMEDIATE")  # a writer holds up no reader
        assert table.read(ASKED[:1]) == {"a" * 32: KnownSource(1, "generic")}
    table.close()


@pytest.mark.postgresql
def test_the_table_on_postgresql() -> None:
    server = postgres.shared()
    table = PostgresTable(server.create_database("keys"))
    with pytest.raises(UnreadableError):
        table.read(ASKED)
    with server.connect("keys") as made:
        made.execute(f"CREATE TABLE alerts_source {COLUMNS}".encode())
        made.cursor().executemany("INSERT INTO alerts_source VALUES (%s, %s, %s, %s, %s)", ROWS)
    assert table.read(ASKED) == WANTED
    with server.connect("postgres") as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'midwatch keys'")
    assert table.read(ASKED) == WANTED  # on a new connection
    table.close()
