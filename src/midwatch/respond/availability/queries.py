"""What was up and what was down, read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.respond.alerts.models import Maintenance
from midwatch.respond.availability import intervals
from midwatch.respond.availability.intervals import Day, Interval, Level, Sums
from midwatch.respond.availability.models import Outage

OUTAGES_MAX = 20_000  # of one question; more than this is refused rather than cut


def outages_of(
    services: Collection[Service] | Collection[int],
    start: datetime,
    end: datetime,
    *,
    is_public: bool = False,
) -> QuerySet[Outage]:
    """Those that touch the window, the earliest first. `is_public`: without private ones."""
    keys = [one.pk if isinstance(one, Service) else one for one in services]
    found = Outage.objects.filter(
        Q(ends_at=None) | Q(ends_at__gte=start), service_id__in=keys, starts_at__lt=end, withdrawn_at=None
    )
    if is_public:
        found = found.filter(is_private=False)
    return found.order_by("starts_at", "pk")


def open_outages(services: Collection[int], *, is_public: bool = False) -> QuerySet[Outage]:
    found = Outage.objects.filter(service_id__in=services, ends_at=None, withdrawn_at=None)
    return (found.filter(is_private=False) if is_public else found).order_by("starts_at", "pk")


def outages_from(origin: str) -> QuerySet[Outage]:
    """What one origin, such as "incident/42", or a part of it ("incident/42/7") has written and not withdrawn."""
    mine = Q(origin=origin) | Q(origin__startswith=f"{origin}/")
    return Outage.objects.filter(mine, withdrawn_at=None).exclude(origin="").order_by("starts_at", "pk")


def levelled(outages: Iterable[Outage], until: datetime) -> dict[int, list[tuple[Level, Interval]]]:
    """By service id. What is still open lasts until `until`."""
    found: dict[int, list[tuple[Level, Interval]]] = {}
    for one in outages:
        interval = Interval(one.starts_at, until if one.ends_at is None else one.ends_at)
        found.setdefault(one.service_id, []).append((cast(Level, one.level), interval))
    return found


def maintenance_of(services: Collection[int], start: datetime, end: datetime) -> dict[int, list[Interval]]:
    """By service id, what of the window was announced as maintenance."""
    found: dict[int, list[Interval]] = {}
    rows = Maintenance.objects.filter(service_id__in=services, starts_at__lt=end, ends_at__gt=start)
    for one in rows.order_by("starts_at"):
        found.setdefault(one.service_id, []).append(Interval(one.starts_at, one.ends_at))
    return found


@dataclass(frozen=True, slots=True)
class Uptime:
    """Of one service. `sums` over the part of the window that has passed; `layers` by level without overlap."""

    sums: Sums
    layers: Mapping[Level, list[Interval]]

    @property
    def percent(self) -> float | None:
        return self.sums.uptime_percent()

    def days(
        self, first: date, last: date, zone: ZoneInfo, *, known_from: datetime, known_until: datetime
    ) -> list[Day]:
        return intervals.per_day(self.layers, first, last, zone, known_from=known_from, known_until=known_until)


def uptime(
    services: Collection[Service] | Collection[int],
    start: datetime,
    end: datetime,
    *,
    excuses_maintenance: bool = True,
    is_public: bool = False,
) -> dict[int, Uptime]:
    """By service id, for every one that was asked for. A window that reaches into the future ends now.

    Maintenance is subtracted here, afterwards and by policy (`excuses_maintenance`): what is stored says what happened.
    Raises `ValueError` when there are more outages than can be added up at once.
    """
    keys = [one.pk if isinstance(one, Service) else one for one in services]
    until = min(end, clock.now())
    rows = list(outages_of(keys, start, until, is_public=is_public)[: OUTAGES_MAX + 1])
    if len(rows) > OUTAGES_MAX:
        raise ValueError(f"more than {OUTAGES_MAX} outages in this window: ask for a shorter one")
    by_service = levelled(rows, until)
    excused = maintenance_of(keys, start, until) if excuses_maintenance and keys else {}
    found: dict[int, Uptime] = {}
    for key in keys:
        layers = intervals.without(intervals.worst_of(by_service.get(key, ())), excused.get(key, ()))
        clipped = {level: intervals.clip(some, start, until) for level, some in layers.items()}
        found[key] = Uptime(intervals.sums(clipped, start, until), clipped)
    return found
