"""Numbers that people say: given in order, without gaps that a reader could miss.

A counter is a table of one row with a column `last`. The row is locked until the commit of whatever takes the number.
"""

from __future__ import annotations

from functools import cache

from django.db import connection, models


@cache
def _statement(counter: type[models.Model]) -> str:
    table = counter._meta.db_table
    return f"""
INSERT INTO {table} (id, last) VALUES (1, %s)
ON CONFLICT (id) DO UPDATE SET last = {table}.last + excluded.last RETURNING last
"""  # noqa: S608 - names of our own


def next_numbers(counter: type[models.Model], count: int = 1) -> int:
    """The first of `count` new numbers. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(counter), [count])
        return int(cursor.fetchone()[0]) - count + 1
