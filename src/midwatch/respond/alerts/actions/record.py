"""Events become alerts, a batch at a time, inside the caller's transaction (which also moves the log's offset)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Max

from midwatch.catalog.models import Service
from midwatch.core import clock, outbox
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.integration import DESCRIPTION_MAX, KEY_MAX, TITLE_MAX, Event
from midwatch.core.numbers import next_numbers
from midwatch.core.rows import insert_rows, update_columns
from midwatch.core.statements import Select, Update
from midwatch.core.text import clean
from midwatch.people.models import Team
from midwatch.respond.alerts import grouping
from midwatch.respond.alerts.actions.timeline import entry, note_many
from midwatch.respond.alerts.models import Alert, AlertStatus, NumberCounter, Source, TimelineEntry
from midwatch.respond.alerts.queries import urgency_now

Key = tuple[int, str]
LATEST = Select(
    lambda sources, keys: (
        Alert.objects.filter(source_id__in=sources, dedup_key__in=keys)
        .order_by()
        .values("source_id", "dedup_key")
        .annotate(latest=Max("id"))
        .values_list("source_id", "dedup_key", "latest")
    )
)
LATEST_OF_OUR_OWN = Select(
    lambda keys: (
        Alert.objects.filter(source=None, dedup_key__in=keys)
        .order_by()
        .values("dedup_key")
        .annotate(latest=Max("id"))
        .values_list("dedup_key", "latest")
    )
)
ALERTS = Select(lambda ids: Alert.objects.select_related("service").filter(pk__in=ids))
SEEN_AGAIN = Update(
    lambda ids, times, now: (
        Alert.objects.filter(pk__in=ids),
        {"count": F("count") + times, "last_seen_at": now},
    )
)
SERVICES = Select(lambda names: Service.objects.select_related("team").filter(name__in=names))


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event of one source, as the engine read it. `priority`: set by Midwatch itself, past the source's words.

    `source`: one that is in no table (no pk, no service) is Midwatch itself; its alerts have no source.
    """

    source: Source
    event: Event
    received_at: datetime
    is_test: bool = False
    is_about_source: bool = False
    priority: str = ""


@dataclass(slots=True)
class Recorded:
    """What a batch did. `opened`: new alerts with the owner who is to be paged first, if any. `dropped`: reasons, counted."""

    opened: list[tuple[Alert, int | None]] = field(default_factory=list)
    counted: int = 0
    resolved: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class _Batch:
    """The state that the events of one batch are folded over."""

    now: datetime
    newest: dict[Key, Alert]
    services: dict[str, Service]
    created: list[Alert] = field(default_factory=list)
    owners: dict[int, int | None] = field(default_factory=dict)  # id() of a created alert -> owner to be paged first
    bumps: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    changed: dict[int, Alert] = field(default_factory=dict)
    notes: list[tuple[Alert, str, str, Actor]] = field(default_factory=list)
    events: list[tuple[str, Alert]] = field(default_factory=list)
    result: Recorded = field(default_factory=Recorded)


def record(arrivals: Sequence[Arrival]) -> Recorded:
    """Deduplicate, count, open, resolve. The caller holds the transaction and then starts escalations for `opened`."""
    batch = _Batch(now=clock.now(), newest=_newest_of(arrivals), services=_services_of(arrivals))
    for arrival in arrivals:
        _fold(batch, arrival)
    _write(batch)
    return batch.result


def _key(arrival: Arrival) -> Key:
    return arrival.source.pk or 0, clean(arrival.event.key, KEY_MAX)


def _newest_of(arrivals: Sequence[Arrival]) -> dict[Key, Alert]:
    keys = {_key(arrival) for arrival in arrivals}
    found = LATEST({source for source, _ in keys if source}, {key for source, key in keys if source})
    ids = [latest for source_id, key, latest in found if (source_id, key) in keys]
    ids += [latest for _, latest in LATEST_OF_OUR_OWN({key for source, key in keys if not source})]
    return {(alert.source_id or 0, alert.dedup_key): alert for alert in ALERTS(ids)}


def _services_of(arrivals: Sequence[Arrival]) -> dict[str, Service]:
    names = {a.event.labels.get(a.source.service_label, "") for a in arrivals if a.source.service_label} - {""}
    return {service.name: service for service in SERVICES(names)}


def _fold(batch: _Batch, arrival: Arrival) -> None:
    key = _key(arrival)
    alert = batch.newest.get(key)
    match grouping.decide(arrival.event, _known(alert), now=batch.now):
        case grouping.Open(is_linked=is_linked, is_owner_first=is_owner_first):
            new = _new_alert(batch, arrival, key[1])
            if alert is not None and is_linked:
                new.previous_id = alert.pk
                batch.notes.append((new, "linked", f"Fired again soon after {alert} resolved", ENGINE))
            batch.owners[id(new)] = alert.acknowledged_by_id if alert is not None and is_owner_first else None
            batch.created.append(new)
            batch.newest[key] = new
        case grouping.Count():
            assert alert is not None
            _count(batch, alert, arrival)
        case grouping.Reopen():
            assert alert is not None
            _reopen(batch, alert, arrival)
        case grouping.Acknowledge():
            assert alert is not None
            _acknowledge(batch, alert, arrival)
        case grouping.Resolve():
            assert alert is not None
            _resolve(batch, alert, arrival)
        case grouping.Drop(reason=reason):
            batch.result.dropped[reason] += 1


def _known(alert: Alert | None) -> grouping.Known | None:
    if alert is None:
        return None
    return grouping.Known(
        status=alert.status,
        starts_at=alert.starts_at,
        resolved_at=alert.resolved_at,
        is_resolved_by_person=alert.status == AlertStatus.RESOLVED and alert.resolved_by_id is not None,
        was_acknowledged=alert.acknowledged_by_id is not None,
    )


def _actor(arrival: Arrival) -> Actor:
    return ENGINE if arrival.is_about_source else Actor(arrival.source.name, "source")


def _new_alert(batch: _Batch, arrival: Arrival, key: str) -> Alert:
    event, source = arrival.event, arrival.source
    service = batch.services.get(event.labels.get(source.service_label, "")) if source.service_label else None
    service = service or (source.service if source.service_id else None)
    priority = arrival.priority or grouping.priority_of(
        event, priority_label=source.priority_label, priorities=source.priorities
    )
    alert = Alert(
        is_test=arrival.is_test,
        source=source if source.pk else None,
        dedup_key=key,
        service=service,
        team=service.team if service else None,
        title=clean(event.title, TITLE_MAX, is_one_line=True) or "(no title)",
        description=clean(event.description, DESCRIPTION_MAX),
        priority=priority,
        urgency=urgency_now(priority, service, batch.now),
        labels=dict(event.labels),
        links=[{"href": link.href, "text": link.text} for link in event.links],
        group_key="" if arrival.is_about_source else clean(grouping.group_of(event, source.group_by), KEY_MAX),
        starts_at=event.starts_at,
        created_at=min(arrival.received_at, batch.now),
        last_seen_at=batch.now,
        expires_at=None if arrival.is_about_source else _expires_at(source, service, batch.now, batch.now),
    )
    batch.notes.append((alert, "opened", f"Opened by {source.name}", _actor(arrival)))
    return alert


def _expires_at(source: Source, service: Service | None, opened_at: datetime, seen_at: datetime) -> datetime | None:
    ends = []
    if source.resolve_after_seconds:
        ends.append(seen_at + timedelta(seconds=source.resolve_after_seconds))
    if service is not None and service.auto_resolve_after_seconds:
        ends.append(opened_at + timedelta(seconds=service.auto_resolve_after_seconds))
    return min(ends, default=None)


def _touch(batch: _Batch, alert: Alert) -> None:
    if alert.pk:
        batch.changed[alert.pk] = alert


def _count(batch: _Batch, alert: Alert, arrival: Arrival) -> None:
    batch.result.counted += 1
    alert.last_seen_at = batch.now
    if alert.pk:
        batch.bumps[alert.pk] += 1
    else:
        alert.count += 1
    if arrival.source.resolve_after_seconds and not arrival.is_about_source:
        alert.expires_at = _expires_at(arrival.source, alert.service, alert.created_at, batch.now)
        _touch(batch, alert)
    priority = arrival.priority or grouping.priority_of(
        arrival.event, priority_label=arrival.source.priority_label, priorities=arrival.source.priorities
    )
    if grouping.higher(priority, alert.priority):
        batch.notes.append(
            (alert, "priority", f"Raised from {alert.priority} to {priority} by its source", _actor(arrival))
        )
        alert.priority = priority
        if urgency_now(priority, alert.service, batch.now) == "high":
            alert.urgency = "high"
        if alert.pk:  # one that this batch opens has no page yet
            batch.events.append(("alert.raised", alert))
        _touch(batch, alert)


def _reopen(batch: _Batch, alert: Alert, arrival: Arrival) -> None:
    alert.status = AlertStatus.ACKNOWLEDGED
    alert.acknowledged_by_id = alert.resolved_by_id
    alert.acknowledged_at = batch.now
    alert.is_acknowledged_by_machine = False
    alert.resolved_at = None
    alert.resolved_by_id = None
    alert.is_still_firing = True
    alert.last_seen_at = batch.now
    batch.bumps[alert.pk] += 1
    batch.notes.append(
        (alert, "still_firing", "Still firing: re-opened as acknowledged by the one who resolved it", _actor(arrival))
    )
    batch.events.append(("alert.reopened", alert))
    _touch(batch, alert)


def _acknowledge(batch: _Batch, alert: Alert, arrival: Arrival) -> None:
    if alert.status != AlertStatus.FIRING:
        batch.result.dropped["already acknowledged"] += 1
        return
    alert.status = AlertStatus.ACKNOWLEDGED
    alert.acknowledged_at = batch.now
    alert.acknowledged_by_id = None
    alert.is_acknowledged_by_machine = True
    batch.notes.append((alert, "acknowledged", "acknowledged by source, no person", _actor(arrival)))
    batch.events.append(("alert.acknowledged", alert))
    _touch(batch, alert)


def _resolve(batch: _Batch, alert: Alert, arrival: Arrival) -> None:
    batch.result.resolved += 1
    alert.status = AlertStatus.RESOLVED
    alert.resolved_at = batch.now
    alert.resolved_by_id = None
    alert.is_resolved_by_source = True
    alert.is_still_firing = False
    alert.snoozed_until = None
    alert.expires_at = None
    alert.last_seen_at = batch.now
    batch.notes.append((alert, "resolved", f"Resolved by {arrival.source.name}", _actor(arrival)))
    batch.events.append(("alert.resolved", alert))
    _touch(batch, alert)


CHANGEABLE = [
    "status",
    "priority",
    "urgency",
    "last_seen_at",
    "acknowledged_at",
    "acknowledged_by",
    "is_acknowledged_by_machine",
    "snoozed_until",
    "resolved_at",
    "resolved_by",
    "is_resolved_by_source",
    "is_still_firing",
    "expires_at",
]


def _write(batch: _Batch) -> None:
    _give_numbers([alert for alert in batch.created if not alert.is_test])
    if batch.changed:  # first: what resolves in this batch frees its key for what fires again in it
        update_columns(batch.changed.values(), CHANGEABLE)
    insert_rows(batch.created)
    by_increment: dict[int, list[int]] = defaultdict(list)
    for pk, times in batch.bumps.items():
        by_increment[times].append(pk)
    for times, pks in by_increment.items():
        SEEN_AGAIN(pks, times, batch.now)
    notes: list[TimelineEntry] = [
        entry(alert.pk, kind, text, by, at=batch.now) for alert, kind, text, by in batch.notes
    ]
    note_many(notes)
    by_name: dict[str, list[dict[str, object]]] = defaultdict(list)
    for name, alert in batch.events:
        by_name[name].append({"alert": alert.pk, "by": None})
    for name, payloads in by_name.items():
        outbox.emit_many(name, payloads)
    batch.result.opened = [(alert, batch.owners.get(id(alert))) for alert in batch.created]


def _give_numbers(alerts: Sequence[Alert]) -> None:
    if not alerts:
        return
    for number, alert in enumerate(alerts, start=next_numbers(NumberCounter, len(alerts))):
        alert.number = number


def open_alert(
    *,
    title: str,
    by: Actor,
    priority: str = "P1",
    description: str = "",
    service: Service | None = None,
    team: Team | None = None,
    is_test: bool = False,
    dedup_key: str = "",
    urgency: str = "",
) -> Alert:
    """An alert without a source: somebody pages by hand, or Midwatch has to say something. In the caller's transaction."""
    now = clock.now()
    alert = Alert(
        is_test=is_test,
        dedup_key=clean(dedup_key or title, KEY_MAX),
        service=service,
        team=team or (service.team if service else None),
        title=clean(title, TITLE_MAX, is_one_line=True) or "(no title)",
        description=clean(description, DESCRIPTION_MAX),
        priority=priority,
        urgency=urgency or urgency_now(priority, service, now),
        created_at=now,
        last_seen_at=now,
    )
    if not is_test:
        _give_numbers([alert])
    insert_rows([alert])
    note_many([entry(alert.pk, "opened", f"Opened by {by}", by, at=now, via=by.via)])
    return alert
