"""Who wants to be told: asked for, confirmed, left, failing, forgotten.

An address that somebody typed is told nothing until its owner has confirmed it. The answer to asking is the same
whatever we know of the address, so that nobody learns who subscribed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from midwatch.core import clock, integration, net, wake
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.respond.statuspage.actions.common import note
from midwatch.respond.statuspage.models import (
    Component,
    MessageState,
    Page,
    Subscriber,
    SubscriberKind,
    SubscriberMessage,
    SubscriberState,
)

SUBSCRIBERS_MAX = 50_000  # of one page
UNCONFIRMED_MAX = 2_000  # of one page at a time
ADDRESS_MAX = 2_000
ASK_AGAIN = timedelta(hours=1)
UNCONFIRMED_KEPT = timedelta(days=7)
QUARANTINED_KEPT = timedelta(days=30)
LEFT_KEPT = timedelta(days=30)
FAILURES_MAX = 3  # messages in a row that could not be delivered at all


@dataclass(frozen=True, slots=True)
class Wish:
    """`components`: empty for all. `is_confirmed`: somebody who may says so (the management API)."""

    kind: str
    address: str
    components: Sequence[Component] = ()
    is_confirmed: bool = False


class TooManyError(ValueError):
    """The page takes no more at the moment."""


def subscribe(page: Page, wish: Wish, by: Actor | None = None) -> Subscriber:
    """Asked for. Whoever is known already is asked again at most once an hour. Raises `ValueError` with a sentence."""
    address = _address(wish)
    now = clock.now()
    with transaction.atomic():
        Page.objects.select_for_update().get(pk=page.pk)
        known = Subscriber.objects.filter(page=page, kind=wish.kind, address=address).first()
        if known is None:
            mine = Subscriber.objects.filter(page=page)
            if mine.count() >= SUBSCRIBERS_MAX:
                raise TooManyError("this page takes no more subscribers: use the Atom feed")
            waiting = mine.filter(state=SubscriberState.UNCONFIRMED).count()
            if not wish.is_confirmed and waiting >= UNCONFIRMED_MAX:
                raise TooManyError("too many people are subscribing right now: try again in some hours")
            known = Subscriber.objects.create(page=page, kind=wish.kind, address=address, created_at=now)
            known.components.set(wish.components)
        elif known.state != SubscriberState.ACTIVE or wish.is_confirmed:
            known.components.set(wish.components)
        if wish.is_confirmed:
            _activate(known)
        elif known.state != SubscriberState.ACTIVE:
            _ask(known)
        if by is not None:
            note(by, "add subscriber", page, {"subscriber": known.wire_id, "kind": str(known.kind)})
    return known


def confirm(subscriber: Subscriber) -> bool:
    """By the link in the message. False: it had been."""
    with transaction.atomic():
        current = Subscriber.objects.select_for_update().get(pk=subscriber.pk)
        if current.state != SubscriberState.UNCONFIRMED:
            return False
        _activate(current)
    return True


def unsubscribe(subscriber: Subscriber, by: Actor | None = None) -> None:
    """Nothing more is sent, from now on: what waits is dropped. Repeatable."""
    now = clock.now()
    with transaction.atomic():
        changed = (
            Subscriber.objects.filter(pk=subscriber.pk)
            .exclude(state=SubscriberState.UNSUBSCRIBED)
            .update(state=SubscriberState.UNSUBSCRIBED, purge_at=now + LEFT_KEPT)
        )
        SubscriberMessage.objects.filter(subscriber=subscriber, state=MessageState.WAITING).delete()
        if by is not None and changed:
            note(by, "remove subscriber", subscriber.page, {"subscriber": subscriber.wire_id})


def reactivate(subscriber: Subscriber, by: Actor) -> None:
    """Out of quarantine."""
    with transaction.atomic():
        current = Subscriber.objects.select_for_update().select_related("page").get(pk=subscriber.pk)
        if current.state not in {SubscriberState.QUARANTINED, SubscriberState.ACTIVE}:
            raise ValueError("only a subscriber in quarantine is reactivated: ask the others to subscribe again")
        _activate(current)
        note(by, "reactivate subscriber", current.page, {"subscriber": current.wire_id})


def ask_again(subscriber: Subscriber, by: Actor) -> None:
    """The confirmation once more, because a member wants it."""
    with transaction.atomic():
        current = Subscriber.objects.select_for_update().select_related("page").get(pk=subscriber.pk)
        if current.state != SubscriberState.UNCONFIRMED:
            raise ValueError("only a subscriber who has not confirmed is asked again")
        current.asked_at = None
        _ask(current)
        note(by, "ask subscriber again", current.page, {"subscriber": current.wire_id})


def choose_components(subscriber: Subscriber, components: Collection[Component], by: Actor) -> None:
    """None: about all of the page."""
    chosen = [one for one in components if one.page_id == subscriber.page_id]
    with transaction.atomic():
        subscriber.components.set(chosen)
        detail = {"subscriber": subscriber.wire_id, "components": sorted(one.wire_id for one in chosen)[:100]}
        note(by, "choose components of subscriber", subscriber.page, detail)


def failed_for_good(subscriber_id: int, problem: str, *, is_gone: bool) -> None:
    """A message could not be delivered at all. The third in a row is quarantine; who says "gone" has left."""
    now = clock.now()
    with transaction.atomic():
        mine = Subscriber.objects.filter(pk=subscriber_id)
        mine.update(failures=F("failures") + 1, problem=clean(problem, 300, is_one_line=True))
        if is_gone:
            mine.exclude(state=SubscriberState.UNSUBSCRIBED).update(
                state=SubscriberState.UNSUBSCRIBED, purge_at=now + LEFT_KEPT
            )
        else:
            mine.filter(state=SubscriberState.ACTIVE, failures__gte=FAILURES_MAX).update(
                state=SubscriberState.QUARANTINED, quarantined_at=now, purge_at=now + QUARANTINED_KEPT
            )


def forget(limit: int) -> int:
    """Those who never confirmed, who left, and whose address is dead. How many went."""
    now = clock.now()
    old = list(Subscriber.objects.filter(purge_at__lte=now).order_by("purge_at").values_list("pk", flat=True)[:limit])
    if not old:
        return 0
    with transaction.atomic():
        Subscriber.objects.filter(pk__in=old, purge_at__lte=now).delete()
    return len(old)


def _activate(subscriber: Subscriber) -> None:
    subscriber.state = SubscriberState.ACTIVE
    subscriber.confirmed_at = subscriber.confirmed_at or clock.now()
    subscriber.failures, subscriber.problem = 0, ""
    subscriber.quarantined_at = subscriber.purge_at = None
    subscriber.save(update_fields=["state", "confirmed_at", "failures", "problem", "quarantined_at", "purge_at"])


def _ask(subscriber: Subscriber) -> None:
    now = clock.now()
    if subscriber.asked_at is not None and now - subscriber.asked_at < ASK_AGAIN:
        return
    subscriber.state = SubscriberState.UNCONFIRMED
    subscriber.asked_at, subscriber.purge_at = now, now + UNCONFIRMED_KEPT
    subscriber.save(update_fields=["state", "asked_at", "purge_at"])
    try:
        with transaction.atomic():
            SubscriberMessage.objects.create(
                subscriber=subscriber,
                idempotency_key=f"confirm/{subscriber.pk}/{int(now.timestamp())}",
                kind="confirm",
                due_at=now,
                created_at=now,
            )
    except IntegrityError:
        return  # asked within the same second
    transaction.on_commit(wake.wake)


def _address(wish: Wish) -> str:
    given = wish.address.strip()
    if wish.kind == SubscriberKind.EMAIL:
        return integration.senders()["email"].check_address("email", given)
    if wish.kind != SubscriberKind.WEBHOOK:
        raise ValueError(f"{clean(wish.kind, 40)!r} is no kind of subscription: give email or webhook")
    if len(given) > ADDRESS_MAX or not given.isprintable() or any(c.isspace() for c in given):
        raise ValueError("give an address that begins with https:// or http://")
    try:
        net.check_typed(given)
    except net.AddressRefused as refused:
        raise ValueError(str(refused)) from refused
    return given
