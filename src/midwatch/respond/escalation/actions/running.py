"""Running escalations: start them with the alerts, decide what is due, page. Many at a time, in short transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from django.db import transaction

from midwatch.core import clock, leases
from midwatch.core.actor import ENGINE
from midwatch.people.models import User
from midwatch.respond.alerts.actions import unacknowledge_alert
from midwatch.respond.alerts.actions.timeline import entry, note_many
from midwatch.respond.alerts.models import Alert, AlertStatus, TimelineEntry
from midwatch.respond.alerts.queries import maintenance_of
from midwatch.respond.escalation import decide
from midwatch.respond.escalation.models import Escalation, EscalationPolicy, EscalationState, PolicyStep
from midwatch.respond.escalation.queries import OnCallNow, ack_timeout, pure_steps, steps_of
from midwatch.respond.notify.actions import NewPage, Told, start_pages, tell_many
from midwatch.respond.notify.models import DeliveryKind, Page, PageState

ESCALATION_LEASE = timedelta(seconds=5)
PASSES_MAX = 100  # a policy has far fewer steps; a loop that does not end is a bug to hear of
RUN_FIELDS = [
    "state",
    "why",
    "round",
    "round_started_at",
    "rounds_limit",
    "next_step",
    "pulled_seconds",
    "sent_at",
    "has_reached",
    "last_resort",
    "last_resort_at",
    "asked_at",
    "due_at",
]


@dataclass(slots=True)
class Run:
    """What one batch needs to know, loaded once."""

    now: datetime
    on_call: OnCallNow
    steps: dict[int, list[PolicyStep]]
    pages: dict[str, list[Page]]  # of the current step, by origin
    held: dict[int, datetime]  # service id -> end of its maintenance
    notes: list[TimelineEntry] = field(default_factory=list)
    failed_now: set[int] = field(default_factory=set)  # escalations whose step went out to nobody, in this run


def origin_of(escalation: Escalation, step: int | str) -> str:
    return f"{escalation.pk}/{escalation.round}/{step}"


def run(escalations: Sequence[Escalation]) -> None:
    """Decide and act until nothing of these is due. In the caller's transaction; each has `alert` and `policy` loaded."""
    if not escalations:
        return
    now = clock.now()
    batch = _load(escalations, now)
    hot = list(escalations)
    for _ in range(PASSES_MAX):
        if not hot:
            break
        decisions = [(escalation, decide.decide(_facts(escalation, batch))) for escalation in hot]
        hot = _apply(decisions, batch)
    else:
        raise RuntimeError(f"escalations {[e.pk for e in hot]} do not come to rest")
    note_many(batch.notes)
    Escalation.objects.bulk_update(escalations, RUN_FIELDS, batch_size=100)


def _load(escalations: Sequence[Escalation], now: datetime) -> Run:
    policies: dict[int, EscalationPolicy] = {e.policy.pk: e.policy for e in escalations if e.policy is not None}
    held = maintenance_of({e.alert.service_id for e in escalations if e.alert.service_id}, now)
    origins = [origin_of(e, e.next_step - 1) for e in escalations if e.sent_at is not None]
    pages: dict[str, list[Page]] = defaultdict(list)
    for page in Page.objects.filter(origin__in=origins) if origins else ():
        pages[page.origin].append(page)
    return Run(
        now=now,
        on_call=OnCallNow(now),
        steps={pk: steps_of(policy) for pk, policy in policies.items()},
        pages=pages,
        held={service_id: window.ends_at for service_id, window in held.items()},
    )


def _steps(escalation: Escalation, batch: Run) -> list[decide.Step]:
    if escalation.policy_id:
        return pure_steps(batch.steps[escalation.policy_id])
    return [decide.Step(timedelta(0))] if escalation.direct_user_id or escalation.direct_schedule_id else []


def _facts(escalation: Escalation, batch: Run) -> decide.Facts:
    alert, policy = escalation.alert, escalation.policy
    if escalation.state == EscalationState.HELD and alert.service_id not in batch.held:
        begin_round(escalation, batch.now)  # the maintenance is over and it still fires
    pages = batch.pages.get(origin_of(escalation, escalation.next_step - 1), [])
    live = [page for page in pages if page.state != PageState.DECLINED]
    handed = [page.handed_over_at for page in live if page.handed_over_at is not None]
    if handed:
        escalation.has_reached = True
    has_failed = escalation.pk in batch.failed_now or all(
        page.failed_at is not None and page.handed_over_at is None for page in live
    )
    return decide.Facts(
        status=alert.status,
        now=batch.now,
        steps=_steps(escalation, batch),
        round=escalation.round,
        rounds_limit=escalation.rounds_limit,
        round_started_at=escalation.round_started_at,
        next_step=escalation.next_step,
        pulled=timedelta(seconds=escalation.pulled_seconds),
        sent_at=escalation.sent_at,
        handed_over_at=min(handed, default=None),
        has_failed=has_failed and escalation.sent_at is not None,
        has_reached=escalation.has_reached,
        repeat_after=timedelta(seconds=policy.repeat_after_seconds if policy else 600),
        held_until=batch.held.get(alert.service_id) if alert.service_id else None,
        snoozed_until=alert.snoozed_until,
        acknowledged_at=alert.acknowledged_at,
        is_machine=alert.is_acknowledged_by_machine,
        ack_timeout=ack_timeout(policy, alert.urgency, is_machine=alert.is_acknowledged_by_machine),
        asked_at=escalation.asked_at,
        last_resort=escalation.last_resort,
        last_resort_at=escalation.last_resort_at,
        is_last_resort_used_up=alert.urgency == "low" and escalation.last_resort >= 3,
    )


def _apply(decisions: Iterable[tuple[Escalation, decide.Decision]], batch: Run) -> list[Escalation]:
    """Act on a pass. Returns the escalations to decide on again, because something changed for them at once."""
    again: list[Escalation] = []
    to_page: list[tuple[Escalation, list[NewPage]]] = []
    for escalation, decision in decisions:
        match decision:
            case decide.Stop():
                end(escalation)
            case decide.Wait(until=until, why=why):
                _rest(escalation, until, why)
            case decide.SendStep(index=index, due_at=due_at):
                to_page.append((escalation, _step_pages(escalation, index, due_at, batch)))
                again.append(escalation)
            case decide.Ask():
                _ask(escalation, batch)
                again.append(escalation)
            case decide.TimeOut():
                _time_out(escalation, batch)
                again.append(escalation)
            case decide.NextRound():
                begin_round(escalation, batch.now, is_repeat=True)
                batch.notes.append(
                    entry(escalation.alert_id, "round", f"Round {escalation.round} begins", ENGINE, at=batch.now)
                )
                again.append(escalation)
            case decide.LastResort(level=level):
                to_page.append((escalation, _last_resort(escalation, level, batch)))
                again.append(escalation)
            case decide.Exhausted():
                escalation.state = EscalationState.EXHAUSTED
                escalation.due_at = None
                escalation.why = "every round ran; the people's own rules go on"
            case _:
                assert_never(decision)
    _page(to_page, batch)
    return again


def _rest(escalation: Escalation, until: datetime | None, why: str) -> None:
    escalation.due_at = until
    alert = escalation.alert
    if alert.status == AlertStatus.ACKNOWLEDGED:
        escalation.state = EscalationState.SNOOZED if alert.snoozed_until else EscalationState.ACKNOWLEDGED
        escalation.why = why
    elif why == "maintenance":
        escalation.state = EscalationState.HELD
        escalation.why = f"in maintenance until {until:%Y-%m-%d %H:%M} UTC" if until else "in maintenance"
    else:
        escalation.state = EscalationState.PAGING
        escalation.why = why


def _people(escalation: Escalation, index: int, batch: Run) -> tuple[str, list[User]]:
    if escalation.policy_id:
        step = batch.steps[escalation.policy_id][index]
        return step.name, batch.on_call.of_step(step)
    if escalation.direct_user is not None:
        return "direct page", [escalation.direct_user] if escalation.direct_user.is_active else []
    if escalation.direct_schedule is not None:
        return f"on call for {escalation.direct_schedule.name}", batch.on_call.of_schedule(escalation.direct_schedule)
    return "direct page", []


def _step_pages(escalation: Escalation, index: int, due_at: datetime, batch: Run) -> list[NewPage]:
    facts = _facts(escalation, batch)
    name, people = _people(escalation, index, batch)
    escalation.pulled_seconds = max(0, int(decide.pulled_by(facts, index).total_seconds()))
    escalation.next_step = index + 1
    escalation.sent_at = batch.now
    batch.failed_now.discard(escalation.pk)
    if not people:
        batch.notes.append(
            entry(escalation.alert_id, "nobody", f"{name}: nobody to page, passing on at once", ENGINE, at=batch.now)
        )
    return _new_pages(escalation, people, origin_of(escalation, index), name, due_at, batch)


def _new_pages(
    escalation: Escalation, people: Sequence[User], origin: str, name: str, wanted_at: datetime, batch: Run
) -> list[NewPage]:
    alert = escalation.alert
    note = ""
    if alert.status == AlertStatus.ACKNOWLEDGED:
        note = f"{alert.acknowledged_by or 'Its source'} has {alert}"
    context = _context(escalation, people, batch)
    return [
        NewPage(
            alert,
            user,
            origin,
            name,
            wanted_at,
            note,
            {**context, "others": [str(p) for p in people if p.pk != user.pk]},
        )
        for user in people
    ]


def _context(escalation: Escalation, people: Sequence[User], batch: Run) -> dict[str, object]:
    context: dict[str, object] = {"more": escalation.joined_count, "covers": joined_alert_ids(escalation)}
    steps = batch.steps.get(escalation.policy_id or 0, [])
    if escalation.next_step < len(steps):
        upcoming = steps[escalation.next_step]
        at = escalation.round_started_at + timedelta(seconds=upcoming.after_seconds - escalation.pulled_seconds)
        context |= {"next_step": upcoming.name, "next_at": max(at, batch.now).isoformat()}
    return context


def joined_alert_ids(escalation: Escalation) -> list[int]:
    if not escalation.joined_count:
        return []
    joined = Escalation.objects.filter(leader=escalation, alert__status=AlertStatus.FIRING)
    return list(joined.order_by("alert_id").values_list("alert_id", flat=True)[:500])


def _last_resort(escalation: Escalation, level: int, batch: Run) -> list[NewPage]:
    """The next level that has anybody; a level without people is passed at once."""
    for attempt in range(3):
        name, people = batch.on_call.last_resort(escalation.alert.team, level + attempt)
        if people:
            level += attempt
            break
    else:
        name, people = "administrators", []
    escalation.last_resort = level + 1
    escalation.last_resort_at = batch.now
    text = (
        f"Nobody was reached: calling the {name}" if people else "Nobody was reached, and there is nobody left to call"
    )
    batch.notes.append(entry(escalation.alert_id, "last_resort", text, ENGINE, at=batch.now))
    return _new_pages(escalation, people, origin_of(escalation, f"last-{level}"), name, batch.now, batch)


def _page(to_page: Sequence[tuple[Escalation, list[NewPage]]], batch: Run) -> None:
    pages = start_pages([new for _, wanted in to_page for new in wanted])
    by_origin: dict[str, list[Page]] = defaultdict(list)
    for page in pages:
        by_origin[page.origin].append(page)
    batch.pages.update(by_origin)
    for escalation, wanted in to_page:
        if not wanted and escalation.sent_at == batch.now:
            batch.failed_now.add(escalation.pk)


def _ask(escalation: Escalation, batch: Run) -> None:
    alert = escalation.alert
    escalation.asked_at = batch.now
    owner = alert.acknowledged_by
    if owner is None:
        return
    sentence = f"still on {alert}? Acknowledge again for 30 min more, or it pages anew"
    key = f"ask/{escalation.pk}/{escalation.round}/{batch.now.timestamp():.0f}"
    tell_many([Told(owner, key, DeliveryKind.UPDATE, sentence, alert=alert)])
    batch.notes.append(entry(alert.pk, "asked", f"{owner} was asked: still on it?", ENGINE, at=batch.now))


def _time_out(escalation: Escalation, batch: Run) -> None:
    alert = escalation.alert
    unacknowledge_alert(alert, ENGINE, why="The acknowledgement timed out")
    alert.status = AlertStatus.FIRING
    alert.acknowledged_by = None
    alert.acknowledged_at = None
    alert.is_acknowledged_by_machine = False
    begin_round(escalation, batch.now)


def begin_round(escalation: Escalation, now: datetime, *, is_repeat: bool = False) -> None:
    """A round from step 1. All but a repeat give the policy its full number of rounds again. The caller saves."""
    repeat = escalation.policy.repeat if escalation.policy is not None else 0
    escalation.round += 1
    if not is_repeat:
        escalation.rounds_limit = escalation.round + repeat
    escalation.round_started_at = now
    escalation.next_step = 0
    escalation.pulled_seconds = 0
    escalation.sent_at = None
    escalation.has_reached = False
    escalation.last_resort = 0
    escalation.last_resort_at = None
    escalation.asked_at = None
    escalation.state = EscalationState.PAGING
    escalation.why = ""
    escalation.due_at = now


def end(escalation: Escalation, why: str = "resolved") -> None:
    escalation.state = EscalationState.ENDED
    escalation.due_at = None
    escalation.why = why


def run_due(*, limit: int = 50) -> int:
    """The engine: claim what is due, one short transaction. Returns how many were due."""
    now = clock.now()
    with transaction.atomic():
        due = Escalation.objects.filter(due_at__lte=now).select_related(*RELATED).order_by("due_at")
        mine = leases.claim(due, now=now, lease=ESCALATION_LEASE, limit=limit)
        run(mine)
        Escalation.objects.filter(pk__in=[e.pk for e in mine]).update(claimed_until=None)
    return len(mine)


RELATED = (
    "alert__service",
    "alert__team",
    "alert__acknowledged_by",
    "policy",
    "direct_user",
    "direct_schedule",
)


def due_now(alert: Alert) -> None:
    """Something changed: decide again at once. In the caller's transaction."""
    Escalation.objects.filter(alert=alert).exclude(state=EscalationState.ENDED).update(
        due_at=clock.now(), claimed_until=None
    )


def load(alert_ids: Iterable[int]) -> list[Escalation]:
    """Escalations of these alerts, locked, with what `run` needs."""
    found = Escalation.objects.filter(alert_id__in=list(alert_ids)).select_related(*RELATED)
    return unique_escalations(found.select_for_update(of=("self",)))


def unique_escalations(found: Iterable[Escalation]) -> list[Escalation]:
    return list({escalation.pk: escalation for escalation in found}.values())
