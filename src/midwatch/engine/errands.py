"""What the engine does outside beside sending pages: each kind of errand has senders of its own, so that a provider that
hangs delays only its own kind. Pages have their pools (`pools.py`) and never wait for any of these."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import close_old_connections, connections

from midwatch.core.guard import guarded
from midwatch.engine import hold
from midwatch.learn.actions.actions import claim_issues, tend_issue
from midwatch.learn.postmortems.actions import claim_letters, send_letter
from midwatch.prepare.runbooks.actions import probing
from midwatch.respond.escalation.actions import team_channels
from midwatch.respond.incidents.actions import outside
from midwatch.respond.statuspage.actions import outward
from midwatch.respond.statuspage.actions import sending as subscribers

POLL_SECONDS = 1.0
SENDERS = 4
STOP_SECONDS = 5.0
NOTHING: Sequence[Any] = ()
HELD: Any = object()  # the database could not say whether paging is on hold: nothing is sent


@dataclass(frozen=True, slots=True)
class Errand:
    """`claim(limit)`: leased rows. `run(row)`: does it outside any transaction and writes the outcome."""

    name: str
    claim: Callable[[int], Sequence[Any]]
    run: Callable[[Any], None]


ERRANDS: tuple[Errand, ...] = (
    Errand("stakeholders", outside.claim_deliveries, outside.deliver),
    Errand("team channels", team_channels.claim_posts, team_channels.show),
    Errand("incident channels", outside.claim_channels, outside.tend),
    Errand("evidence", outside.claim_evidence, outside.fetch),
    Errand("issues of action items", claim_issues, tend_issue),
    Errand("post-mortem letters", claim_letters, send_letter),
    Errand("subscribers of status pages", subscribers.claim, subscribers.deliver),
    Errand("status pages elsewhere", outward.claim, outward.publish),
    Errand("references of runbooks", probing.claim, probing.probe),
)


def run_due() -> int:
    """Everything that is due, here and now, without threads: for stories."""
    done = 0
    for errand in ERRANDS if hold.gate() is None else ():
        while rows := guarded(errand.name, partial(errand.claim, SENDERS), otherwise=NOTHING):
            for row in rows:
                guarded(errand.name, partial(errand.run, row), otherwise=None)
            done += len(rows)
    return done


class Runner:
    """The senders of one kind. Each has a connection only while it does something."""

    def __init__(self, errand: Errand, on_done: Callable[[], None]) -> None:
        self._errand = errand
        self._on_done = on_done
        self._free = SENDERS
        self._lock = threading.Lock()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix=f"errand-{errand.name}")

    def look(self) -> None:
        """Claim what is due, never more than there are free senders, and hand it to them."""
        if not self._free:
            return
        rows = guarded(self._errand.name, partial(self._errand.claim, self._free), otherwise=NOTHING)
        with self._lock:
            self._free -= len(rows)
        for row in rows:
            self._senders.submit(self._one, row)

    def stop(self) -> None:
        self._senders.shutdown(wait=False, cancel_futures=True)

    def _one(self, row: Any) -> None:
        guarded(self._errand.name, partial(self._errand.run, row), otherwise=None)
        connections.close_all()
        with self._lock:
            self._free += 1
        self._on_done()


class Runners:
    """One thread that looks at each kind in turn, on one connection: an installation has a hundred, and many nodes."""

    def __init__(self, errands: Sequence[Errand] = ERRANDS) -> None:
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._runners = [Runner(errand, self._woken.set) for errand in errands]
        self._thread = threading.Thread(target=self._run, name="errands", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self._stop.set()
        self._woken.set()
        self._thread.join(STOP_SECONDS)
        for runner in self._runners:
            runner.stop()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.wait(POLL_SECONDS)
            self._woken.clear()
            close_old_connections()
            if not self._stop.is_set() and guarded("errands", hold.gate, otherwise=HELD) is None:
                for runner in self._runners:
                    runner.look()
