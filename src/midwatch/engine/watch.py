"""Watching the engine: it says when it is slow or stuck, shows how late it is, and tells an outside monitor that it is well."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from datetime import datetime, timedelta
from functools import partial

from django.db import close_old_connections, connection, transaction
from django.db.models import Count

from midwatch import __version__
from midwatch.core import clock, guard, integration, net
from midwatch.core.integration import NULL_CHANNEL
from midwatch.core.models import OutboxEvent
from midwatch.core.sqlite import cache
from midwatch.engine import canary, canary_metrics, clock_steps, hold, metrics, peers
from midwatch.engine.models import Node
from midwatch.engine.tick import lateness
from midwatch.prepare.runbooks.queries.queue import steps_by_state
from midwatch.respond.notify.actions.claiming import OUTSTANDING
from midwatch.respond.notify.models import Delivery
from midwatch.settings import settings

log = logging.getLogger("midwatch.watch")
BEAT_SECONDS = 1.0
SLOW_SECONDS = 5.0
STALLED_SECONDS = 10.0
STUCK_SECONDS = 60.0
GIVE_UP_SECONDS = 150.0  # the supervisor starts another engine; leases cover what this one held
PING_SECONDS = 60.0
PING_TRIES = 3
COUNT_SECONDS = 10.0
PING_AGAIN_SECONDS = 3.0
LATE_SECONDS_MAX = 30.0  # the dead-man ping is sent only while nothing is later than this
EX_SOFTWARE = 70


_running: list[Watch] = []


def problem() -> str:
    """Why the engine of this process does no work now, or "": what /readyz of its health port says."""
    return (
        _running[-1].problem
        if _running
        else "the engine has not started yet: it waits for the database, or its migrations"
    )


class Watch:
    """Beats from the engine's own loop (`beat`), and looks at that loop from a thread beside it."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._ticked = clock.monotonic()
        self._beat_at = 0.0
        self._count_at = -COUNT_SECONDS
        self._ping_at = 0.0
        self._wall = (clock.machine_now(), clock.monotonic())
        self._stop = threading.Event()
        self._latest = 0.0
        self._written_at = 0.0  # the last beat that the database took: who cannot write can page nobody
        self._is_cut_off = False
        self._is_held = True  # until the first look: an outside monitor must not hear "well" from who pages nobody
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        enter = canary.way_in()
        self._keeper = canary.Keeper(node, enter) if enter is not None else None
        self._arrived = threading.Event()

    def enlist(self) -> bool:
        """The node's row. A promoted standby may know older rows only: `beat` makes it again then."""
        now = clock.now()
        with transaction.atomic():
            Node.objects.filter(ticked_at__lt=now - timedelta(days=1)).delete()
            Node.objects.update_or_create(
                name=self.node,
                defaults={"version": __version__, "started_at": now, "ticked_at": None, "stopped_at": None},
            )
        return True

    def start(self) -> None:
        self._thread.start()
        if self._keeper is not None or settings().peer_url:
            threading.Thread(target=self._fly, name="canary", daemon=True).start()
        _running.append(self)

    @property
    def problem(self) -> str:
        """Why this engine does no work now, or ""."""
        if self._is_cut_off:
            return "the database cannot be reached"
        still = clock.monotonic() - self._ticked
        return f"no tick for {still:.0f} s" if still > STALLED_SECONDS else ""

    @property
    def is_well(self) -> bool:
        """Pages could leave: a beat was written a moment ago (a full disk takes none), nothing is late, nothing is held."""
        is_writing = clock.monotonic() - self._written_at < STALLED_SECONDS
        return is_writing and not self._is_cut_off and not self._is_held and self._latest <= LATE_SECONDS_MAX

    def stop(self) -> None:
        self._stop.set()
        with transaction.atomic():
            Node.objects.filter(name=self.node).update(stopped_at=clock.now())

    def is_cut_off(self) -> None:
        """The database is away: that is no fault of this process, which must not end for it, and no "all is well"."""
        self._ticked = clock.monotonic()
        self._is_cut_off = True

    def beat(self) -> None:
        """After a tick, at most once a second: the node lives, this late."""
        self._ticked = clock.monotonic()
        if self._ticked - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at = self._ticked
        self._learn_clock()
        self._is_cut_off = False
        now = clock.now()
        clock_steps.look_back(now)
        by_kind = lateness(now)
        for kind, seconds in by_kind.items():
            metrics.LATENESS.labels(kind).set(seconds)
        self._latest = max(by_kind.values())
        held = hold.gate()
        self._is_held = held is not None
        metrics.HOLD_SECONDS.set((now - held.since).total_seconds() if held is not None else 0)
        for job, count in guard.failures.items():
            metrics.JOB_FAILURES.labels(job).set(count)
        metrics.REACTIONS_QUARANTINED.set(OutboxEvent.objects.exclude(quarantined_at=None).filter(done_at=None).count())
        if self._ticked - self._count_at >= COUNT_SECONDS:
            self._count_at = self._ticked
            self._count(now)
        with transaction.atomic():
            is_known = Node.objects.filter(name=self.node).update(ticked_at=now, lateness_seconds=self._latest)
        if not is_known:
            self.enlist()
        self._written_at = clock.monotonic()

    def _count(self, now: datetime) -> None:
        """What is looked at less often: it costs more, and is no matter of a second."""
        metrics.NODES.set(Node.objects.filter(ticked_at__gt=now - timedelta(seconds=10), stopped_at=None).count())
        metrics.DISK_FREE.set(shutil.disk_usage(settings().data_dir).free)
        waiting = Delivery.objects.filter(state__in=OUTSTANDING).exclude(channel=NULL_CHANNEL).order_by()
        counts = dict(waiting.values_list("channel").annotate(Count("pk")))
        for channel in integration.channels():
            metrics.DELIVERIES_WAITING.labels(channel).set(counts.get(channel, 0))
        for state, count in steps_by_state().items():
            metrics.STEPS.labels(state).set(count)

    def _learn_clock(self) -> None:
        """On PostgreSQL the time is the database's. A jump of this machine's clock is seen against the monotonic one."""
        wall, monotonic = clock.machine_now(), clock.monotonic()
        expected = self._wall[0] + timedelta(seconds=monotonic - self._wall[1])
        if abs((wall - expected).total_seconds()) > 2:
            log.warning("this machine's clock jumped by %.1f s", (wall - expected).total_seconds())
            clock_steps.note_forward(wall - expected)
        self._wall = (wall, monotonic)
        if connection.vendor != "postgresql":
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            row = cursor.fetchone()
        offset = clock.learn_offset(row[0], asked_at=clock.machine_now())
        metrics.CLOCK_SKEW.set(offset.total_seconds())
        if abs(offset.total_seconds()) > 2:
            log.warning("this machine's clock differs from the database's by %.1f s", offset.total_seconds())

    def _look(self) -> None:
        """Beside the loop: slow, stuck, given up; and the dead-man ping while all is well."""
        cache.is_helper_thread()
        is_slow = False
        while not self._stop.wait(1.0):
            still = clock.monotonic() - self._ticked
            if still > GIVE_UP_SECONDS:
                log.critical(
                    "the engine has not ticked for %.0f s: ending this process, so that a new one starts", still
                )
                os._exit(EX_SOFTWARE)
            if still > SLOW_SECONDS and not is_slow:
                log.warning("the engine is %s: no tick for %.0f s", "stuck" if still > STUCK_SECONDS else "slow", still)
            is_slow = still > SLOW_SECONDS
            if self._may_ping(is_well=not is_slow and self.is_well):
                self._ping()

    def _may_ping(self, *, is_well: bool) -> bool:
        """With a canary: once for each that arrived while all is well. Without: once a minute while all is well."""
        if self._keeper is not None:
            has_arrived = self._arrived.is_set()
            self._arrived.clear()
            return has_arrived and is_well
        if not is_well or clock.monotonic() - self._ping_at < PING_SECONDS:
            return False
        self._ping_at = clock.monotonic()
        return True

    def _ping(self) -> None:
        """Three tries: a monitor that missed one for a moment of the network would wake somebody for nothing."""
        url = settings().watchdog_url
        for _ in range(PING_TRIES if url else 0):
            if guard.guarded("dead-man ping", partial(_is_taken, url), otherwise=False):
                return
            if self._stop.wait(PING_AGAIN_SECONDS):
                return

    def _fly(self) -> None:
        """Beside the loop as well: canaries, and a look at the peers."""
        cache.is_helper_thread()
        while not self._stop.wait(1.0):
            close_old_connections()
            if self._keeper is not None and guard.guarded("canary", self._keeper.step, otherwise=False):
                self._arrived.set()
            guard.guarded("peers", peers.check_due, otherwise=0)


def _is_taken(url: str) -> bool:
    """The address is a secret: neither it nor its path is ever said."""
    try:
        status = net.http("GET", url, is_trusted=True, timeout_seconds=10.0, redirects_max=3).status
    except net.NetError as error:
        problem = str(error)
    else:
        problem = f"it answered {status}" if status >= 400 else ""
    canary_metrics.PINGS.labels("not taken" if problem else "taken").inc()
    if problem:
        log.warning("the dead-man monitor did not take the ping: %s", problem)
    return not problem
