"""Refused is not lost: what a source sent and we could not take is written down, and its team hears of it once an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from midwatch.core import clock
from midwatch.core.durations import written
from midwatch.core.integration import Event
from midwatch.core.text import clean
from midwatch.respond.alerts.actions.record import Arrival, Recorded, record
from midwatch.respond.alerts.models import Alert, Source, SourceProblem

PROBLEM_PRIORITY = "P2"
KEY_PREFIX = "midwatch/source-problem/"
SILENCE_KEY = "midwatch/source-silent"


def report_problem(source: Source, kind: str, reason: str, *, token: str = "", at: datetime | None = None) -> Recorded:
    """Write it down, and open one P2 alert a source and hour. The caller starts escalations for what it opened."""
    now = clock.now()
    SourceProblem.objects.create(
        source=source, at=at or now, kind=kind, reason=clean(reason, 1_000, is_one_line=True), event_token=token[:64]
    )
    key = f"{KEY_PREFIX}{now:%Y-%m-%dT%H}"
    if Alert.objects.filter(source=source, dedup_key=key, status="resolved").exists():
        return Recorded()  # its team has seen this hour's already
    event = Event(
        key=key,
        status="firing",
        title=f"Source {source.name}: {reason}",
        description="Something this source sent could not become an alert, so pages may be missing. "
        "The source's page shows what was sent and why it was not taken.",
    )
    return record([Arrival(source, event, now, is_about_source=True, priority=PROBLEM_PRIORITY)])


def report_silence(source: Source) -> Recorded:
    """Nothing came for longer than `expectEvery`: silence itself is the alert."""
    now = clock.now()
    length = written(timedelta(seconds=source.expect_every_seconds or 0))
    event = Event(
        key=SILENCE_KEY,
        status="firing",
        title=f"Source {source.name} is silent: nothing came for {length}",
        description="This source is expected to speak regularly. Either it, or the way from it to here, is broken.",
        starts_at=now,
    )
    Source.objects.filter(pk=source.pk, expected_at=source.expected_at).update(
        expected_at=now + timedelta(seconds=source.expect_every_seconds or 0)
    )
    return record([Arrival(source, event, now, is_about_source=True, priority="P1")])


def end_silence(sources: list[Source]) -> None:
    """It speaks again: the alert about its silence resolves."""
    silent = (
        Alert.objects.filter(source__in=sources, dedup_key=SILENCE_KEY)
        .exclude(status="resolved")
        .values_list("source_id", flat=True)
    )
    now = clock.now()
    by_id = {source.pk: source for source in sources}
    arrivals = [
        Arrival(by_id[pk], Event(key=SILENCE_KEY, status="resolved", title=""), now, is_about_source=True)
        for pk in silent
        if pk in by_id
    ]
    if arrivals:
        record(arrivals)
