"""Who is on call, and what escalation policies do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ninja import Schema

from midwatch.api.shapes.people import PersonRef
from midwatch.respond.escalation.models import EscalationPolicy, PolicyStep, StepTarget
from midwatch.respond.oncall.models import Override, Schedule


class OnCallOut(Schema):
    """`quiet_until`: nobody is on call because the restrictions of the layers plan it so, until then."""

    schedule: str
    team: str
    users: list[PersonRef]
    until: datetime | None
    next_users: list[PersonRef]
    next_from: datetime | None
    quiet_until: datetime | None


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
