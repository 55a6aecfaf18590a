"""What the engine does outside beside sending pages: each kind of errand has senders of its own, so that a provider that
hangs delays only its own kind. Pages have their pools (`pools.py`) and never wait for any of these."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import close_old_connections

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
    """A thread and a few senders for one kind."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix=f"errand-{errand.name}")
        self._thread = threading.Thread(target=self._run, name=f"errands-{errand.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self._stop.set()
        self._woken.set()

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)
        self._senders.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.wait(POLL_SECONDS)
            self._woken.clear()
            while not self._stop.is_set() and guarded(self._errand.name, self._round, otherwise=0):
                pass

    def _round(self) -> int:
        close_old_connections()
        if hold.gate() is not None:
            return 0
        rows = self._errand.claim(SENDERS)
        wait([self._senders.submit(self._one, row) for row in rows])
        return len(rows)

    def _one(self, row: Any) -> None:
        close_old_connections()
        guarded(self._errand.name, partial(self._errand.run, row), otherwise=None)
        close_old_connections()


class Runners:
    """One runner for each errand there is."""

    def __init__(self, errands: Sequence[Errand] = ERRANDS) -> None:
        self._runners = [Runner(errand) for errand in errands]

    def start(self) -> None:
        for runner in self._runners:
            runner.start()

    def wake(self) -> None:
        for runner in self._runners:
            runner.wake()

    def stop(self) -> None:
        for runner in self._runners:
            runner.stop()
        for runner in self._runners:
            runner.join(STOP_SECONDS / len(self._runners))
