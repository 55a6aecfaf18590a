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
from midwatch.core.text import clean
from midwatch.engine import metrics
from midwatch.intake import log
from midwatch.intake.log import Record
from midwatch.people.queries import administrators
from midwatch.respond.alerts.actions import Arrival, record
from midwatch.respond.alerts.actions.problems import end_silence, report_problem
from midwatch.respond.alerts.models import Source, SourceProblem
from midwatch.respond.escalation.actions import page_somebody, start

BATCH = 100
EVENTS_MAX = 200  # alerts in one transaction: a payload may hold thousands, and engine transactions stay short
PING_KEY = "midwatch/ping"
Kind = SourceProblem.Kind


@dataclass(slots=True)
class Parsed:
    """What a batch of records says."""

    arrivals: list[Arrival] = field(default_factory=list)
    problems: list[tuple[Source, str, str, str]] = field(default_factory=list)  # source, kind, reason, token
    changes: list[ChangeEvent] = field(default_factory=list)
    heard: dict[int, Source] = field(default_factory=dict)


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
            process(batch.records)
            batch.done()
            metrics.EVENTS.inc(len(batch.records))
            return len(batch.records)
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
            is_done = guarded("event", lambda: _process_alone(one), otherwise=False, on_failure=failures.append)
            if not is_done:
                _quarantine(one, failures[0])
            batch.done()
            return 1
    except log.ConflictError:
        return 0


def _process_alone(one: Record) -> bool:
    with transaction.atomic():
        process([one])
    return True


def _quarantine(one: Record, error: Exception) -> None:
    metrics.QUARANTINED.inc()
    source = Source.objects.filter(pk=one.source_id).select_related("service__team").first()
    if source is None:
        return
    reason = f"an event could not be turned into an alert ({type(error).__name__}); it is kept as {one.token}"
    start(report_problem(source, Kind.QUARANTINED, reason, token=one.token, at=one.received_at).opened)


def process(records: list[Record]) -> None:
    """Inside the transaction that moves the offset."""
    parsed = parse_all(records)
    for index in range(0, len(parsed.arrivals), EVENTS_MAX):
        start(record(parsed.arrivals[index : index + EVENTS_MAX]).opened)
    ChangeEvent.objects.bulk_create(parsed.changes)
    for source, kind, reason, token in _once_a_source(parsed.problems):
        start(report_problem(source, kind, reason, token=token).opened)
    _heard(parsed.heard)


def _once_a_source(problems: list[tuple[Source, str, str, str]]) -> list[tuple[Source, str, str, str]]:
    """At most twenty a source and batch are written down; what is over is counted in the last one's words."""
    kept: list[tuple[Source, str, str, str]] = []
    counts: dict[int, int] = {}
    for source, kind, reason, token in problems:
        counts[source.pk] = counts.get(source.pk, 0) + 1
        if counts[source.pk] <= 20:
            kept.append((source, kind, reason, token))
    metrics.PROBLEMS.inc(len(problems))
    return kept


def _heard(sources: Mapping[int, Source]) -> None:
    """Whatever came, the source has spoken."""
    now = clock.now()
    for source in sources.values():
        expected = now + timedelta(seconds=source.expect_every_seconds) if source.expect_every_seconds else None
        Source.objects.filter(pk=source.pk).update(last_event_at=now, expected_at=expected)
    end_silence([source for source in sources.values() if source.expect_every_seconds])


def parse_all(records: list[Record]) -> Parsed:
    sources = Source.objects.select_related("service__team").in_bulk({one.source_id for one in records})
    parsed = Parsed()
    for one in records:
        source = sources.get(one.source_id)
        if source is None:
            metrics.ORPHANS.inc()  # the source was deleted meanwhile
            continue
        parsed.heard[source.pk] = source
        match one.kind:
            case "event":
                _parse_event(source, one, parsed)
            case "ping":
                _parse_ping(source, one, parsed)
            case "change":
                _parse_change(source, one, parsed)
            case "refused":
                parsed.problems.append((source, Kind.REFUSED_AT_THE_DOOR, _refusal(source, one), one.token))
    return parsed


def _parse_event(source: Source, one: Record, parsed: Parsed) -> None:
    vendor = integration.sources().get(source.type)
    if vendor is None:
        parsed.problems.append(
            (source, Kind.NOT_UNDERSTOOD, f"there is no integration of type {source.type!r}", one.token)
        )
        return
    try:
        payload = json.loads(one.body)
        items = vendor.parse({**payload, "_minted": dict(one.minted)} if one.minted else payload)
    except Rejected as error:
        parsed.problems.append((source, Kind.NOT_UNDERSTOOD, str(error), one.token))
        return
    truncated = 0
    for item in items:
        match item:
            case Refused(reason=reason):
                parsed.problems.append((source, Kind.NOT_UNDERSTOOD, reason, one.token))
            case Event():
                truncated = max(truncated, item.truncated)
                parsed.arrivals.append(Arrival(source, item, one.received_at, is_test=one.minted.get("test") == "1"))
    if truncated:
        reason = f"{truncated} alerts were left out by the sender, pages may be missing: set max_alerts to 0"
        parsed.problems.append((source, Kind.TRUNCATED, reason, one.token))


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
