"""Running escalations: start them with the alerts, decide what is due, page. Many at a time, in short transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from django.db import OperationalError, models, transaction

from midwatch.core import clock, leases
from midwatch.core.actor import ENGINE
from midwatch.core.durations import written
from midwatch.core.guard import guarded
from midwatch.core.rows import update_columns
from midwatch.core.statements import Select, fetch
from midwatch.people.models import User
from midwatch.respond.alerts.actions import unacknowledge_alert
from midwatch.respond.alerts.actions.timeline import entry, note_many
from midwatch.respond.alerts.models import Alert, AlertStatus, TimelineEntry
from midwatch.respond.alerts.queries import maintenance_of
from midwatch.respond.escalation import decide
from midwatch.respond.escalation.actions.wanting import Wish, of_step, want
from midwatch.respond.escalation.fixing import Hold
from midwatch.respond.escalation.models import Escalation, EscalationPolicy, EscalationState, PolicyStep
from midwatch.respond.escalation.queries import (
    OnCallNow,
    ack_timeout,
    is_anybody_reachable,
    pure_steps,
    steps_by_policy,
)
from midwatch.respond.notify.actions import NewPage, Told, start_pages, stop_pages, tell_many
from midwatch.respond.notify.models import DeliveryKind, Page, PageState

ESCALATION_LEASE = timedelta(seconds=5)
FAILED_PAUSE = timedelta(minutes=1)
BATCH = 100  # due ones in one transaction: a person who acknowledges waits for one at most
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
    "next_by",
    "fix_until",
    "due_at",
]
RELATED = (
    "alert__service",
    "alert__team",
    "alert__acknowledged_by",
    "policy",
    "direct_user",
    "direct_schedule",
)
CALLED = Select(
    lambda origins: Page.objects.filter(origin__in=origins).values_list(
        "origin", "state", "handed_over_at", "failed_at"
    )
)
DUE = Select(lambda now: _due(now)[:BATCH])
SUFFIXES = RAISED, TEAM = "/raised", "/team"  # pages of a step that began anew with the high rules; of those after it


class Called(NamedTuple):
    """What a decision looks at of a page."""

    state: str
    handed_over_at: datetime | None
    failed_at: datetime | None


@dataclass(slots=True)
class Run:
    """What one batch needs to know, loaded once."""

    now: datetime
    on_call: OnCallNow
    steps: dict[int, list[PolicyStep]]
    pure: dict[int, list[decide.Step]]  # the same, as the decision takes them
    called: dict[str, list[Called]]  # of the current step, by origin
    held: dict[int, datetime]  # service id -> end of its maintenance
    notes: list[TimelineEntry] = field(default_factory=list)
    failed_now: set[int] = field(default_factory=set)  # escalations whose step went out to nobody, in this run
    wishes: list[Wish] = field(default_factory=list)  # runbooks that start with a step


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
        known = [(escalation, _facts(escalation, batch)) for escalation in hot]
        hot = _apply([(escalation, facts, decide.decide(facts)) for escalation, facts in known], batch)
    else:
        raise RuntimeError(f"escalations {[e.pk for e in hot]} do not come to rest")
    note_many(batch.notes)
    update_columns(escalations, RUN_FIELDS)
    want(batch.wishes, now)


def _load(escalations: Sequence[Escalation], now: datetime) -> Run:
    policies: dict[int, EscalationPolicy] = {e.policy.pk: e.policy for e in escalations if e.policy is not None}
    held = maintenance_of({e.alert.service_id for e in escalations if e.alert.service_id and e.alert.source_id}, now)
    origins = [origin_of(e, e.next_step - 1) for e in escalations if e.sent_at is not None]
    called: dict[str, list[Called]] = defaultdict(list)
    wanted = {origin + suffix: origin for origin in origins for suffix in ("", *SUFFIXES)}
    for origin, state, handed_over_at, failed_at in CALLED(wanted.keys()):
        called[wanted[origin]].append(Called(state, handed_over_at, failed_at))
    steps = steps_by_policy(policies)
    return Run(
        now=now,
        on_call=OnCallNow(now),
        steps=steps,
        pure={policy: pure_steps(found) for policy, found in steps.items()},
        called=called,
        held={service_id: window.ends_at for service_id, window in held.items()},
    )


def _steps(escalation: Escalation, batch: Run) -> list[decide.Step]:
    if escalation.policy_id:
        return batch.pure[escalation.policy_id]
    return [decide.Step(timedelta(0))] if escalation.direct_user_id or escalation.direct_schedule_id else []


def _facts(escalation: Escalation, batch: Run) -> decide.Facts:
    alert, policy = escalation.alert, escalation.policy
    held_until = _held_until(alert, batch)
    if escalation.state == EscalationState.HELD and held_until is None:
        begin_round(escalation, batch.now)  # the maintenance is over and it still fires
    called = batch.called.get(origin_of(escalation, escalation.next_step - 1), [])
    live = [page for page in called if page.state != PageState.DECLINED]
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
        held_until=held_until,
        snoozed_until=alert.snoozed_until,
        acknowledged_at=alert.acknowledged_at,
        is_machine=alert.is_acknowledged_by_machine,
        ack_timeout=ack_timeout(policy, alert.urgency, is_machine=alert.is_acknowledged_by_machine),
        asked_at=escalation.asked_at,
        last_resort=escalation.last_resort,
        last_resort_at=escalation.last_resort_at,
        is_last_resort_used_up=alert.urgency == "low" and escalation.last_resort >= 3,
        next_by=escalation.next_by,
    )


def _held_until(alert: Alert, batch: Run) -> datetime | None:
    """The end of the service's maintenance. What a person pages by hand is not held."""
    if not alert.service_id or not alert.source_id:
        return None
    return batch.held.get(alert.service_id)


def _apply(decisions: Iterable[tuple[Escalation, decide.Facts, decide.Decision]], batch: Run) -> list[Escalation]:
    """Act on a pass. Returns the escalations to decide on again, because something changed for them at once."""
    again: list[Escalation] = []
    to_page: list[tuple[Escalation, list[NewPage]]] = []
    for escalation, facts, decision in decisions:
        match decision:
            case decide.Stop():
                end(escalation)
            case decide.Wait(until=until, why=why):
                _rest(escalation, until, why)
            case decide.SendStep(index=index, due_at=due_at):
                to_page.append((escalation, _step_pages(escalation, facts, index, due_at, batch)))
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
            case decide.LastResort() if escalation.alert.is_test:
                end(escalation, "a test calls nobody else")
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


def _step_pages(escalation: Escalation, facts: decide.Facts, index: int, due_at: datetime, batch: Run) -> list[NewPage]:
    name, people = _people(escalation, index, batch)
    step = batch.steps[escalation.policy_id][index] if escalation.policy_id else None
    if step is not None and step.runbook and not escalation.alert.is_test:
        batch.wishes.append(Wish(escalation.alert, of_step(step), Hold(timedelta(0))))
    if escalation.alert.status == AlertStatus.ACKNOWLEDGED:  # whoever has it need not be told
        people = [user for user in people if user.pk != escalation.alert.acknowledged_by_id]
    escalation.pulled_seconds = max(0, int(decide.pulled_by(facts, index).total_seconds()))
    if index == 0 and escalation.round_started_at > batch.now:  # called before a pause was over: the round begins now
        escalation.round_started_at = batch.now
        escalation.pulled_seconds = int(facts.steps[0].after.total_seconds())
    escalation.fix_until = None
    escalation.next_step = index + 1
    escalation.sent_at = batch.now
    escalation.next_by = None
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
    context = context_of(escalation, batch.steps.get(escalation.policy_id or 0, []))
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


def context_of(escalation: Escalation, steps: Sequence[PolicyStep] = ()) -> dict[str, object]:
    """What the words of a page say beside the alert: how many joined it, and what comes next."""
    covers = joined_alert_ids(escalation)
    context: dict[str, object] = {"more": len(covers), "covers": covers}
    if escalation.next_step < len(steps):
        upcoming = steps[escalation.next_step]
        at = escalation.round_started_at + timedelta(seconds=upcoming.after_seconds - escalation.pulled_seconds)
        context |= {"next_step": upcoming.name, "next_at": max(at, clock.now()).isoformat()}
    return context


def joined_alert_ids(escalation: Escalation) -> list[int]:
    if not escalation.joined_count:
        return []
    joined = Escalation.objects.filter(leader=escalation, alert__status=AlertStatus.FIRING)
    return list(joined.order_by("alert_id").values_list("alert_id", flat=True)[:500])


def _last_resort(escalation: Escalation, level: int, batch: Run) -> list[NewPage]:
    """The next level that has anybody who can be reached; the others are passed at once."""
    urgency = escalation.alert.urgency
    offered = [(at, *batch.on_call.last_resort(escalation.alert.team, at)) for at in range(level, level + 3)]
    populated = [(at, name, people) for at, name, people in offered if people]
    reachable = [found for found in populated if is_anybody_reachable(found[2], urgency)]
    level, name, people = next(iter(reachable or populated), (level, "administrators", []))
    escalation.last_resort = level + 1
    escalation.last_resort_at = batch.now
    text = (
        f"Nobody was reached: calling the {name}" if people else "Nobody was reached, and there is nobody left to call"
    )
    batch.notes.append(entry(escalation.alert_id, "last_resort", text, ENGINE, at=batch.now))
    return _new_pages(escalation, people, origin_of(escalation, f"last-{level}"), name, batch.now, batch)


def _page(to_page: Sequence[tuple[Escalation, list[NewPage]]], batch: Run) -> None:
    pages = start_pages([new for _, wanted in to_page for new in wanted])
    by_origin: dict[str, list[Called]] = defaultdict(list)
    for page in pages:
        by_origin[page.origin].append(Called(page.state, page.handed_over_at, page.failed_at))
    batch.called.update(by_origin)
    for escalation, wanted in to_page:
        if not wanted and escalation.sent_at == batch.now:
            batch.failed_now.add(escalation.pk)


def _ask(escalation: Escalation, batch: Run) -> None:
    alert = escalation.alert
    escalation.asked_at = batch.now
    owner = alert.acknowledged_by
    if owner is None:
        return
    timeout = ack_timeout(escalation.policy, alert.urgency, is_machine=False) or decide.ACK_TIMEOUT_HIGH
    sentence = f"still on {alert}? Acknowledge again for {written(timeout)} more, or it pages anew"
    key = f"ask/{escalation.pk}/{escalation.round}/{batch.now.timestamp():.0f}"
    tell_many([Told(owner, key, DeliveryKind.UPDATE, sentence, alert=alert, context={"asks": True})])
    batch.notes.append(entry(alert.pk, "asked", f"{owner} was asked: still on it?", ENGINE, at=batch.now))


def _time_out(escalation: Escalation, batch: Run) -> None:
    alert = escalation.alert
    unacknowledge_alert(alert, ENGINE, why="The acknowledgement timed out", is_new_round_theirs=True)
    alert.status = AlertStatus.FIRING
    alert.acknowledged_by = None
    alert.acknowledged_at = None
    alert.is_acknowledged_by_machine = False
    stop_pages([alert.pk], state=PageState.STOPPED)  # those that said who had it
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
    escalation.next_by = None
    escalation.has_reached = False
    escalation.last_resort = 0
    escalation.last_resort_at = None
    escalation.asked_at = None
    escalation.fix_until = None  # only the very first page of an alert may wait for a runbook
    escalation.state = EscalationState.PAGING
    escalation.why = ""
    escalation.due_at = now


def end(escalation: Escalation, why: str = "resolved") -> None:
    escalation.state = EscalationState.ENDED
    escalation.due_at = None
    escalation.why = why


def run_due(*, limit: int = BATCH, **narrow: int) -> int:
    """The engine: what is due, in one short transaction; one by one when that fails, so that a bad one stops no other.

    `narrow`: only these, as a filter (`alert_id=5`). Returns how many were due.
    """
    failures: list[Exception] = []
    done = guarded(
        "escalations of a batch", lambda: _run_claimed(limit, **narrow), otherwise=-1, on_failure=failures.append
    )
    if done >= 0:
        return done
    if isinstance(failures[0], OperationalError):
        return 0  # the database, not the rows: the next tick tries again
    due = Escalation.objects.filter(due_at__lte=clock.now(), **narrow).order_by("due_at")
    due_ids = due.values_list("pk", flat=True)[:limit]
    return sum(_run_alone(pk) for pk in list(due_ids))


def _due(now: datetime) -> models.QuerySet[Escalation]:
    due = Escalation.objects.exclude(due_at=None).filter(due_at__lte=now).select_related(*RELATED)
    return leases.held(due.order_by("due_at"), now)


def _run_claimed(limit: int, **narrow: int) -> int:
    now = clock.now()
    with transaction.atomic():
        mine = DUE(now) if limit == BATCH and not narrow else fetch(_due(now).filter(**narrow)[:limit])
        run(mine)
    return len(mine)


def _run_alone(pk: int) -> int:
    """One that fails alone is put off, visibly, and tried again."""
    failures: list[Exception] = []
    done = guarded("escalation", lambda: _run_claimed(1, pk=pk), otherwise=-1, on_failure=failures.append)
    if done >= 0:
        return done
    with transaction.atomic():
        Escalation.objects.filter(pk=pk).update(
            due_at=clock.now() + FAILED_PAUSE,
            claimed_until=None,
            why=f"the next step failed ({type(failures[0]).__name__}) and is tried again every minute",
        )
    return 1


OF_ALERTS = Select(
    lambda alerts: (
        Escalation.objects.filter(alert_id__in=alerts)
        .select_related(*RELATED)
        .order_by("pk")
        .select_for_update(of=("self",))
    )
)


def load(alert_ids: Iterable[int]) -> list[Escalation]:
    """Escalations of these alerts, locked, with what `run` needs."""
    return unique_escalations(OF_ALERTS(list(alert_ids)))


def unique_escalations(found: Iterable[Escalation]) -> list[Escalation]:
    return list({escalation.pk: escalation for escalation in found}.values())
