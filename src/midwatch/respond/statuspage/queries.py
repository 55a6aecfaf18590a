"""What a page shows, read: in a number of queries that does not grow with the page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, Q, QuerySet

from midwatch.core import clock, zones
from midwatch.respond.availability import intervals
from midwatch.respond.availability.intervals import Day, Interval, Level
from midwatch.respond.availability.queries import Uptime, open_outages, uptime
from midwatch.respond.statuspage import standing
from midwatch.respond.statuspage.models import OVER, Component, ComponentChange, Notice, NoticeKind, NoticeUpdate, Page
from midwatch.respond.statuspage.standing import LEVEL_OF, STATUS_OF_LEVEL, Standing

BAR_DAYS = 90
HISTORY_DAYS = 15
NOTICES_MAX = 200  # of one answer
_ORDERED_UPDATES = Prefetch("updates", queryset=NoticeUpdate.objects.order_by("-display_at", "-id"))
_ORDERED_COMPONENTS = Prefetch("components", queryset=Component.objects.order_by("position", "id"))


def pages() -> QuerySet[Page]:
    return Page.objects.select_related("team").order_by("title", "name")


def notices_of(page: Page) -> QuerySet[Notice]:
    """With their updates (the newest first) and components, in two more queries."""
    return Notice.objects.filter(page=page).prefetch_related(_ORDERED_UPDATES, _ORDERED_COMPONENTS)


def open_notices(page: Page) -> list[Notice]:
    """Incidents and maintenances that are not over, the newest first."""
    return list(notices_of(page).exclude(status__in=OVER).order_by("-started_at", "-pk")[:NOTICES_MAX])


def incidents(notices: Iterable[Notice]) -> list[Notice]:
    return [one for one in notices if one.kind == NoticeKind.INCIDENT]


def maintenances(notices: Iterable[Notice], *, is_planned: bool | None = None) -> list[Notice]:
    """`is_planned`: only those that have not begun, or only those under way."""
    return [
        one
        for one in notices
        if one.kind == NoticeKind.MAINTENANCE and (is_planned is None or one.is_planned == is_planned)
    ]


def shown_statuses(components: Iterable[Component]) -> dict[int, str]:
    """By component id: as it was set, or worse where it follows its service's open outages; a group's is its worst."""
    rows = list(components)
    following = {one.service_id for one in rows if one.is_automatic and one.service_id is not None}
    levels: dict[int, list[str]] = {}
    for outage in open_outages(following, is_public=True) if following else ():
        levels.setdefault(outage.service_id, []).append(STATUS_OF_LEVEL[outage.level])
    found: dict[int, str] = {}
    for one in rows:
        also = levels.get(one.service_id, []) if one.is_automatic and one.service_id is not None else []
        found[one.pk] = standing.worst_status([one.status, *also])
    for group in rows:
        if group.is_group:
            found[group.pk] = standing.worst_status(found[one.pk] for one in rows if one.parent_id == group.pk)
    return found


def standing_of(statuses: Mapping[int, str], notices: Sequence[Notice]) -> Standing:
    """Of a page whose components and open notices are these."""
    return standing.standing(
        list(statuses.values()),
        [one.impact for one in incidents(notices)],
        is_maintained=bool(maintenances(notices, is_planned=False)),
    )


@dataclass(frozen=True, slots=True)
class Bars:
    """90 days of one component."""

    days: Sequence[Day]
    percent: str  # "" when nothing is known


@dataclass(slots=True)
class Shown:
    """A component as visitors see it."""

    component: Component
    status: str
    bars: Bars | None = None
    children: list[Shown] = field(default_factory=list)

    @property
    def words(self) -> str:
        return standing.WORDS[self.status]

    @property
    def is_troubled(self) -> bool:
        return self.status != "operational"


@dataclass(frozen=True, slots=True)
class HistoryDay:
    on: date
    notices: Sequence[Notice]


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything on a page, at one moment."""

    page: Page
    at: datetime
    standing: Standing
    tree: Sequence[Shown]
    incidents: Sequence[Notice]
    under_way: Sequence[Notice]
    planned: Sequence[Notice]
    history: Sequence[HistoryDay]
    first_day: date


def sight(page: Page) -> Sight:
    now = clock.now()
    zone = zones.zone(page.time_zone)
    today = now.astimezone(zone).date()
    components = list(page.components.select_related("service").order_by("position", "id"))
    statuses = shown_statuses(components)
    notices = open_notices(page)
    first = today - timedelta(days=BAR_DAYS - 1)
    bars = bars_of([one for one in components if one.is_showcased], first, today, zone)
    shown = {one.pk: Shown(one, statuses[one.pk], bars.get(one.pk)) for one in components if is_shown(one, statuses)}
    for one in shown.values():
        if one.component.parent_id in shown:
            shown[one.component.parent_id].children.append(one)
    return Sight(
        page=page,
        at=now,
        standing=standing_of(statuses, notices),
        tree=[one for one in shown.values() if one.component.parent_id not in shown],
        incidents=incidents(notices),
        under_way=maintenances(notices, is_planned=False),
        planned=sorted(maintenances(notices, is_planned=True), key=lambda one: one.started_at),
        history=history(page, today - timedelta(days=HISTORY_DAYS - 1), today, zone),
        first_day=max(first, page.created_at.astimezone(zone).date()),
    )


def is_shown(component: Component, statuses: Mapping[int, str]) -> bool:
    return not component.is_shown_only_when_degraded or statuses[component.pk] != "operational"


def history(page: Page, first: date, last: date, zone: ZoneInfo, *, at_most: int = NOTICES_MAX) -> list[HistoryDay]:
    """Day by day, the newest first, with what began on it: also the days without anything. Planned work is not history."""
    start, end = intervals.day_bounds(first, zone).start, intervals.day_bounds(last, zone).end
    rows = notices_of(page).filter(started_at__gte=start, started_at__lt=end).exclude(status="scheduled")
    by_day: dict[date, list[Notice]] = {}
    for one in rows.order_by("-started_at", "-pk")[:at_most]:
        by_day.setdefault(one.started_at.astimezone(zone).date(), []).append(one)
    count = (last - first).days + 1
    return [
        HistoryDay(on, by_day.get(on, [])) for on in (last - timedelta(days=number) for number in range(max(0, count)))
    ]


def first_month(page: Page) -> date:
    """The month that the page's history begins with."""
    first = page.notices.order_by("started_at").values_list("started_at", flat=True).first()
    zone = zones.zone(page.time_zone)
    return min(page.created_at, first or page.created_at).astimezone(zone).date().replace(day=1)


def bars_of(components: Collection[Component], first: date, last: date, zone: ZoneInfo) -> dict[int, Bars]:
    """By component id. Nothing is known before a component's start: those days are grey and count for nothing."""
    start, end = intervals.day_bounds(first, zone).start, intervals.day_bounds(last, zone).end
    now = clock.now()
    found: dict[int, Bars] = {}
    for key, (component, up) in uptimes(components, start, end).items():
        known_from = known_since(component, zone)
        days = up.days(first, last, zone, known_from=known_from, known_until=min(now, end))
        whole = intervals.sums(up.layers, max(start, known_from), min(now, end))
        found[key] = Bars(days, standing.shown_percent(whole.uptime_percent()))
    return found


def known_since(component: Component, zone: ZoneInfo) -> datetime:
    return datetime.combine(component.started_on, time(0), tzinfo=zone).astimezone(UTC)


def uptimes(components: Collection[Component], start: datetime, end: datetime) -> dict[int, tuple[Component, Uptime]]:
    """By component id: of its service's outages, or of its own changes when it stands for none. Groups have none."""
    rows = [one for one in components if not one.is_group]
    services = {one.service_id for one in rows if one.service_id is not None}
    of_services = uptime(services, start, end, is_public=True) if services else {}
    own = _own_layers([one for one in rows if one.service_id is None], start, min(end, clock.now()))
    found: dict[int, tuple[Component, Uptime]] = {}
    for one in rows:
        found[one.pk] = one, of_services[one.service_id] if one.service_id is not None else own[one.pk]
    return found


def _own_layers(components: Sequence[Component], start: datetime, until: datetime) -> dict[int, Uptime]:
    keys = [one.pk for one in components]
    changes: dict[int, list[ComponentChange]] = {key: [] for key in keys}
    for change in ComponentChange.objects.filter(component_id__in=keys).order_by("at", "id") if keys else ():
        changes[change.component_id].append(change)
    found: dict[int, Uptime] = {}
    for component in components:
        mine = changes[component.pk]
        levelled: list[tuple[Level, Interval]] = []
        for place, change in enumerate(mine):
            ends_at = mine[place + 1].at if place + 1 < len(mine) else until
            if change.new_status in LEVEL_OF:
                levelled.append(
                    (cast(Level, LEVEL_OF[change.new_status]), Interval(change.at, max(change.at, ends_at)))
                )
        layers = {level: intervals.clip(some, start, until) for level, some in intervals.worst_of(levelled).items()}
        found[component.pk] = Uptime(intervals.sums(layers, start, until), layers)
    return found


def notice_by_wire_id(page: Page, wire_id: str) -> Notice | None:
    return notices_of(page).filter(wire_id=wire_id[:12]).first()


def all_notices(page: Page, *, limit: int, offset: int = 0, words: str = "") -> list[Notice]:
    """Incidents and maintenances, the newest first."""
    found = notices_of(page).order_by("-started_at", "-pk")
    if words:
        found = found.filter(Q(name__icontains=words) | Q(updates__body__icontains=words)).distinct()
    return list(found[offset : offset + limit])


def all_incidents(page: Page, *, limit: int = 50) -> list[Notice]:
    return list(notices_of(page).filter(kind=NoticeKind.INCIDENT).order_by("-started_at", "-pk")[:limit])


def all_maintenances(page: Page, *, limit: int = 50) -> list[Notice]:
    return list(notices_of(page).filter(kind=NoticeKind.MAINTENANCE).order_by("-started_at", "-pk")[:limit])
