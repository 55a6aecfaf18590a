"""Tokens of subscribers: made from the installation's key, so that every message can carry one and none is stored."""

from __future__ import annotations

import hmac

from django.utils.crypto import salted_hmac

from midwatch.respond.statuspage.models import WIRE_ID_LENGTH, Subscriber

CONFIRM, LEAVE = "confirm", "leave"
_LENGTH = 40


def token(subscriber: Subscriber, purpose: str) -> str:
    return subscriber.wire_id + _mark(subscriber.wire_id, purpose)


def subscriber_of(given: str, purpose: str, page_id: int) -> Subscriber | None:
    """Whose token this is, when it is right and of this page."""
    wire_id, mark = given[:WIRE_ID_LENGTH], given[WIRE_ID_LENGTH:]
    if len(mark) != _LENGTH or not given.isascii() or not hmac.compare_digest(mark, _mark(wire_id, purpose)):
        return None
    return Subscriber.objects.select_related("page").filter(wire_id=wire_id, page_id=page_id).first()


def _mark(wire_id: str, purpose: str) -> str:
    return salted_hmac(f"midwatch.statuspage.{purpose}", wire_id, algorithm="sha256").hexdigest()[:_LENGTH]
