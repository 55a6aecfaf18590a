"""What the API answers: one class a thing, made from rows. The command line prints the same with `--json`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ninja import Schema

from midwatch.catalog.models import Service
from midwatch.people.models import ContactMethod, Membership, Team, User
from midwatch.respond.alerts.models import Alert, Maintenance, Source, SourceProblem, TimelineEntry
from midwatch.respond.escalation.models import EscalationPolicy, PolicyStep, StepTarget
from midwatch.respond.notify.models import Delivery
from midwatch.respond.oncall.models import Override, Schedule
from midwatch.settings import settings


class Link(Schema):
    href: str
    text: str


class PersonRef(Schema):
    name: str
    display_name: str

    @classmethod
    def of(cls, user: User) -> PersonRef:
        return cls(name=user.name, display_name=user.display_name)


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
            channel=delivery.channel,
            method=delivery.method_name,
            state=delivery.state,
            attempts=delivery.attempts,
            created_at=delivery.created_at,
            handed_over_at=delivery.handed_over_at,
            receipt=delivery.receipt,
            receipt_detail=delivery.receipt_detail,
        )


class ProgressOut(Schema):
    """Where the escalation stands. `why`: why nobody is being paged, when nobody is."""

    policy: str | None
    state: str
    round: int
    next_at: datetime | None
    next_step: str
    why: str
    steps: list[StepStateOut]


class StepStateOut(Schema):
    name: str
    at: datetime | None
    state: str
    targets: str


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
    deliveries: list[DeliveryOut]
    similar: list[SimilarOut]


class ActedOut(AlertOut):
    """The alert as it is now. `is_changed` false: somebody was there first, and `sentence` says who."""

    is_changed: bool
    sentence: str


class OnCallOut(Schema):
    schedule: str
    team: str
    users: list[PersonRef]
    until: datetime | None
    next_users: list[PersonRef]
    next_from: datetime | None


class ScheduleOut(Schema):
    name: str
    team: str
    time_zone: str
    combine: str
    layers: list[str]
    is_from_code: bool

    @classmethod
    def of(cls, schedule: Schedule) -> ScheduleOut:
        return cls(
            name=schedule.name,
            team=schedule.team.name,
            time_zone=schedule.time_zone,
            combine=schedule.combine,
            layers=[layer.name for layer in schedule.layers.all()],
            is_from_code=schedule.is_from_code,
        )


class ShiftOut(Schema):
    user: PersonRef
    start: datetime
    end: datetime
    layer: str
    is_override: bool


class OverrideOut(Schema):
    """`kind`: replace (`user` instead of `replaces`, null: of everybody), add, remove (`replaces` is not on call)."""

    id: int
    kind: str
    user: str | None
    replaces: str | None
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, override: Override) -> OverrideOut:
        return cls(
            id=override.pk,
            kind=override.kind,
            user=override.user.name if override.user else None,
            replaces=override.replaces.name if override.replaces else None,
            starts_at=override.starts_at,
            ends_at=override.ends_at,
            reason=override.reason,
            created_by=override.created_by,
            created_at=override.created_at,
        )


class UserOut(Schema):
    """`email` and `time_zone` as the person set them."""

    name: str
    display_name: str
    email: str
    time_zone: str
    role: str
    is_active: bool
    is_from_code: bool

    @classmethod
    def of(cls, user: User) -> UserOut:
        return cls(**user_values(user))


def user_values(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "display_name": user.display_name,
        "email": user.email,
        "time_zone": user.time_zone,
        "role": user.role,
        "is_active": user.is_active,
        "is_from_code": user.is_from_code,
    }


class ContactOut(Schema):
    """`why`: why it cannot be used, "" when it can. `is_ringing`: it wakes somebody."""

    name: str
    type: str
    address: str
    is_usable: bool
    is_ringing: bool
    why: str

    @classmethod
    def of(cls, contact: ContactMethod, *, is_usable: bool, is_ringing: bool, why: str) -> ContactOut:
        return cls(
            name=contact.name,
            type=contact.type,
            address=contact.address,
            is_usable=is_usable,
            is_ringing=is_ringing,
            why=why,
        )


class MeOut(UserOut):
    teams: list[str]
    contact_methods: list[ContactOut]
    is_reachable_high: bool
    why: str


class MemberOut(Schema):
    user: PersonRef
    role: str
    is_paged: bool

    @classmethod
    def of(cls, membership: Membership) -> MemberOut:
        user = PersonRef.of(membership.user)
        return cls(user=user, role=membership.role, is_paged=membership.is_paged)


class TeamOut(Schema):
    name: str
    display_name: str
    mode: str
    escalation_policy: str | None
    members: list[MemberOut]
    is_from_code: bool

    @classmethod
    def of(cls, team: Team, policy: str | None) -> TeamOut:
        return cls(
            name=team.name,
            display_name=team.display_name,
            mode=team.mode,
            escalation_policy=policy,
            members=[MemberOut.of(membership) for membership in team.memberships.all()],
            is_from_code=team.is_from_code,
        )


class ServiceOut(Schema):
    name: str
    display_name: str
    description: str
    team: str
    tier: int
    urgency: str
    escalation_policy: str | None
    depends_on: list[str]
    links: list[dict[str, Any]]
    is_from_code: bool

    @classmethod
    def of(cls, service: Service, policy: str | None) -> ServiceOut:
        return cls(
            name=service.name,
            display_name=service.display_name,
            description=service.description,
            team=service.team.name,
            tier=service.tier,
            urgency=service.urgency,
            escalation_policy=policy,
            depends_on=sorted(other.name for other in service.depends_on.all()),
            links=list(service.links),
            is_from_code=service.is_from_code,
        )


class SourceOut(Schema):
    """`key`: masked, and only for managers and administrators; null for others."""

    name: str
    type: str
    service: str
    key: str | None
    is_active: bool
    last_event_at: datetime | None
    expect_every_seconds: int | None
    is_from_code: bool

    @classmethod
    def of(cls, source: Source, *, shows_key: bool) -> SourceOut:
        return cls(**source_values(source, shows_key=shows_key))


def source_values(source: Source, *, shows_key: bool) -> dict[str, Any]:
    return {
        "name": source.name,
        "type": source.type,
        "service": source.service.name,
        "key": f"****{source.key[-4:]}" if shows_key else None,
        "is_active": source.is_active,
        "last_event_at": source.last_event_at,
        "expect_every_seconds": source.expect_every_seconds,
        "is_from_code": source.is_from_code,
    }


class SourceProblemOut(Schema):
    at: datetime
    kind: str
    reason: str

    @classmethod
    def of(cls, problem: SourceProblem) -> SourceProblemOut:
        return cls(at=problem.at, kind=problem.kind, reason=problem.reason)


class SourceDetailOut(SourceOut):
    problems: list[SourceProblemOut]


class TargetOut(Schema):
    schedule: str | None
    team: str | None
    user: str | None
    notify: str

    @classmethod
    def of(cls, target: StepTarget) -> TargetOut:
        return cls(
            schedule=target.schedule.name if target.schedule else None,
            team=target.team.name if target.team else None,
            user=target.user.name if target.user else None,
            notify=target.notify,
        )


class StepOut(Schema):
    """`after_seconds` counts from the start of the round."""

    name: str
    after_seconds: int
    condition: str
    targets: list[TargetOut]

    @classmethod
    def of(cls, step: PolicyStep) -> StepOut:
        targets = [TargetOut.of(target) for target in step.targets.all()]
        return cls(name=step.name, after_seconds=step.after_seconds, condition=step.condition, targets=targets)


class PolicyOut(Schema):
    name: str
    team: str
    repeat: int
    repeat_after_seconds: int
    ack_timeout_seconds: int | None
    steps: list[StepOut]
    is_from_code: bool

    @classmethod
    def of(cls, policy: EscalationPolicy) -> PolicyOut:
        return cls(
            name=policy.name,
            team=policy.team.name,
            repeat=policy.repeat,
            repeat_after_seconds=policy.repeat_after_seconds,
            ack_timeout_seconds=policy.ack_timeout_seconds,
            steps=[StepOut.of(step) for step in policy.steps.all()],
            is_from_code=policy.is_from_code,
        )


class DryLineOut(Schema):
    at: datetime
    step: str
    user: str | None
    method: str
    is_reachable: bool
    text: str


class DryRunOut(Schema):
    is_all_reachable: bool
    problems: Sequence[str]
    lines: list[DryLineOut]


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


class TestAlertOut(Schema):
    sentence: str


ProgressOut.model_rebuild()
