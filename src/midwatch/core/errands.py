"""Rows that stand for something to be done outside, over the network: an update to a stakeholder, a chat channel to make.

Whoever wants it writes the row in the transaction of the wish. `engine/errands.py` claims it with a lease, does it outside
any transaction and writes what came of it. A crash may do one errand twice; none is lost, and a failing provider delays
nothing else. The model has `due_at` (None: nothing to do), `claimed_until`, `attempts` and `problem`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import Case, F, Value, When

from midwatch.core import clock, leases

LEASE = timedelta(seconds=60)  # longer than any errand may take: several requests of at most 10 s each
ATTEMPTS_MAX = 10  # with the pauses below: about four hours
PAUSE_FIRST_SECONDS = 5
PAUSE_MAX_SECONDS = 3_600
M = TypeVar("M", bound=models.Model)


def due(rows: Callable[[], models.QuerySet[M]]) -> leases.Claimable[M]:
    """What is due of these, oldest first; looked at every second, so its SQL is written once."""
    return leases.Claimable(lambda now: rows().exclude(due_at=None).filter(due_at__lte=now).order_by("due_at", "pk"))


def claim(rows: leases.Claimable[M], limit: int) -> list[M]:
    """Some of what is `due`, leased."""
    return leases.claim_due(rows, now=clock.now(), lease=LEASE, limit=limit)


def finish(row: models.Model, **values: Any) -> bool:
    """It is done, and nothing is due; but a wish that came meanwhile, with a `due_at` of its own, stays.
    False: the lease ran out, and somebody else has it. In the caller's transaction, or its own."""
    claimed = row.due_at  # type: ignore[attr-defined]
    still_due: Any = Case(
        When(due_at=claimed, then=Value(None)), default=F("due_at"), output_field=models.DateTimeField(null=True)
    )
    with transaction.atomic():
        return _write(row, **{"due_at": still_due, "attempts": 0, "problem": "", **values})


def postpone(
    row: models.Model, problem: str, *, is_permanent: bool = False, pause_seconds_min: float = 0.0, **given_up: Any
) -> bool:
    """It failed: again after a pause that doubles. True: given up, with the `given_up` values."""
    attempts = row.attempts + 1  # type: ignore[attr-defined]
    is_over = is_permanent or attempts >= ATTEMPTS_MAX
    seconds = min(max(PAUSE_FIRST_SECONDS * 2 ** min(attempts, 20), pause_seconds_min), PAUSE_MAX_SECONDS)
    pause = timedelta(seconds=seconds)
    with transaction.atomic():
        _write(
            row,
            attempts=attempts,
            problem=problem[:500],
            due_at=None if is_over else clock.now() + pause,
            **(given_up if is_over else {}),
        )
    return is_over


def _write(row: models.Model, **values: Any) -> bool:
    mine = type(row)._default_manager.filter(pk=row.pk, claimed_until=row.claimed_until)  # type: ignore[attr-defined]
    return bool(mine.update(claimed_until=None, **values))
