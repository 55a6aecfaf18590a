"""Evidence is kept before anybody repairs anything (N2): what was so at a moment, with a hash, never changed afterwards.

At declaration it is taken by itself: the payloads of the linked alerts, who was on call, recent changes, and the metric
series that the service names. `take_snapshot` takes it again: by hand, and before a step of a runbook that changes things.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from midwatch.catalog.models import ChangeEvent, Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.respond.alerts.models import TimelineEntry
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import Evidence, Incident, LinkedAlert
from midwatch.respond.oncall.queries import who_is_on_call

CHANGES_BEFORE = timedelta(hours=24)
CHANGES_MAX = 50
SERIES_BEFORE = timedelta(hours=1)
SERIES_POINTS = 120
SERIES_MAX = 10
PROMETHEUS_LINK = (
    "prometheus"  # title of a service's link that names a query: {"title": "prometheus: errors", "url": ...}
)


def take_snapshot(incident: Incident, by: Actor, *, reason: str) -> list[Evidence]:
    """In one transaction; series are fetched by the engine afterwards, and say so when they could not be."""
    now = clock.now()
    with transaction.atomic():
        taken = [
            _keep(incident, "alerts", "Alerts", _alerts(incident), reason, by, now),
            _keep(incident, "people", "On call", _people(incident, now), reason, by, now),
            _keep(incident, "changes", "Changes of the last day", _changes(incident, now), reason, by, now),
            *_series(incident, reason, by, now),
        ]
        note(incident, "evidence", f"evidence kept ({reason})", by, count=len(taken))
        audit.record(by, "keep evidence", "incident", str(incident), {"reason": reason})
    return taken


def digest(content: Any) -> str:
    """SHA-256 of the canonical JSON: what a reader computes to see that nothing was changed."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _keep(incident: Incident, kind: str, title: str, content: Any, reason: str, by: Actor, now: datetime) -> Evidence:
    return Evidence.objects.create(
        incident=incident,
        kind=kind,
        title=title,
        reason=clean(reason, 200, is_one_line=True),
        taken_at=now,
        taken_by=str(by)[:200],
        content=content,
        sha256=digest(content),
    )


def _alerts(incident: Incident) -> list[dict[str, Any]]:
    found = []
    for linked in LinkedAlert.objects.filter(incident=incident).select_related("alert__service")[:200]:
        alert = linked.alert
        newest = TimelineEntry.objects.filter(alert=alert).order_by("-id")[:20]
        found.append(
            {
                "number": alert.number,
                "title": alert.title,
                "priority": alert.priority,
                "status": alert.status,
                "service": alert.service.name if alert.service else None,
                "description": alert.description[:4_000],
                "labels": alert.labels,
                "links": alert.links,
                "count": alert.count,
                "created_at": alert.created_at.isoformat(),
                "timeline": [{"at": one.at.isoformat(), "text": one.text[:500]} for one in reversed(newest)],
            }
        )
    return found


def _people(incident: Incident, now: datetime) -> list[dict[str, Any]]:
    return [
        {"schedule": row.schedule.name, "on_call": [user.name for user in row.users]}
        for row in who_is_on_call(team=incident.team, at=now)
    ]


def _services(incident: Incident) -> list[Service]:
    return list(Service.objects.filter(pk__in=incident.affected_services.values("service")).order_by("name")) or (
        [incident.service] if incident.service else []
    )


def _changes(incident: Incident, now: datetime) -> list[dict[str, Any]]:
    services = [service.pk for service in _services(incident)]
    recent = ChangeEvent.objects.filter(service__in=services, at__gte=now - CHANGES_BEFORE, at__lte=now)
    return [
        {
            "at": change.at.isoformat(),
            "service": change.service.name,
            "summary": change.summary,
            "origin": change.origin,
            "links": change.links,
        }
        for change in recent.select_related("service").order_by("-at")[:CHANGES_MAX]
    ]


def _series(incident: Incident, reason: str, by: Actor, now: datetime) -> list[Evidence]:
    """A row for each range query that an affected service names in its links; fetched by the engine."""
    wanted = [
        (service, link)
        for service in _services(incident)
        for link in service.links
        if str(link.get("title", "")).lower().startswith(PROMETHEUS_LINK) and link.get("query")
    ]
    start = min(incident.started_at, now) - SERIES_BEFORE
    step = max(15, int((now - start).total_seconds() / SERIES_POINTS))
    return [
        Evidence.objects.create(
            incident=incident,
            kind="series",
            title=clean(f"{service}: {link['title']}", 200, is_one_line=True),
            reason=clean(reason, 200, is_one_line=True),
            taken_at=now,
            taken_by=str(by)[:200],
            request={
                "url": str(link["url"]),
                "query": str(link["query"])[:2_000],
                "start": start.timestamp(),
                "end": now.timestamp(),
                "step": step,
                "is_trusted": service.is_from_code,
            },
            due_at=now,
        )
        for service, link in wanted[:SERIES_MAX]
    ]
