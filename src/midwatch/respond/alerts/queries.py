"""Reads of alerts. Every one of them is bounded, and goes by an index of `models.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.statements import Select
from midwatch.core.zones import zone
from midwatch.people.models import Membership, Team, User
from midwatch.respond.alerts import grouping
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus, Maintenance, Source, SourceProblem, TimelineEntry

PAGE_MAX = 200
TIMELINE_MAX = 500


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """`view`: all, mine (I have it), teams (my teams'). Empty tuples and words do not narrow."""

    status: tuple[str, ...] = ()
    service: str = ""
    team: str = ""
    q: str = ""
    view: str = "all"
    user: User | None = None
    priority: tuple[str, ...] = ()


def narrowed(by: AlertFilter) -> QuerySet[Alert]:
    """The alerts that a filter means, in no order yet.

    Names become ids first, so that the database walks the (status | service | team, number) indexes.
    """
    found = Alert.objects.filter(is_test=False)
    if by.status:
        found = found.filter(status__in=by.status)
    if by.service:
        found = found.filter(service_id__in=list(Service.objects.filter(name=by.service).values_list("pk", flat=True)))
    if by.team:
        found = found.filter(team_id__in=list(Team.objects.filter(name=by.team).values_list("pk", flat=True)))
    if by.priority:
        found = found.filter(priority__in=by.priority)
    if by.view == "mine" and by.user is not None:
        found = found.filter(acknowledged_by=by.user)
    if by.view == "teams" and by.user is not None:
        found = found.filter(team_id__in=list(team_ids(by.user)))
    if by.q:
        number = by.q.removeprefix("#")
        words = Q(title__icontains=by.q) | Q(dedup_key=by.q)
        is_number = number.isascii() and number.isdigit() and len(number) < 16
        found = found.filter(words | Q(number=int(number)) if is_number else words)
    return found


def alerts(by: AlertFilter, *, before_number: int | None = None, limit: int = 50) -> list[Alert]:
    """Newest first. The next page starts below the last number shown, so rows that arrive meanwhile move nothing."""
    found = narrowed(by)
    if before_number is not None:
        found = found.filter(number__lt=before_number)
    return list(
        found.select_related("service", "team", "acknowledged_by", "source").order_by("-number")[: min(limit, PAGE_MAX)]
    )


def newer_than(by: AlertFilter, number: int, *, at_most: int = 100) -> int:
    """How many alerts came after `number`, counted up to `at_most`."""
    return len(narrowed(by).filter(number__gt=number).order_by("number").values_list("pk", flat=True)[:at_most])


def get_alert(number: int) -> Alert:
    return Alert.objects.select_related("service", "team", "acknowledged_by", "resolved_by", "source", "previous").get(
        number=number
    )


def timeline(alert: Alert, *, after_id: int = 0) -> list[TimelineEntry]:
    """Oldest first; the newest `TIMELINE_MAX` when there are more."""
    newest = TimelineEntry.objects.filter(alert=alert, pk__gt=after_id).order_by("-id")[:TIMELINE_MAX]
    return list(reversed(newest))


def team_ids(user: User) -> QuerySet[Membership, int]:
    return Membership.objects.filter(user=user).values_list("team_id", flat=True)


def open_count(by: AlertFilter | None = None, *, at_most: int = 1_000) -> int:
    """Open alerts, counted up to `at_most`."""
    found = narrowed(by or AlertFilter()).filter(status__in=OPEN).order_by()
    return found.values_list("pk", flat=True)[:at_most].count()


@dataclass(frozen=True, slots=True)
class Similar:
    alert: Alert
    what_helped: str  # the last note before it was resolved, or ""


def similar(alert: Alert, *, limit: int = 5) -> list[Similar]:
    """The same condition in the last 30 days (same source and key, else same service and title), with what fixed it."""
    since = clock.now() - timedelta(days=30)
    if alert.source_id:
        same = Alert.objects.filter(source=alert.source_id, dedup_key=alert.dedup_key)
    else:
        same = Alert.objects.filter(service=alert.service_id, title=alert.title)
    found = list(
        same.filter(created_at__gte=since, is_test=False)
        .exclude(pk=alert.pk)
        .select_related("resolved_by")
        .order_by("-id")[:limit]
    )
    notes: dict[int, str] = {}
    for note in TimelineEntry.objects.filter(alert__in=found, kind="note").order_by("id")[:TIMELINE_MAX]:
        notes[note.alert_id] = note.text
    return [Similar(one, notes.get(one.pk, "")) for one in found]


def urgency_now(priority: str, service: Service | None, now: datetime) -> str:
    """high or low, as the service says for this priority at this hour."""
    if service is None:
        return "high" if priority in grouping.HIGH else "low"
    hours = service.support_hours
    return grouping.urgency_of(
        priority,
        service_urgency=service.urgency,
        support_hours=hours,
        now=now,
        zone=zone(hours.get("timeZone", "UTC")) if hours else None,
    )


def maintenance_of(service_ids: Iterable[int], at: datetime) -> dict[int, Maintenance]:
    """The maintenance in force at `at`, by service."""
    return {window.service_id: window for window in _IN_FORCE(set(service_ids), at)}


_IN_FORCE = Select(
    lambda services, at: Maintenance.objects.filter(
        service_id__in=services, starts_at__lte=at, ends_at__gt=at
    ).order_by("ends_at")
)


def maintenances(service: Service | None = None, *, limit: int = 50) -> list[Maintenance]:
    """Running and planned ones, soonest first. One that was called off ends when it begins, and is none."""
    found = (
        Maintenance.objects.filter(ends_at__gt=clock.now()).exclude(ends_at=F("starts_at")).select_related("service")
    )
    return list((found.filter(service=service) if service else found).order_by("starts_at")[:limit])


def problems(source: Source, *, limit: int = 20) -> list[SourceProblem]:
    return list(SourceProblem.objects.filter(source=source).order_by("-id")[:limit])


def snoozed_and_over(now: datetime, *, limit: int = 100) -> list[Alert]:
    return list(Alert.objects.filter(status=AlertStatus.ACKNOWLEDGED, snoozed_until__lte=now)[:limit])


def expired(now: datetime, *, limit: int = 100) -> list[Alert]:
    """Open alerts whose source fell silent for as long as it said that means resolved."""
    return list(Alert.objects.filter(expires_at__lte=now, status__in=OPEN).order_by("expires_at")[:limit])


def silent_sources(now: datetime, *, limit: int = 50) -> list[Source]:
    return list(
        Source.objects.filter(expected_at__lte=now, is_active=True)
        .select_related("service__team")
        .order_by("expected_at")[:limit]
    )
