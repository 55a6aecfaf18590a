"""One node upgrades at a time: an advisory lock of the session, which PostgreSQL frees when the node dies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

UPGRADE_LOCK = 0x6D696477  # "midw"
ASK_EVERY_SECONDS = 0.2


@contextmanager
def upgrading(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Waits for another node's upgrade. Migrations take longer than the limits of a working session allow."""
    connection.ensure_connection()
    connection.connection.answer_seconds = None
    with connection.cursor() as cursor:
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET {name} = 0")
        # Asked again and again: a statement that waits for the lock is a transaction as old as its wait, and CREATE INDEX
        # CONCURRENTLY of the node that has the lock waits for all that are older than itself.
        while not _got(cursor):
            threading.Event().wait(ASK_EVERY_SECONDS)
    try:
        yield
    finally:
        connection.close()  # with its lock and its settings


def _got(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [UPGRADE_LOCK])
    return bool(cursor.fetchone()[0])
