"""The engine's process: tick, send, watch; wake at once on new work, and look by itself in between."""

from __future__ import annotations

import logging
import os
import platform
import sys
import threading
from contextlib import suppress

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from midwatch.core import clock, integration, memory, wake
from midwatch.core.guard import guarded
from midwatch.engine import hold
from midwatch.engine.errands import Runners
from midwatch.engine.executions import Executions
from midwatch.engine.pools import Pools
from midwatch.engine.tick import Ticker, next_due_at
from midwatch.engine.watch import Watch
from midwatch.respond.notify.metrics import expect
from midwatch.settings import settings

log = logging.getLogger("midwatch.engine")
POLL_SECONDS = 0.5  # the safety net below waking up
SWITCH_SECONDS = 0.0005  # a sender waits no longer than this for the engine's thread; Python's own 5 ms are felt
BREATH_SECONDS = 0.001  # between two transactions of a long run, so that others get the write ticket


def node_name() -> str:
    return f"{platform.node()}:{os.getpid()}"


def main(stop: threading.Event) -> None:
    """Runs until `stop` is set. Whoever sets it should also wake the engine."""
    node = node_name()
    expect(integration.channels())
    sys.setswitchinterval(SWITCH_SECONDS)
    pools = Pools(senders=settings().channel_threads, node=node)
    errands = Runners()
    steps = Executions(node)
    watch = Watch(node)
    ticker = Ticker(pools)
    reach = Reach()
    memory.settle()
    while not (stop.is_set() or (reach.try_() and guarded("node", watch.enlist, otherwise=False))):
        stop.wait(POLL_SECONDS)
    with wake.waiter() as waiter:
        threading.Thread(target=_interrupt_on, args=(stop, waiter), name="stopper", daemon=True).start()
        watch.start()
        pools.start()
        errands.start()
        steps.start()
        log.info("the engine runs as %s", node)
        is_woken = False
        while not stop.is_set():
            if not reach.try_():
                watch.is_cut_off()
                stop.wait(POLL_SECONDS)
                continue
            done = guarded("tick", ticker.tick, otherwise=0)
            guarded("watch", watch.beat, otherwise=None)
            if is_woken:
                guarded("wake", pools.wake, otherwise=None)  # the web may have written a message itself
                errands.wake()
                steps.wake()
                is_woken = False
            if done:
                stop.wait(BREATH_SECONDS)
            else:
                is_woken = waiter.wait(_pause())
        errands.stop()
        steps.stop()
        pools.stop()
        with suppress(DatabaseError):
            watch.stop()
    log.info("the engine has stopped")


class Reach:
    """Is the database there? Asked before each tick, so that a node that is cut off says it once and waits, instead of
    failing at every job of every tick."""

    def __init__(self) -> None:
        self._is_away = False

    def try_(self) -> bool:
        close_old_connections()
        try:
            connection.close_if_health_check_failed()
            connection.ensure_connection()
        except DatabaseError as error:
            if not self._is_away:
                log.warning("the database cannot be reached (%s): waiting for it", type(error).__name__)
            self._is_away = True
            return False
        if self._is_away:
            log.warning("the database is there again")
        self._is_away = False
        return True


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
