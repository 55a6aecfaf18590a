"""Would a page reach somebody? Before it matters."""

from __future__ import annotations

from datetime import timedelta

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.contribute import Check
from midwatch.people.models import MemberRole, Membership, User
from midwatch.respond.escalation.models import (
    EscalationPolicy,
    Notify,
    ServicePolicy,
    StepTarget,
    TeamChannel,
    TeamPolicy,
)
from midwatch.respond.escalation.queries import dry_run
from midwatch.respond.notify.queries import reachabilities
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import named, resolvables

AHEAD = timedelta(days=30)
NAMED_MAX = 10


def people_can_be_reached() -> Check:
    question = f"Can everybody who may be paged in the next {AHEAD.days} days be woken?"
    people = who_may_be_paged()
    states = reachabilities(people)
    unreachable = [state for user in people if not (state := states[user.pk]).is_reachable_high]
    if unreachable:
        listed = "; ".join(f"{state.user.name}: {state.why}" for state in unreachable[:NAMED_MAX])
        more = f" and {len(unreachable) - NAMED_MAX} more" if len(unreachable) > NAMED_MAX else ""
        remedy = "each adds a method that rings in their profile and answers a test page (midwatch test-page NAME)"
        return Check("reachability.people", question, "failed", f"{listed}{more}", remedy)
    return Check("reachability.people", question, "ok", f"all {len(people)} of them")


def who_may_be_paged() -> list[User]:
    """Everybody whom a step of some policy means at some time of the next 30 days, by name."""
    now = clock.now()
    targets = list(StepTarget.objects.select_related("schedule", "user"))
    rotating = {target.schedule_id: target.schedule for target in targets if target.schedule is not None}
    schedules: list[Schedule] = list(rotating.values())
    values = resolvables(schedules, since=now)
    names = {shift.user for schedule in schedules for shift in resolve.shifts(values[schedule.pk], now, now + AHEAD)}
    found = {user.pk: user for user in named(names).values()}
    found |= {target.user.pk: target.user for target in targets if target.user is not None and target.user.is_active}
    teams = {target.team_id: target.notify for target in targets if target.team_id is not None}
    members = Membership.objects.filter(team__in=teams, user__is_active=True).select_related("user")
    for membership in members:
        is_manager = membership.role == MemberRole.MANAGER
        is_meant = is_manager if teams[membership.team_id] == Notify.MANAGERS else membership.is_paged
        if is_meant and membership.role != MemberRole.OBSERVER:
            found[membership.user_id] = membership.user
    return sorted(found.values(), key=lambda user: user.name)


def policies_reach_somebody() -> list[Check]:
    question = "Would a page of each policy reach somebody now?"
    policies = list(EscalationPolicy.objects.order_by("name"))
    checks = []
    for policy in policies:
        found = dry_run(policy, urgency="high", at=clock.now())
        if not any(line.is_reachable for line in found.lines):
            text = f"{policy.name} would reach nobody: {'; '.join(found.problems[:3])}"
            remedy = "put somebody on call who can be woken; the last resort (managers, administrators) would be paged"
            checks.append(Check("reachability.policies", question, "failed", text, remedy))
    if not policies:
        text, remedy = "there is no escalation policy, so nobody is paged", "make one from the template in the wizard"
        return [Check("reachability.policies", question, "warning", text, remedy)]
    return checks or [Check("reachability.policies", question, "ok", f"each of {len(policies)} policies")]


def services_have_policies() -> Check:
    question = "Has every service somebody who is paged?"
    own = ServicePolicy.objects.values("service")
    of_team = TeamPolicy.objects.values("team")
    without = Service.objects.exclude(pk__in=own).exclude(team__in=of_team).order_by("name")
    names = list(without.values_list("name", flat=True)[: NAMED_MAX + 1])
    if names:
        more = " and more" if len(names) > NAMED_MAX else ""
        text = f"no escalation policy, neither of the service nor of its team: {', '.join(names[:NAMED_MAX])}{more}"
        return Check("services.policies", question, "warning", text, "choose one on the service's or the team's page")
    return Check("services.policies", question, "ok", f"{Service.objects.count()} services, each with a policy")


def team_channels_work() -> Check:
    question = "Do the alert channels of teams take their messages?"
    failing = list(TeamChannel.objects.exclude(failing_since=None).select_related("team").order_by("team__name"))
    if failing:
        said = "; ".join(f"{one.team.name} ({one.place}): {one.problem}" for one in failing[:NAMED_MAX])
        remedy = "pages go out all the same; set it right on the team's page, and the next alert is shown again"
        return Check("channels.teams", question, "warning", said, remedy)
    return Check("channels.teams", question, "ok", f"{TeamChannel.objects.count()} alert channels")


CHECKS = (people_can_be_reached, policies_reach_somebody, services_have_policies, team_channels_work)
