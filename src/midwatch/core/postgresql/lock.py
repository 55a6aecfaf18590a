"""One node upgrades at a time: an advisory lock of the session, which PostgreSQL frees when the node dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

UPGRADE_LOCK = 0x6D696477  # "midw"


@contextmanager
def upgrading(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Waits for another node's upgrade. Migrations take longer than the limits of a working session allow."""
    connection.ensure_connection()
    connection.connection.answer_seconds = None
    with connection.cursor() as cursor:
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET {name} = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [UPGRADE_LOCK])
    try:
        yield
    finally:
        connection.close()  # with its lock and its settings
