"""Writing chosen columns of many rows: one prepared UPDATE, run for each row.

Django's `bulk_update` builds a CASE with a branch for each row and column, which was most of the CPU time of draining
the event log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from django.db import connection, models


def update_columns(rows: Iterable[models.Model], fields: Sequence[str]) -> None:
    """Write `fields` of each row by its primary key. In the caller's transaction; all rows are of one model."""
    loaded = list(rows)
    if not loaded:
        return
    meta = loaded[0]._meta
    columns = [cast("models.Field[Any, Any]", meta.get_field(name)) for name in fields]
    assert meta.pk is not None, "rows are found by their primary key"
    quote = connection.ops.quote_name
    assignments = ", ".join(f"{quote(str(column.column))} = %s" for column in columns)
    statement = f"UPDATE {quote(meta.db_table)} SET {assignments} WHERE {quote(str(meta.pk.column))} = %s"  # noqa: S608 - names of our own
    values = [
        [*(column.get_db_prep_save(getattr(row, column.attname), connection) for column in columns), row.pk]
        for row in loaded
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
