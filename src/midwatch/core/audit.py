"""The audit log: one act, one entry, in the act's own transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.core.rows import insert_rows


def record(
    actor: Actor, verb: str, object_kind: str, object_name: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Call inside the transaction of the act. `detail` holds plain values and never a secret."""
    record_many(actor, [(verb, object_kind, object_name, detail)])


def record_many(actor: Actor, acts: Iterable[tuple[str, str, str, Mapping[str, Any] | None]]) -> None:
    """One entry for each of `acts`: verb, kind and name of the object, detail."""
    now = clock.now()
    insert_rows(
        AuditEntry(
            at=now,
            who=str(actor)[:200],
            user_id=actor.user_id,
            via=actor.via,
            verb=verb,
            object_kind=object_kind,
            object_name=str(object_name)[:200],
            detail=dict(detail or {}),
        )
        for verb, object_kind, object_name, detail in acts
    )


def forget(before: datetime, limit: int) -> int:
    """Entries are written in the order of time, so the oldest are the first."""
    with transaction.atomic():
        oldest = AuditEntry.objects.order_by("pk").values_list("pk", "at")[:limit]
        count, _ = AuditEntry.objects.filter(pk__in=[pk for pk, at in oldest if at < before]).delete()
    return count
