"""Alerts and everything around one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ninja import Schema

from midwatch.api.shapes.people import PersonRef
from midwatch.core.statements import Select
from midwatch.respond.alerts.models import Alert, Maintenance, TimelineEntry
from midwatch.respond.notify.models import Delivery, Page
from midwatch.settings import settings


class Link(Schema):
    href: str
    text: str


class AlertOut(Schema):
    """`status`: firing, acknowledged, resolved. `count`: how often its source said so while it was open."""

    number: int
    title: str
    status: str
    priority: str
    urgency: str
    count: int
    service: str | None
    team: str | None
    source: str | None
    labels: dict[str, str]
    links: list[Link]
    created_at: datetime
    starts_at: datetime | None
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: PersonRef | None
    is_acknowledged_by_machine: bool
    snoozed_until: datetime | None
    resolved_at: datetime | None
    is_still_firing: bool
    url: str

    @classmethod
    def of(cls, alert: Alert) -> AlertOut:
        return cls(**alert_values(alert))


def alert_values(alert: Alert) -> dict[str, Any]:
    return {
        "number": alert.number or 0,
        "title": alert.title,
        "status": alert.status,
        "priority": alert.priority,
        "urgency": alert.urgency,
        "count": alert.count,
        "service": alert.service.name if alert.service else None,
        "team": alert.team.name if alert.team else None,
        "source": alert.source.name if alert.source else None,
        "labels": {str(name): str(value) for name, value in alert.labels.items()},
        "links": [{"href": str(link.get("href", "")), "text": str(link.get("text", ""))} for link in alert.links],
        "created_at": alert.created_at,
        "starts_at": alert.starts_at,
        "last_seen_at": alert.last_seen_at,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": PersonRef.of(alert.acknowledged_by) if alert.acknowledged_by else None,
        "is_acknowledged_by_machine": alert.is_acknowledged_by_machine,
        "snoozed_until": alert.snoozed_until,
        "resolved_at": alert.resolved_at,
        "is_still_firing": alert.is_still_firing,
        "url": f"{settings().base_url}/alerts/{alert.number}",
    }


# What a list says of an alert, read and written as values: through whole rows and two checks of the same shape a list of
# fifty took three times as long. A test compares it with `AlertOut`.
_LISTED = Select(
    lambda numbers: Alert.objects.filter(number__in=numbers).values_list(
        "number", "title", "status", "priority", "urgency", "count", "service__name", "team__name", "source__name", "labels",
        "links", "created_at", "starts_at", "last_seen_at", "acknowledged_at", "acknowledged_by__name",
        "acknowledged_by__display_name", "is_acknowledged_by_machine", "snoozed_until", "resolved_at", "is_still_firing",
    )
)  # fmt: skip


def listed_alerts(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """These alerts in this order, as `AlertOut` would write them; unknown ones are left out."""
    base = f"{settings().base_url}/alerts/"
    by_number = {row[0]: _listed(row, base) for row in _LISTED(numbers)}
    return [by_number[number] for number in numbers if number in by_number]


def _listed(row: Sequence[Any], base: str) -> dict[str, Any]:
    number, title, status, priority, urgency, count, service, team, source, labels, links = row[:11]
    created, starts, seen, acknowledged, owner, owner_name, by_machine, snoozed, resolved, still = row[11:]
    return {
        "number": number,
        "title": title,
        "status": status,
        "priority": priority,
        "urgency": urgency,
        "count": count,
        "service": service,
        "team": team,
        "source": source,
        "labels": {str(name): str(value) for name, value in labels.items()},
        "links": [{"href": str(link.get("href", "")), "text": str(link.get("text", ""))} for link in links],
        "created_at": created,
        "starts_at": starts,
        "last_seen_at": seen,
        "acknowledged_at": acknowledged,
        "acknowledged_by": {"name": owner, "display_name": owner_name} if owner else None,
        "is_acknowledged_by_machine": by_machine,
        "snoozed_until": snoozed,
        "resolved_at": resolved,
        "is_still_firing": still,
        "url": f"{base}{number}",
    }


class TimelineOut(Schema):
    at: datetime
    kind: str
    who: str
    text: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, entry: TimelineEntry) -> TimelineOut:
        return cls(at=entry.at, kind=entry.kind, who=entry.who, text=entry.text, detail=entry.detail)


class DeliveryOut(Schema):
    """`state`: waiting, sending, handed over, failed, cancelled, bundled. `receipt`: what is known since."""

    kind: str
    user: str
    step: str
    channel: str
    method: str
    state: str
    attempts: int
    created_at: datetime
    handed_over_at: datetime | None
    receipt: str
    receipt_detail: str

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryOut:
        return cls(
            kind=delivery.kind,
            user=delivery.user.name,
            step=str(delivery.context.get("step", "")),
            channel=delivery.channel,
            method=delivery.method_name,
            state=delivery.state,
            attempts=delivery.attempts,
            created_at=delivery.created_at,
            handed_over_at=delivery.handed_over_at,
            receipt=delivery.receipt,
            receipt_detail=delivery.receipt_detail,
        )


class StepStateOut(Schema):
    name: str
    at: datetime | None
    state: str
    targets: str


class ProgressOut(Schema):
    """Where the escalation stands. `why`: why nobody is being paged, when nobody is. `leader`: the alert whose page
    this one joined; `joined_count`: how many joined this one's."""

    policy: str | None
    state: str
    round: int
    next_at: datetime | None
    next_step: str
    why: str
    joined_count: int
    leader: int | None
    steps: list[StepStateOut]


class PageOut(Schema):
    """One person being called. `state`: running, answered, declined, superseded, stopped, used up."""

    user: PersonRef
    step: str
    state: str
    urgency: str
    started_at: datetime
    handed_over_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, page: Page) -> PageOut:
        return cls(
            user=PersonRef.of(page.user),
            step=page.step_name,
            state=page.state,
            urgency=page.urgency,
            started_at=page.started_at,
            handed_over_at=page.handed_over_at,
            ended_at=page.ended_at,
        )


class SimilarOut(Schema):
    number: int
    title: str
    resolved_at: datetime | None
    what_helped: str


class AlertDetailOut(AlertOut):
    description: str
    dedup_key: str
    resolved_by: PersonRef | None
    is_resolved_by_source: bool
    previous: int | None
    escalation: ProgressOut | None
    timeline: list[TimelineOut]
    pages: list[PageOut]
    deliveries: list[DeliveryOut]
    similar: list[SimilarOut]


class ActedOut(AlertOut):
    """The alert as it is now. `is_changed` false: somebody was there first, and `sentence` says who."""

    is_changed: bool
    sentence: str


class MaintenanceOut(Schema):
    id: int
    service: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str

    @classmethod
    def of(cls, maintenance: Maintenance) -> MaintenanceOut:
        return cls(
            id=maintenance.pk,
            service=maintenance.service.name,
            starts_at=maintenance.starts_at,
            ends_at=maintenance.ends_at,
            reason=maintenance.reason,
            created_by=maintenance.created_by,
        )


class TestPageOut(Schema):
    deliveries: list[DeliveryOut]


class TestPagesOut(Schema):
    """`refused`: a sentence for each person of the rotation who got nothing."""

    deliveries: list[DeliveryOut]
    refused: list[str]
