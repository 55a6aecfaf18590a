"""The event log becomes alerts: the log's offset moves in the transaction that makes them, so each event counts once.

A batch that fails is repeated event by event; an event that fails alone is quarantined: visible on its source's page,
told to its team, and the log goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db import transaction

from midwatch.catalog.models import ChangeEvent
from midwatch.core import clock, integration
from midwatch.core.actor import ENGINE
from midwatch.core.guard import guarded
from midwatch.core.integration import DESCRIPTION_MAX, Event, Refused, Rejected
from midwatch.core.rows import insert_rows, update_columns
from midwatch.core.statements import Select
from midwatch.core.text import clean
from midwatch.engine import canary, metrics
from midwatch.intake import log
from midwatch.intake.log import Record
from midwatch.people.queries import administrators
from midwatch.respond.alerts.actions import Arrival, record
from midwatch.respond.alerts.actions.problems import end_silence, report_problem
from midwatch.respond.alerts.models import Source, SourceProblem
from midwatch.respond.escalation.actions import page_somebody, start

BATCH = 100
PROBLEMS_MAX = 20  # of a source and batch that are written down
ITEMS_MAX = 200  # in one transaction: a payload may hold thousands, and engine transactions stay short
PING_KEY = "midwatch/ping"
Kind = SourceProblem.Kind
SOURCES = Select(lambda ids: Source.objects.select_related("service__team").filter(pk__in=ids))


@dataclass(slots=True)
class Parsed:
    """What a batch of records says."""

    arrivals: list[Arrival] = field(default_factory=list)
    problems: list[tuple[Source, str, str, str]] = field(default_factory=list)  # source, kind, reason, token
    changes: list[ChangeEvent] = field(default_factory=list)
    heard: dict[int, Source] = field(default_factory=dict)
    canaries: list[str] = field(default_factory=list)  # their tokens

    @property
    def size(self) -> int:
        return len(self.arrivals) + len(self.problems) + len(self.changes)


def drain(limit: int = BATCH) -> int:
    """Take the next batch. Returns how many records it was (0: nothing waits)."""
    if not log.event_log().is_waiting():
        return 0
    failures: list[Exception] = []
    count = guarded("events", lambda: _take(limit), otherwise=-1, on_failure=failures.append)
    if count >= 0:
        return count
    if isinstance(failures[0], DatabaseError | log.LogError) and not _is_about_content(failures[0]):
        return 0  # the database, not the events: the next tick tries again
    return sum(_take_one() for _ in range(limit))


def _is_about_content(error: Exception) -> bool:
    """Whether the database refused what was written (a NUL, a number too large), rather than being out of reach."""
    return type(error).__name__ in {"DataError", "IntegrityError", "ProgrammingError", "InterfaceError"}


def _take(limit: int) -> int:
    try:
        with transaction.atomic(), log.event_log().next_batch(limit) as batch:
            if not batch:
                return 0
            if batch.is_replayed:
                _tell_of_replay()
            count, items = process(batch.records)
            batch.done(count, items)
            metrics.EVENTS.inc(count)
            return max(count, 1)
    except log.ConflictError:
        return 0


def _take_one() -> int:
    """One event by itself; if even that fails, it is put aside in the same transaction that moves the offset."""
    try:
        with transaction.atomic(), log.event_log().next_batch(1) as batch:
            if not batch:
                return 0
            one = batch.records[0]
            failures: list[Exception] = []
            done = guarded("event", lambda: _process_alone(one), otherwise=None, on_failure=failures.append)
            if done is None and isinstance(failures[0], DatabaseError) and not _is_about_content(failures[0]):
                raise failures[0]  # a lock or a lost connection says nothing about the event: it comes again
            if done is None:
                _quarantine(one, failures[0])
            count, items = done or (1, 0)
            batch.done(count, items)
            metrics.EVENTS.inc(count)
            return 1
    except log.ConflictError:
        return 0


def _process_alone(one: Record) -> tuple[int, int] | None:
    with transaction.atomic():
        return process([one])


def _quarantine(one: Record, error: Exception) -> None:
    metrics.QUARANTINED.inc()
    source = Source.objects.filter(pk=one.source_id).select_related("service__team").first()
    if source is None:
        return
    reason = f"an event could not be turned into an alert ({type(error).__name__}); it is kept as {one.token}"
    start(report_problem(source, Kind.QUARANTINED, reason, token=one.token, at=one.received_at).opened)


def process(records: list[Record]) -> tuple[int, int]:
    """Inside the transaction that moves the log on. Returns how many events are done, and how many items of the next.

    However much a payload holds, one transaction takes `ITEMS_MAX` items: others want to write too, and a person who
    acknowledges must not wait for a storm.
    """
    parsed, count, items = parse_all(records)
    arrivals = parsed.arrivals + (canary.arrivals(parsed.canaries) if parsed.canaries else [])
    if arrivals:
        opened = record(arrivals).opened
        canary.opened([alert for alert, _ in opened if alert.source_id is None])
        start([(alert, owner) for alert, owner in opened if alert.source_id is not None])
    insert_rows(parsed.changes)
    for source, kind, reason, token in _once_a_source(parsed.problems):
        start(report_problem(source, kind, reason, token=token).opened)
    _heard(parsed.heard)
    return count, items


def _once_a_source(problems: list[tuple[Source, str, str, str]]) -> list[tuple[Source, str, str, str]]:
    """At most `PROBLEMS_MAX` a source and batch are written down; the metric counts all."""
    kept: list[tuple[Source, str, str, str]] = []
    counts: dict[int, int] = {}
    for source, kind, reason, token in problems:
        counts[source.pk] = counts.get(source.pk, 0) + 1
        if counts[source.pk] <= PROBLEMS_MAX:
            kept.append((source, kind, reason, token))
    metrics.PROBLEMS.inc(len(problems))
    return kept


def _heard(sources: Mapping[int, Source]) -> None:
    """Whatever came, the source has spoken."""
    now = clock.now()
    for source in sources.values():
        source.last_event_at = now
        every = source.expect_every_seconds
        source.expected_at = now + timedelta(seconds=every) if every else None
    update_columns(sources.values(), ["last_event_at", "expected_at"])
    expecting = [source for source in sources.values() if source.expect_every_seconds]
    if expecting:
        end_silence(expecting)


def parse_all(records: list[Record]) -> tuple[Parsed, int, int]:
    """What as many of them say as one transaction takes; how many that are, and how many items of the next."""
    sources = {source.pk: source for source in SOURCES({one.source_id for one in records})}
    parsed = Parsed()
    for count, one in enumerate(records):
        if parsed.size >= ITEMS_MAX:
            return parsed, count, 0
        if one.kind == "canary":
            parsed.canaries.append(str(json.loads(one.body).get("key", "")))
            continue
        source = sources.get(one.source_id)
        if source is None:
            metrics.ORPHANS.inc()  # the source was deleted meanwhile
            continue
        match one.kind:
            case "event":
                items = _parse_event(source, one, parsed)
                if items is not None:
                    return parsed, count, items
            case "ping":
                _parse_ping(source, one, parsed)
            case "change":
                _parse_change(source, one, parsed)
            case "refused":
                parsed.problems.append((source, Kind.REFUSED_AT_THE_DOOR, _refusal(source, one), one.token))
        parsed.heard[source.pk] = source
    return parsed, len(records), 0


def _parse_event(source: Source, one: Record, parsed: Parsed) -> int | None:
    """None: it is all in `parsed`. Else the transaction is full, and so many of its items are done with it."""
    vendor = integration.sources().get(source.type)
    if vendor is None:
        parsed.problems.append(
            (source, Kind.NOT_UNDERSTOOD, f"there is no integration of type {source.type!r}", one.token)
        )
        return None
    try:
        items = _left(vendor, one)
    except Rejected as error:
        parsed.problems.append((source, Kind.NOT_UNDERSTOOD, str(error), one.token))
        return None
    if parsed.size and parsed.size + len(items) > ITEMS_MAX:
        return 0  # it goes first next time
    if not one.items_done:
        _parse_problems(source, one, items, parsed)
    events = [item for item in items[:ITEMS_MAX] if isinstance(item, Event)]
    is_test = one.minted.get("test") == "1"
    parsed.arrivals += [Arrival(source, event, one.received_at, is_test=is_test) for event in events]
    if len(items) <= ITEMS_MAX:
        return None
    parsed.heard[source.pk] = source
    return one.items_done + ITEMS_MAX


def _parse_problems(source: Source, one: Record, items: list[Event | Refused], parsed: Parsed) -> None:
    """What is wrong with a payload is said once, when it is begun."""
    refused = [item.reason for item in items if isinstance(item, Refused)]
    parsed.problems += [(source, Kind.NOT_UNDERSTOOD, reason, one.token) for reason in refused[:PROBLEMS_MAX]]
    metrics.PROBLEMS.inc(max(0, len(refused) - PROBLEMS_MAX))
    truncated = max((item.truncated for item in items if isinstance(item, Event)), default=0)
    if truncated:
        reason = f"{truncated} alerts were left out by the sender, pages may be missing: set max_alerts to 0"
        parsed.problems.append((source, Kind.TRUNCATED, reason, one.token))


# What is left of a large payload, so that it is not parsed again for each of its parts: (token, items done, the rest).
_large: tuple[str, int, list[Event | Refused]] = ("", 0, [])


def _left(vendor: Any, one: Record) -> list[Event | Refused]:
    """The items of an event that are not alerts yet. Raises `Rejected`."""
    global _large  # noqa: PLW0603 - one reader of the log in a process
    token, begun, items = _large
    if token == one.token and begun <= one.items_done:
        items = items[one.items_done - begun :]
    else:
        payload = json.loads(one.body)
        items = vendor.parse({**payload, "_minted": dict(one.minted)} if one.minted else payload)[one.items_done :]
    _large = (one.token, one.items_done, items) if len(items) > ITEMS_MAX else ("", 0, [])
    return items


def _parse_ping(source: Source, one: Record, parsed: Parsed) -> None:
    """A heartbeat: `fail` or an exit code opens one alert, the next success resolves it."""
    what = str(one.minted.get("ping", "success"))
    if what == "start":
        return
    status = "firing" if what == "fail" else "resolved"
    code = one.minted.get("exit")
    words = f"exit code {code}" if code not in {None, 0, "0"} else "failure"
    event = Event(
        key=PING_KEY,
        status=status,  # type: ignore[arg-type]
        title=f"{source.name} reported {words}",
        priority_word="P2",
        description=clean(one.body.decode("utf-8", "replace"), DESCRIPTION_MAX),
    )
    parsed.arrivals.append(Arrival(source, event, one.received_at, is_about_source=status == "firing", priority="P2"))


def _parse_change(source: Source, one: Record, parsed: Parsed) -> None:
    payload: Any = json.loads(one.body)
    inner = payload.get("payload") if isinstance(payload, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("summary"), str):
        parsed.problems.append((source, Kind.NOT_UNDERSTOOD, "payload.summary: give a text", one.token))
        return
    details = inner.get("custom_details")
    parsed.changes.append(
        ChangeEvent(
            service=source.service,
            at=one.received_at,
            received_at=one.received_at,
            summary=clean(inner["summary"], 1_000, is_one_line=True),
            origin=clean(inner.get("source") or "", 255, is_one_line=True),
            details={clean(k, 200): clean(v, 1_000) for k, v in list(details.items())[:50]}
            if isinstance(details, dict)
            else {},
        )
    )


def _refusal(source: Source, one: Record) -> str:
    """ "A payload of 3.2 MiB was refused, pages may be missing: ..."."""
    size = int(one.minted.get("size") or 0)
    reason = str(one.minted.get("reason") or "")
    status = one.minted.get("status")
    of_size = f" of {size / 1_048_576:.1f} MiB" if size >= 100_000 else ""
    advice = ". Set max_alerts" if str(status) == "413" and source.type in {"alertmanager", "grafana"} else ""
    return f"a payload{of_size} was refused ({status}), pages may be missing: {reason}{advice}"


def _tell_of_replay() -> None:
    """The event log is not the one that was read before (a restore, a lost file): it is read from its start."""
    metrics.REPLAYS.inc()
    for administrator in list(administrators())[:1]:
        page_somebody(
            "The event log was replaced and is read from its start: alerts may come twice",
            ENGINE,
            priority="P2",
            user=administrator,
        )
