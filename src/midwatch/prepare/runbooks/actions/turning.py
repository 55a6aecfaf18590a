"""A whole runbook off, or on again."""

from __future__ import annotations

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.people.managed import guard
from midwatch.prepare.runbooks.models import Runbook


def turn_runbook(runbook: Runbook, by: Actor, *, is_active: bool) -> bool:
    """False when it was so already. One that is off is read, and not carried out. Raises `FromCodeError`."""
    guard(runbook, None)
    with transaction.atomic():
        rows = Runbook.objects.filter(pk=runbook.pk).exclude(is_active=is_active)
        has_changed = rows.update(is_active=is_active, updated_at=clock.now()) == 1
        if has_changed:
            audit.record(by, "change", "runbook", runbook.name, {"is_active": is_active})
    return has_changed
