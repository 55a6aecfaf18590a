"""Forgetting messages that nobody needs any more, a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from midwatch.respond.alerts.models import OPEN
from midwatch.respond.notify.models import CoveredAlert, Delivery, DeliveryState, Page, PageState

ON_THEIR_WAY = (DeliveryState.WAITING, DeliveryState.SENDING)


def needed() -> list[Exists]:
    """Of an alert as the outer row: somebody is being called for it, a message is on its way, or a message about
    something open lists it."""
    covered = CoveredAlert.objects.filter(alert=OuterRef("pk"))
    return [
        Exists(Page.objects.filter(alert=OuterRef("pk"), state=PageState.RUNNING)),
        Exists(Delivery.objects.filter(alert=OuterRef("pk"), state__in=ON_THEIR_WAY)),
        Exists(covered.filter(Q(delivery__state__in=ON_THEIR_WAY) | Q(delivery__alert__status__in=OPEN))),
    ]


def forget_messages(alerts: Sequence[int], limit: int) -> int:
    """Of these alerts, at most `limit` deliveries; pages go with their alert."""
    with transaction.atomic():
        old = Delivery.objects.filter(alert__in=alerts).order_by("alert", "id").values_list("pk", flat=True)[:limit]
        return _forget(list(old))


def forget_loose_messages(before: datetime, limit: int) -> int:
    """Messages about no alert: tests of a method, hand-overs of a shift."""
    with transaction.atomic():
        oldest = Delivery.objects.filter(alert=None).order_by("id").values_list("pk", "created_at", "state")[:limit]
        return _forget([pk for pk, at, state in oldest if at < before and state not in ON_THEIR_WAY])


def _forget(deliveries: Sequence[int]) -> int:
    if not deliveries:
        return 0
    CoveredAlert.objects.filter(delivery__in=deliveries).delete()
    Delivery.objects.filter(pk__in=deliveries).delete()
    return len(deliveries)
