"""Runbooks that alerts start by themselves: beside the page, or before it for a moment.

The page's moment is a column of the escalation, written when the alert opens. Everything here can bring it forward, and
nothing can put it off: an execution that hangs, an engine that dies, a runbook that is gone all end with the page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from midwatch.core import clock
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.guard import guarded
from midwatch.core.rows import update_columns
from midwatch.core.statements import Select
from midwatch.people.models import TeamMode
from midwatch.prepare.runbooks.models import Trigger, TriggerKind
from midwatch.respond.alerts.actions import resolve_alert
from midwatch.respond.alerts.actions.timeline import note
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.alerts.queries import maintenance_of
from midwatch.respond.escalation import fixing
from midwatch.respond.escalation.actions.running import RUN_FIELDS, load, run
from midwatch.respond.escalation.fixing import Hold, Wanted
from midwatch.respond.escalation.models import (
    Escalation,
    EscalationPolicy,
    EscalationState,
    PolicyStep,
    Remedy,
    RemedyState,
)

TRIGGERS = Select(
    lambda services: (
        Trigger.objects.select_related("runbook")
        .filter(kind=TriggerKind.ALERT, is_active=True, service_id__in=services)
        .order_by("name")
    )
)
FIRST_STEPS = Select(
    lambda policies: (
        PolicyStep.objects.filter(policy_id__in=policies, position=0)
        .exclude(runbook="")
        .values_list("policy_id", "name", "runbook", "hold_page_seconds")
    )
)
FIXED = Select(
    lambda sources, keys, since: Remedy.objects.filter(
        source_id__in=sources, dedup_key__in=keys, fixed_at__gt=since
    ).values_list("source_id", "dedup_key", "fixed_at")
)
OF_EXECUTION = Select(lambda number: Remedy.objects.filter(execution_number=number).values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class Planned:
    """What a new alert starts, and how long its first page waits for that."""

    wanted: Sequence[Wanted]
    hold: Hold


NOTHING = Planned((), Hold(timedelta(0)))


def planned(
    opened: Sequence[tuple[Alert, int | None]], policies: Mapping[int, EscalationPolicy], now: datetime
) -> dict[int, Planned]:
    """By alert. Two prepared queries a batch, and a third where anything is wanted."""
    able = [(alert, owner) for alert, owner in opened if alert.source_id and not alert.is_test]
    triggers: dict[int, list[Trigger]] = defaultdict(list)
    for trigger in TRIGGERS({alert.service_id for alert, _ in able if alert.service_id}):
        triggers[trigger.service_id or 0].append(trigger)
    first = {policy: rest for policy, *rest in FIRST_STEPS({policy.pk for policy in policies.values()})}
    if not triggers and not first:
        return {}
    none: Sequence[Wanted] = ()
    wanted = {
        alert.pk: guarded(
            "runbooks of an alert",
            partial(_wanted, alert, triggers.get(alert.service_id or 0, ()), _step_of(alert, policies, first)),
            otherwise=none,
        )
        for alert, _ in able
    }
    fixed: dict[tuple[int, str], list[datetime]] = defaultdict(list)
    looked_at = [alert for alert, _ in able if wanted[alert.pk]]
    for source, key, at in FIXED(
        {alert.source_id for alert in looked_at}, {alert.dedup_key for alert in looked_at}, now - fixing.COUNTED
    ):
        if source is not None and at is not None:
            fixed[source, key].append(at)
    return {
        alert.pk: _plan(alert, wanted[alert.pk], fixed[alert.source_id or 0, alert.dedup_key], owner, now)
        for alert, owner in able
        if wanted[alert.pk]
    }


def _step_of(
    alert: Alert, policies: Mapping[int, EscalationPolicy], first: Mapping[int, Sequence[object]]
) -> Sequence[object]:
    policy = policies.get(alert.pk)
    return first.get(policy.pk, ()) if policy is not None else ()


def _wanted(alert: Alert, triggers: Sequence[Trigger], step: Sequence[object]) -> Sequence[Wanted]:
    found: dict[str, Wanted] = {}
    for trigger in triggers:
        if trigger.answers(alert.priority, alert.title, alert.labels):
            hold = timedelta(seconds=trigger.hold_page_seconds)
            options = tuple((str(name), str(value)) for name, value in trigger.options.items())
            found.setdefault(trigger.runbook.name, Wanted(trigger.runbook.name, f"trigger {trigger}", hold, options))
    if step:
        name, runbook, seconds = step
        hold = timedelta(seconds=int(str(seconds)))
        known = found.get(str(runbook))
        if known is None or known.hold < hold:
            found[str(runbook)] = Wanted(str(runbook), str(name), hold, known.options if known else ())
    return tuple(found.values())


def _plan(
    alert: Alert, wanted: Sequence[Wanted], fixed_at: Sequence[datetime], owner: int | None, now: datetime
) -> Planned:
    facts = fixing.Facts(
        alert.priority,
        fixes=len(fixed_at),
        is_back=any(now - at <= fixing.FIRES_AGAIN for at in fixed_at),
        is_owner_first=owner is not None,
    )
    return Planned(wanted, fixing.hold_for(wanted, facts))


# -- starting, after the alert's own transaction --------------------------------------------------------------------------


Start = Callable[[Remedy], int]  # the number of the execution; ValueError with a sentence when there can be none


def start_wanted(remedy_id: int, start: Start, *, is_held: bool = False) -> None:
    """The engine's reaction. `is_held`: Midwatch stands on hold after a restore, and starts nothing by itself."""
    with transaction.atomic():
        remedy = (
            Remedy.objects.select_related("alert__service", "alert__team", "alert__acknowledged_by")
            .select_for_update(of=("self",))
            .filter(pk=remedy_id, state=RemedyState.WANTED)
            .first()
        )
        if remedy is None:
            return
        why = _why_not(remedy.alert, is_held=is_held)
        number = 0
        if not why:
            try:
                with transaction.atomic():  # what a refused start had written goes with it
                    number = start(remedy)
            except ValueError as error:
                why = str(error)
        if why:
            _refuse(remedy, why)
            return
        Remedy.objects.filter(pk=remedy.pk).update(state=RemedyState.RUNNING, execution_number=number)
        said = f"Runbook {remedy.runbook} started by itself ({remedy.origin}): execution {number}"
        note(remedy.alert_id, "runbook", said, ENGINE, execution=number)


def _why_not(alert: Alert, *, is_held: bool) -> str:
    if alert.status == AlertStatus.RESOLVED:
        return "the alert is resolved"
    if alert.status == AlertStatus.ACKNOWLEDGED:
        return f"{alert.acknowledged_by or 'its source'} has it"
    if is_held:
        return "Midwatch is on hold after a restore"
    if alert.team is not None and alert.team.mode == TeamMode.SHADOW:
        return f"{alert.team} is in shadow mode: it would have been started"
    if alert.service_id and maintenance_of({alert.service_id}, clock.now()):
        return "its service is in maintenance"
    return ""


def _refuse(remedy: Remedy, why: str) -> None:
    Remedy.objects.filter(pk=remedy.pk).update(state=RemedyState.REFUSED, sentence=why[:500])
    note(remedy.alert_id, "runbook", f"Runbook {remedy.runbook} was not started: {why}", ENGINE)
    _release_if_last(remedy, why)


# -- what came of it -----------------------------------------------------------------------------------------------------


def on_execution(number: int, state: str, *, is_verified: bool) -> None:
    """An execution moved: it ended in `state`, or waits for a person. `is_verified`: it looked, and it is fixed."""
    for pk in OF_EXECUTION(number):
        with transaction.atomic():
            remedy = (
                Remedy.objects.select_related("alert__service", "alert__acknowledged_by")
                .select_for_update(of=("self",))
                .filter(pk=pk, state=RemedyState.RUNNING)
                .first()
            )
            if remedy is not None:
                _follow(remedy, state, is_verified=is_verified)


def _follow(remedy: Remedy, state: str, *, is_verified: bool) -> None:
    match state:
        case "running":
            return
        case "waiting":
            _release_if_last(remedy, f"runbook {remedy.runbook} waits for a person", is_over=False)
        case "ok" if is_verified:
            _fixed(remedy)
        case _:
            why = "ended, but nothing in it verifies that it is fixed" if state == "ok" else f"ended {state}"
            Remedy.objects.filter(pk=remedy.pk).update(state=RemedyState.ENDED, sentence=why)
            said = f"Runbook {remedy.runbook} {why}: execution {remedy.execution_number}"
            note(remedy.alert_id, "runbook", said, ENGINE, execution=remedy.execution_number)
            _release_if_last(remedy, f"runbook {remedy.runbook} {why}")


def _fixed(remedy: Remedy) -> None:
    """It verified so. The alert resolves, unless somebody has it or it was fixed twice already in a day."""
    alert, now = remedy.alert, clock.now()
    earlier = FIXED([remedy.source_id or 0], [remedy.dedup_key], now - fixing.COUNTED)
    Remedy.objects.filter(pk=remedy.pk).update(state=RemedyState.FIXED, fixed_at=now)
    said = f"Runbook {remedy.runbook} verified that it is fixed: execution {remedy.execution_number}"
    is_page_anyway = remedy.is_page_anyway or len(earlier) >= fixing.FIXES_MAX
    if is_page_anyway:
        said += f". It is fix {len(earlier) + 1} of it in 24 h, so it stays open: find the cause"
    elif alert.status == AlertStatus.ACKNOWLEDGED:
        said += f". {alert.acknowledged_by or 'Its source'} has it, so it stays open"
    note(alert.pk, "fixed", said, ENGINE, execution=remedy.execution_number)
    if is_page_anyway:
        release(alert.pk, "it was fixed again and again, so somebody looks")
    elif alert.status == AlertStatus.FIRING:
        resolve_alert(alert, Actor(f"Runbook {remedy.runbook}", "engine"))


def _release_if_last(remedy: Remedy, why: str, *, is_over: bool = True) -> None:
    """The page waits on while another runbook may still fix it; a person who is wanted is wanted now."""
    others = Remedy.objects.filter(
        alert=remedy.alert_id, state__in=[RemedyState.WANTED, RemedyState.RUNNING], hold_seconds__gt=0
    ).exclude(pk=remedy.pk)
    if not is_over or not others.exists():
        release(remedy.alert_id, why)


def release(alert_id: int, why: str) -> None:
    """The first page leaves now, if it waits for a runbook; a pause that its service gives every alert is kept."""
    now = clock.now()
    waiting = [one for one in load([alert_id]) if _is_waiting(one, now)]
    for escalation in waiting:
        service = escalation.alert.service
        pause = timedelta(seconds=service.page_after_seconds if service else 0)
        at = min(escalation.round_started_at, max(now, escalation.alert.created_at + pause))
        escalation.round_started_at = escalation.due_at = at
        escalation.fix_until = None
        escalation.why = ""
        note(alert_id, "hold_ended", f"The page does not wait any longer: {why}", ENGINE)
    update_columns(waiting, RUN_FIELDS)
    run(waiting)


def _is_waiting(escalation: Escalation, now: datetime) -> bool:
    return (
        escalation.fix_until is not None
        and escalation.fix_until > now
        and escalation.next_step == 0
        and escalation.state == EscalationState.PAGING
        and escalation.alert.status == AlertStatus.FIRING
    )


def fixed_by(alert: Alert) -> str:
    """ "runbook restart-checkout, which verified it", or "" when its source or a person resolved it."""
    if alert.is_resolved_by_source or alert.resolved_by_id is not None:
        return ""
    found = Remedy.objects.filter(alert=alert, state=RemedyState.FIXED).values_list("runbook", flat=True).first()
    return f"runbook {found}, which verified it" if found else ""
