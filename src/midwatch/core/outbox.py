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
