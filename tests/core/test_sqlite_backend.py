"""The embedded database's floor: the safe library, the write ticket, no write outside a transaction."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connections, transaction
from django.db.utils import NotSupportedError

from midwatch.core import sqlite_library
from midwatch.core.sqlite import cache
from midwatch.core.sqlite.base import DatabaseWrapper, first_word
from midwatch.core.sqlite.ticket import Ticket, TicketTimeoutError, ticket_path

SETTINGS: dict[str, Any] = {
    "ENGINE": "midwatch.core.sqlite",
    "ATOMIC_REQUESTS": False,
    "AUTOCOMMIT": True,
    "CONN_MAX_AGE": 0,
    "CONN_HEALTH_CHECKS": False,
    "TIME_ZONE": None,
    "USER": "",
    "PASSWORD": "",
    "HOST": "",
    "PORT": "",
    "TEST": {"CHARSET": None, "COLLATION": None, "MIGRATE": True, "MIRROR": None, "NAME": None},
}
ALIAS = "floor"


@pytest.fixture
def database(tmp_path: Path, django_db_blocker: Any) -> Iterator[Callable[..., DatabaseWrapper]]:
    """Makes connections to one file; the first is also `connections["floor"]`, for transaction.atomic."""
    made: list[DatabaseWrapper] = []

    def connect(timeout: float = 5.0, name: str = "midwatch.sqlite3") -> DatabaseWrapper:
        where = name if name == ":memory:" else str(tmp_path / name)
        wrapper = DatabaseWrapper({**SETTINGS, "NAME": where, "OPTIONS": {"timeout": timeout}}, ALIAS)
        wrapper.inc_thread_sharing()
        made.append(wrapper)
        return wrapper

    django_db_blocker.unblock()  # files of our own, not the suite's database
    first = connect()
    connections[ALIAS] = first
    with first.cursor() as cursor:
        cursor.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    yield connect
    for wrapper in made:
        wrapper.close()
    del connections[ALIAS]
    django_db_blocker.restore()


def insert(wrapper: DatabaseWrapper, name: str) -> None:
    with wrapper.cursor() as cursor:
        cursor.execute("INSERT INTO thing (name) VALUES (%s)", [name])


def names(wrapper: DatabaseWrapper) -> list[str]:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT name FROM thing ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def main_connection() -> DatabaseWrapper:
    found = connections[ALIAS]
    assert isinstance(found, DatabaseWrapper)
    return found


def is_ticket_free(path: Path) -> bool:
    other = Ticket(path / "write.lock")
    try:
        other.take(0.05)
    except TicketTimeoutError:
        return False
    finally:
        other.close()
    return True


@pytest.mark.parametrize(
    ("version", "is_safe"),
    [((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 50, 6), False),
     ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 53, 0), True), ((4, 0, 0), True)],
)  # fmt: skip
def test_versions_with_the_wal_reset_bug_are_refused(version: tuple[int, int, int], is_safe: bool) -> None:
    assert sqlite_library.is_safe(version) is is_safe
    if not is_safe:
        with pytest.raises(SystemExit, match=r"WAL-reset bug.*pysqlite3"):
            sqlite_library.refuse_unsafe(version)


def test_the_whole_process_uses_the_safe_library() -> None:
    import sqlite3

    from django.db.backends.sqlite3.base import Database

    assert sqlite3.sqlite_version_info == sqlite_library.library_version() == Database.sqlite_version_info
    assert sqlite_library.is_safe(sqlite_library.library_version())


def test_pragmas(database: Callable[..., DatabaseWrapper]) -> None:
    with main_connection().cursor() as cursor:
        for pragma, wanted in {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "mmap_size": 0,
            "busy_timeout": 5000,
        }.items():
            cursor.execute(f"PRAGMA {pragma}")
            assert cursor.fetchone()[0] == wanted, pragma


@pytest.mark.parametrize(
    "query",
    ["INSERT INTO thing (name) VALUES ('x')", "  update thing SET name = 'y'", "/* why */ DELETE FROM thing",
     "-- why\nREPLACE INTO thing VALUES (1, 'x')", "WITH a AS (SELECT 1) INSERT INTO thing (name) SELECT 'x' FROM a"],
)  # fmt: skip
def test_a_write_outside_a_transaction_is_an_error(database: Callable[..., DatabaseWrapper], query: str) -> None:
    with main_connection().cursor() as cursor, pytest.raises(ProgrammingError, match=r"outside a transaction.*atomic"):
        cursor.execute(query)
    with main_connection().cursor() as cursor, pytest.raises(ProgrammingError, match="outside a transaction"):
        cursor.executemany("INSERT INTO thing (name) VALUES (%s)", [["a"], ["b"]])
    assert names(main_connection()) == []
    with transaction.atomic(using=ALIAS), main_connection().cursor() as cursor:
        cursor.execute(query)


def test_first_word() -> None:
    assert first_word("WITH a AS (SELECT 1) SELECT * FROM a") == "SELECT"
    assert first_word("\n  -- hm\n /* x */ delete from a") == "DELETE"
    assert first_word("") == ""


def test_the_ticket_is_held_from_begin_to_the_end(database: Callable[..., DatabaseWrapper], tmp_path: Path) -> None:
    assert is_ticket_free(tmp_path)
    with transaction.atomic(using=ALIAS):
        assert not is_ticket_free(tmp_path)
        insert(main_connection(), "a")
        with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
            insert(main_connection(), "a")  # a savepoint that fails keeps the ticket
        assert not is_ticket_free(tmp_path)
    assert is_ticket_free(tmp_path)
    assert names(main_connection()) == ["a"]


def test_the_ticket_is_free_after_errors_and_closing(database: Callable[..., DatabaseWrapper], tmp_path: Path) -> None:
    def fail() -> None:
        with transaction.atomic(using=ALIAS):
            insert(main_connection(), "lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert is_ticket_free(tmp_path)
    with pytest.raises(OperationalError), transaction.atomic(using=ALIAS), main_connection().cursor() as cursor:
        cursor.execute("SELECT * FROM nothing")
    assert is_ticket_free(tmp_path)
    with transaction.atomic(using=ALIAS):
        insert(main_connection(), "lost too")
        main_connection().close()
        assert is_ticket_free(tmp_path)
    assert names(main_connection()) == []


def test_hooks_after_the_commit_run_without_the_ticket(
    database: Callable[..., DatabaseWrapper], tmp_path: Path
) -> None:
    seen: list[bool] = []
    with transaction.atomic(using=ALIAS):
        insert(main_connection(), "a")
        transaction.on_commit(lambda: seen.append(is_ticket_free(tmp_path)), using=ALIAS)
    assert seen == [True]


def test_a_writer_that_does_not_let_go_is_an_error_in_time(
    database: Callable[..., DatabaseWrapper], tmp_path: Path
) -> None:
    impatient = database(timeout=0.2)
    with transaction.atomic(using=ALIAS), pytest.raises(OperationalError, match="database is locked"):
        impatient.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    assert is_ticket_free(tmp_path)  # the one that gave up does not take it behind our back
    impatient.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    insert(impatient, "later")
    impatient.commit()
    impatient.set_autocommit(True)
    assert names(main_connection()) == ["later"]


def test_threads_wait_for_each_other_and_lose_nothing(database: Callable[..., DatabaseWrapper]) -> None:
    failures: list[BaseException] = []

    def write(wrapper: DatabaseWrapper, who: int) -> None:
        try:
            for count in range(20):
                wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
                insert(wrapper, f"{who}/{count}")
                wrapper.commit()
                wrapper.set_autocommit(True)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=write, args=(database(), who)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(names(main_connection())) == 120


def test_a_fork_and_a_killed_holder(database: Callable[..., DatabaseWrapper], tmp_path: Path) -> None:
    held = Ticket(tmp_path / "write.lock")
    held.take(1)
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()

    def child() -> None:
        try:
            Ticket(tmp_path / "write.lock").take(0.1)
        except TicketTimeoutError:
            held.free()  # a child cannot give away its parent's ticket
            told.put("excluded")
        held.is_held = False
        held.take(10)  # its own, once the parent lets go
        told.put("took it")
        os.kill(os.getpid(), 9)

    process = context.Process(target=child)
    process.start()
    assert told.get() == "excluded"
    assert not is_ticket_free(tmp_path)
    held.free()
    assert told.get() == "took it"
    process.join(10)
    assert process.exitcode == -9
    assert is_ticket_free(tmp_path)
    held.close()


def test_a_thread_that_ends_leaves_no_ticket(database: Callable[..., DatabaseWrapper], tmp_path: Path) -> None:
    def start_and_vanish() -> None:
        wrapper = DatabaseWrapper({**SETTINGS, "NAME": str(tmp_path / "midwatch.sqlite3"), "OPTIONS": {}}, "vanishing")
        wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)

    thread = threading.Thread(target=start_and_vanish)
    thread.start()
    thread.join(10)
    gc.collect()  # Django's wrapper is a ring of references
    assert is_ticket_free(tmp_path)


def test_without_autocommit_is_refused(database: Callable[..., DatabaseWrapper]) -> None:
    with pytest.raises(NotSupportedError, match="atomic"):
        main_connection().set_autocommit(False)


def test_ddl_and_vacuum_need_no_transaction_but_the_ticket(database: Callable[..., DatabaseWrapper]) -> None:
    other = database(timeout=0.1)
    with main_connection().cursor() as cursor:
        cursor.execute("CREATE TABLE second (id INTEGER)")
        cursor.execute("VACUUM")
    with transaction.atomic(using=ALIAS), other.cursor() as cursor, pytest.raises(OperationalError, match="locked"):
        cursor.execute("CREATE TABLE third (id INTEGER)")


def test_migrations_and_their_records(database: Callable[..., DatabaseWrapper]) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    recorder = MigrationRecorder(main_connection())
    recorder.ensure_schema()
    recorder.record_applied("people", "0001_initial")  # Django does this outside a transaction
    recorder.record_unapplied("people", "0001_initial")
    assert recorder.applied_migrations() == {}


def test_a_database_in_memory_has_no_ticket(database: Callable[..., DatabaseWrapper]) -> None:
    assert ticket_path(":memory:") is None
    assert ticket_path("file:memorydb_default?mode=memory&cache=shared") is None
    memory = database(name=":memory:")
    with memory.cursor() as cursor:
        cursor.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)")
    memory.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    insert(memory, "a")
    memory.commit()
    memory.set_autocommit(True)
    assert names(memory) == ["a"]


def test_the_ticket_of_a_test_database_is_its_own(tmp_path: Path) -> None:
    assert ticket_path(tmp_path / "midwatch.sqlite3") == tmp_path / "write.lock"
    assert ticket_path(tmp_path / "test_gw1.sqlite3") == tmp_path / "test_gw1.sqlite3.write.lock"


def test_a_thread_that_asks_little_keeps_little(database: Callable[..., DatabaseWrapper]) -> None:
    def kept() -> int:
        with main_connection().cursor() as cursor:
            cursor.execute("PRAGMA cache_size")
            return -int(cursor.fetchone()[0])

    def in_helper(found: list[int]) -> None:
        cache.is_helper_thread()
        made = database()
        with made.cursor() as cursor:
            cursor.execute("PRAGMA cache_size")
            found.append(-int(cursor.fetchone()[0]))
        made.close()

    found: list[int] = []
    helper = threading.Thread(target=in_helper, args=(found,))
    helper.start()
    helper.join(10)
    assert found == [cache.KIB_OF_HELPERS]
    assert kept() == cache.KIB, "other threads keep what they kept"
