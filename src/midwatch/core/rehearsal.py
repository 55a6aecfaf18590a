"""What a transaction would do, without doing it and without being in anybody's way.

On PostgreSQL it is a transaction that is rolled back: it locks the rows that it changes and no others. On SQLite that would
hold the write ticket while it thinks, so writes go to copies there: the first write to a table makes one of it among the
connection's temporary tables, whose names hide those of the database. What is read is one state of the database throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import connection, transaction


@contextmanager
def rehearsal() -> Iterator[None]:
    """What is written inside is seen inside, and is gone afterwards. Within a transaction it is a part of that one."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
        return
    with cast("Any", connection).writing_to_copies(), transaction.atomic():
        yield
        transaction.set_rollback(True)
