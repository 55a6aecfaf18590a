"""The event log, both kinds: in order, each event once, nothing lost by a crash, a restore or another consumer."""

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

import postgres
from midwatch.core.postgresql.base import DatabaseWrapper
from midwatch.intake import postgres_log
from midwatch.intake import sqlite_log as sqlite_log_module
from midwatch.intake.models import Offset
from midwatch.intake.postgres_log import PostgresLog, PostgresStore
from midwatch.intake.records import EVENT, PING, REFUSED, ConflictError, EventLog, LogError, Row, Store, minted_text
from midwatch.intake.sqlite_log import ROWS_A_STATEMENT, SqliteLog, SqliteStore

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ALIAS = "log"


@dataclass
class Log:
    """A log with both of its ends, and the alias whose transactions it takes part in."""

    store: Store
    reader: EventLog
    alias: str

    def take(self, limit: int = 100) -> list[str]:
        """What the engine does, in one transaction."""
        with transaction.atomic(using=self.alias), self.reader.next_batch(limit) as batch:
            batch.done()
            return [record.token for record in batch.records]


def row(
    number: int, kind: Any = EVENT, source_id: int = 7, body: bytes = b'{"title":"x"}', at: datetime = START
) -> Row:
    micros = int((at + timedelta(seconds=number)).timestamp() * 1_000_000)
    return (f"{number:032x}", source_id, kind, micros, "application/json", minted_text({"n": number}), body)


def tokens(*numbers: int) -> list[str]:
    return [f"{number:032x}" for number in numbers]


@pytest.fixture
def sqlite_log(tmp_path: Path, db: None) -> Iterator[Log]:
    if connection.vendor != "sqlite":
        pytest.skip("the embedded log goes with the embedded database")
    store = SqliteStore(tmp_path / "events.sqlite3", tmp_path / "midwatch.sqlite3")
    store.open()
    reader = SqliteLog(tmp_path / "events.sqlite3")
    yield Log(store, reader, "default")
    store.close()
    reader.close()


@pytest.fixture
def postgres_database(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with the log's tables only; the log uses it in place of Django's own."""
    url = postgres.shared().create_database("event_log")
    django_db_blocker.unblock()
    settings = {
        **connections.settings["default"],
        "ENGINE": "midwatch.core.postgresql",
        "NAME": "",
        "OPTIONS": {"conninfo": url},
    }
    wrapper = DatabaseWrapper(settings, ALIAS)
    wrapper.inc_thread_sharing()
    connections[ALIAS] = wrapper
    monkeypatch.setattr(postgres_log, "connection", wrapper)
    with wrapper.cursor() as cursor:
        for statement in importlib.import_module("midwatch.intake.migrations.0001_initial").TABLES:
            cursor.execute(statement)
    with wrapper.schema_editor() as editor:
        editor.create_model(Offset)
    yield url
    wrapper.close()
    del connections[ALIAS]
    django_db_blocker.restore()


@pytest.fixture
def postgres_log_(postgres_database: str) -> Iterator[Log]:
    store = PostgresStore(postgres_database)
    yield Log(store, PostgresLog(), ALIAS)
    store.close()


@pytest.fixture(params=["sqlite_log", pytest.param("postgres_log_", marks=pytest.mark.postgresql)])
def log(request: pytest.FixtureRequest) -> Log:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Log)
    return found


# --- both kinds ---


def test_what_was_written_is_read_in_order_and_once(log: Log) -> None:
    assert not log.reader.is_waiting()
    log.store.write([row(1), row(2)])
    log.store.write([row(3)])
    assert log.reader.is_waiting()
    assert log.reader.backlog() == 3
    assert log.take(2) == tokens(1, 2)
    assert log.reader.backlog() == 1
    assert log.take(2) == tokens(3)
    assert log.take(2) == []
    assert not log.reader.is_waiting()
    assert log.reader.backlog() == 0


def test_a_record_is_what_was_written(log: Log) -> None:
    body = b'{"title": "\\u0000 \xc5\xa0"}\x00\xff'
    log.store.write([row(5, PING, source_id=9, body=body)])
    with transaction.atomic(using=log.alias), log.reader.next_batch(10) as batch:
        [record] = batch.records
        assert not batch.is_replayed
    assert (record.token, record.source_id, record.kind, record.body) == (tokens(5)[0], 9, "ping", body)
    assert record.received_at == START + timedelta(seconds=5)
    assert record.minted == {"n": 5}
    assert record.content_type == "application/json"


def test_a_large_batch(log: Log) -> None:
    count = 2 * ROWS_A_STATEMENT + 5
    log.store.write([row(number) for number in range(count)])
    assert log.reader.backlog() == count
    assert log.take(1_000) == tokens(*range(count))


def test_an_engine_that_dies_in_its_transaction_loses_nothing(log: Log) -> None:
    log.store.write([row(1), row(2)])

    def die() -> None:
        with transaction.atomic(using=log.alias), log.reader.next_batch(10) as batch:
            batch.done()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die()
    with transaction.atomic(using=log.alias), log.reader.next_batch(10) as batch:
        assert len(batch.records) == 2  # read, and not done
    assert log.take() == tokens(1, 2)


@pytest.mark.parametrize("reader", [SqliteLog(Path("events.sqlite3")), PostgresLog()])
def test_next_batch_needs_a_transaction(reader: EventLog) -> None:
    with pytest.raises(AssertionError, match="atomic"), reader.next_batch(1):
        pass


def test_the_page_of_a_source(log: Log) -> None:
    log.store.write([row(1), row(2, REFUSED), row(3, source_id=8), row(4)])
    log.take()
    assert [record.token for record in log.reader.events_of(7, 2)] == tokens(4, 2)
    found = log.reader.find(tokens(2)[0], 7)
    assert found is not None
    assert found.kind == "refused"
    assert log.reader.find(tokens(2)[0], 8) is None  # another source's


def test_the_page_of_a_source_reads_only_the_beginning_of_bodies(log: Log) -> None:
    log.store.write([row(1, body=b""), row(2, body=b"\x00\xff" * 500)])
    assert [record.body for record in log.reader.events_of(7, 5, body_max=3)] == [b"\x00\xff\x00", b""]
    assert [len(record.body) for record in log.reader.events_of(7, 5)] == [1_000, 0]


def test_a_look_at_whether_it_can_be_written(log: Log) -> None:
    log.store.check()
    assert log.reader.backlog() == 0


# --- beside SQLite ---


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite3"


def test_no_log_yet(tmp_path: Path, db: None) -> None:
    reader = SqliteLog(tmp_path / "missing.sqlite3")
    assert not reader.is_waiting()
    assert reader.backlog() == 0
    assert reader.events_of(1, 10) == []
    with transaction.atomic(), reader.next_batch(10) as batch:
        assert not batch
        batch.done()


def test_another_consumer_was_faster(sqlite_log: Log) -> None:
    sqlite_log.store.write([row(1)])
    with transaction.atomic(), sqlite_log.reader.next_batch(10) as batch:
        batch.done()
        with pytest.raises(ConflictError):
            batch.done()


def test_another_log_is_read_from_its_start_and_said(sqlite_log: Log, log_path: Path) -> None:
    sqlite_log.store.write([row(1), row(2), row(3)])
    sqlite_log.take()
    sqlite_log.store.close()
    sqlite_log.reader.close()  # type: ignore[attr-defined]
    for path in log_path.parent.glob("events.sqlite3*"):
        path.unlink()
    sqlite_log.store.write([row(11), row(12)])
    with transaction.atomic(), sqlite_log.reader.next_batch(10) as batch:
        assert batch.is_replayed
        assert [record.token for record in batch.records] == tokens(11, 12)
        batch.done()
    sqlite_log.store.write([row(13)])
    with transaction.atomic(), sqlite_log.reader.next_batch(10) as batch:
        assert not batch.is_replayed
        assert [record.token for record in batch.records] == tokens(13)


def test_an_older_copy_of_the_log_loses_no_new_event(sqlite_log: Log, log_path: Path) -> None:
    """Its ids are given again; the offset in the main database lies beyond them."""
    sqlite_log.store.write([row(1)])
    sqlite_log.store.close()
    shutil.copy(log_path, log_path.with_name("copy"))
    sqlite_log.store.write([row(2), row(3)])
    assert sqlite_log.take() == tokens(1, 2, 3)
    sqlite_log.store.close()
    sqlite_log.reader.close()  # type: ignore[attr-defined]
    for path in log_path.parent.glob("events.sqlite3*"):
        path.unlink()
    log_path.with_name("copy").rename(log_path)
    sqlite_log.store.write([row(4)])
    with transaction.atomic(), sqlite_log.reader.next_batch(10) as batch:
        assert batch.is_replayed
        assert [record.token for record in batch.records] == tokens(1, 4)


def test_an_older_main_database_gets_the_events_again(sqlite_log: Log) -> None:
    sqlite_log.store.write([row(1)])
    sqlite_log.take()
    before = Offset.objects.get(pk=1)
    sqlite_log.store.write([row(2)])
    assert sqlite_log.take() == tokens(2)
    with transaction.atomic():
        Offset.objects.filter(pk=1).update(offset=before.offset)
    assert sqlite_log.take() == tokens(2)


def test_pruning_stops_at_the_offset_and_never_gives_an_id_twice(sqlite_log: Log, tmp_path: Path) -> None:
    store = sqlite_log.store
    store.write([row(number) for number in range(6)])
    with transaction.atomic(), sqlite_log.reader.next_batch(4) as batch:
        batch.done()
    offset = Offset.objects.get(pk=1)
    with sqlite3.connect(tmp_path / "midwatch.sqlite3") as main:
        main.execute("CREATE TABLE intake_offset (id INTEGER PRIMARY KEY, epoch TEXT, offset INTEGER)")
        main.execute("INSERT INTO intake_offset VALUES (1, ?, ?)", (offset.epoch, offset.offset))
    assert store.prune(START + timedelta(seconds=2), 100) == 2  # 0 and 1
    assert store.prune(START + timedelta(days=1), 1) == 1
    assert store.prune(START + timedelta(days=1), 100) == 1
    assert store.prune(START + timedelta(days=1), 100) == 0  # 4 and 5 wait
    assert sqlite_log.take() == tokens(4, 5)
    with sqlite3.connect(tmp_path / "midwatch.sqlite3") as main:
        main.execute("UPDATE intake_offset SET offset = 6")
    assert store.prune(START + timedelta(days=1), 100) == 2
    store.write([row(9)])
    assert sqlite_log.take() == tokens(9)


def test_pruning_leaves_a_log_alone_whose_offset_is_not_known(sqlite_log: Log, tmp_path: Path) -> None:
    sqlite_log.store.write([row(1)])
    assert sqlite_log.store.prune(START + timedelta(days=1), 100) == 0  # no main database
    with sqlite3.connect(tmp_path / "midwatch.sqlite3") as main:
        main.execute("CREATE TABLE intake_offset (id INTEGER PRIMARY KEY, epoch TEXT, offset INTEGER)")
        main.execute("INSERT INTO intake_offset VALUES (1, 'another', 99)")
    assert sqlite_log.store.prune(START + timedelta(days=1), 100) == 0


def test_a_log_that_cannot_be_written(sqlite_log: Log, log_path: Path, tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot be opened"):
        SqliteStore(tmp_path / "no" / "such" / "directory.sqlite3", tmp_path / "main").write([row(1)])
    sqlite_log.store.close()
    log_path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LogError, match=r"events\.sqlite3"):
        sqlite_log.store.write([row(1)])


def test_the_log_is_durable_and_private(sqlite_log: Log, log_path: Path) -> None:
    with sqlite3.connect(log_path) as seen:
        assert seen.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sqlite_log.store._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # type: ignore[attr-defined]
    assert os.stat(log_path).st_mode & 0o777 == 0o600


# --- on PostgreSQL ---


@pytest.mark.postgresql
def test_one_consumer_at_a_time(postgres_log_: Log) -> None:
    postgres_log_.store.write([row(1), row(2)])
    other = DatabaseWrapper(connections[ALIAS].settings_dict, "other")
    with transaction.atomic(using=ALIAS), postgres_log_.reader.next_batch(1) as batch:
        assert len(batch.records) == 1
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM intake_consumer FOR UPDATE SKIP LOCKED")
            assert cursor.fetchall() == []
        other.close()
        batch.done()
    assert postgres_log_.take() == tokens(2)


@pytest.mark.postgresql
def test_a_batch_calls_the_engine_at_its_commit(postgres_log_: Log, postgres_database: str) -> None:
    from midwatch.core.postgresql.wake import PostgresWaiter

    with PostgresWaiter(postgres_database, "work") as ear:
        postgres_log_.store.write([row(1), row(2)])
        assert ear.wait(10)
        assert not ear.wait(0.05)  # one call a batch


@pytest.mark.postgresql
def test_the_writer_survives_a_lost_connection(postgres_log_: Log) -> None:
    postgres_log_.store.write([row(1)])
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'midwatch intake'"
        )
    postgres_log_.store.write([row(2)])
    assert postgres_log_.take() == tokens(1, 2)


@pytest.mark.postgresql
def test_several_nodes_write_at_once(postgres_log_: Log, postgres_database: str) -> None:
    def write(start: int) -> None:
        store = PostgresStore(postgres_database)
        for number in range(start, start + 50):
            store.write([row(number)])
        store.close()

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    while any(thread.is_alive() for thread in threads):
        seen += postgres_log_.take(7)
    while found := postgres_log_.take(1_000):
        seen += found
    assert sorted(seen) == tokens(*range(50), *range(100, 150), *range(200, 250))


@pytest.mark.postgresql
def test_pruning_leaves_what_waits(postgres_log_: Log) -> None:
    postgres_log_.store.write([row(number) for number in range(4)])
    with transaction.atomic(using=ALIAS), postgres_log_.reader.next_batch(3) as batch:
        batch.done()
    assert postgres_log_.store.prune(START + timedelta(seconds=1), 100) == 1
    assert postgres_log_.store.prune(START + timedelta(days=1), 1) == 1
    assert postgres_log_.store.prune(START + timedelta(days=1), 100) == 1
    assert postgres_log_.take() == tokens(3)


@pytest.mark.postgresql
def test_the_sessions_limits(postgres_log_: Log) -> None:
    store = postgres_log_.store
    store.open()
    shown: Callable[[str], Any] = lambda name: store._connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[attr-defined]  # noqa: E731
    assert shown("idle_in_transaction_session_timeout") == "3s"
    assert shown("lock_timeout") == "5s"
    assert shown("statement_timeout") == "30s"
    assert shown("synchronous_commit") == "on"


@pytest.mark.postgresql
def test_a_server_that_is_away() -> None:
    store = PostgresStore(f"postgresql://nobody@127.0.0.1:{postgres.free_port()}/x")
    for work in (lambda: store.write([row(1)]), store.check, lambda: store.prune(START, 1)):
        with pytest.raises(LogError):
            work()


def test_a_part_of_an_event_is_done_and_the_rest_comes_next(log: Log) -> None:
    log.store.write([row(number) for number in range(1, 4)])

    def take(count: int | None, items: int) -> list[tuple[str, int]]:
        with transaction.atomic(using=log.alias), log.reader.next_batch(10) as batch:
            batch.done(count, items)
            return [(record.token, record.items_done) for record in batch.records]

    one, two, three = tokens(1, 2, 3)
    assert take(1, 200) == [(one, 0), (two, 0), (three, 0)]
    assert take(0, 400) == [(two, 200), (three, 0)]
    assert log.reader.backlog() == 2
    assert take(1, 0) == [(two, 400), (three, 0)]
    assert take(None, 0) == [(three, 0)]
    assert log.reader.backlog() == 0


def test_a_part_that_is_rolled_back_is_not_done(log: Log) -> None:
    log.store.write([row(1)])
    for _ in range(2):
        with suppress(ZeroDivisionError), transaction.atomic(using=log.alias), log.reader.next_batch(10) as batch:
            assert [record.items_done for record in batch.records] == [0]
            batch.done(0, 200)
            raise ZeroDivisionError


def test_large_bodies_are_not_all_read_at_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite_log_module, postgres_log):
        monkeypatch.setattr(module, "BATCH_BYTES_MAX", 100)
    log.store.write([row(1, body=b"x" * 300), row(2, body=b"x" * 60), row(3, body=b"x" * 60), row(4, body=b"")])
    assert log.take() == tokens(1)
    assert log.take() == tokens(2, 3)
    assert log.take() == tokens(4)
