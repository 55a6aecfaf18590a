"""New alerts get an escalation: whose policy, from when, or joined to one whose page is still unanswered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from midwatch.core import clock, outbox
from midwatch.core.actor import ENGINE
from midwatch.core.rows import insert_rows
from midwatch.core.statements import Select, fetch
from midwatch.people.models import Team, User
from midwatch.respond.alerts.actions.timeline import entry, note_many
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation.actions import remedies
from midwatch.respond.escalation.actions.running import RELATED, load, origin_of, run
from midwatch.respond.escalation.actions.wanting import Wish, want
from midwatch.respond.escalation.models import (
    Escalation,
    EscalationPolicy,
    EscalationState,
    PolicyStep,
    ServicePolicy,
    TeamPolicy,
)
from midwatch.respond.notify.actions import NewPage, start_pages
from midwatch.respond.oncall.models import Schedule

OWNER_FIRST_MAX = timedelta(minutes=5)
OF_SERVICES = Select(lambda ids: ServicePolicy.objects.filter(service_id__in=ids).select_related("policy"))
OF_TEAMS = Select(lambda ids: TeamPolicy.objects.filter(team_id__in=ids).select_related("policy"))
FIRST_MORE_AFTER = timedelta(seconds=10)
MORE_AFTER = timedelta(minutes=1)
ADMINISTRATORS = 2  # the level of the last resort that calls them
GroupKey = tuple[int, str, int, int, str]  # source, group, service, policy, urgency


def start(opened: Sequence[tuple[Alert, int | None]]) -> None:
    """In the transaction that opened the alerts. `opened`: alert, and who owned it the last time and is paged first."""
    if not opened:
        return
    now = clock.now()
    policies = _policies([alert for alert, _ in opened])
    plans = remedies.planned(opened, policies, now)
    leaders = _open_leaders([alert for alert, _ in opened], policies)
    rows: list[Escalation] = []
    for alert, _ in opened:
        policy = policies.get(alert.pk)
        row = _row(alert, policy, plans.get(alert.pk, remedies.NOTHING).hold.length)
        group = _group(alert, policy)
        if group is not None and row.state == EscalationState.PAGING:
            _join_or_lead(row, alert, group, leaders)
        rows.append(row)
    leading = [row for row in rows if row.leader is None]
    insert_rows(leading)
    joining = [row for row in rows if row.leader is not None]
    for row in joining:
        assert row.leader is not None
        row.leader_id = row.leader.pk
    insert_rows(joining)
    _count_joined(joining, now)
    _want([row for row in leading if row.state == EscalationState.PAGING], plans, now)
    _page_owners(
        [
            (row, owner)
            for row, (_, owner) in zip(rows, opened, strict=True)
            if owner and row.state == EscalationState.PAGING
        ],
        now,
    )
    run([row for row in rows if row.due_at is not None and row.due_at <= now])  # all are new: nobody else holds them


def _policies(alerts: Sequence[Alert]) -> dict[int, EscalationPolicy]:
    services = {a.service_id for a in alerts if a.service_id}
    of_service = {bound.service_id: bound.policy for bound in OF_SERVICES(services)}
    teams = {a.team_id for a in alerts if a.team_id and a.service_id not in of_service}
    of_team = {bound.team_id: bound.policy for bound in OF_TEAMS(teams)}
    found = {}
    for alert in alerts:
        policy = of_service.get(alert.service_id or 0) or of_team.get(alert.team_id or 0)
        if policy is not None:
            found[alert.pk] = policy
    return found


def _row(alert: Alert, policy: EscalationPolicy | None, hold: timedelta) -> Escalation:
    """`hold`: how long the first page waits for a runbook; it runs beside the pause of the service, not after it."""
    page_after = timedelta(seconds=alert.service.page_after_seconds if alert.service else 0)
    starts_at = alert.created_at + max(page_after, hold)
    row = Escalation(
        alert=alert,
        policy=policy,
        round_started_at=starts_at,
        rounds_limit=1 + (policy.repeat if policy else 0),
        due_at=starts_at,
        fix_until=alert.created_at + hold if hold else None,
        why=_pause_words(page_after, hold),
    )
    if alert.status == AlertStatus.RESOLVED or alert.is_test:
        row.state, row.due_at, row.why = (
            EscalationState.ENDED,
            None,
            "a test pages nobody" if alert.is_test else "resolved",
        )
    return row


def _pause_words(page_after: timedelta, hold: timedelta) -> str:
    if hold > page_after:
        return f"waits {hold.seconds} s at most for a runbook that may fix it"
    return f"waits {page_after.seconds} s: it may heal by itself" if page_after else ""


def _want(rows: Sequence[Escalation], plans: Mapping[int, remedies.Planned], now: datetime) -> None:
    """The runbooks of those that page by themselves: what joins a page is left to the runbook of its leader."""
    found = [(row, plans[row.alert_id]) for row in rows if row.alert_id in plans]
    want([Wish(row.alert, wanted, plan.hold) for row, plan in found for wanted in plan.wanted], now)
    note_many(
        entry(row.alert_id, "hold", _hold_words(plan), ENGINE, at=now) for row, plan in found if _hold_words(plan)
    )


def _hold_words(plan: remedies.Planned) -> str:
    names = ", ".join(f"{wanted.runbook} ({wanted.origin})" for wanted in plan.wanted)
    if plan.hold.length:
        return f"The first page waits {plan.hold.length.seconds} s at most for runbook {names}"
    return f"The page does not wait for runbook {names}: {plan.hold.why}" if plan.hold.why else ""


def _group(alert: Alert, policy: EscalationPolicy | None) -> GroupKey | None:
    if not alert.group_key or alert.source_id is None or alert.service_id is None:
        return None
    return alert.source_id, alert.group_key, alert.service_id, policy.pk if policy is not None else 0, alert.urgency


def _open_leaders(alerts: Sequence[Alert], policies: dict[int, EscalationPolicy]) -> dict[GroupKey, Escalation]:
    """Escalations whose page is unanswered, that alerts of the same group may join."""
    groups = {(a.source_id, a.group_key) for a in alerts if a.group_key and a.source_id}
    if not groups:
        return {}
    # The exclusions say what the partial index of open groups says: without them SQLite reads all that a source ever sent.
    found = fetch(
        Escalation.objects.exclude(alert__status=AlertStatus.RESOLVED)
        .exclude(alert__group_key="")
        .filter(
            alert__source_id__in={source for source, _ in groups},
            alert__group_key__in={key for _, key in groups},
            alert__status=AlertStatus.FIRING,
            state__in=[EscalationState.PAGING, EscalationState.EXHAUSTED],
            leader=None,
        )
        .select_related(*RELATED)
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    # Looked at again under the lock: whoever answered meanwhile has seen to those that had joined, and to no later one.
    firing = set(
        Alert.objects.filter(pk__in=[e.alert_id for e in found], status=AlertStatus.FIRING).values_list("pk", flat=True)
    )
    leaders: dict[GroupKey, Escalation] = {}
    for escalation in sorted(found, key=lambda e: (e.alert.priority, e.pk)):
        group = _group(escalation.alert, escalation.policy)
        if group is not None and escalation.alert_id in firing:
            leaders.setdefault(group, escalation)
    return leaders


def _join_or_lead(row: Escalation, alert: Alert, group: GroupKey, leaders: dict[GroupKey, Escalation]) -> None:
    leader = leaders.get(group)
    if leader is None or alert.priority < leader.alert.priority or _waits_longer(leader, row):
        leaders[group] = row  # one that is more urgent pages by itself, and what comes after it joins it
    else:
        row.leader = leader
        row.state = EscalationState.JOINED
        row.due_at = None
        row.fix_until = None
        row.why = f"pages with {leader.alert}"


def _waits_longer(leader: Escalation, row: Escalation) -> bool:
    """Nobody is paged later because somebody else's alert waits for a runbook."""
    return leader.fix_until is not None and leader.next_step == 0 and leader.round_started_at > row.round_started_at


def _count_joined(joining: Sequence[Escalation], now: datetime) -> None:
    by_leader: dict[int, list[Escalation]] = {}
    for row in joining:
        by_leader.setdefault(row.leader_id or 0, []).append(row)
    for leader_id, rows in by_leader.items():
        leader = Escalation.objects.select_for_update().get(pk=leader_id)
        is_told = leader.joined_count == leader.joined_told_count  # nothing is pending yet
        after = FIRST_MORE_AFTER if leader.joined_told_count == 0 else MORE_AFTER
        Escalation.objects.filter(pk=leader_id).update(joined_count=leader.joined_count + len(rows))
        if is_told:
            outbox.emit("escalation.joined", {"escalation": leader_id}, due_at=now + after)
    note_many(
        entry(row.alert_id, "joined", f"Pages with {row.leader.alert}", ENGINE, at=now) for row in joining if row.leader
    )


def _page_owners(rows: Sequence[tuple[Escalation, int]], now: datetime) -> None:
    """The one who had it the last time is paged first; the policy starts five minutes later, or at once if that fails."""
    owners = User.objects.in_bulk({owner for _, owner in rows})
    for row, owner_id in rows:
        owner = owners.get(owner_id)
        if owner is None or not owner.is_active:
            continue
        pages = start_pages([NewPage(row.alert, owner, origin_of(row, "owner"), "its last owner", now)])
        if any(page.failed_at is None for page in pages):
            row.round_started_at = row.due_at = row.next_by = now + _pace(row)
            row.why = f"{owner} had it last and is paged first"
            Escalation.objects.filter(pk=row.pk).update(
                round_started_at=row.round_started_at, due_at=row.due_at, next_by=row.next_by, why=row.why
            )


def _pace(row: Escalation) -> timedelta:
    """How long one person has before the next, as the policy says; five minutes at most."""
    second = PolicyStep.objects.filter(policy=row.policy_id, position=1).values_list("after_seconds", flat=True).first()
    return min(OWNER_FIRST_MAX, timedelta(seconds=second)) if second else OWNER_FIRST_MAX


def start_directly(
    alert: Alert, *, policy: EscalationPolicy | None, schedule: Schedule | None, user: User | None
) -> None:
    """Somebody pages by hand: by a policy, or one schedule or person. In the caller's transaction."""
    Escalation.objects.create(
        alert=alert,
        policy=policy,
        direct_user=user,
        direct_schedule=schedule,
        round_started_at=alert.created_at,
        rounds_limit=1 + (policy.repeat if policy else 0),
        due_at=alert.created_at,
    )
    run(load([alert.pk]))


def start_with_administrators(alert: Alert) -> None:
    """By no policy: the last resort from its end, where the administrators are. In the caller's transaction."""
    Escalation.objects.create(
        alert=alert,
        round_started_at=alert.created_at,
        rounds_limit=1,
        due_at=alert.created_at,
        last_resort=ADMINISTRATORS,
    )
    run(load([alert.pk]))


def team_of(schedule: Schedule | None, team: Team | None) -> Team | None:
    return team or (schedule.team if schedule is not None else None)
