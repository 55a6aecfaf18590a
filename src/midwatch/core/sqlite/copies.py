"""Temporary copies of tables that a rehearsal writes to (see `core.rehearsal`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_TARGET = re.compile(
    r'\s*(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM)\s+"(\w+)"', re.IGNORECASE
)
_TABLE = re.compile(r"\s*CREATE\s+TABLE\s+", re.IGNORECASE)
_INDEX = re.compile(r"\s*CREATE\s+(UNIQUE\s+)?INDEX\s+", re.IGNORECASE)


class NoCopyError(Exception):
    """A rehearsal wants to write where it cannot tell the table: it must not reach the database itself."""


def table_written(query: str) -> str:
    """Raises `NoCopyError`."""
    found = _TARGET.match(query)
    if found is None:
        raise NoCopyError(f"a rehearsal cannot write by {query[:60]!r}: name the table first, in double quotes")
    return found.group(1)


def make_copy(execute: Callable[..., Any], table: str) -> None:
    """Its rows, uniqueness and indexes, unless there is one. Asked each time: a savepoint that is rolled back takes it away."""
    if execute("SELECT 1 FROM temp.sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone():
        return
    kept = "SELECT type, sql FROM main.sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC"
    for kind, sql in execute(kept, (table,)).fetchall():
        if kind == "table":
            execute(_TABLE.sub("CREATE TEMP TABLE ", sql, count=1))
            execute(f'INSERT INTO temp."{table}" SELECT * FROM main."{table}"')  # noqa: S608 - a name of our own
        elif kind == "index":
            execute(_INDEX.sub(lambda found: f"CREATE {found.group(1) or ''}INDEX temp.", sql, count=1))
