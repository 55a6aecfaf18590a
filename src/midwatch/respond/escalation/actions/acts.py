"""What people do to an escalation: escalate now, reassign, add a responder, decline, page somebody by hand.

None of them ends a policy before somebody acknowledges.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.rows import update_columns
from midwatch.people.models import Team, User
from midwatch.respond.alerts.actions import Outcome, note, open_alert, unacknowledge_alert
from midwatch.respond.alerts.actions.people import PRIORITIES, fresh, who_has
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation.actions.running import RUN_FIELDS, TEAM, begin_round, load, origin_of, run
from midwatch.respond.escalation.actions.starting import start_directly, start_with_administrators, team_of
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


def paged_as(alert: Alert) -> Alert:
    """The alert whose page this one is part of: the one it joined, or itself."""
    joined = (
        Escalation.objects.select_related("leader__alert").filter(alert=alert, state=EscalationState.JOINED).first()
    )
    return joined.leader.alert if joined is not None and joined.leader is not None else alert


def escalate_now(alert: Alert, by: Actor) -> Outcome:
    """The next step goes out now; after the last one, a round starts again. An acknowledged alert is given back first."""
    with transaction.atomic():
        if over := _over(alert):
            return over
        alert = fresh(paged_as(alert))
        found = load([alert.pk])
        if not found:
            return Outcome(alert, is_changed=False, sentence=f"{alert} has no escalation: reassign it to somebody.")
        escalation = found[0]
        if escalation.state == EscalationState.HELD:
            return Outcome(alert, is_changed=False, sentence=f"Nobody is paged for {alert}: it is {escalation.why}.")
        _give_back(escalation, by, f"{by} escalated it")
        note(alert.pk, "escalated", f"{by} escalated it now", by, via=by.via)
        audit.record(by, "escalate", "alert", str(alert))
        _next_step_now(escalation)
        run([escalation])
        name = _last_step_name(escalation)
    return Outcome(
        fresh(alert), is_changed=True, sentence=f"{alert} went to {name}." if name else f"{alert} was escalated."
    )


def _give_back(escalation: Escalation, by: Actor, why: str) -> bool:
    """Nobody has it any more. What follows is for the caller to start, in this transaction."""
    alert = escalation.alert
    if alert.status != AlertStatus.ACKNOWLEDGED:
        return False
    unacknowledge_alert(alert, by, why=why, is_new_round_theirs=True)
    stop_pages([alert.pk], state=PageState.STOPPED)  # they said who had it
    alert.refresh_from_db()
    return True


def _last_step_name(escalation: Escalation) -> str:
    steps = steps_of(escalation.policy) if escalation.policy else []
    index = escalation.next_step - 1
    return steps[index].name if 0 <= index < len(steps) else ""


def _next_step_now(escalation: Escalation) -> None:
    """Bring the next step forward to now, and the later ones with it; after the last one a round begins."""
    now = clock.now()
    steps = steps_of(escalation.policy) if escalation.policy else []
    if escalation.next_step >= len(steps):
        begin_round(escalation, now, is_repeat=True)
        escalation.rounds_limit = max(escalation.rounds_limit, escalation.round)
        return
    escalation.next_by = now
    escalation.state = EscalationState.PAGING
    escalation.due_at = now


def _page_person(alert: Alert, user: User, by: Actor, kind: str) -> bool:
    """Call one more person. They have until the next step, five minutes at most. False: they have no usable method."""
    now = clock.now()
    found = load([alert.pk])
    origin = f"added/{alert.pk}"
    if found:
        count = Page.objects.filter(alert=alert).count()
        origin = origin_of(found[0], f"{kind}-{count}")
    owner = alert.acknowledged_by or "Its source"
    has_it = f"{owner} has {alert}" if alert.status == AlertStatus.ACKNOWLEDGED else ""
    pages = start_pages([NewPage(alert, user, origin, f"{kind} by {by}", now, note=has_it)])
    is_reached = bool(pages) and pages[0].failed_at is None
    for escalation in found:
        if escalation.state == EscalationState.PAGING:
            escalation.next_by = now + NEW_PERSON_MAX if is_reached else now
            run([escalation])
    return is_reached


def add_responder(alert: Alert, user: User, by: Actor) -> Outcome:
    """Page one more person beside those already paged; also while somebody has it."""
    with transaction.atomic():
        if over := _over(alert):
            return over
        current = fresh(alert)
        note(alert.pk, "responder_added", f"{by} added {user}", by, via=by.via, user=user.name)
        audit.record(by, "add responder", "alert", str(alert), {"user": user.name})
        is_reached = _page_person(current, user, by, "added")
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
        found = load([alert.pk])
        given_back = [escalation for escalation in found if _give_back(escalation, by, f"{by} handed it to {to}")]
        stop_pages([alert.pk], state=PageState.STOPPED)
        note(alert.pk, "reassigned", f"{by} handed it to {to}", by, via=by.via, user=to.name)
        audit.record(by, "reassign", "alert", str(alert), {"to": to.name})
        for escalation in found:
            steps = steps_of(escalation.policy) if escalation.policy else []
            if escalation.state == EscalationState.PAGING and escalation.next_step < len(steps) and not given_back:
                continue  # the policy is under way and goes on
            Escalation.objects.filter(pk=escalation.pk).update(leader=None)
            begin_round(escalation, clock.now() + NEW_PERSON_MAX)
            escalation.why = f"{to} was asked first"
            update_columns([escalation], RUN_FIELDS)
        is_reached = _page_person(fresh(alert), to, by, "reassigned")
    sentence = (
        f"{to} is being paged for {alert}."
        if is_reached
        else f"{to} has no method that rings: {alert} goes on by its policy."
    )
    return Outcome(fresh(alert), is_changed=True, sentence=sentence)


def decline(alert: Alert, user: User, by: Actor) -> Outcome:
    """ "I can't": the next person is paged now. After the last one the whole team is."""
    with transaction.atomic():
        if over := _over(alert):
            return over
        alert = fresh(paged_as(alert))
        found = load([alert.pk])
        was_owner = alert.status == AlertStatus.ACKNOWLEDGED and alert.acknowledged_by_id == user.pk
        for escalation in found if was_owner else ():
            _give_back(escalation, by, f"{user} cannot take it")
        decline_page(alert, user, by)
        audit.record(by, "decline", "alert", str(alert), {"user": user.name})
        if alert.status == AlertStatus.ACKNOWLEDGED and not was_owner:
            return Outcome(fresh(alert), is_changed=False, sentence=who_has(fresh(alert)))
        others = Page.objects.filter(alert=alert, state=PageState.RUNNING, failed_at=None).exclude(user=user)
        if others.exists():
            names = ", ".join(sorted({str(page.user) for page in others.select_related("user")[:20]}))
            return Outcome(fresh(alert), is_changed=True, sentence=f"Passed on. {names}: being paged for {alert}.")
        if not found:
            return Outcome(fresh(alert), is_changed=True, sentence="Passed on.")
        escalation = found[0]
        steps = steps_of(escalation.policy) if escalation.policy else []
        if escalation.next_step < len(steps):
            _next_step_now(escalation)
            run([escalation])
            return Outcome(fresh(alert), is_changed=True, sentence=f"Passed on to {_last_step_name(escalation)}.")
        sentence = _whole_team_now(escalation, user)
    return Outcome(fresh(alert), is_changed=True, sentence=sentence)


def _whole_team_now(escalation: Escalation, but: User) -> str:
    """Nobody after the one who declined: everybody of the team is called, or else the last resort at once."""
    alert, now = escalation.alert, clock.now()
    declined = Page.objects.filter(
        alert=alert, state=PageState.DECLINED, started_at__gte=escalation.round_started_at
    ).values_list("user_id", flat=True)
    passed = {but.pk, *declined}
    people = [u for u in OnCallNow(now).of_team(alert.team) if u.pk not in passed] if alert.team else []
    origin = origin_of(escalation, escalation.next_step - 1) + TEAM
    pages = start_pages([NewPage(alert, user, origin, "whole team", now) for user in people])
    escalation.state = EscalationState.PAGING
    escalation.sent_at = now
    escalation.has_reached = False
    run([escalation])
    if any(page.failed_at is None for page in pages):
        note(alert.pk, "whole_team", "Nobody after the one who declined: whole team now")
        return "Nobody after you: whole team now."
    return "Nobody after you could be reached: the duty schedule, managers and administrators are called."


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


def page_administrators(title: str, by: Actor, *, priority: str = "P1", description: str = "") -> Alert:
    """Midwatch itself needs somebody: every administrator now, then the organisation's duty schedule, in turns until one
    answers. In the caller's transaction."""
    alert = open_alert(title=title, by=by, priority=priority, description=description)
    start_with_administrators(alert)
    audit.record(by, "page", "alert", str(alert), {"target": "administrators", "priority": priority})
    return alert
