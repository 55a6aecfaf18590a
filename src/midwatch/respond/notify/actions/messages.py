"""Messages that are no pages: updates, "resolved", hand-offs, tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from midwatch.core import audit, clock, wake
from midwatch.core.actor import Actor
from midwatch.core.zones import zone
from midwatch.people.models import ContactMethod, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.notify.actions.pages import RANK_OTHER
from midwatch.respond.notify.models import Delivery, DeliveryKind
from midwatch.respond.notify.outlet import wake_senders
from midwatch.respond.notify.queries import call_plans, reachabilities, rings, why_unusable
from midwatch.respond.notify.tokens import digest_of, token_of

QUIET_FROM, QUIET_TO = 22, 7  # hours in the receiver's zone in which nobody else may send a test
TESTS_A_MINUTE_MAX = 10


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence to one person. `key` makes it unique. `preference`: name of the method the person chose for this, if any."""

    user: User
    key: str
    kind: str
    sentence: str
    alert: Alert | None = None
    preference: str = ""
    used_types: tuple[str, ...] = ()  # methods this person was paged by, newest last
    context: Mapping[str, Any] = field(default_factory=dict)


def tell(told: Told) -> None:
    tell_many([told])


def tell_many(messages: Iterable[Told]) -> int:
    """In the caller's transaction. Never by voice; a person with nothing else usable is left in peace."""
    wanted = list(messages)
    if not wanted:
        return 0
    now = clock.now()
    reach = reachabilities({told.user for told in wanted})
    deliveries = []
    for told in wanted:
        contact = _quiet_contact([m.contact for m in reach[told.user.pk].methods if m.is_usable], told)
        if contact is not None:
            deliveries.append(_delivery(told, contact, now))
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    wake_senders({delivery.channel for delivery in deliveries})
    return len(deliveries)


def _quiet_contact(usable: Sequence[ContactMethod], told: Told) -> ContactMethod | None:
    silent = [contact for contact in usable if contact.type != "voice"]
    for contact in silent:
        if contact.name == told.preference:
            return contact
    # Where it rang, "go back to sleep" must arrive too: the last that rings before any that does not.
    newest_first = list(told.used_types)[::-1]
    newest_first.sort(key=lambda used: not rings(used))
    for type_ in newest_first:
        for contact in silent:
            if contact.type == type_:
                return contact
    by_rank = sorted(silent, key=lambda c: (not rings(c.type) if told.alert else rings(c.type), c.position, c.pk))
    return by_rank[0] if by_rank else None


def _delivery(told: Told, contact: ContactMethod, now: datetime) -> Delivery:
    return Delivery(
        idempotency_key=told.key[:200],
        kind=told.kind,
        user=told.user,
        contact=contact,
        channel=contact.type,
        method_name=contact.name,
        alert=told.alert,
        urgency="low",
        rank=RANK_OTHER,
        context={**told.context, "sentence": told.sentence},
        created_at=now,
        due_at=now,
        wanted_at=now,
        token_digest=digest_of(token_of(told.key[:200])) if told.alert is not None else None,
    )


def send_test_page(user: User, by: Actor, contact: ContactMethod | None = None) -> list[Delivery]:
    """ "TEST, no action needed", by one method now, or as a page would go: by all that the rules for high urgency name,
    when they name them. Raises ValueError with a sentence.

    Answering confirms the method, so methods that are not confirmed yet get it too, at once.
    """
    now = clock.now()
    _check_not_asleep(user, by, now)
    times = {contact: now} if contact is not None else _test_times(user, now)
    sendable = {
        c: at for c, at in times.items() if c.disabled_at is None and (not c.confirmed_at or not why_unusable(c))
    }
    if not sendable:
        raise ValueError(f"{user} has no contact method that could get a test: add one first")
    with transaction.atomic():
        recent = Delivery.objects.filter(
            user=user, kind=DeliveryKind.TEST, created_at__gt=now - timedelta(minutes=1)
        ).count()
        if recent >= TESTS_A_MINUTE_MAX:
            raise ValueError("ten tests went out in the last minute: wait a little")
        deliveries = [_test(user, one, by, now, at) for one, at in sendable.items()]
        Delivery.objects.bulk_create(deliveries)
        audit.record(by, "send test page", "user", user.name, {"methods": [c.name for c in sendable]})
        transaction.on_commit(wake.wake)
    return deliveries


def send_test_pages(users: Sequence[User], by: Actor) -> tuple[list[Delivery], list[str]]:
    """To everybody of a rotation who may be tested now. What was sent, and a sentence for each who got nothing."""
    sent: list[Delivery] = []
    refusals: list[str] = []
    for user in users:
        try:
            sent += send_test_page(user, by)
        except ValueError as refusal:
            refusals.append(str(refusal))
    return sent, refusals


def _check_not_asleep(user: User, by: Actor, now: datetime) -> None:
    hour = now.astimezone(zone(user.time_zone)).hour
    if by.user_id != user.pk and (hour >= QUIET_FROM or hour < QUIET_TO):
        raise ValueError(
            f"it is {hour:02d}:00 to {(hour + 1) % 24:02d}:00 where {user} is: send tests to others between 07:00 and 22:00"
        )


def _test_times(user: User, now: datetime) -> dict[ContactMethod, datetime]:
    """When each method of the person is due: as in their rules; what waits to be confirmed, now."""
    plan = call_plans([(user.pk, "high")])[user.pk, "high"]
    times = dict.fromkeys(ContactMethod.objects.filter(user=user, confirmed_at=None), now)
    for rule in plan.rules:
        times.setdefault(plan.contacts[rule.contact_id], now + rule.after)
    return times


def _test(user: User, contact: ContactMethod, by: Actor, now: datetime, at: datetime) -> Delivery:
    key = f"test/{user.pk}/{contact.pk}/{secrets.token_hex(8)}"
    return Delivery(
        idempotency_key=key,
        kind=DeliveryKind.TEST,
        user=user,
        contact=contact,
        channel=contact.type,
        method_name=contact.name,
        rank=RANK_OTHER,
        context={"by": str(by)},
        created_at=now,
        due_at=at,
        wanted_at=at,
        token_digest=digest_of(token_of(key)),
    )


def confirm_method(delivery: Delivery, by: Actor) -> bool:
    """Somebody answered a test that went by this method: it reaches them."""
    now = clock.now()
    with transaction.atomic():
        changed = ContactMethod.objects.filter(pk=delivery.contact_id or 0).update(
            confirmed_at=now, failing_since=None, problem=""
        )
        Delivery.objects.filter(pk=delivery.pk).update(receipt="answered")
        audit.record(by, "confirm method", "user", delivery.user.name, {"method": delivery.method_name})
    return bool(changed)
