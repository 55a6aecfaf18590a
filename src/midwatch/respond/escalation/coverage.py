"""Whom a policy cannot do without: reads over the next 30 days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from midwatch.core import clock
from midwatch.people.models import MemberRole, Membership, User
from midwatch.respond.escalation.models import EscalationPolicy, Notify, PolicyStep, StepTarget
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.queries import resolvables

LOOK = timedelta(days=30)


def sole_target_of(user: User, now: datetime | None = None) -> list[str]:
    """The steps of the next 30 days that page this person and nobody else, as sentences.

    For `people.actions.deactivate_user(..., needed_by=...)` and `remove_contact`.
    """
    start = now or clock.now()
    policies = EscalationPolicy.objects.prefetch_related("steps__targets__schedule", "steps__targets__user").order_by(
        "name"
    )
    steps = [(policy, step) for policy in policies for step in policy.steps.all()]
    targets = [target for _, step in steps for target in step.targets.all()]
    schedules = {target.schedule_id: target.schedule for target in targets if target.schedule is not None}
    people = _People(resolvables(schedules.values(), since=start - timedelta(days=resolve.LOOK_DAYS_MAX)), targets)
    sentences = []
    for policy, step in steps:
        since = people.alone_since(step, user, start)
        if since is not None:
            when = "" if since == start else f" from {since:%Y-%m-%d %H:%M} UTC"
            sentences.append(f"policy {policy.name}, {step.name}{when}")
    return sentences


class _People:
    """Whom targets mean at any instant, with every schedule and team read once."""

    def __init__(self, values: dict[int, resolve.Schedule], targets: Sequence[StepTarget]) -> None:
        self._values = values
        self._teams: dict[tuple[int, str], set[str]] = {}
        teams = {target.team_id for target in targets if target.team_id is not None}
        for membership in Membership.objects.filter(team__in=teams, user__is_active=True).select_related("user"):
            if membership.role == MemberRole.MANAGER:
                self._teams.setdefault((membership.team_id, Notify.MANAGERS), set()).add(membership.user.name)
            if membership.is_paged and membership.role != MemberRole.OBSERVER:
                self._teams.setdefault((membership.team_id, Notify.ALL), set()).add(membership.user.name)

    def alone_since(self, step: PolicyStep, user: User, start: datetime) -> datetime | None:
        """The first moment from `start` at which the step pages this person alone."""
        targets = list(step.targets.all())
        always = {name for target in targets for name in self._always(target)}
        if always - {user.name}:
            return None
        rotating = [target for target in targets if target.schedule_id is not None]
        for moment in self._moments(rotating, start):
            if always.union(*(self._at(target, moment) for target in rotating)) == {user.name}:
                return moment
        return None

    def _always(self, target: StepTarget) -> set[str]:
        if target.user is not None:
            return {target.user.name} if target.user.is_active else set()
        if target.team_id is not None:
            return self._teams.get((target.team_id, target.notify), set())
        return set()

    def _at(self, target: StepTarget, moment: datetime) -> Iterable[str]:
        values = self._values[target.schedule_id or 0]
        match target.notify:
            case Notify.NEXT:
                return resolve.next_people(values, moment)
            case Notify.PREVIOUS:
                return resolve.previous_people(values, moment)
            case _:
                return resolve.on_call_at(values, moment)

    def _moments(self, targets: Sequence[StepTarget], start: datetime) -> list[datetime]:
        """`start`, and every hand-off after it."""
        changes = {start}
        for target in targets:
            for shift in resolve.shifts(self._values[target.schedule_id or 0], start, start + LOOK):
                changes |= {moment for moment in (shift.start, shift.end) if start < moment < start + LOOK}
        return sorted(changes)
