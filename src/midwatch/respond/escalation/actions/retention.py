"""What escalation needs of an old alert: as long as this is true, the alert stays."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from midwatch.respond.escalation.models import Escalation, EscalationState


def needed() -> list[Exists]:
    """Of an alert as the outer row: something is due for it, or others page with it."""
    own = Escalation.objects.filter(Q(due_at__isnull=False) | ~Q(state=EscalationState.ENDED), alert=OuterRef("pk"))
    led = Escalation.objects.filter(leader__alert=OuterRef("pk")).exclude(state=EscalationState.ENDED)
    return [Exists(own), Exists(led)]
