"""Reads of escalation: whom a target means now, how far an alert got, and what would happen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.statements import Select
from midwatch.people.models import MemberRole, Membership, Team, User
from midwatch.people.queries import administrators, may_edit_team
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation import decide
from midwatch.respond.escalation.models import (
    Condition,
    Escalation,
    EscalationPolicy,
    EscalationState,
    Notify,
    Organisation,
    PolicyStep,
    ServicePolicy,
    StepTarget,
    TeamPolicy,
)
from midwatch.respond.notify.queries import call_plans
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import users_on_call

_STEPS = Select(lambda policies: PolicyStep.objects.filter(policy_id__in=policies).order_by("position"))
_TARGETS = Select(
    lambda policies: (
        StepTarget.objects.filter(step__policy_id__in=policies)
        .select_related("schedule", "team", "user")
        .order_by("position", "id")
    )
)
_OF_ALERT = Select(lambda alert: Escalation.objects.select_related("policy", "leader__alert").filter(alert_id=alert))


class OnCallNow:
    """Whom targets mean at one instant. Each schedule and team is asked once, however many alerts page it."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._schedules: dict[tuple[int, str], list[User]] = {}
        self._teams: dict[tuple[int, str], list[User]] = {}
        self._steps: dict[int, list[User]] = {}

    def of_schedule(self, schedule: Schedule, notify: str = Notify.CURRENT) -> list[User]:
        key = (schedule.pk, notify)
        if key not in self._schedules:
            which = notify if notify in {Notify.NEXT, Notify.PREVIOUS} else Notify.CURRENT
            self._schedules[key] = [user for user in users_on_call(schedule, self.at, which) if user.is_active]
        return self._schedules[key]

    def of_team(self, team: Team, notify: str = Notify.ALL) -> list[User]:
        key = (team.pk, notify)
        if key not in self._teams:
            found = Membership.objects.filter(team=team, user__is_active=True).select_related("user")
            if notify == Notify.MANAGERS:
                found = found.filter(role=MemberRole.MANAGER)
            else:
                found = found.filter(is_paged=True).exclude(role=MemberRole.OBSERVER)
            self._teams[key] = [membership.user for membership in found]
        return self._teams[key]

    def of(self, target: StepTarget) -> list[User]:
        if target.schedule is not None:
            return self.of_schedule(target.schedule, target.notify)
        if target.team is not None:
            return self.of_team(target.team, target.notify)
        return [target.user] if target.user is not None and target.user.is_active else []

    def of_step(self, step: PolicyStep) -> list[User]:
        if step.pk not in self._steps:
            self._steps[step.pk] = unique(user for target in step.targets.all() for user in self.of(target))
        return self._steps[step.pk]

    def last_resort(self, team: Team | None, level: int) -> tuple[str, list[User]]:
        """The `level`-th fallback: the organisation's duty schedule, the team's managers, administrators, and again."""
        match level % 3:
            case 0:
                schedule = duty_schedule()
                return "duty schedule", self.of_schedule(schedule) if schedule else []
            case 1:
                return "managers", self.of_team(team, Notify.MANAGERS) if team else []
            case _:
                return "administrators", list(administrators())


def duty_schedule() -> Schedule | None:
    """The organisation's own, paged first when a round reached nobody."""
    organisation = Organisation.objects.select_related("duty_schedule").filter(pk=1).first()
    return organisation.duty_schedule if organisation else None


def unique(users: Iterable[User]) -> list[User]:
    return list({user.pk: user for user in users}.values())


def is_anybody_reachable(people: Sequence[User], urgency: str) -> bool:
    plans = call_plans((user.pk, urgency) for user in people)
    return any(plan.is_enough(urgency) for plan in plans.values())


def people_of(target: StepTarget, at: datetime) -> list[User]:
    return OnCallNow(at).of(target)


def policy_for(service: Service | None, team: Team | None) -> EscalationPolicy | None:
    """The service's policy, else its team's."""
    if service is not None:
        bound = ServicePolicy.objects.select_related("policy").filter(service=service).first()
        if bound is not None:
            return bound.policy
    if team is not None:
        of_team = TeamPolicy.objects.select_related("policy").filter(team=team).first()
        return of_team.policy if of_team is not None else None
    return None


def steps_of(policy: EscalationPolicy) -> list[PolicyStep]:
    return steps_by_policy([policy.pk])[policy.pk]


def steps_by_policy(policies: Iterable[int]) -> dict[int, list[PolicyStep]]:
    """Steps with their targets, for many policies in a handful of queries."""
    wanted = list(policies)
    found: dict[int, list[PolicyStep]] = {pk: [] for pk in wanted}
    targets: dict[int, list[StepTarget]] = defaultdict(list)
    for target in _TARGETS(wanted):
        targets[target.step_id].append(target)
    for step in _STEPS(wanted):
        loaded = StepTarget.objects.all()
        loaded._result_cache = targets[step.pk]  # as prefetch_related leaves it
        step._prefetched_objects_cache = {"targets": loaded}  # type: ignore[attr-defined]
        found[step.policy_id].append(step)
    return found


def pure_steps(steps: Sequence[PolicyStep]) -> list[decide.Step]:
    return [decide.Step(timedelta(seconds=s.after_seconds), s.condition == Condition.UNRESOLVED) for s in steps]


def ack_timeout(policy: EscalationPolicy | None, urgency: str, *, is_machine: bool) -> timedelta | None:
    """None: never. A machine's acknowledgement always runs out."""
    seconds = policy.ack_timeout_seconds if policy is not None else None
    if seconds:
        return timedelta(seconds=seconds)
    if is_machine or (seconds is None and urgency == "high"):
        return decide.ACK_TIMEOUT_HIGH
    return None


def target_words(target: StepTarget) -> str:
    """ "payments-primary (on call)", "Payments (everybody)", "Ana Novak"."""
    if target.schedule is not None:
        words = {Notify.NEXT: "next on call", Notify.PREVIOUS: "previously on call"}.get(
            Notify(target.notify), "on call"
        )
        return f"{target.schedule.name} ({words})"
    if target.team is not None:
        return f"{target.team} ({'managers' if target.notify == Notify.MANAGERS else 'everybody'})"
    return str(target.user)


@dataclass(frozen=True, slots=True)
class StepView:
    name: str
    at: datetime | None
    targets_text: str
    state: str  # done, next, later
    condition: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an alert got. `next_at`/`next_step`: the next step; `why`: why nothing is due, when nothing is."""

    policy: EscalationPolicy | None
    steps: Sequence[StepView]
    next_at: datetime | None
    next_step: str
    why: str
    round: int
    state: str
    joined_count: int = 0
    leader: Alert | None = None


def progress(alert: Alert) -> Progress | None:
    """None for an alert that was never escalated."""
    escalation = next(iter(_OF_ALERT(alert.pk)), None)
    if escalation is None:
        return None
    steps = steps_of(escalation.policy) if escalation.policy else []
    is_paging = escalation.state in {EscalationState.PAGING, EscalationState.HELD}
    views, next_name = [], ""
    for step in steps:
        is_done = step.position < escalation.next_step
        is_next = step.position == escalation.next_step and is_paging
        at = (
            None
            if is_done
            else escalation.round_started_at + timedelta(seconds=max(0, step.after_seconds - escalation.pulled_seconds))
        )
        if is_next:
            at, next_name = escalation.due_at or at, step.name
        text = ", ".join(target_words(target) for target in step.targets.all())
        views.append(
            StepView(
                step.name,
                at if is_paging else None,
                text,
                "done" if is_done else "next" if is_next else "later",
                step.condition,
            )
        )
    return Progress(
        policy=escalation.policy,
        steps=views,
        next_at=escalation.due_at if alert.status == AlertStatus.FIRING else None,
        next_step=next_name,
        why=escalation.why,
        round=escalation.round,
        state=escalation.state,
        joined_count=escalation.joined_count,
        leader=escalation.leader.alert if escalation.leader else None,
    )


@dataclass(frozen=True, slots=True)
class DryLine:
    """At `at`, in `step`, `user` would get a message by `method`. Without a user: nobody, and `text` says why."""

    at: datetime
    step: str
    user: User | None
    method: str
    is_reachable: bool
    text: str


@dataclass(frozen=True, slots=True)
class DryRun:
    lines: Sequence[DryLine]
    problems: Sequence[str] = field(default_factory=list)

    @property
    def is_all_reachable(self) -> bool:
        return not self.problems


def dry_run(policy: EscalationPolicy, *, urgency: str = "high", at: datetime | None = None) -> DryRun:
    """What would happen if an alert of this urgency fired at `at` and nobody answered: one round, the first cycle."""
    start = at or clock.now()
    lines: list[DryLine] = []
    problems: list[str] = []
    pulled = timedelta(0)
    steps = steps_of(policy)
    for index, step in enumerate(steps):
        due = start + timedelta(seconds=step.after_seconds) - pulled
        people = OnCallNow(due).of_step(step)
        plans = call_plans((user.pk, urgency) for user in people)
        is_reached = False
        for user in people:
            plan = plans[user.pk, urgency]
            if not plan.is_enough(urgency):
                problems.append(f"{step.name}: {user} has no usable method that rings")
                lines.append(DryLine(due, step.name, user, "", False, f"{user} cannot be reached"))
            is_reached = is_reached or plan.is_enough(urgency)
            for rule in plan.rules:
                contact = plan.contacts[rule.contact_id]
                lines.append(
                    DryLine(
                        due + rule.after,
                        step.name,
                        user,
                        f"{contact.name} ({contact.type})",
                        True,
                        f"{user} by {contact.name}",
                    )
                )
        if not people:
            problems.append(f"{step.name}: nobody")
            lines.append(DryLine(due, step.name, None, "", False, "nobody is on call: passes on at once"))
        if not is_reached and index + 1 < len(steps):
            pulled += timedelta(seconds=steps[index + 1].after_seconds - step.after_seconds)
    if not steps:
        problems.append("the policy has no steps")
    lines.sort(key=lambda line: line.at)
    return DryRun(lines, problems)


def may_edit_policy(user: User, policy: EscalationPolicy) -> bool:
    return not policy.is_from_code and may_edit_team(user, policy.team)
