"""Maintenance of a service: its alerts are kept, nobody is paged, what still fires at the end pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.respond.alerts.models import Maintenance

LENGTH_MAX = timedelta(days=90)


def start_maintenance(
    service: Service, by: Actor, *, starts_at: datetime, ends_at: datetime, reason: str = ""
) -> Maintenance:
    """Now or planned. Raises ValueError with a sentence."""
    now = clock.now()
    if ends_at <= starts_at or ends_at <= now:
        raise ValueError("the end must lie after the start and in the future")
    if ends_at - starts_at > LENGTH_MAX:
        raise ValueError(f"give at most {LENGTH_MAX.days} days")
    with transaction.atomic():
        maintenance = Maintenance.objects.create(
            service=service,
            starts_at=starts_at,
            ends_at=ends_at,
            reason=clean(reason, 300, is_one_line=True),
            created_by=str(by)[:200],
            created_at=now,
        )
        audit.record(
            by, "start maintenance", "service", service.name, {"from": starts_at.isoformat(), "to": ends_at.isoformat()}
        )
        outbox.emit(
            "maintenance.started", {"maintenance": maintenance.pk, "service": service.pk}, due_at=max(starts_at, now)
        )
        outbox.emit("maintenance.ended", {"maintenance": maintenance.pk, "service": service.pk}, due_at=ends_at)
    return maintenance


def end_maintenance(maintenance: Maintenance, by: Actor) -> None:
    """End it now. What still fires pages at once."""
    now = clock.now()
    with transaction.atomic():
        changed = Maintenance.objects.filter(pk=maintenance.pk, ends_at__gt=now).update(
            ends_at=max(now, maintenance.starts_at) if maintenance.starts_at <= now else maintenance.starts_at
        )
        if changed:
            audit.record(by, "end maintenance", "service", maintenance.service.name)
            outbox.emit("maintenance.ended", {"maintenance": maintenance.pk, "service": maintenance.service_id})
