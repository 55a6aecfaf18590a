"""Incidents, promises, post-mortems and action items of a period."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Count, F, Min, Q, QuerySet, Sum

from midwatch.learn.actions.models import ActionItem, DebtAnswer, ItemState
from midwatch.learn.insights import measures
from midwatch.learn.insights.measures import Lengths
from midwatch.learn.postmortems.models import Postmortem
from midwatch.respond.incidents.models import Incident, Promise, Update, UpdateState

WITHIN = timedelta(days=7)
LENGTHS = ("to_detect", "to_acknowledge", "to_mitigate", "to_resolve", "to_notice")


@dataclass(slots=True)
class IncidentCounts:
    incidents: int = 0
    by_severity: dict[str, int] = field(default_factory=dict)
    by_week: dict[datetime, int] = field(default_factory=dict)
    to_detect: Lengths = field(default_factory=Lengths)
    to_acknowledge: Lengths = field(default_factory=Lengths)
    to_mitigate: Lengths = field(default_factory=Lengths)
    to_resolve: Lengths = field(default_factory=Lengths)
    to_notice: Lengths = field(default_factory=Lengths)
    resolve_by_severity: dict[str, Lengths] = field(default_factory=dict)
    kept: int = 0
    broken: int = 0
    postmortems_due: int = 0
    postmortems_in_time: int = 0
    debts: int = 0


def of_period(
    start: datetime, end: datetime, *, team: int | None = None, service: int | None = None
) -> QuerySet[Incident]:
    """Declared in it (back-filled ones: by when they began); no drills, no merged duplicates."""
    found = Incident.objects.filter(
        Q(is_backfilled=False, declared_at__gte=start, declared_at__lt=end)
        | Q(is_backfilled=True, started_at__gte=start, started_at__lt=end),
        is_drill=False,
        merged_into=None,
    )
    if service is not None:
        return found.filter(service=service)
    return found.filter(team=team) if team is not None else found


def incident_counts(
    start: datetime, end: datetime, now: datetime, *, team: int | None = None, service: int | None = None
) -> IncidentCounts:
    scope = of_period(start, end, team=team, service=service)
    found = IncidentCounts()
    rows = scope.values_list(
        "pk",
        "severity",
        "started_at",
        "detected_at",
        "acknowledged_at",
        "mitigated_at",
        "resolved_at",
        "declared_at",
        "is_backfilled",
    )
    published = Update.objects.filter(incident__in=scope, state=UpdateState.PUBLISHED).exclude(external_text="")
    noticed = dict(published.values("incident").annotate(at=Min("published_at")).values_list("incident", "at"))
    for pk, severity, started, detected, acknowledged, mitigated, resolved, declared, is_backfilled in rows:
        found.incidents += 1
        found.by_severity[severity] = found.by_severity.get(severity, 0) + 1
        week = measures.week_of(started if is_backfilled else declared)
        found.by_week[week] = found.by_week.get(week, 0) + 1
        found.to_detect.add_length(detected - started)
        for lengths, moment in (
            (found.to_acknowledge, acknowledged),
            (found.to_mitigate, mitigated),
            (found.to_resolve, resolved),
        ):
            if moment is not None:
                lengths.add_length(moment - detected)
        if resolved is not None:
            found.resolve_by_severity.setdefault(severity, Lengths()).add_length(resolved - detected)
        if noticed.get(pk) is not None:
            found.to_notice.add_length(noticed[pk] - (detected if is_backfilled else declared))
    promises = Promise.objects.filter(incident__in=scope).aggregate(kept=Sum("kept_count"), broken=Sum("broken_count"))
    found.kept, found.broken = promises["kept"] or 0, promises["broken"] or 0
    _postmortems(found, scope, now)
    found.debts = DebtAnswer.objects.filter(incident__in=scope, would_have_prevented=True).count()
    return found


def _postmortems(found: IncidentCounts, scope: QuerySet[Incident], now: datetime) -> None:
    """Those whose week is over, or that were held within it."""
    rows = Postmortem.objects.filter(incident__in=scope, waived_at=None).values_list("due_at", "held_at")
    for due, held in rows:
        is_in_time = held is not None and held <= due
        if is_in_time or due <= now:
            found.postmortems_due += 1
            found.postmortems_in_time += is_in_time


@dataclass(slots=True)
class ItemCounts:
    open: int = 0
    overdue: int = 0
    age: Lengths = field(default_factory=Lengths)
    done: int = 0
    done_in_time: int = 0


def item_counts(
    start: datetime, end: datetime, now: datetime, *, team: int | None = None, service: int | None = None
) -> ItemCounts:
    items = ActionItem.objects.all()
    if service is not None:
        items = items.filter(service=service)
    elif team is not None:
        items = items.filter(team=team)
    found = ItemCounts()
    today: date = now.date()
    for opened, due in items.filter(state=ItemState.OPEN).values_list("opened_at", "due_on"):
        found.open += 1
        found.overdue += due is not None and due < today
        found.age.add_length(now - (opened or now))
    done = items.filter(state=ItemState.DONE, done_at__gte=start, done_at__lt=end).aggregate(
        all=Count("pk"), in_time=Count("pk", filter=Q(due_on__gte=F("done_at__date")))
    )
    found.done, found.done_in_time = done["all"], done["in_time"]
    return found
