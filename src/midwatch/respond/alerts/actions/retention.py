"""Forgetting closed alerts and what was written about them, a few rows at a time. The only place where a timeline ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus, Maintenance, SourceProblem, TimelineEntry


def forgettable(before: datetime, tests_before: datetime, needed: Iterable[Exists], limit: int) -> list[int]:
    """Closed alerts that ended before, the oldest first, and tests; none that something open refers to."""
    closed = Alert.objects.filter(status=AlertStatus.RESOLVED)
    for need in [Exists(Alert.objects.filter(previous=OuterRef("pk"), status__in=OPEN)), *needed]:
        closed = closed.filter(~need)
    old = closed.filter(resolved_at__lt=before).order_by("resolved_at").values_list("pk", flat=True)[:limit]
    tests = closed.filter(is_test=True, created_at__lt=tests_before).order_by("created_at")
    return list(dict.fromkeys([*old, *tests.values_list("pk", flat=True)[:limit]]))[:limit]


def forget_timelines(alerts: Sequence[int], limit: int) -> int:
    with transaction.atomic():
        old = TimelineEntry.objects.filter(alert__in=alerts).order_by("alert", "id").values_list("pk", flat=True)
        count, _ = TimelineEntry.objects.filter(pk__in=list(old[:limit])).delete()
    return count


def forget_alerts(alerts: Sequence[int]) -> int:
    """With the little that is left of each: its escalation and pages. One that was opened again meanwhile stays."""
    with transaction.atomic():
        still = list(
            Alert.objects.select_for_update(of=("self",))
            .filter(pk__in=alerts, status=AlertStatus.RESOLVED)
            .values_list("pk", flat=True)
        )
        Alert.objects.filter(pk__in=still).delete()
    return len(still)


def forget_problems(before: datetime, limit: int) -> int:
    with transaction.atomic():
        old = SourceProblem.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)[:limit]
        count, _ = SourceProblem.objects.filter(pk__in=list(old)).delete()
    return count


def forget_maintenance(before: datetime, limit: int) -> int:
    with transaction.atomic():
        old = Maintenance.objects.filter(ends_at__lt=before).order_by("pk").values_list("pk", flat=True)[:limit]
        count, _ = Maintenance.objects.filter(pk__in=list(old)).delete()
    return count
