"""Reminders by their due column: before it is due, when it is due, and when it is late, to the managers too."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import F

from midwatch.core import clock, leases
from midwatch.core.guard import guarded
from midwatch.learn.postmortems import deadlines
from midwatch.learn.postmortems.actions.common import say
from midwatch.learn.postmortems.models import Postmortem
from midwatch.people.queries import leads_of

LEASE = timedelta(seconds=30)
AT_ONCE = 50
DUE = leases.Claimable(
    lambda now: Postmortem.objects.exclude(remind_at=None).filter(remind_at__lte=now).order_by("remind_at", "pk")
)


def remind_due() -> int:
    """How many were reminded of. One that fails stops no other."""
    found = leases.claim_due(DUE, now=clock.now(), lease=LEASE, limit=AT_ONCE)
    return sum(guarded("reminder of a post-mortem", partial(_remind, one.pk), otherwise=0) for one in found)


def _remind(pk: int) -> int:
    now = clock.now()
    with transaction.atomic():
        found = Postmortem.objects.select_for_update(of=("self",)).select_related("incident__team", "owner").get(pk=pk)
        if found.remind_at is None or found.remind_at > now:
            return 0
        said = deadlines.reminder(
            now, due=found.due_at, late=found.late_at, meeting_at=found.meeting_at, is_held=found.held_at is not None
        )
        people = {found.owner.pk: found.owner} if found.owner.is_active else {}
        if "managers" in said.whom or not people:
            people |= {person.pk: person for person in leads_of(found.incident.team)}
        say(found, people.values(), f"its post-mortem {said.sentence}", f"remind/{found.pk}/{found.reminded}")
        Postmortem.objects.filter(pk=pk).update(remind_at=said.next_at, reminded=F("reminded") + 1, claimed_until=None)
    return 1


def on_opened(postmortem_id: int) -> None:
    """Reaction to "postmortem.opened": its owner hears that it is theirs."""
    found = Postmortem.objects.select_related("incident", "owner").filter(pk=postmortem_id).first()
    if found is not None and found.is_open:
        sentence = (
            f"its post-mortem is open and yours: find a facilitator and hold the meeting by {found.due_at:%a %d %b}"
        )
        say(found, [found.owner], sentence, f"opened/{found.pk}")
