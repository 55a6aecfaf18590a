"""What happens to a maintenance by the clock: it starts, it ends, it is reminded of. A job of the engine, row by row."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction

from midwatch.core import clock, leases, outbox
from midwatch.core.actor import ENGINE
from midwatch.core.guard import guarded
from midwatch.respond.statuspage.actions.notices import NewUpdate, due_at, post_update
from midwatch.respond.statuspage.models import Notice

LEASE = timedelta(seconds=30)
AT_ONCE = 20
DUE = leases.Claimable(lambda now: Notice.objects.filter(due_at__lte=now).order_by("due_at"))


def move_maintenances() -> int:
    """Start, end and remind of what is due. How many were."""
    claimed = leases.claim_due(DUE, now=clock.now(), lease=LEASE, limit=AT_ONCE)
    return sum(guarded("maintenance of a status page", partial(_move, one), otherwise=0) for one in claimed)


def _move(notice: Notice) -> int:
    now = clock.now()
    with transaction.atomic():
        current = Notice.objects.select_for_update().get(pk=notice.pk)
        if current.due_at is None or current.due_at > now:
            return 0
        is_starting = current.starts_by_itself and current.scheduled_for is not None and current.scheduled_for <= now
        if current.is_planned and not is_starting:
            current.reminded_at = now
            current.due_at = due_at(current)
            current.claimed_until = None
            current.save(update_fields=["reminded_at", "due_at", "claimed_until"])
            outbox.emit("statuspage.maintenance.reminder", {"notice": current.pk, "after": 0})
            return 1
        status, is_told = (
            ("in_progress", current.tells_at_start) if current.is_planned else ("completed", current.tells_at_end)
        )
        post_update(current, NewUpdate(status=status, is_told=is_told), ENGINE)
    return 1
