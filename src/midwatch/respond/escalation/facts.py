"""Figures of paging that lower rooms ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from midwatch.core.contribute import Fact
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.models import Escalation

LOOKED_AT_MAX = 5_000


def paged_by_service(since: datetime) -> Mapping[int, int]:
    """Alerts since then that paged somebody, of the newest 5,000, by service."""
    newest = (
        Alert.objects.filter(is_test=False, number__isnull=False)
        .order_by("-number")
        .values_list("pk", "service_id", "created_at")[:LOOKED_AT_MAX]
    )
    recent = {pk: service for pk, service, at in newest if service is not None and at >= since}
    counted: Counter[int] = Counter()
    keys = list(recent)
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        for alert in (
            Escalation.objects.filter(alert_id__in=part).exclude(sent_at=None).values_list("alert_id", flat=True)
        ):
            counted[recent[alert]] += 1
    return counted


FACTS = (Fact("alerts.paged_by_service", paged_by_service),)
