"""One pool of senders for each channel, so that a slow or hanging provider never delays another."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import close_old_connections

from midwatch.core import clock, integration
from midwatch.core.guard import guarded
from midwatch.core.integration import DeliveryError
from midwatch.engine.tick import paging
from midwatch.respond.notify.actions import claim_deliveries, claim_polls, poll_claimed, send_claimed
from midwatch.respond.notify.actions.claiming import OUTSTANDING
from midwatch.respond.notify.actions.deliveries import Parcel, Sent, prepare, transport, write_sent
from midwatch.respond.notify.models import Delivery

POLL_SECONDS = 1.0
ASK_SECONDS_MAX = 5.0
KEPT_MAX = 1_000  # receipts kept while the database is away; beyond it, leases run out and messages repeat


def has_due(channel: str, **narrow: int) -> bool:
    due = Delivery.objects.filter(channel=channel, state__in=OUTSTANDING, due_at__lte=clock.now(), **narrow)
    return due.exists()


def channels_with_work() -> set[str]:
    """Channels for which something is due, in one query for all of them."""
    due = Delivery.objects.filter(state__in=OUTSTANDING, due_at__lte=clock.now())
    return set(due.order_by().values_list("channel", flat=True).distinct())


def channels_to_ask() -> set[str]:
    due = Delivery.objects.filter(poll_at__lte=clock.now())
    return set(due.order_by().values_list("channel", flat=True).distinct())


def has_poll_due(channel: str) -> bool:
    return Delivery.objects.filter(channel=channel, poll_at__lte=clock.now()).exists()


class ChannelPool:
    """Claims what is due for one channel, never more than it has free senders for, and sends it."""

    def __init__(self, channel: str, *, senders: int, node: str) -> None:
        self.channel = channel
        self.node = node
        self._senders = senders
        self._free = senders
        self._sent: deque[Sent] = deque()  # back from the wire, to be written
        self._asked_at = 0.0
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(senders, thread_name_prefix=f"send-{channel}")
        self._thread = threading.Thread(target=self._run, name=f"pool-{channel}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, timeout_seconds: float) -> None:
        """What is under way is finished if it can be; a lease covers what is not."""
        self._stop.set()
        self._woken.set()
        deadline = clock.monotonic() + timeout_seconds
        self._thread.join(timeout_seconds)
        while self._free < self._senders and clock.monotonic() < deadline:
            self._woken.wait(0.1)
            self._woken.clear()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._write()

    def _run(self) -> None:
        while not self._stop.is_set():
            is_woken = self._woken.wait(POLL_SECONDS)
            self._woken.clear()
            if self._stop.is_set():
                return
            guarded(f"pool {self.channel}", self._dispatch, otherwise=None)
            if not is_woken or clock.monotonic() - self._asked_at > ASK_SECONDS_MAX:  # also in a storm
                self._asked_at = clock.monotonic()
                guarded(f"receipts {self.channel}", self._ask_providers, otherwise=None)

    def _dispatch(self) -> None:
        """Write what came back, claim what is due, hand it to the senders. The senders themselves touch no database."""
        close_old_connections()
        while not self._stop.is_set():
            is_written = self._write()
            with self._lock:
                free = self._free
            only = paging()
            if free <= 0 or only is None or not has_due(self.channel, **only):
                return
            claimed = claim_deliveries(self.channel, by=self.node, limit=free, **only)
            if not claimed and not is_written:
                return
            for delivery in claimed:
                parcel = guarded(f"words {self.channel}", partial(prepare, delivery), otherwise=None)
                if parcel is not None:  # else its lease runs out, and it is tried again
                    with self._lock:
                        self._free -= 1
                    self._executor.submit(self._send, parcel)

    def _write(self) -> bool:
        """Receipts of everything that came back meanwhile, together. What cannot be written now is tried again."""
        back = [self._sent.popleft() for _ in range(len(self._sent))]
        if back and not guarded(f"receipts {self.channel}", partial(_written, back), otherwise=False):
            back = [
                one for one in back if not guarded(f"receipt {self.channel}", partial(_written, [one]), otherwise=False)
            ]
            self._sent.extend(back[:KEPT_MAX])
            return False
        return bool(back)

    def _ask_providers(self) -> None:
        """What became of messages that nobody calls back about."""
        with self._lock:
            free = self._free
        if free <= 0 or not has_poll_due(self.channel):
            return
        claimed = claim_polls(self.channel, limit=free)
        with self._lock:
            self._free -= len(claimed)
        for delivery in claimed:
            self._executor.submit(self._poll, delivery)

    def _poll(self, delivery: Delivery) -> None:
        try:
            close_old_connections()
            guarded(f"poll {self.channel}", lambda: poll_claimed(delivery), otherwise=None)
        finally:
            with self._lock:
                self._free += 1

    def _send(self, parcel: Parcel) -> None:
        broken: list[Exception] = []
        sent = guarded(f"send {self.channel}", partial(transport, parcel), otherwise=None, on_failure=broken.append)
        if sent is None:
            error = DeliveryError(f"the channel {self.channel} broke: {type(broken[0]).__name__}")
            sent = Sent(parcel.delivery, None, error)
        with self._lock:
            self._free += 1
        self._sent.append(sent)
        self._woken.set()


def _written(back: list[Sent]) -> bool:
    write_sent(back)
    return True


class Pools:
    def __init__(self, *, senders: int, node: str) -> None:
        self._pools = {channel: ChannelPool(channel, senders=senders, node=node) for channel in integration.channels()}

    def start(self) -> None:
        for pool in self._pools.values():
            pool.start()

    def wake(self) -> None:
        """Only those that have something to send: the others would each ask the database for nothing."""
        for channel in channels_with_work():
            if channel in self._pools:  # a vendor's folder may have been removed
                self._pools[channel].wake()

    def stop(self, timeout_seconds: float = 8.0) -> None:
        deadline = clock.monotonic() + timeout_seconds
        for pool in self._pools.values():
            pool.stop(max(0.1, deadline - clock.monotonic()))


def deliver_due(*, node: str = "inline", rounds_max: int = 1_000) -> int:
    """Send everything that is due, here and now, without threads: for stories."""
    sent = 0
    for _ in range(rounds_max):
        only = paging()
        working = sorted(channels_with_work()) if only is not None else []
        claimed = [one for c in working for one in claim_deliveries(c, by=node, limit=50, **(only or {}))]
        polled = [one for c in sorted(channels_to_ask()) for one in claim_polls(c)]
        if not claimed and not polled:
            return sent
        for delivery in claimed:
            guarded("send", partial(send_claimed, delivery), otherwise=None)
        for delivery in polled:
            guarded("poll", partial(poll_claimed, delivery), otherwise=None)
        sent += len(claimed) + len(polled)
    raise RuntimeError("deliveries do not come to an end")
