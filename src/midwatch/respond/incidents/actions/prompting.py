"""Reminding people of what is missing, and offering a role on when a shift ends (R2, R3, R5, R8, R12)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from midwatch.core import clock
from midwatch.core.actor import ENGINE
from midwatch.core.statements import Select
from midwatch.people.models import User
from midwatch.respond.incidents import duties, prompts
from midwatch.respond.incidents.actions.declaring import on_call_of
from midwatch.respond.incidents.actions.roles import SINGLE, offer_role
from midwatch.respond.incidents.actions.telling import tell
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import (
    Audience,
    Entry,
    HandOver,
    Incident,
    Promise,
    RoleHolding,
    Task,
    Update,
    UpdateState,
)
from midwatch.respond.incidents.queries.holders import holdings_of, values
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import users_on_call, whole_shifts_of

SHIFT_LOOK = timedelta(days=2)  # how far ahead a shift's end is looked for
CLAIM = Incident.objects.select_related("service", "team").exclude(prompted_at=None)


# Asked every second: prepared.
_DUE = Select(lambda now: CLAIM.filter(prompted_at__lte=now).order_by("prompted_at").values_list("pk", flat=True)[:20])
_TASKS_DUE = Select(
    lambda now: Task.objects.exclude(due_at=None).filter(done_at=None, due_at__lte=now).values_list("pk", flat=True)[:1]
)


def prompt_due(*, limit: int = 20) -> int:
    """Look at the incidents whose moment has come. Returns how many."""
    now = clock.now()
    due = CLAIM.filter(prompted_at__lte=now).order_by("prompted_at")
    found = _DUE(now)[:limit]
    for pk in found:
        with transaction.atomic():
            incident = due.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk).first()
            if incident is not None:
                _look(incident, now)
    return len(found)


def _look(incident: Incident, now: datetime) -> None:
    asked, again_at = prompts.due(facts_of(incident), now)
    holdings = holdings_of(incident)
    users = {held.user_id: held.user for held in holdings}
    for prompt in asked:
        person = users[duties.role_holder(prompt.role, values(holdings)).person]
        note(incident, "prompt", f"{person}: {prompt.sentence}", ENGINE, key=prompt.key)
        tell(incident, [person], prompt.sentence, f"prompt/{prompt.key}")
    shift_end = _offer_on(incident, holdings, now) if incident.is_active else None
    again_at = min(again_at, shift_end) if shift_end else again_at
    Incident.objects.filter(pk=incident.pk).update(prompted_at=again_at)


def facts_of(incident: Incident) -> prompts.Facts:
    held = {holding.role for holding in holdings_of(incident)}
    published = Update.objects.filter(incident=incident, state=UpdateState.PUBLISHED).exclude(external_text="")
    newest = published.order_by("-published_at").first()
    on_call = on_call_of(None, incident.service, incident.team)
    return prompts.Facts(
        severity=incident.severity,
        declared_at=incident.declared_at,
        has_cm=duties.CM in held,
        has_dc=duties.DC in held,
        is_long=incident.is_long,
        has_external_promise=Promise.objects.filter(incident=incident, audience=Audience.EXTERNAL)
        .exclude(promised_at=None)
        .exists(),
        resolved_at=incident.resolved_at,
        clients_checked=incident.clients_checked_at is not None,
        needs_final_update=newest is not None and newest.stage != "resolved",
        asked=set(Entry.objects.filter(incident=incident, kind="prompt").values_list("detail__key", flat=True)),
        candidates=[str(user) for user in on_call],
    )


def _offer_on(incident: Incident, holdings: list[RoleHolding], now: datetime) -> datetime | None:
    """Whoever held a role when their shift ended is relieved by who is on call now, if that one accepts. Returns when the
    next such shift ends."""
    ahead: list[datetime] = []
    for held in holdings:
        if held.role not in SINGLE:
            continue
        for schedule, shift in whole_shifts_of(held.user, held.assumed_at, now + SHIFT_LOOK):
            if shift.end > now:
                ahead.append(shift.end)
            elif shift.end > held.assumed_at:
                _relieve(incident, held, schedule, shift.end, now)
    return min(ahead, default=None)


def _relieve(incident: Incident, held: RoleHolding, schedule: Schedule, ended_at: datetime, now: datetime) -> None:
    why = f"the shift on {schedule} ended at {ended_at:%Y-%m-%d %H:%M} UTC"
    followers: list[User] = [user for user in users_on_call(schedule, now) if user.may_act]
    if held.user_id in {user.pk for user in followers} or not followers:
        return
    is_known = HandOver.objects.filter(incident=incident, role=held.role, leaving=held.user, why=why).exists()
    if not is_known:
        offer_role(incident, held.role, followers[0], ENGINE, why=why)


def ask_for_tasks(*, limit: int = 20) -> int:
    """A time box is over: whoever has the task is asked, once (R8). Returns how many were due."""
    now = clock.now()
    if not _TASKS_DUE(now):
        return 0
    rows = Task.objects.select_related("incident", "doer").exclude(due_at=None)
    due = rows.filter(done_at=None, due_at__lte=now).order_by("due_at")[:limit]
    found = list(due)
    for task in found:
        with transaction.atomic():
            if not Task.objects.filter(pk=task.pk, due_at=task.due_at, done_at=None).update(due_at=None, asked_at=now):
                continue
            if task.is_dropped or task.incident.closed_at is not None:
                continue
            holdings = holdings_of(task.incident)
            users = {held.user_id: held.user for held in holdings}
            person = task.doer or users[duties.role_holder(task.role, values(holdings)).person]
            note(task.incident, "task", f"the time for “{task.title}” is over: {person} asked", ENGINE, task=task.pk)
            tell(
                task.incident,
                [person],
                f"the time for “{task.title}” is over: how does it stand?",
                f"task/{task.pk}/{now:%d%H%M}",
            )
    return len(found)
