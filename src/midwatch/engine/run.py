"""The engine's process: tick, send, watch; wake at once on new work, and look by itself in between."""

from __future__ import annotations

import logging
import os
import platform
import threading
from contextlib import suppress

from django.db import Error as DatabaseError
from django.db import close_old_connections

from midwatch.core import clock, integration, wake
from midwatch.core.guard import guarded
from midwatch.engine import hold
from midwatch.engine.pools import Pools
from midwatch.engine.tick import Ticker, next_due_at
from midwatch.engine.watch import Watch
from midwatch.respond.notify.metrics import expect
from midwatch.settings import settings

log = logging.getLogger("midwatch.engine")
POLL_SECONDS = 0.5  # the safety net below waking up
BREATH_SECONDS = 0.001  # between two transactions of a long run, so that others get the write ticket


def node_name() -> str:
    return f"{platform.node()}:{os.getpid()}"


def main(stop: threading.Event) -> None:
    """Runs until `stop` is set. Whoever sets it should also wake the engine."""
    node = node_name()
    expect(integration.channels())
    pools = Pools(senders=settings().channel_threads, node=node)
    watch = Watch(node)
    ticker = Ticker(after_job=pools.wake)
    with wake.waiter() as waiter:
        threading.Thread(target=_interrupt_on, args=(stop, waiter), name="stopper", daemon=True).start()
        watch.start()
        pools.start()
        log.info("the engine runs as %s", node)
        while not stop.is_set():
            close_old_connections()
            done = guarded("tick", ticker.tick, otherwise=0)
            guarded("watch", watch.beat, otherwise=None)
            if done:
                stop.wait(BREATH_SECONDS)
            elif waiter.wait(_pause()):
                guarded("wake", pools.wake, otherwise=None)  # the web may have written a message itself
        pools.stop()
        with suppress(DatabaseError):
            watch.stop()
    log.info("the engine has stopped")


def _interrupt_on(stop: threading.Event, waiter: wake.Waiter) -> None:
    stop.wait()
    waiter.interrupt()


def _pause() -> float:
    """Until the next thing is due, at most the poll's length. What is due during a hold is no reason to hurry."""
    if guarded("hold", hold.gate, otherwise=None) is not None:
        return POLL_SECONDS
    upcoming = guarded("next due", next_due_at, otherwise=None)
    if upcoming is None:
        return POLL_SECONDS
    return min(POLL_SECONDS, max(0.005, (upcoming - clock.now()).total_seconds()))
