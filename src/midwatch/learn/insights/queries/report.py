"""All figures of a period for a team, a service or everybody, beside those of the period before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from midwatch.catalog.models import Service
from midwatch.learn.insights import measures
from midwatch.learn.insights.definitions import DEFINITIONS, Definition
from midwatch.learn.insights.measures import Lengths
from midwatch.learn.insights.queries.alerts import AlertCounts, PageCounts, alert_counts, page_counts
from midwatch.learn.insights.queries.incidents import IncidentCounts, ItemCounts, incident_counts, item_counts
from midwatch.people.models import Team

SHIFT = timedelta(hours=12)
PER_SHIFT_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Scope:
    """One team, one service, or everybody. Never a person."""

    team: Team | None = None
    service: Service | None = None

    @property
    def words(self) -> str:
        return str(self.service or self.team or "everybody")


@dataclass(frozen=True, slots=True)
class Figure:
    """`value`: what is compared: seconds, a share (0 to 1) or a count; None when there is nothing to say. `shown`: in words.
    `detail`: the rest ("p90 12 min, of 34"). `trend`: better, worse, same or "" against the period before."""

    definition: Definition
    value: float | None
    shown: str
    detail: str
    before: float | None
    trend: str


@dataclass(frozen=True, slots=True)
class Series:
    """A chart and its table: a value for each week."""

    title: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Report:
    scope: Scope
    start: datetime
    end: datetime
    figures: Sequence[Figure]
    weeks: Sequence[tuple[datetime, datetime]]
    series: Sequence[Series]
    by_severity: Sequence[tuple[str, int, str]]  # severity, incidents, median time to resolve

    def of(self, key: str) -> Figure:
        return next(figure for figure in self.figures if figure.definition.key == key)


@dataclass(frozen=True, slots=True)
class _Period:
    alerts: AlertCounts
    pages: PageCounts
    incidents: IncidentCounts
    items: ItemCounts
    shifts: float


def report(scope: Scope, start: datetime, end: datetime, now: datetime) -> Report:
    """`start` to `end`, and the same length before it for the trends."""
    this = _period(scope, start, end, now)
    before = _period(scope, start - (end - start), start, now)
    weeks = measures.weeks(start, end)
    incidents = this.incidents
    return Report(
        scope,
        start,
        end,
        _figures(this, before),
        weeks,
        (
            Series("Alerts", measures.by_week(this.alerts.by_week, weeks)),
            Series("Pages at night", measures.by_week(this.pages.by_week_at_night, weeks)),
            Series("Incidents", measures.by_week(incidents.by_week, weeks)),
        ),
        [
            (severity, count, measures.words(incidents.resolve_by_severity.get(severity, Lengths()).quantile(0.5)))
            for severity, count in sorted(incidents.by_severity.items())
        ],
    )


def _period(scope: Scope, start: datetime, end: datetime, now: datetime) -> _Period:
    team = scope.team.pk if scope.team else None
    service = scope.service.pk if scope.service else None
    return _Period(
        alert_counts(start, end, team=team, service=service),
        page_counts(start, end, team=team, service=service),
        incident_counts(start, end, now, team=team, service=service),
        item_counts(start, end, now, team=team, service=service),
        (end - start) / SHIFT,
    )


Value = tuple[float | None, str, str]


def _figures(this: _Period, before: _Period) -> list[Figure]:
    now, then = _values(this), _values(before)
    found = []
    for key, definition in DEFINITIONS.items():
        value, shown, detail = now[key]
        earlier = then[key][0] if key not in {"items_open", "items_overdue", "item_age"} else None
        trend = measures.trend(value, earlier, is_less_better=definition.is_less_better)
        found.append(Figure(definition, value, shown, detail, earlier, trend))
    return found


def _values(period: _Period) -> dict[str, Value]:
    alerts, pages, incidents, items = period.alerts, period.pages, period.incidents, period.items
    per_shift = alerts.paging / period.shifts if period.shifts else None
    over = "more than two a shift" if per_shift is not None and per_shift > PER_SHIFT_MAX else ""
    return {
        "alerts": _count(alerts.alerts),
        "alert_time_to_acknowledge": _length(alerts.to_acknowledge),
        "alert_time_to_resolve": _length(alerts.to_resolve),
        "noise": _share(alerts.untouched, alerts.ended),
        "repeats": _share(alerts.repeats, alerts.alerts),
        "pages": _count(pages.pages),
        "pages_out_of_hours": _count(pages.out_of_hours),
        "pages_at_night": _count(pages.at_night),
        "alerts_per_shift": (per_shift, f"{per_shift:.1f}" if per_shift is not None else "\u2013", over),
        "incidents": _count(incidents.incidents),
        "time_to_detect": _length(incidents.to_detect),
        "time_to_acknowledge": _length(incidents.to_acknowledge),
        "time_to_mitigate": _length(incidents.to_mitigate),
        "time_to_resolve": _length(incidents.to_resolve),
        "time_to_public_notice": _length(incidents.to_notice),
        "postmortems_in_time": _share(incidents.postmortems_in_time, incidents.postmortems_due),
        "promises_kept": _share(incidents.kept, incidents.kept + incidents.broken),
        "items_open": _count(items.open),
        "items_overdue": _count(items.overdue),
        "item_age": _length(items.age),
        "items_done_in_time": _share(items.done_in_time, items.done),
        "debts": _count(incidents.debts),
    }


def _count(value: int) -> Value:
    return (float(value), f"{value:,}", "")


def _share(part: int, whole: int) -> Value:
    value = measures.share(part, whole)
    return (
        value,
        "\u2013" if value is None else f"{value:.0%}",
        f"{part:,} of {whole:,}" if whole else "none to count",
    )


def _length(lengths: Lengths) -> Value:
    median = lengths.quantile(0.5)
    detail = (
        f"median; p90 {measures.words(lengths.quantile(0.9))}, mean {measures.words(lengths.mean())}, of {lengths.count:,}"
        if median is not None
        else "none to count"
    )
    return (median.total_seconds() if median is not None else None, measures.words(median), detail)
