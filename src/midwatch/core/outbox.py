"""Going up the loop is by event: a lower room writes here, in its own transaction, and never calls a higher one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from midwatch.core import clock, wake
from midwatch.core.models import OutboxEvent
from midwatch.core.rows import insert_rows


def emit(name: str, payload: Mapping[str, Any], *, due_at: datetime | None = None) -> None:
    """Say that something happened. `payload` holds ids and plain values. Wakes the engine after the commit."""
    emit_many(name, [payload], due_at=due_at)


def emit_many(name: str, payloads: Iterable[Mapping[str, Any]], *, due_at: datetime | None = None) -> None:
    now = clock.now()
    insert_rows(
        [OutboxEvent(name=name, payload=dict(payload), created_at=now, due_at=due_at or now) for payload in payloads]
    )
    transaction.on_commit(wake.wake)


def forget_done(done_before: datetime, quarantined_before: datetime, limit: int) -> int:
    """Events whose reaction is done, and those put aside so long ago that nobody will look. At most `limit` of each."""
    with transaction.atomic():
        done = OutboxEvent.objects.filter(done_at__lt=done_before).order_by("done_at").values_list("pk", flat=True)
        count, _ = OutboxEvent.objects.filter(pk__in=list(done[:limit])).delete()
    return count + _forget_quarantined(quarantined_before, limit)


def _forget_quarantined(before: datetime, limit: int) -> int:
    with transaction.atomic():
        aside = OutboxEvent.objects.filter(quarantined_at__lt=before).order_by("quarantined_at")
        count, _ = OutboxEvent.objects.filter(pk__in=list(aside.values_list("pk", flat=True)[:limit])).delete()
    return count
