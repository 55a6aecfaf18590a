"""What several acts share: the locked row, and what follows from any change of the document."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F

from midwatch.core import clock, topics
from midwatch.learn.postmortems.models import Approval, Decision, Postmortem, State
from midwatch.people.models import User
from midwatch.respond.incidents.actions.telling import tell


def locked(postmortem: Postmortem, *, open_only: bool = True) -> Postmortem:
    """The row as it is now, held until the transaction ends. Raises ValueError when it is over and must not be."""
    found = Postmortem.objects.select_for_update(of=("self",)).select_related("incident", "owner").get(pk=postmortem.pk)
    if open_only and not found.is_open:
        raise ValueError(f"{found} is {found.state}: reopen it first" if found.waived_at else f"{found} is published")
    return found


def changed(postmortem: Postmortem) -> None:
    """The document is another one now: whoever approved or decided did so of the one before."""
    now = clock.now()
    voided = Approval.objects.filter(postmortem=postmortem, voided_at=None).update(voided_at=now)
    Decision.objects.filter(postmortem=postmortem, voided_at=None).update(voided_at=now)
    state = (
        State.REVIEW if postmortem.state == State.REVIEWED or (voided and postmortem.state == State.REVIEW) else None
    )
    if postmortem.state == State.SCHEDULING and postmortem.meeting_at is not None:
        state = State.DRAFT
    Postmortem.objects.filter(pk=postmortem.pk).update(
        revision=F("revision") + 1, **({"state": state} if state else {})
    )
    if state == State.REVIEW:
        Postmortem.objects.filter(pk=postmortem.pk).update(reviewed_at=None)
    looked_at(postmortem)


def looked_at(postmortem: Postmortem) -> None:
    """Whoever has it open reads it again."""
    topics.touch(f"postmortem:{postmortem.incident_id}")


def say(postmortem: Postmortem, people: Iterable[User], sentence: str, key: str) -> None:
    """A message that wakes nobody; once for each `key`."""
    tell(postmortem.incident, people, sentence, f"postmortem/{key}")
