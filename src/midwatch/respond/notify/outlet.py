"""Senders at hand. While the engine works, a message that may leave at once is written as already claimed by it, and
leaves with the commit: no second transaction stands between an event and its page.

Comes before `actions/claiming.py`, which takes what was left; the engine's pools are what is at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from django.db import transaction

from midwatch.core import wake
from midwatch.respond.notify.models import Delivery


class Outlet(Protocol):
    """`node`: who claims. A sender that was reserved and not used is given back by whoever installed the outlet."""

    @property
    def node(self) -> str: ...

    def reserve(self, channel: str, wanted: int) -> int:
        """So many senders of the channel, `wanted` at most, are ours until used or given back."""

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """The commit is done: these are claimed and have a sender each. Raises nothing, waits for nothing."""

    def look(self, channels: set[str]) -> None:
        """The commit is done: messages of these channels wait to be claimed."""

    def settle(self) -> None:
        """What was reserved by a transaction that did not come to its commit is free again."""


_here = threading.local()


@contextmanager
def sending_through(outlet: Outlet | None) -> Iterator[None]:
    """What this thread writes meanwhile may leave by `outlet` with its commit."""
    before = at_hand()
    _here.outlet = outlet
    try:
        yield
    finally:
        _here.outlet = before


def at_hand() -> Outlet | None:
    found: Outlet | None = getattr(_here, "outlet", None)
    return found


def wake_senders(channels: set[str]) -> None:
    """After the commit: messages of these channels wait to be claimed."""
    outlet = at_hand()
    transaction.on_commit(wake.wake if outlet is None else lambda: outlet.look(channels))
