"""Work is claimed by row, with a lease: a lease that ran out is work to do again.

A claim is a conditional update. On PostgreSQL the rows are locked with SKIP LOCKED first, so that nodes take different
ones; on SQLite the write transaction is the only writer there is, and Django leaves the lock out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from django.db import models, transaction
from django.db.models import Q

M = TypeVar("M", bound=models.Model)


def claim(due: models.QuerySet[M], *, now: datetime, lease: timedelta, limit: int) -> list[M]:
    """Take up to `limit` rows of `due` (already filtered and ordered) that nobody holds, until `now + lease`.

    The model has `claimed_until`. Returned rows carry the new value; compare it when you write the outcome.
    """
    with transaction.atomic(savepoint=False):
        rows = list(
            due.filter(Q(claimed_until=None) | Q(claimed_until__lte=now)).select_for_update(
                skip_locked=True, of=("self",)
            )[:limit]
        )
        if rows:
            until = now + lease
            due.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(claimed_until=until)
            for row in rows:
                row.claimed_until = until  # type: ignore[attr-defined]
    return rows
