"""The meeting and who facilitates it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.learn.postmortems import facilitators
from midwatch.learn.postmortems.actions.common import locked, looked_at, say
from midwatch.learn.postmortems.actions.letters import invite
from midwatch.learn.postmortems.models import Asked, Postmortem, State
from midwatch.learn.postmortems.queries import candidate
from midwatch.people.models import User

MINUTES = (15, 30, 45, 60, 90, 120)


def set_meeting(postmortem: Postmortem, at: datetime, by: Actor, *, minutes: int = 45, where: str = "") -> str:
    """Everybody who took part is invited by e-mail, with an .ics; moving it sends the same event again, changed.

    Returns a warning, "" when there is none. Raises ValueError with a sentence."""
    now = clock.now()
    if at <= now:
        raise ValueError("the meeting lies in the past: give a moment to come, or say that it was held")
    if minutes not in MINUTES:
        raise ValueError(f"give one of {', '.join(map(str, MINUTES))} minutes")
    with transaction.atomic():
        current = locked(postmortem)
        current.meeting_at, current.meeting_minutes = at, minutes
        current.meeting_where = clean(where, 300, is_one_line=True)
        current.meeting_sequence += 1
        current.held_at = None
        if current.state == State.SCHEDULING:
            current.state = State.DRAFT
        current.save(
            update_fields=["meeting_at", "meeting_minutes", "meeting_where", "meeting_sequence", "held_at", "state"]
        )
        invite(current, by)
        audit.record(by, "set meeting", "post-mortem", str(current), {"at": at.isoformat(), "minutes": minutes})
        looked_at(current)
    if at > current.late_at:
        return "that is later than a week and a half after the incident; people forget, so set it earlier if you can"
    return "that is later than a week after the incident" if at > current.due_at else ""


def meeting_was_held(postmortem: Postmortem, by: Actor, *, at: datetime | None = None) -> None:
    with transaction.atomic():
        current = locked(postmortem)
        held = at or (current.meeting_at if current.meeting_at and current.meeting_at <= clock.now() else clock.now())
        if held > clock.now():
            raise ValueError("it lies in the future: give a moment that has been")
        state = State.DRAFT if current.state == State.SCHEDULING else current.state
        Postmortem.objects.filter(pk=current.pk).update(held_at=held, state=state)
        audit.record(by, "hold meeting", "post-mortem", str(current), {"at": held.isoformat()})
        looked_at(current)


def ask_facilitator(postmortem: Postmortem, person: User, by: Actor, *, why: str = "") -> None:
    """Somebody is asked; they accept or decline. An involved one needs a reason (R11). Raises ValueError with a sentence."""
    if not person.may_act:
        raise ValueError(f"{person} cannot act here: choose somebody else")
    with transaction.atomic():
        current = locked(postmortem)
        one = candidate(current, person)
        refusal = facilitators.refusal(one, why)
        if refusal:
            raise ValueError(refusal)
        is_self = by.user_id == person.pk
        Postmortem.objects.filter(pk=current.pk).update(
            facilitator=person,
            facilitator_state=Asked.ACCEPTED if is_self else Asked.ASKED,
            facilitator_why=clean(why, 500) if one.is_involved else "",
            facilitator_since=clock.now(),
        )
        detail = {"person": person.name, "involved": list(one.involvement), "why": why[:500] if one.is_involved else ""}
        audit.record(by, "ask facilitator", "post-mortem", str(current), detail)
        if not is_self:
            sentence = f"{by} asks you to facilitate its post-mortem (due {current.due_at:%a %d %b}); accept or decline it there"
            say(current, [person], sentence, f"facilitator/{current.pk}/{person.pk}/{clock.now().timestamp():.0f}")
        looked_at(current)


def answer_as_facilitator(postmortem: Postmortem, person: User, by: Actor, *, is_accepted: bool) -> None:
    """Only who was asked answers."""
    with transaction.atomic():
        current = locked(postmortem)
        if current.facilitator_id != person.pk or current.facilitator_state != Asked.ASKED:
            raise ValueError("you are not asked to facilitate this one (any more)")
        state = Asked.ACCEPTED if is_accepted else Asked.DECLINED
        Postmortem.objects.filter(pk=current.pk).update(facilitator_state=state, facilitator_since=clock.now())
        audit.record(by, "facilitate" if is_accepted else "decline to facilitate", "post-mortem", str(current))
        words = "will facilitate" if is_accepted else "declined to facilitate"
        say(current, [current.owner], f"{person} {words} its post-mortem", f"answer/{current.pk}/{person.pk}/{state}")
        if is_accepted and current.meeting_at is not None and current.meeting_at > clock.now():
            invite(current, by, only=person)
        looked_at(current)


def change_owner(postmortem: Postmortem, person: User, by: Actor) -> None:
    """Who sees it through; at first the IC."""
    if not person.may_act:
        raise ValueError(f"{person} cannot act here: choose somebody else")
    with transaction.atomic():
        current = locked(postmortem)
        if current.owner_id == person.pk:
            return
        Postmortem.objects.filter(pk=current.pk).update(owner=person)
        audit.record(by, "give post-mortem to", "post-mortem", str(current), {"person": person.name})
        if by.user_id != person.pk:
            say(
                current,
                [person],
                f"{by} gave you its post-mortem, due {current.due_at:%a %d %b}",
                f"owner/{current.pk}/{person.pk}",
            )
        looked_at(current)
