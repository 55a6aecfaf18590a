"""How much of the database a connection of SQLite keeps in memory. Each thread has a connection, so it counts often.

SQLite's own default, 2 MB, fills slowly: as a file grows, each thread that looks at it goes on growing for hours.
"""

from __future__ import annotations

import threading

KIB = 2_000  # SQLite's default, for threads that do much
KIB_OF_HELPERS = 256

_own = threading.local()


def is_helper_thread() -> None:
    """The calling thread asks little: the connection that it opens from now on keeps little."""
    _own.kib = KIB_OF_HELPERS


def pragma() -> str:
    return f"PRAGMA cache_size=-{getattr(_own, 'kib', KIB)}"
