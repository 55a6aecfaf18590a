"""Reminders that go on after the incident is closed (R17), and owners who are gone (R16)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import F

from midwatch.core import audit, clock, leases
from midwatch.core.actor import ENGINE
from midwatch.core.guard import guarded
from midwatch.core.zones import zone
from midwatch.learn.actions import reminders
from midwatch.learn.actions.actions.items import record_entry, tell, today_of
from midwatch.learn.actions.models import ActionItem, ItemState
from midwatch.people.queries import leads_of

LEASE = timedelta(seconds=30)
AT_ONCE = 50
DUE = leases.Claimable(
    lambda now: ActionItem.objects.exclude(remind_at=None).filter(remind_at__lte=now).order_by("remind_at", "pk")
)


def remind_due(*, limit: int = AT_ONCE) -> int:
    """How many were reminded of. One that fails stops no other."""
    found = leases.claim_due(DUE, now=clock.now(), lease=LEASE, limit=limit)
    return sum(guarded("reminder of an action item", partial(_remind, item.pk), otherwise=0) for item in found)


def _remind(pk: int) -> int:
    now = clock.now()
    with transaction.atomic():
        item = (
            ActionItem.objects.select_for_update(of=("self",))
            .select_related("owner", "team", "incident")
            .filter(pk=pk, state=ItemState.OPEN, remind_at__lte=now)
            .first()
        )
        if item is None or item.owner is None or item.due_on is None:
            return 0
        assert item.remind_at is not None
        their_zone = zone(item.owner.time_zone)
        said = reminders.next_reminder(item.due_on, their_zone, item.remind_at - timedelta(seconds=1))
        people = {item.owner.pk: item.owner} if item.owner.is_active else {}
        if said.whom == "owner and managers" or not people:
            people |= {person.pk: person for person in leads_of(item.team)}
        words = reminders.standing(item.due_on, today_of(item.owner, now))
        shown = words if len(people) == 1 else f"{words} (owner: {item.owner})"
        tell(item, list(people.values()), shown, f"remind/{item.reminded}")
        record_entry(item, ENGINE, f"{', '.join(str(person) for person in people.values())} reminded: {words}")
        ActionItem.objects.filter(pk=pk).update(
            remind_at=reminders.next_reminder(item.due_on, their_zone, now).at,
            reminded=F("reminded") + 1,
            claimed_until=None,
        )
    return 1


def adopt_orphans(*, limit: int = AT_ONCE) -> int:
    """The owner was switched off: the item goes to the team's lead, who hears of it. It is never nobody's."""
    orphans = (
        ActionItem.objects.select_related("owner", "team", "incident")
        .filter(state=ItemState.OPEN, owner__is_active=False)
        .order_by("pk")[:limit]
    )
    return sum(guarded("an item without its owner", partial(_adopt, item), otherwise=0) for item in orphans)


def _adopt(item: ActionItem) -> int:
    heirs = [user for user in leads_of(item.team) if user.may_act and user.pk != item.owner_id]
    if not heirs or item.due_on is None:
        return 0
    now = clock.now()
    their_zone = zone(heirs[0].time_zone)
    with transaction.atomic():
        taken = ActionItem.objects.filter(pk=item.pk, state=ItemState.OPEN, owner=item.owner).update(
            owner=heirs[0], remind_at=reminders.next_reminder(item.due_on, their_zone, now).at
        )
        if taken:
            record_entry(item, ENGINE, f"{item.owner} is gone: {heirs[0]} has it")
            audit.record(ENGINE, "hand on", "action item", str(item), {"owner": heirs[0].name})
            tell(item, [heirs[0]], f"is yours: {item.owner} is gone. Keep it or hand it on", f"orphan/{now:%Y%m%d%H%M}")
    return int(taken)
