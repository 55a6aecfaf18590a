"""One pool of senders for each channel, so that a slow or hanging provider never delays another."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from django.db import close_old_connections
from django.db.models import Q, QuerySet

from midwatch.core import clock, integration
from midwatch.core.guard import guarded
from midwatch.core.integration import DeliveryError
from midwatch.core.sqlite import cache
from midwatch.core.statements import Select
from midwatch.engine.tick import paging
from midwatch.respond.notify.actions import claim_deliveries, claim_polls, poll_claimed, send_claimed
from midwatch.respond.notify.actions.claiming import OUTSTANDING
from midwatch.respond.notify.actions.deliveries import Parcel, Sent, prepare, transport, write_sent
from midwatch.respond.notify.models import Delivery

POLL_SECONDS = 1.0
ASK_SECONDS_MAX = 5.0
GATHER_SECONDS = 0.05  # receipts that come back within it are written together; the first after a pause at once
KEPT_MAX = 1_000  # receipts kept while the database is away; beyond it, leases run out and messages repeat


def _due(now: datetime) -> QuerySet[Delivery]:
    """What nobody is sending: to be tried, or its lease ran out."""
    is_free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    return Delivery.objects.filter(is_free, state__in=OUTSTANDING, due_at__lte=now).order_by()


DUE_OF = Select(lambda channel, now: _due(now).filter(channel=channel).values_list("pk", flat=True)[:1])
POLLS = Delivery.objects.exclude(poll_at=None).order_by()
POLLS_OF = Select(lambda channel, now: POLLS.filter(channel=channel, poll_at__lte=now).values_list("pk", flat=True)[:1])
POLL_CHANNELS = Select(lambda now: POLLS.filter(poll_at__lte=now).values_list("channel", flat=True).distinct())
DUE_CHANNELS = Select(lambda now: _due(now).values_list("channel", flat=True).distinct())


def has_due(channel: str, **narrow: int) -> bool:
    if narrow:
        return _due(clock.now()).filter(channel=channel, **narrow).exists()
    return bool(DUE_OF(channel, clock.now()))


def channels_with_work() -> set[str]:
    """Channels for which something is due, in one query for all of them."""
    return set(DUE_CHANNELS(clock.now()))


def channels_to_ask() -> set[str]:
    return set(POLL_CHANNELS(clock.now()))


def has_poll_due(channel: str) -> bool:
    return bool(POLLS_OF(channel, clock.now()))


class ChannelPool:
    """Claims what is due for one channel, never more than it has free senders for, and sends it."""

    def __init__(self, channel: str, *, senders: int, node: str) -> None:
        self.channel = channel
        self.node = node
        self._senders = senders
        self._free = senders
        self._sent: deque[Sent] = deque()  # back from the wire, to be written
        self._asked_at = 0.0
        self._written_at = 0.0
        self._must_look = True  # something may wait to be claimed
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._looking = threading.Event()  # cuts the gathering of receipts short
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(
            senders, thread_name_prefix=f"send-{channel}", initializer=cache.is_helper_thread
        )
        self._thread = threading.Thread(target=self._run, name=f"pool-{channel}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something waits to be claimed."""
        self._must_look = True
        self._looking.set()
        self._woken.set()

    def reserve(self, wanted: int) -> int:
        with self._lock:
            given = min(wanted, self._free)
            self._free -= given
        return given

    def give_back(self, count: int) -> None:
        with self._lock:
            self._free += count

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Claimed ones, each with a sender reserved."""
        for delivery in deliveries:
            parcel = guarded(f"words {self.channel}", partial(prepare, delivery), otherwise=None)
            if parcel is None:  # its lease runs out, and it is tried again
                self.give_back(1)
            else:
                self._executor.submit(self._send, parcel)

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
        cache.is_helper_thread()
        while not self._stop.is_set():
            is_woken = self._woken.wait(POLL_SECONDS)
            if not is_woken:
                self._must_look = True
            elif not self._must_look:
                self._looking.wait(max(0.0, self._written_at + GATHER_SECONDS - clock.monotonic()))
            self._looking.clear()
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
            only = paging() if self._must_look else None
            if only is None:
                return
            free = self.reserve(self._senders)
            if free <= 0:
                return  # whoever comes back looks again
            self._must_look = False
            claimed: list[Delivery] = []
            try:
                if has_due(self.channel, **only):
                    claimed = claim_deliveries(self.channel, by=self.node, limit=free, **only)
            finally:
                self.give_back(max(0, free - len(claimed)))
            self.send(claimed)
            self._must_look = self._must_look or len(claimed) >= free
            if not claimed and not is_written:
                return

    def _write(self) -> bool:
        """Receipts of everything that came back meanwhile, together. What cannot be written now is tried again."""
        back = [self._sent.popleft() for _ in range(len(self._sent))]
        if back:
            self._written_at = clock.monotonic()
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
        self._sent.append(sent)
        self.give_back(1)
        self._woken.set()


def _written(back: list[Sent]) -> bool:
    write_sent(back)
    return True


class Pools:
    """All channels' pools. As an outlet it is for the engine's own thread, which calls `settle` when a job is done."""

    def __init__(self, *, senders: int, node: str) -> None:
        self._pools = {channel: ChannelPool(channel, senders=senders, node=node) for channel in integration.senders()}
        self._reserved: dict[str, int] = defaultdict(int)
        self._node = node

    @property
    def node(self) -> str:
        return self._node

    def reserve(self, channel: str, wanted: int) -> int:
        pool = self._pools.get(channel)
        given = pool.reserve(wanted) if pool is not None else 0
        self._reserved[channel] += given
        return given

    def send(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._reserved[delivery.channel] -= 1
            self._pools[delivery.channel].send([delivery])

    def look(self, channels: set[str]) -> None:
        for channel in channels & self._pools.keys():
            self._pools[channel].wake()

    def settle(self) -> None:
        """Senders that were reserved by a transaction which did not come to its commit are free again."""
        for channel, count in self._reserved.items():
            if count:
                self._pools[channel].give_back(count)
        self._reserved.clear()

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


class Inline:
    """Senders for stories: what leaves with a commit is kept until `deliver_due` sends it."""

    def __init__(self, node: str = "inline") -> None:
        self.node = node
        self.leaving: list[Delivery] = []

    def reserve(self, channel: str, wanted: int) -> int:
        return wanted

    def send(self, deliveries: Sequence[Delivery]) -> None:
        self.leaving += deliveries

    def look(self, channels: set[str]) -> None: ...

    def settle(self) -> None: ...

    def take(self) -> list[Delivery]:
        taken, self.leaving = self.leaving, []
        return taken


def deliver_due(outlet: Inline | None = None, *, node: str = "inline", rounds_max: int = 1_000) -> int:
    """Send everything that is due, here and now, without threads: for stories."""
    sent = 0
    for _ in range(rounds_max):
        only = paging()
        working = sorted(channels_with_work()) if only is not None else []
        claimed = outlet.take() if outlet is not None else []
        claimed += [one for c in working for one in claim_deliveries(c, by=node, limit=50, **(only or {}))]
        polled = [one for c in sorted(channels_to_ask()) for one in claim_polls(c)]
        if not claimed and not polled:
            return sent
        for delivery in claimed:
            guarded("send", partial(send_claimed, delivery), otherwise=None)
        for delivery in polled:
            guarded("poll", partial(poll_claimed, delivery), otherwise=None)
        sent += len(claimed) + len(polled)
    raise RuntimeError("deliveries do not come to an end")
