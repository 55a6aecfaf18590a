"""Django's SQLite backend with Midwatch's floor under it.

Every write transaction holds the write ticket from before BEGIN IMMEDIATE to after COMMIT or ROLLBACK; a write outside
a transaction is an error, so none escapes the ticket. WAL, synchronous=FULL, no memory mapping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from django.db.utils import NotSupportedError, OperationalError, ProgrammingError

from midwatch.core import sqlite_library
from midwatch.core.sqlite import cache
from midwatch.core.sqlite.copies import make_copy, table_written
from midwatch.core.sqlite.ticket import Ticket, TicketTimeoutError, ticket_path

sqlite_library.swap_in()  # before Django's backend takes hold of a library

from django.db.backends.sqlite3 import base  # noqa: E402
from django.utils.dateparse import parse_datetime  # noqa: E402

TIMEOUT_SECONDS = 10.0
PRAGMAS = "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA mmap_size=0;PRAGMA journal_size_limit=67108864"
_READS = frozenset(
    {"SELECT", "PRAGMA", "EXPLAIN", "VALUES", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"}
)
_ROW_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})
_FIRST_WORD = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*([A-Za-z]+)", re.DOTALL)
_WITH_WRITE = re.compile(r"\)\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_MIGRATION_RECORD = re.compile(r'\s*(INSERT INTO|DELETE FROM) "django_migrations"')


def _moment(stored: bytes) -> datetime | None:
    text = stored.decode()
    try:
        return datetime.fromisoformat(text)  # what Django's own converter tries first, two calls later
    except ValueError:
        return parse_datetime(text)


pysqlite3.dbapi2.register_converter("datetime", _moment)


def first_word(query: str) -> str:
    """The statement's verb in capitals: `WITH ... INSERT` is an INSERT."""
    found = _FIRST_WORD.match(query)
    word = found.group(1).upper() if found else ""
    if word == "WITH":
        write = _WITH_WRITE.search(query)
        return write.group(1).upper() if write else "SELECT"
    return word


class DatabaseWrapper(base.DatabaseWrapper):
    display_name = "SQLite with a write ticket"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ticket: Ticket | None = None
        self.writes_to_copies = False
        self.ticket_timeout_seconds = TIMEOUT_SECONDS

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params.setdefault("timeout", TIMEOUT_SECONDS)
        self.ticket_timeout_seconds = float(params["timeout"])
        if isinstance(params["database"], Path):
            params["database"] = str(params["database"])
        self.transaction_mode = "IMMEDIATE"  # DEFERRED failed 699 of 800 read-then-write transactions
        given: list[str] = self.init_commands  # type: ignore[has-type]
        self.init_commands = [*PRAGMAS.split(";"), cache.pragma(), *given]
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if self._ticket is not None:
            self._ticket.close()
        path = ticket_path(conn_params["database"])
        self._ticket = None if path is None else Ticket(path)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=lambda connection: GuardedCursor(connection, self))

    def take_ticket(self) -> None:
        """Raises `OperationalError` when another writer does not let go."""
        if self._ticket is None:
            return
        try:
            self._ticket.take(self.ticket_timeout_seconds)
        except (TicketTimeoutError, OSError) as error:
            raise OperationalError(f"database is locked: {error}") from error

    def free_ticket(self) -> None:
        """Free it when no transaction is open; after a COMMIT that failed it stays until the ROLLBACK."""
        if self._ticket is not None and (self.connection is None or not self.connection.in_transaction):
            self._ticket.free()

    @property
    def is_ticket_held(self) -> bool:
        return self._ticket is not None and self._ticket.is_held

    @contextmanager
    def writing_to_copies(self) -> Iterator[None]:
        """Meanwhile a transaction holds no ticket, for it writes to temporary copies of tables. It has to be rolled back."""
        assert not self.in_atomic_block, "a transaction that has begun cannot become a rehearsal"
        with self.cursor() as cursor:
            cursor.execute("PRAGMA foreign_keys=OFF")  # a copy would refer to copies
            self.writes_to_copies, mode, self.transaction_mode = True, self.transaction_mode, "DEFERRED"
            try:
                yield
            finally:
                self.writes_to_copies, self.transaction_mode = False, mode
                cursor.execute("PRAGMA foreign_keys=ON")

    def _start_transaction_under_autocommit(self) -> None:
        if self.writes_to_copies:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # django-stubs leaves these hooks out
            return
        self.take_ticket()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # django-stubs leaves these hooks out
        finally:
            self.free_ticket()

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]  # django-stubs leaves these hooks out
        finally:
            self.free_ticket()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # django-stubs leaves these hooks out
        finally:
            self.free_ticket()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # django-stubs leaves these hooks out
        finally:
            if self._ticket is not None:
                self._ticket.close()

    def _set_autocommit(self, autocommit: bool) -> None:
        if not autocommit:
            raise NotSupportedError(
                "use transaction.atomic(): without autocommit a write would escape the write ticket"
            )
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # django-stubs leaves these hooks out


class GuardedCursor(base.SQLiteCursorWrapper):
    """Refuses writes of rows outside a transaction; other statements that write hold the ticket while they run."""

    def __init__(self, connection: Any, wrapper: DatabaseWrapper) -> None:
        super().__init__(connection)
        self._sqlite = connection
        self._wrapper = wrapper

    def execute(self, query: str, params: Any = None) -> Any:
        if self._wrapper.writes_to_copies:
            self._copy_for(query)
            return super().execute(query, params)
        if self._sqlite.in_transaction or not self._writes(query):
            return super().execute(query, params)
        self._wrapper.take_ticket()
        try:
            return super().execute(query, params)
        finally:
            self._wrapper.free_ticket()

    def _copy_for(self, query: str) -> None:
        if first_word(query) in _READS:
            return
        if not self._sqlite.in_transaction:
            self._refuse(query)
        make_copy(self._sqlite.execute, table_written(query))

    def executemany(self, query: str, param_list: Any) -> Any:
        if self._wrapper.writes_to_copies:
            self._copy_for(query)
            return super().executemany(query, param_list)
        if not self._sqlite.in_transaction:
            self._refuse(query)
        return super().executemany(query, param_list)

    def _writes(self, query: str) -> bool:
        word = first_word(query)
        if word in _READS or self._wrapper.is_ticket_held:
            return False
        if word in _ROW_WRITES and not _MIGRATION_RECORD.match(
            query
        ):  # Django records non-atomic migrations by themselves
            self._refuse(query)
        return True

    def _refuse(self, query: str) -> None:
        table = re.search(r'"(\w+)"', query)
        raise ProgrammingError(
            f"{first_word(query)} of {table.group(1) if table else 'rows'} outside a transaction: "
            "put it inside transaction.atomic(), where it holds the write ticket"
        )
