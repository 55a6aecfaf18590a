"""Work given out: one named person, a time box, and an answer that they have it (R8)."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import User
from midwatch.respond.incidents.actions.roles import role_title
from midwatch.respond.incidents.actions.telling import tell
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.duties import DC, IC
from midwatch.respond.incidents.models import Incident, RoleHolding, Task

TITLE_MAX = 300
BOX_MINUTES_MAX = 24 * 60


def open_task(
    incident: Incident, by: Actor, title: str, *, role: str = DC, doer: User | None = None, minutes: int | None = None
) -> Task:
    """`doer` None: whoever holds the role. The time box begins when somebody has it. Raises ValueError with a sentence."""
    words = clean(title, TITLE_MAX, is_one_line=True)
    if not words:
        raise ValueError("say what is to be done")
    _check_box(minutes)
    role_title(role)
    _check_doer(doer)
    with transaction.atomic():
        if not Incident.objects.filter(pk=incident.pk, closed_at=None).exists():
            raise ValueError(f"{incident} is closed: nobody works on it any more")
        now = clock.now()
        is_own = doer is not None and doer.pk == by.user_id
        task = Task.objects.create(
            incident=incident,
            title=words,
            role=role,
            doer=doer,
            created_by=str(by)[:200],
            created_at=now,
            box_seconds=minutes * 60 if minutes else None,
            due_at=now + timedelta(minutes=minutes) if minutes and doer else None,
            acknowledged_at=now if is_own else None,  # who takes it has it
        )
        box = f", {minutes} min" if minutes else ""
        note(incident, "task", f"{doer or role_title(role)}: {words}{box}", by, task=task.pk)
        audit.record(by, "open task", "incident", str(incident), {"task": task.pk, "title": _title(task)})
        if doer is not None and not is_own:
            _tell(task, doer, f"{by} asks you: {words}{box}. Say in the room that you have it")
    return task


def assign_task(task: Task, doer: User, by: Actor) -> None:
    """To one person; the time box begins again. Raises ValueError with a sentence."""
    _check_doer(doer)
    with transaction.atomic():
        now = clock.now()
        is_own = doer.pk == by.user_id
        had = {"doer": doer, "acknowledged_at__isnull": False} if is_own else {"doer": doer}
        open_one = Task.objects.filter(pk=task.pk, done_at=None, incident__closed_at=None).exclude(**had)
        if not open_one.update(
            doer=doer,
            acknowledged_at=now if is_own else None,
            asked_at=None,
            due_at=now + timedelta(seconds=task.box_seconds) if task.box_seconds else None,
        ):
            return
        task.refresh_from_db()
        note(
            task.incident, "task", f"{doer} {'takes' if is_own else 'is asked for'} it: {task.title}", by, task=task.pk
        )
        audit.record(by, "assign task", "incident", str(task.incident), {"task": task.pk, "user": doer.name})
        if not is_own:
            _tell(task, doer, f"{by} asks you: {task.title}. Say in the room that you have it")


def acknowledge_task(task: Task, user: User, by: Actor) -> None:
    """ "I have it", by the one who was asked; for a task of a role by whoever says so first. Raises ValueError."""
    if task.doer_id is not None and task.doer_id != user.pk:
        raise ValueError(f"this is {task.doer}'s: take it over with 'Give to', if they cannot")
    if task.doer_id is None:
        assign_task(task, user, by)
        return
    with transaction.atomic():
        taken = Task.objects.filter(pk=task.pk, doer=user, acknowledged_at=None, done_at=None).update(
            acknowledged_at=clock.now()
        )
        if taken:
            note(task.incident, "task", f"{user} has it: {task.title}", by, task=task.pk)


def finish_task(task: Task, by: Actor, *, outcome: str = "", is_dropped: bool = False) -> None:
    """Done, or not needed any more; what came of it is worth a line. Twice changes nothing."""
    with transaction.atomic():
        taken = Task.objects.filter(pk=task.pk, done_at=None).update(
            done_at=clock.now(), due_at=None, outcome=clean(outcome, 1_000), is_dropped=is_dropped
        )
        if taken:
            came = f" ({clean(outcome, 300, is_one_line=True)})" if outcome.strip() else ""
            word = "dropped" if is_dropped else "done"
            note(task.incident, "task", f"{word}: {task.title}{came}", by, task=task.pk)
            audit.record(by, f"task {word}", "incident", str(task.incident), {"task": task.pk})


def warning_of(incident: Incident, role: str, doer: User | None) -> str:
    """A sentence when the IC gets work of the repair while somebody else is there to do it (R8); "" when all is well."""
    if role != DC or doer is None:
        return ""
    held = RoleHolding.objects.filter(incident=incident, ended_at=None)
    if not held.filter(role=IC, user=doer).exists() or not held.filter(role=DC).exclude(user=doer).exists():
        return ""
    return f"{doer} leads: give the repair to one of the Direct Contributors, so that somebody keeps the overview."


def _check_box(minutes: int | None) -> None:
    if minutes is not None and not 1 <= minutes <= BOX_MINUTES_MAX:
        raise ValueError(f"give the time box in whole minutes, 1 to {BOX_MINUTES_MAX}")


def _check_doer(doer: User | None) -> None:
    if doer is not None and not doer.may_act:
        raise ValueError(f"{doer} cannot take part: switched off, or a viewer")


def _title(task: Task) -> str:
    return "(private)" if task.incident.is_private else task.title


def _tell(task: Task, doer: User, sentence: str) -> None:
    tell(task.incident, [doer], sentence, f"task/{task.pk}/{doer.pk}/{task.due_at or task.created_at}")
