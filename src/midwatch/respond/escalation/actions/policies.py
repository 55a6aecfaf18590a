"""Escalation policies: made, changed, bound to services and teams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import Team, User
from midwatch.respond.escalation import fixing
from midwatch.respond.escalation.models import (
    Condition,
    EscalationPolicy,
    Notify,
    Organisation,
    PolicyStep,
    ServicePolicy,
    StepTarget,
    TeamPolicy,
)
from midwatch.respond.oncall.models import Schedule

STEPS_MAX = 50
TARGETS_MAX = 50
REPEAT_MAX = 20
AFTER_SECONDS_MAX = 24 * 3600
REPEAT_AFTER_SECONDS_MIN, REPEAT_AFTER_SECONDS_MAX = 1, 24 * 3600
ACK_TIMEOUT_SECONDS_MAX = 7 * 24 * 3600
HOLD_PAGE_SECONDS_MAX = int(fixing.HOLD_MAX.total_seconds())
SCHEDULE_NOTIFY = (Notify.CURRENT, Notify.NEXT, Notify.PREVIOUS)
TEAM_NOTIFY = (Notify.ALL, Notify.MANAGERS)


@dataclass(frozen=True, slots=True)
class TargetFields:
    """Exactly one of `schedule`, `team`, `user`.

    `notify`: current (default), next, previous of a schedule; all (default), managers of a team.
    """

    schedule: Schedule | None = None
    team: Team | None = None
    user: User | None = None
    notify: str = ""


@dataclass(frozen=True, slots=True)
class StepFields:
    """`after_seconds` counts from the start of the round.

    `runbook`: by name, starts with this step, once an alert. `hold_page_seconds`: of the first step; its page waits for the
    runbook so long at most.
    """

    name: str
    targets: Sequence[TargetFields]
    after_seconds: int = 0
    condition: str = Condition.UNACKNOWLEDGED
    runbook: str = ""
    hold_page_seconds: int = 0


@dataclass(frozen=True, slots=True)
class PolicyFields:
    """`ack_timeout_seconds` None: 30 min for high urgency, none for low; 0: never."""

    team: Team
    steps: Sequence[StepFields]
    repeat: int = 0
    repeat_after_seconds: int = 600
    ack_timeout_seconds: int | None = None


def create_policy(name: str, fields: PolicyFields, by: Actor, *, mark: Mark | None = None) -> EscalationPolicy:
    """Raises `ValueError`."""
    check_name(name)
    check_policy(fields)
    try:
        with transaction.atomic():
            policy = EscalationPolicy.objects.create(
                name=name, created_at=clock.now(), **_values(fields), **mark_values(mark)
            )
            _write_steps(policy, fields.steps)
            audit.record(by, "create", "escalation policy", name, _facts(fields))
    except IntegrityError as error:
        raise ValueError(f"there is an escalation policy called {name} already: give another name") from error
    return policy


def change_policy(
    policy: EscalationPolicy, fields: PolicyFields, by: Actor, *, mark: Mark | None = None
) -> EscalationPolicy:
    """Escalations under way go on with the new steps. Raises `ValueError`."""
    guard(policy, mark)
    check_policy(fields)
    values = _values(fields)
    with transaction.atomic():
        current = EscalationPolicy.objects.select_for_update().get(pk=policy.pk)
        for key, new in values.items():
            setattr(current, key, new)
        current.save(update_fields=list(values))
        current.steps.all().delete()
        _write_steps(current, fields.steps)
        audit.record(by, "change", "escalation policy", policy.name, _facts(fields))
    return current


def delete_policy(policy: EscalationPolicy, by: Actor, *, mark: Mark | None = None) -> None:
    """The database refuses while a service or a team uses it (`ProtectedError`)."""
    guard(policy, mark)
    with transaction.atomic():
        audit.record(by, "delete", "escalation policy", policy.name)
        policy.delete()


def create_from_template(
    name: str,
    team: Team,
    by: Actor,
    *,
    level_1: Schedule | User,
    level_2: Schedule | User | None = None,
    wait_seconds: int = 300,
) -> EscalationPolicy:
    """Level 1, then level 2, then the whole team; used by the team from now on if it had none."""
    steps = [StepFields("level 1", [_target(level_1)])]
    if level_2 is not None:
        steps.append(StepFields("level 2", [_target(level_2)], wait_seconds))
    whole_after = wait_seconds * (3 if level_2 is not None else 2)
    steps.append(StepFields("whole team", [TargetFields(team=team, notify=Notify.ALL)], whole_after))
    with transaction.atomic():
        policy = create_policy(name, PolicyFields(team, steps, repeat=2), by)
        if not team.is_from_code and not TeamPolicy.objects.filter(team=team).exists():
            bind_team(team, policy, by)
    return policy


def bind_service(service: Service, policy: EscalationPolicy | None, by: Actor, *, mark: Mark | None = None) -> None:
    """What alerts of this service are escalated by; None: its team's policy."""
    guard(service, mark)
    with transaction.atomic():
        if policy is None:
            ServicePolicy.objects.filter(service=service).delete()
        else:
            ServicePolicy.objects.update_or_create(service=service, defaults={"policy": policy})
        audit.record(by, "set policy", "service", service.name, {"policy": policy.name if policy else None})


def bind_team(team: Team, policy: EscalationPolicy | None, by: Actor, *, mark: Mark | None = None) -> None:
    """What "page this team" uses."""
    guard(team, mark)
    with transaction.atomic():
        if policy is None:
            TeamPolicy.objects.filter(team=team).delete()
        else:
            TeamPolicy.objects.update_or_create(team=team, defaults={"policy": policy})
        audit.record(by, "set policy", "team", team.name, {"policy": policy.name if policy else None})


def check_policy(fields: PolicyFields) -> None:
    """Raises `ValueError` with a sentence."""
    if not 0 <= fields.repeat <= REPEAT_MAX:
        raise ValueError(f"repeat: give 0 to {REPEAT_MAX} further rounds")
    if not REPEAT_AFTER_SECONDS_MIN <= fields.repeat_after_seconds <= REPEAT_AFTER_SECONDS_MAX:
        raise ValueError("repeat after: give 1 second to 24 hours")
    if not 0 <= (fields.ack_timeout_seconds or 0) <= ACK_TIMEOUT_SECONDS_MAX:
        raise ValueError("ack time-out: give 0 for never, or 1 second to 7 days")
    if not fields.steps:
        raise ValueError("a policy without steps pages nobody: give at least one step")
    if len(fields.steps) > STEPS_MAX:
        raise ValueError(f"a policy has at most {STEPS_MAX} steps")
    reached = 0
    for number, step in enumerate(fields.steps, start=1):
        label = clean(step.name, 100, is_one_line=True) or f"step {number}"
        if not 0 <= step.after_seconds <= AFTER_SECONDS_MAX:
            raise ValueError(f"{label}: after: give 0 seconds to 24 hours")
        if step.after_seconds < reached:
            raise ValueError(f"{label} would go out before the step above it: order the steps by `after`")
        reached = step.after_seconds
        if step.condition not in Condition.values:
            raise ValueError(f"{label}: give unacknowledged or unresolved")
        if not 1 <= len(step.targets) <= TARGETS_MAX:
            raise ValueError(f"{label}: give 1 to {TARGETS_MAX} targets")
        _check_runbook(label, step, is_first=number == 1)
        for target in step.targets:
            _check_target(label, target)


def _check_runbook(label: str, step: StepFields, *, is_first: bool) -> None:
    if step.runbook:
        check_name(step.runbook)
    if not 0 <= step.hold_page_seconds <= HOLD_PAGE_SECONDS_MAX:
        raise ValueError(f"{label}: hold page: give 0 seconds to {HOLD_PAGE_SECONDS_MAX // 60} minutes")
    if step.hold_page_seconds and not is_first:
        raise ValueError(f"{label}: only the first step's page waits for its runbook: leave hold page out here")
    if step.hold_page_seconds and not step.runbook:
        raise ValueError(f"{label}: name the runbook that the page waits for, or leave hold page out")


def _check_target(label: str, target: TargetFields) -> None:
    if sum(found is not None for found in (target.schedule, target.team, target.user)) != 1:
        raise ValueError(f"{label}: a target is one schedule, one team or one user")
    if target.schedule is not None and target.notify not in {"", *SCHEDULE_NOTIFY}:
        raise ValueError(f"{label}: of a schedule notify {', '.join(SCHEDULE_NOTIFY)}")
    if target.team is not None and target.notify not in {"", *TEAM_NOTIFY}:
        raise ValueError(f"{label}: of a team notify {', '.join(TEAM_NOTIFY)}")
    if target.user is not None and target.notify not in {"", Notify.CURRENT}:
        raise ValueError(f"{label}: leave notify out for a user")


def _target(who: Schedule | User) -> TargetFields:
    return TargetFields(schedule=who) if isinstance(who, Schedule) else TargetFields(user=who)


def _values(fields: PolicyFields) -> dict[str, Any]:
    return {
        "team": fields.team,
        "repeat": fields.repeat,
        "repeat_after_seconds": fields.repeat_after_seconds,
        "ack_timeout_seconds": fields.ack_timeout_seconds,
    }


def _facts(fields: PolicyFields) -> dict[str, Any]:
    return {"team": fields.team.name, "steps": [[step.name, step.after_seconds] for step in fields.steps]}


def _write_steps(policy: EscalationPolicy, steps: Sequence[StepFields]) -> None:
    for position, fields in enumerate(steps):
        step = PolicyStep.objects.create(
            policy=policy,
            position=position,
            name=clean(fields.name, 100, is_one_line=True) or f"level {position + 1}",
            after_seconds=fields.after_seconds,
            condition=fields.condition,
            runbook=fields.runbook,
            hold_page_seconds=fields.hold_page_seconds,
        )
        StepTarget.objects.bulk_create(
            [
                StepTarget(
                    step=step,
                    position=place,
                    schedule=target.schedule,
                    team=target.team,
                    user=target.user,
                    notify=target.notify or (Notify.ALL if target.team is not None else Notify.CURRENT),
                )
                for place, target in enumerate(fields.targets)
            ]
        )


def set_duty_schedule(schedule: Schedule | None, by: Actor) -> None:
    """Whom a round that reached nobody pages first, before managers and administrators. None: nobody."""
    with transaction.atomic():
        Organisation.objects.update_or_create(pk=1, defaults={"duty_schedule": schedule})
        audit.record(
            by, "set duty schedule", "organisation", "organisation", {"schedule": schedule.name if schedule else ""}
        )
