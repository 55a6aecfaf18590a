"""What people do to an escalation: escalate now, reassign, add a responder, decline, page somebody by hand.

None of them ends a policy before somebody acknowledges.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.people.models import Team, User
from midwatch.respond.alerts.actions import Outcome, note, open_alert, unacknowledge_alert
from midwatch.respond.alerts.actions.people import PRIORITIES, fresh
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation.actions.running import begin_round, load, origin_of, run
from midwatch.respond.escalation.actions.starting import start_directly, team_of
from midwatch.respond.escalation.models import Escalation, EscalationState
from midwatch.respond.escalation.queries import OnCallNow, policy_for, steps_of
from midwatch.respond.notify.actions import NewPage, decline_page, start_pages, stop_pages
from midwatch.respond.notify.models import Page, PageState
from midwatch.respond.oncall.models import Schedule

NEW_PERSON_MAX = timedelta(minutes=5)


def _over(alert: Alert) -> Outcome | None:
    current = fresh(alert)
    if current.status == AlertStatus.RESOLVED:
        return Outcome(current, is_changed=False, sentence=f"{alert} is resolved.")
    return None


def escalate_now(alert: Alert, by: Actor) -> Outcome:
    """The next step goes out now; after the last one, the round starts again. An acknowledged alert is given back first."""
    with transaction.atomic():
        if over := _over(alert):
            return over
        if alert.status == AlertStatus.ACKNOWLEDGED:
            unacknowledge_alert(alert, by, why=f"{by} escalated it")
        found = load([alert.pk])
        if not found:
            return Outcome(
                fresh(alert), is_changed=False, sentence=f"{alert} has no escalation: reassign it to somebody."
            )
        escalation = found[0]
        note(alert.pk, "escalated", f"{by} escalated it now", by, via=by.via)
        audit.record(by, "escalate", "alert", str(alert))
        _next_step_now(escalation)
        run([escalation])
        name = _last_step_name(escalation)
    return Outcome(
        fresh(alert), is_changed=True, sentence=f"{alert} went to {name}." if name else f"{alert} was escalated."
    )


def _last_step_name(escalation: Escalation) -> str:
    steps = steps_of(escalation.policy) if escalation.policy else []
    index = escalation.next_step - 1
    return steps[index].name if 0 <= index < len(steps) else ""


def _next_step_now(escalation: Escalation) -> None:
    """Bring the next step forward to now, and the later ones with it."""
    now = clock.now()
    steps = steps_of(escalation.policy) if escalation.policy else []
    escalation.leader = None
    Escalation.objects.filter(pk=escalation.pk).update(leader=None)
    if escalation.state in {
        EscalationState.ACKNOWLEDGED,
        EscalationState.SNOOZED,
        EscalationState.JOINED,
    } or escalation.next_step >= len(steps):
        begin_round(escalation, now, is_repeat=escalation.state in {EscalationState.PAGING, EscalationState.EXHAUSTED})
        escalation.rounds_limit = max(escalation.rounds_limit, escalation.round)
        return
    after = timedelta(seconds=steps[escalation.next_step].after_seconds)
    escalation.pulled_seconds = max(
        escalation.pulled_seconds, int((escalation.round_started_at + after - now).total_seconds()), 0
    )
    escalation.sent_at = None  # the share since the last hand-over does not count: a person asked for it now
    escalation.state = EscalationState.PAGING
    escalation.due_at = now


def _page_person(alert: Alert, user: User, by: Actor, kind: str) -> bool:
    """Call one more person. False: they have no usable method. The policy goes on in five minutes at the latest."""
    now = clock.now()
    found = load([alert.pk])
    origin = f"added/{alert.pk}"
    if found:
        count = Page.objects.filter(alert=alert).count()
        origin = origin_of(found[0], f"{kind}-{count}")
    pages = start_pages([NewPage(alert, user, origin, f"{kind} by {by}", now)])
    for escalation in found:
        limit = now + NEW_PERSON_MAX
        if escalation.state == EscalationState.PAGING and escalation.due_at is not None:
            escalation.due_at = min(escalation.due_at, limit)
            Escalation.objects.filter(pk=escalation.pk).update(due_at=escalation.due_at)
    return bool(pages) and pages[0].failed_at is None


def add_responder(alert: Alert, user: User, by: Actor) -> Outcome:
    """Page one more person beside those already paged."""
    with transaction.atomic():
        if over := _over(alert):
            return over
        note(alert.pk, "responder_added", f"{by} added {user}", by, via=by.via, user=user.name)
        audit.record(by, "add responder", "alert", str(alert), {"user": user.name})
        is_reached = _page_person(fresh(alert), user, by, "added")
    sentence = (
        f"{user} is being paged for {alert}."
        if is_reached
        else f"{user} was added to {alert}, but has no method that rings."
    )
    return Outcome(fresh(alert), is_changed=True, sentence=sentence)


def reassign(alert: Alert, to: User, by: Actor) -> Outcome:
    """Hand it to somebody: they are paged instead of those being paged now, and the policy goes on until they answer."""
    with transaction.atomic():
        if over := _over(alert):
            return over
        if alert.status == AlertStatus.ACKNOWLEDGED:
            unacknowledge_alert(alert, by, why=f"{by} handed it to {to}")
        stop_pages([alert.pk], state=PageState.STOPPED)
        note(alert.pk, "reassigned", f"{by} handed it to {to}", by, via=by.via, user=to.name)
        audit.record(by, "reassign", "alert", str(alert), {"to": to.name})
        current = fresh(alert)
        for escalation in (found := load([alert.pk])):
            if escalation.state != EscalationState.PAGING:
                begin_round(escalation, clock.now() + NEW_PERSON_MAX)
                escalation.why = f"{to} was asked first"
        Escalation.objects.bulk_update(
            found, ["state", "why", "round", "rounds_limit", "round_started_at", "next_step", "due_at", "sent_at"]
        )
        is_reached = _page_person(current, to, by, "reassigned")
    sentence = (
        f"{to} is being paged for {alert}."
        if is_reached
        else f"{to} has no method that rings: {alert} goes on by its policy."
    )
    if not is_reached:
        escalate_now(fresh(alert), by)
    return Outcome(fresh(alert), is_changed=True, sentence=sentence)


def decline(alert: Alert, user: User, by: Actor) -> Outcome:
    """ "I can't": the next person is paged now. After the last one the whole team is."""
    with transaction.atomic():
        if over := _over(alert):
            return over
        if alert.status == AlertStatus.ACKNOWLEDGED and alert.acknowledged_by_id == user.pk:
            unacknowledge_alert(alert, by, why=f"{user} cannot take it")
        decline_page(alert, user, by)
        audit.record(by, "decline", "alert", str(alert), {"user": user.name})
        others = Page.objects.filter(alert=alert, state=PageState.RUNNING).exclude(user=user)
        if others.exists():
            names = ", ".join(sorted({str(page.user) for page in others.select_related("user")[:20]}))
            return Outcome(fresh(alert), is_changed=True, sentence=f"Passed on. {names}: being paged for {alert}.")
        found = load([alert.pk])
        if not found:
            return Outcome(fresh(alert), is_changed=True, sentence="Passed on.")
        escalation = found[0]
        steps = steps_of(escalation.policy) if escalation.policy else []
        if escalation.state == EscalationState.PAGING and escalation.next_step < len(steps):
            _next_step_now(escalation)
            run([escalation])
            return Outcome(fresh(alert), is_changed=True, sentence=f"Passed on to {_last_step_name(escalation)}.")
        sentence = _whole_team_now(escalation, user)
    return Outcome(fresh(alert), is_changed=True, sentence=sentence)


def _whole_team_now(escalation: Escalation, but: User) -> str:
    """Nobody after the one who declined: everybody of the team is called, or else the last resort at once."""
    alert, now = escalation.alert, clock.now()
    people = [u for u in OnCallNow(now).of_team(alert.team) if u.pk != but.pk] if alert.team else []
    count = Page.objects.filter(alert=alert).count()
    pages = start_pages(
        [NewPage(alert, user, origin_of(escalation, f"team-{count}"), "whole team", now) for user in people]
    )
    if not any(page.failed_at is None for page in pages):
        escalation.has_reached = False
        begin_round(escalation, now)
        run([escalation])
        return "Nobody after you could be reached: the escalation starts again."
    note(alert.pk, "whole_team", "Nobody after the one who declined: whole team now")
    return "Nobody after you: whole team now."


def page_somebody(
    title: str,
    by: Actor,
    *,
    priority: str = "P1",
    description: str = "",
    service: Service | None = None,
    team: Team | None = None,
    schedule: Schedule | None = None,
    user: User | None = None,
) -> Alert:
    """Page by hand exactly one of service, team, schedule, user. Raises ValueError with a sentence."""
    if sum(target is not None for target in (service, team, schedule, user)) != 1:
        raise ValueError("give exactly one of service, team, schedule, user")
    if priority not in PRIORITIES:
        raise ValueError("give a priority from P1 to P5")
    if not title.strip():
        raise ValueError("give a title: what should the person who is woken know first?")
    if user is not None and not user.is_active:
        raise ValueError(f"{user} is switched off: page their team")
    with transaction.atomic():
        owner = team_of(schedule, team)
        alert = open_alert(title=title, by=by, priority=priority, description=description, service=service, team=owner)
        policy = policy_for(service, team) if schedule is None and user is None else None
        start_directly(alert, policy=policy, schedule=schedule, user=user)
        target = service or team or schedule or user
        audit.record(by, "page", "alert", str(alert), {"target": str(target), "priority": priority})
    return fresh(alert)
