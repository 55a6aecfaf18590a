"""The event log: every raw event, on disk before its sender hears 202, in order, each counted exactly once.

The engine's side:

    with transaction.atomic(), event_log().next_batch(100) as batch:
        ...  # make alerts of batch.records
        batch.done()

Both kinds (a file beside SQLite, a table on PostgreSQL) keep the same promises; `records.EventLog` says them.
"""

from __future__ import annotations

import importlib
from functools import cache

from midwatch.intake.records import Batch, ConflictError, EventLog, Kind, LogError, Record, Store
from midwatch.intake.sqlite_log import SqliteLog, SqliteStore
from midwatch.settings import settings

__all__ = ["Batch", "ConflictError", "EventLog", "Kind", "LogError", "Record", "Store", "event_log", "store"]


@cache
def event_log() -> EventLog:
    """The log of this installation. Tests call `event_log.cache_clear()` after changing the settings."""
    if settings().is_sqlite:
        return SqliteLog(settings().event_log)
    found: EventLog = importlib.import_module("midwatch.intake.postgres_log").PostgresLog()
    return found


def store() -> Store:
    """The writing end, for the lane."""
    if settings().is_sqlite:
        return SqliteStore(settings().event_log, settings().main_database)
    made: Store = importlib.import_module("midwatch.intake.postgres_log").PostgresStore(settings().database_url)
    return made
