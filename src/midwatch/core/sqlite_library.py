"""The SQLite library Midwatch runs on: one without the WAL-reset bug, put in place before anything opens a database.

SQLite before 3.51.3 (but for 3.50.7 and 3.44.6, which carry the fix) can lose committed data or damage the file when
two connections use one database in WAL mode. Distributions ship older ones, so the library of PyPI's `pysqlite3` takes
the place of Python's own `sqlite3`. One process must never have two SQLite libraries on one file (POSIX locks are
dropped when either of them closes it), therefore the swap is for the whole process and comes first:
`midwatch.django_settings` calls `swap_in` before Django reads a database setting.
"""

from __future__ import annotations

import sys

import pysqlite3
import pysqlite3.dbapi2

FIXED_FROM = (3, 51, 3)
FIXED_LINES = {(3, 50): 7, (3, 44): 6}  # release lines that got the fix, and from which patch on


def is_safe(version: tuple[int, int, int]) -> bool:
    """Is this SQLite free of the WAL-reset bug?"""
    patch = FIXED_LINES.get(version[:2])
    return version >= FIXED_FROM or (patch is not None and version[2] >= patch)


def library_version() -> tuple[int, int, int]:
    """The version of the library in use, for `doctor`."""
    major, minor, patch = pysqlite3.dbapi2.sqlite_version_info[:3]
    return (int(major), int(minor), int(patch))


def refuse_unsafe(version: tuple[int, int, int]) -> None:
    """Ends the start-up with a sentence when `version` may lose committed data."""
    if not is_safe(version):
        raise SystemExit(
            f"SQLite {'.'.join(map(str, version))} can lose committed data in WAL mode (the WAL-reset bug): "
            "install the Python package pysqlite3 0.6.1 or later (it carries SQLite 3.53), or use PostgreSQL"
        )


def swap_in() -> None:
    """Make every `import sqlite3` of this process mean the safe library. Ends the start-up when there is none."""
    refuse_unsafe(library_version())
    if "django.db.backends.sqlite3.base" in sys.modules and sys.modules.get("sqlite3.dbapi2") is not pysqlite3.dbapi2:
        raise SystemExit(
            "Django's SQLite backend was imported before midwatch.core.sqlite_library.swap_in(): call that first"
        )
    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2
