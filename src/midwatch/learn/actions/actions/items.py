"""Noting, opening, changing and finishing action items."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.numbers import next_numbers
from midwatch.core.text import clean
from midwatch.core.zones import zone
from midwatch.learn.actions import proofs, reminders
from midwatch.learn.actions.models import (
    TITLE_MAX,
    ActionItem,
    DebtAnswer,
    ItemEntry,
    ItemIssue,
    ItemNumber,
    ItemPriority,
    ItemState,
    ItemType,
)
from midwatch.people.models import Team, User
from midwatch.respond.incidents.models import Incident
from midwatch.respond.notify.actions import Told, tell_many
from midwatch.respond.notify.models import DeliveryKind

DESCRIPTION_MAX = 20_000
UNSET: Any = object()


@dataclass(frozen=True, slots=True)
class NewItem:
    """What somebody notes. With an owner it is open at once, by the usual date of its priority when none is given."""

    title: str
    type: str = ItemType.PREVENT
    priority: str = ItemPriority.MEDIUM
    owner: User | None = None
    due_on: date | None = None
    description: str = ""
    team: Team | None = None
    service: Service | None = None
    incident: Incident | None = None
    origin: str = "by hand"
    proof: dict[str, Any] = field(default_factory=dict)


def note_item(wanted: NewItem, by: Actor) -> ActionItem:
    """Raises ValueError with a sentence."""
    values = _checked({one.name: getattr(wanted, one.name) for one in fields(wanted)})
    now = clock.now()
    with transaction.atomic():
        number = next_numbers(ItemNumber)
        incident = wanted.incident
        service = wanted.service or (incident.service if incident else None)
        team = wanted.team or (service.team if service else incident.team if incident else None)
        owner, due_on = values.pop("owner"), values.pop("due_on")
        item = ActionItem.objects.create(
            **{**values, "service": service, "team": team},
            number=number,
            created_by=str(by)[:200],
            created_at=now,
        )
        record_entry(item, by, f"noted ({item.origin})")
        audit.record(by, "note", "action item", str(item), {"title": "(private)" if item.is_private else item.title})
        if owner is not None:
            open_item(item, owner, by, due_on=due_on)
    item.refresh_from_db()
    return item


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    found = dict(given)
    if "title" in found:
        found["title"] = clean(found["title"], TITLE_MAX, is_one_line=True)
        if not found["title"]:
            raise ValueError("give a title: what is different when it is done?")
    if "description" in found:
        found["description"] = clean(found["description"], DESCRIPTION_MAX)
    if found.get("type", ItemType.PREVENT) not in ItemType.values:
        raise ValueError(f"{found['type']!r} is no type: give one of {', '.join(ItemType.values)}")
    if found.get("priority", ItemPriority.LOW) not in ItemPriority.values:
        raise ValueError(f"{found['priority']!r} is no priority: give one of {', '.join(ItemPriority.values)}")
    owner = found.get("owner")
    if owner is not None and not owner.may_act:
        raise ValueError(f"{owner} cannot own it: switched off, or a viewer")
    if found.get("proof"):
        found["proof"] = proofs.checked(found["proof"])
    return found


def today_of(user: User, now: datetime) -> date:
    return now.astimezone(zone(user.time_zone)).date()


def open_item(item: ActionItem, owner: User, by: Actor, *, due_on: date | None = None) -> None:
    """Somebody has it from now on: an owner and a date are what make it an action item (R16)."""
    now = clock.now()
    _checked({"owner": owner})
    due = due_on or reminders.usual_due_on(item.priority, today_of(owner, now))
    with transaction.atomic():
        changed = ActionItem.objects.filter(pk=item.pk, state=ItemState.DRAFT).update(
            state=ItemState.OPEN,
            owner=owner,
            due_on=due,
            opened_at=now,
            remind_at=_remind_at(owner, due, now),
            proof_due_at=now if item.proof else None,
        )
        if changed:
            record_entry(item, by, f"{owner} has it until {due}")
            audit.record(by, "open", "action item", str(item), {"owner": owner.name, "due": due.isoformat()})
            _tell_owner(item, owner, by, f"is yours, until {due}")
    item.refresh_from_db()


def _remind_at(owner: User, due: date, now: datetime) -> datetime:
    return reminders.next_reminder(due, zone(owner.time_zone), now).at


def _tell_owner(item: ActionItem, owner: User, by: Actor, words: str) -> None:
    if owner.pk != by.user_id:
        tell(item, [owner], words, f"owner/{clock.now():%Y%m%d%H%M%S}")


def tell(item: ActionItem, people: list[User], words: str, key: str) -> int:
    """A sentence by a method that does not ring. In the caller's transaction."""
    sentence = f"{item} {'' if item.is_private else f'“{item.title}” '}{words}"
    return tell_many(Told(user, f"action/{item.pk}/{key}/{user.pk}", DeliveryKind.UPDATE, sentence) for user in people)


def change_item(
    item: ActionItem,
    by: Actor,
    *,
    title: str = UNSET,
    description: str = UNSET,
    type: str = UNSET,
    priority: str = UNSET,
    owner: User = UNSET,
    due_on: date = UNSET,
    proof: dict[str, Any] = UNSET,
) -> ActionItem:
    """Set some of it. A new owner or date starts the reminders anew. Raises ValueError with a sentence."""
    given = {"title": title, "description": description, "type": type, "priority": priority, "owner": owner,
             "due_on": due_on, "proof": proof}  # fmt: skip
    values = _checked({name: value for name, value in given.items() if value is not UNSET})
    now = clock.now()
    with transaction.atomic():
        before = ActionItem.objects.select_for_update(of=("self",)).select_related("owner", "incident").get(pk=item.pk)
        changes = {name: value for name, value in values.items() if getattr(before, name) != value}
        if not changes:
            return before
        if before.state == ItemState.OPEN and {"owner", "due_on"} & changes.keys():
            new_owner, new_due = changes.get("owner", before.owner), changes.get("due_on", before.due_on)
            if new_owner is None or new_due is None:
                raise ValueError("an open item has an owner and a date")
            changes["remind_at"] = _remind_at(new_owner, new_due, now)
        if "proof" in changes:
            changes["proof_due_at"] = now if changes["proof"] and before.state != ItemState.DROPPED else None
            changes["is_proven"] = False
        ActionItem.objects.filter(pk=item.pk).update(**changes)
        shown = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in values.items() if name in changes)
        record_entry(item, by, f"changed {'(private)' if before.is_private else shown}")
        audit.record(by, "change", "action item", str(item), {"fields": sorted(values)})
        if "owner" in changes and before.state == ItemState.OPEN:
            _tell_owner(before, changes["owner"], by, f"is yours, until {changes.get('due_on', before.due_on)}")
    item.refresh_from_db()
    return item


def finish_item(item: ActionItem, by: Actor, outcome: str, *, is_proven: bool = False) -> None:
    """Done: somebody says what was done, or the proof does."""
    if not outcome.strip():
        raise ValueError("say what was done, so that others can see it")
    with transaction.atomic():
        changed = ActionItem.objects.filter(pk=item.pk, state=ItemState.OPEN).update(
            state=ItemState.DONE,
            done_at=clock.now(),
            done_by=str(by)[:200],
            outcome=clean(outcome, 1_000),
            remind_at=None,
            is_proven=is_proven,
        )
        if changed:
            record_entry(item, by, f"done: {outcome}")
            _look_elsewhere(item)
            audit.record(by, "finish", "action item", str(item), {"is_proven": is_proven})
    item.refresh_from_db()
    if not changed and item.state == ItemState.DRAFT:
        raise ValueError("it is a draft: give it an owner first")


def drop_item(item: ActionItem, by: Actor, why: str) -> None:
    """Decided against; the reason stays."""
    if not why.strip():
        raise ValueError("say why it is not done: the next reader will ask")
    with transaction.atomic():
        changed = (
            ActionItem.objects.filter(pk=item.pk)
            .exclude(state=ItemState.DROPPED)
            .update(
                state=ItemState.DROPPED,
                outcome=clean(why, 1_000),
                done_at=clock.now(),
                done_by=str(by)[:200],
                remind_at=None,
                proof_due_at=None,
            )
        )
        if changed:
            record_entry(item, by, f"dropped: {why}")
            _look_elsewhere(item)
            audit.record(by, "drop", "action item", str(item), {"why": clean(why, 200)})
    item.refresh_from_db()


def reopen_item(item: ActionItem, by: Actor, why: str) -> None:
    """Not done after all: by a person, or because its proof broke. Its owner hears of it."""
    now = clock.now()
    with transaction.atomic():
        current = ActionItem.objects.select_for_update(of=("self",)).select_related("owner", "incident").get(pk=item.pk)
        if current.state not in {ItemState.DONE, ItemState.DROPPED}:
            return
        if current.owner is None or current.due_on is None:
            ActionItem.objects.filter(pk=item.pk).update(state=ItemState.DRAFT, done_at=None, done_by="", outcome="")
        else:
            ActionItem.objects.filter(pk=item.pk).update(
                state=ItemState.OPEN,
                done_at=None,
                done_by="",
                outcome="",
                is_proven=False,
                remind_at=_remind_at(current.owner, current.due_on, now),
                proof_due_at=now if current.proof else None,
            )
            _tell_owner(current, current.owner, by, f"is open again: {clean(why, 200, is_one_line=True)}")
        record_entry(item, by, f"open again: {why}")
        _look_elsewhere(item)
        audit.record(by, "reopen", "action item", str(item), {"why": clean(why, 200)})
    item.refresh_from_db()


def _look_elsewhere(item: ActionItem) -> None:
    """Its state changed here: the issue elsewhere follows now, rather than at the next look."""
    ItemIssue.objects.filter(item=item).update(due_at=clock.now(), attempts=0)


def answer_debt(incident: Incident, item: ActionItem, by: Actor, *, would_have_prevented: bool) -> DebtAnswer:
    """Would this item, had it been done, have prevented this incident (N4)? The last answer counts."""
    now = clock.now()
    overdue = (now.date() - item.due_on).days if item.due_on else 0
    with transaction.atomic():
        answer, _ = DebtAnswer.objects.update_or_create(
            incident=incident,
            item=item,
            defaults={
                "would_have_prevented": would_have_prevented,
                "days_overdue": overdue,
                "who": str(by)[:200],
                "at": now,
            },
        )
        word = "would" if would_have_prevented else "would not"
        shown = "a private incident" if incident.is_private else f"{incident}"
        record_entry(item, by, f"{word} have prevented {shown}")
        audit.record(
            by, "answer debt", "action item", str(item), {"incident": incident.number, "would": would_have_prevented}
        )
    return answer


def record_entry(item: ActionItem, by: Actor, text: str) -> None:
    ItemEntry.objects.create(item=item, at=clock.now(), who=str(by)[:200], text=clean(text, 1_000))
