"""Review: comments, approvals that an edit voids, and what must be there before."""

from __future__ import annotations

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.contribute import obstacles
from midwatch.core.text import clean
from midwatch.learn.postmortems.actions.common import locked, looked_at, say
from midwatch.learn.postmortems.models import Approval, Asked, Comment, Postmortem, State
from midwatch.learn.postmortems.queries import missing_sections
from midwatch.people.models import User

COMMENTS_MAX = 500
APPROVE = "postmortem.approve"  # where higher rooms say what stands in the way


def send_to_review(postmortem: Postmortem, by: Actor) -> None:
    """Required sections first (R14). Raises ValueError with a sentence."""
    with transaction.atomic():
        current = locked(postmortem)
        if current.state in {State.REVIEW, State.REVIEWED}:
            return
        lacking = missing_sections(current)
        if lacking:
            raise ValueError(f"not written yet: {', '.join(section.title for section in lacking)}")
        Postmortem.objects.filter(pk=current.pk).update(state=State.REVIEW)
        audit.record(by, "send to review", "post-mortem", str(current), {"revision": current.revision})
        readers = [current.owner]
        if current.facilitator is not None and current.facilitator_state == Asked.ACCEPTED:
            readers.append(current.facilitator)
        sentence = "its post-mortem is in review: read it and approve it"
        others = {person.pk: person for person in readers if person.pk != by.user_id}
        say(current, others.values(), sentence, f"review/{current.pk}/{current.revision}")
        looked_at(current)


def take_back(postmortem: Postmortem, by: Actor) -> None:
    """Back to a draft."""
    with transaction.atomic():
        current = locked(postmortem)
        if current.state not in {State.REVIEW, State.REVIEWED}:
            return
        Postmortem.objects.filter(pk=current.pk).update(state=State.DRAFT, reviewed_at=None)
        Approval.objects.filter(postmortem=current, voided_at=None).update(voided_at=clock.now())
        audit.record(by, "take back from review", "post-mortem", str(current))
        looked_at(current)


def approve(postmortem: Postmortem, person: User, by: Actor, *, revision: int) -> None:
    """`revision`: the one that was read. The owner's own approval does not count. Raises ValueError with a sentence."""
    with transaction.atomic():
        current = locked(postmortem)
        if current.state not in {State.REVIEW, State.REVIEWED}:
            raise ValueError("it is not in review: its owner sends it there first")
        if person.pk == current.owner_id:
            raise ValueError("somebody else than its owner approves it")
        if revision != current.revision:
            raise ValueError("it changed since you read it: read it again, then approve")
        lacking = [f"not written yet: {section.title}" for section in missing_sections(current)]
        blocked = [*lacking, *obstacles(APPROVE, current)]
        if blocked:
            raise ValueError("; ".join(blocked))
        now = clock.now()
        _, is_new = Approval.objects.get_or_create(
            postmortem=current, user=person, voided_at=None, defaults={"revision": revision, "at": now}
        )
        if is_new:
            Postmortem.objects.filter(pk=current.pk).update(state=State.REVIEWED, reviewed_at=now)
            audit.record(by, "approve", "post-mortem", str(current), {"revision": revision})
            sentence = f"{person} approved its post-mortem; the IC and the CM decide what is published"
            say(current, [current.owner], sentence, f"approved/{current.pk}/{person.pk}/{revision}")
            looked_at(current)


def comment(postmortem: Postmortem, by: Actor, text: str, *, key: str = "") -> Comment:
    said = clean(text, 4_000).strip()
    if not said:
        raise ValueError("write a comment first")
    with transaction.atomic():
        if Comment.objects.filter(postmortem=postmortem).count() >= COMMENTS_MAX:
            raise ValueError(f"{COMMENTS_MAX} comments are enough: talk")
        made = Comment.objects.create(
            postmortem=postmortem, key=key[:40], text=said, who=str(by)[:200], user_id=by.user_id, at=clock.now()
        )
        looked_at(postmortem)
        audit.record(by, "comment", "post-mortem", str(postmortem), {"section": key})
    return made


def settle_comment(made: Comment, by: Actor) -> None:
    with transaction.atomic():
        settled = Comment.objects.filter(pk=made.pk, settled_at=None)
        if settled.update(settled_at=clock.now(), settled_by=str(by)[:200]):
            looked_at(made.postmortem)
            audit.record(by, "settle comment", "post-mortem", str(made.postmortem), {"comment": made.pk})
