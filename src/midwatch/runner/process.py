"""The process: asks for steps while it has hands free, until it is told to end.

SIGTERM (or Ctrl-C) drains: what is under way is finished, nothing new is taken. A second one ends what is under way.
"""

from __future__ import annotations

import logging
import random
import secrets
import signal
import socket
import sys
import threading
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace

from midwatch import __version__
from midwatch.core import clock, logs, running
from midwatch.core.integration import Runner, RunnerConfig, runners
from midwatch.core.programs import runner_config
from midwatch.prepare.runbooks.wire import Hello
from midwatch.runner.connection import Connection, NotNowError, RefusedError
from midwatch.runner.doing import Doing
from midwatch.settings import settings

log = logging.getLogger("midwatch.runner")

LOOK_SECONDS = 0.5
AGAIN_SECONDS_MAX = 15.0
CLAIM_SECONDS_MIN = 1.0  # a server that does not hold our claims is not asked more often than that
CANCEL_SECONDS = 60.0  # for what is under way to end and say so, after the second signal


@dataclass(frozen=True, slots=True)
class Means:
    """What this machine can do."""

    executors: Mapping[str, Runner]
    config: RunnerConfig


def means() -> Means:
    config = runner_config()
    running.sweep_directories()  # what a killed one left of its steps
    return Means({name: one for name, one in runners().items() if not one.missing(config)}, config)


class Process:
    def __init__(self, connection: Connection, hello: Hello, have: Means, steps_max: int) -> None:
        self._connection = connection
        self._hello = hello
        self._means = have
        self._steps_max = steps_max
        self._doing: list[Doing] = []
        self._lock = threading.Lock()
        self.is_draining = threading.Event()
        self.is_cancelling = threading.Event()
        self._problem = ""

    def run(self) -> int:
        """Until drained. Returns the exit code: 1 when the server refused us, or steps had to be ended."""
        claiming = threading.Thread(target=self._claim, name="claims", daemon=True)
        claiming.start()
        is_told = False
        while claiming.is_alive() or self._under_way():
            if self.is_cancelling.is_set():
                break
            if self.is_draining.is_set() and not is_told:
                is_told = True
                log.info("draining: %d steps are finished first", len(self._under_way()))
                threading.Thread(target=self._tell_draining, daemon=True).start()
            if self.is_draining.is_set() and not self._under_way():
                break
            self.is_cancelling.wait(LOOK_SECONDS)
        ended = self._cancel_all()
        if self._problem:
            log.error("%s", self._problem)
        return 1 if self._problem or ended else 0

    def on_signal(self) -> None:
        """The first drains, the second ends what is under way."""
        if self.is_draining.is_set():
            self.is_cancelling.set()
        self.is_draining.set()

    def _under_way(self) -> list[Doing]:
        with self._lock:
            self._doing = [one for one in self._doing if not one.is_over]
            return list(self._doing)

    def _cancel_all(self) -> int:
        left = self._under_way()
        for one in left:
            one.cancel()
        for one in left:
            one.wait(CANCEL_SECONDS)
        return len(left)

    def _claim(self) -> None:
        """One claim at a time. A claim whose answer was lost is said again in the same words."""
        hello = self._hello
        failures = 0
        while not self.is_draining.is_set():
            if len(self._under_way()) >= self._steps_max:
                self.is_draining.wait(LOOK_SECONDS)
                continue
            asked_at = clock.monotonic()
            try:
                job = self._connection.claim(hello)
            except NotNowError as error:
                failures += 1
                log.warning("no answer from the server: %s", error)
                pause = min(AGAIN_SECONDS_MAX, 0.5 * 2 ** min(failures, 6))
                self.is_draining.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all come at once
                continue
            except (RefusedError, ValueError) as error:
                self._problem = str(error)
                self.is_draining.set()
                return
            failures = 0
            if job is None:
                self.is_draining.wait(max(0.0, CLAIM_SECONDS_MIN - (clock.monotonic() - asked_at)))
            hello = replace(hello, nonce=secrets.token_hex(8))
            if job is not None:
                log.info("execution %d: %s", job.execution, job.title)
                with self._lock:
                    self._doing.append(Doing(job, self._connection, self._means.executors, self._means.config))

    def _tell_draining(self) -> None:
        """The list of runners shows it. Nothing hangs on it."""
        hello = replace(self._hello, is_draining=True, wait_seconds=0.0, nonce=secrets.token_hex(8))
        try:
            self._connection.claim(hello)
        except (NotNowError, RefusedError, ValueError) as error:
            log.info("the server was not told: %s", error)


def main(args: Namespace) -> int:
    """`midwatch runner --url ... --token-file ...`."""
    logs.configure(settings().log_level)
    if not args.url or not args.token_file:
        sys.stderr.write("midwatch: give --url https://midwatch.example.com and --token-file FILE\n")
        return 2
    have = means()
    hello = Hello(
        version=__version__,
        host=args.name or socket.gethostname(),
        nonce=secrets.token_hex(8),
        process=secrets.token_hex(8),
        executors=sorted(have.executors),
        tags=tuple(tag for tag in args.tags.split(",") if tag),
    )
    try:
        connection = Connection(args.url, args.token_file)
    except ValueError as error:
        sys.stderr.write(f"midwatch: {error}\n")
        return 1
    process = Process(connection, hello, have, args.steps)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.on_signal())
    log.info("asking %s for steps; executors here: %s", args.url, ", ".join(hello.executors) or "none")
    return process.run()
