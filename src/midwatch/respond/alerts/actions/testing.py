"""Proving that a source is wired up, without waking anybody."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.integration import Event
from midwatch.respond.alerts.actions.record import Arrival, Recorded, record
from midwatch.respond.alerts.models import Alert, Source

SHOWN_FOR = timedelta(minutes=10)


def send_test_alert(source: Source, by: Actor) -> Recorded:
    """An alert that takes no number, pages nobody, stands in no list and resolves by itself.

    The caller starts its escalation (which says that a test pages nobody) in the same transaction.
    """
    now = clock.now()
    event = Event(
        key=f"midwatch/test/{secrets.token_hex(8)}",
        status="firing",
        title=f"TEST of {source.name}, no action needed",
        description=f"Sent by {by}.",
        starts_at=now,
    )
    with transaction.atomic():
        recorded = record([Arrival(source, event, now, is_test=True, priority="P5")])
        Alert.objects.filter(pk__in=[alert.pk for alert, _ in recorded.opened]).update(expires_at=now + SHOWN_FOR)
        audit.record(by, "send test alert", "source", source.name)
    return recorded
