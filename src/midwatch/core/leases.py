"""Work is claimed by row, with a lease: a lease that ran out is work to do again.

A claim is a conditional update. On PostgreSQL the rows are locked with SKIP LOCKED first, so that nodes take different
ones; on SQLite the write transaction is the only writer there is, and Django leaves the lock out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db import models, transaction
from django.db.models import Q
from prometheus_client import Counter

from midwatch.core.statements import Select, fetch

TAKEN_OVER = Counter("midwatch_leases_taken_over", "Claims that ran out and were taken by somebody else.", ["work"])
M = TypeVar("M", bound=models.Model)


def held(due: models.QuerySet[M], now: datetime) -> models.QuerySet[M]:
    """Of `due` what nobody else has, locked until the transaction's end. What is done with it in the same transaction
    needs no lease: the lock ends with the node that holds it."""
    free = due.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
    return free.select_for_update(skip_locked=True, of=("self",))


class Claimable(Generic[M]):
    """What can be claimed, filtered and ordered, with its SQL written once: `Claimable(lambda now, channel: ...)`.

    The model has `claimed_until`. The first value is always the time.
    """

    def __init__(self, build: Callable[..., models.QuerySet[M]]) -> None:
        self._build = build
        # The first that is due, held or not: what is asked before a claim, since that takes SQLite's write ticket.
        self.first: Select[int] = Select(lambda *given: build(*given).values_list("pk", flat=True)[:1])
        self._selects: dict[int, Select[M]] = {}  # by the limit, which is written out in the SQL

    def rows(self, limit: int, now: datetime, *values: Any, **narrow: int) -> list[M]:
        """Up to `limit` that nobody holds, locked. `narrow`: only these, as a filter; it is rare and not prepared."""
        if narrow:
            return _rows(self.queryset(now, *values).filter(**narrow), now, limit)
        if limit not in self._selects:
            self._selects[limit] = Select(lambda at, *given: held(self._build(at, *given), at)[:limit])
        return self._selects[limit](now, *values)

    def queryset(self, now: datetime, *values: Any) -> models.QuerySet[M]:
        return self._build(now, *values)


def claim_due(due: Claimable[M], *, now: datetime, lease: timedelta, limit: int, values: Sequence[Any] = ()) -> list[M]:
    """`claim`, for what is looked at again and again and is seldom there: no transaction while nothing is due."""
    return claim(due, now=now, lease=lease, limit=limit, values=values) if due.first(now, *values) else []


def _rows(due: models.QuerySet[M], now: datetime, limit: int) -> list[M]:
    return fetch(held(due, now)[:limit])


def claim(
    due: Claimable[M] | models.QuerySet[M],
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    values: Sequence[Any] = (),
    **narrow: int,
) -> list[M]:
    """Take up to `limit` rows of `due` that nobody holds, until `now + lease`.

    `due`: prepared, with its further `values`; or a queryset, filtered and ordered, where claims are rare. Returned rows
    carry the new value of `claimed_until`; compare it when you write the outcome.
    """
    with transaction.atomic(savepoint=False):
        rows = due.rows(limit, now, *values, **narrow) if isinstance(due, Claimable) else _rows(due, now, limit)
        if not rows:
            return rows
        model = type(rows[0])
        taken_over = sum(row.claimed_until is not None for row in rows)  # type: ignore[attr-defined]
        if taken_over:
            TAKEN_OVER.labels(model._meta.model_name).inc(taken_over)
        until = now + lease
        model._default_manager.filter(pk__in=[row.pk for row in rows]).update(claimed_until=until)
        for row in rows:
            row.claimed_until = until  # type: ignore[attr-defined]
    return rows
