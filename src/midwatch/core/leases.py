"""Work is claimed by row, with a lease: a lease that ran out is work to do again.

A claim is a conditional update. On PostgreSQL the rows are locked with SKIP LOCKED first, so that nodes take different
ones; on SQLite the write transaction is the only writer there is, and Django leaves the lock out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from django.db import models, transaction
from django.db.models import Q
from prometheus_client import Counter

from midwatch.core.statements import fetch

TAKEN_OVER = Counter("midwatch_leases_taken_over", "Claims that ran out and were taken by somebody else.", ["work"])
M = TypeVar("M", bound=models.Model)


def held(due: models.QuerySet[M], now: datetime) -> models.QuerySet[M]:
    """Of `due` what nobody else has, locked until the transaction's end. What is done with it in the same transaction
    needs no lease: the lock ends with the node that holds it."""
    free = due.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
    return free.select_for_update(skip_locked=True, of=("self",))


def claim(due: models.QuerySet[M], *, now: datetime, lease: timedelta, limit: int) -> list[M]:
    """Take up to `limit` rows of `due` (already filtered and ordered) that nobody holds, until `now + lease`.

    The model has `claimed_until`. Returned rows carry the new value; compare it when you write the outcome.
    """
    with transaction.atomic(savepoint=False):
        # With its words written out: SQLite does not take a partial index for `state = ?` and would read the whole table.
        rows = fetch(held(due, now)[:limit])
        taken_over = sum(row.claimed_until is not None for row in rows)  # type: ignore[attr-defined]
        if taken_over:
            TAKEN_OVER.labels(due.model._meta.model_name).inc(taken_over)
        if rows:
            until = now + lease
            due.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(claimed_until=until)
            for row in rows:
                row.claimed_until = until  # type: ignore[attr-defined]
    return rows
