"""One step being done: its executor in one thread, and beside it the one that sends what it says and keeps its lease.

When the lease could not be kept the step is ended, since the server may have given it to somebody else by then.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from midwatch.core import clock
from midwatch.core.guard import guarded
from midwatch.core.integration import Outcome, Runner, RunnerConfig
from midwatch.prepare.runbooks import wire
from midwatch.prepare.runbooks.wire import Job, Piece
from midwatch.runner.connection import Connection, LostError, NotNowError, RefusedError

log = logging.getLogger("midwatch.runner")

LOOK_SECONDS = 0.5
AGAIN_SECONDS = 1.0
WAITING_CHARACTERS_MAX = 2_000_000  # of output that the server has not taken; then the step waits with writing
OUTCOME_SECONDS_MAX = 600.0  # how long the outcome is offered to a server that is not there


class Doing:
    """Starts at once; `wait` until it is over."""

    def __init__(self, job: Job, connection: Connection, executors: Mapping[str, Runner], config: RunnerConfig) -> None:
        self.job = job
        self._connection = connection
        self._executors = executors
        self._config = config
        self._waiting: deque[Piece] = deque()
        self._waiting_characters = 0
        self._sent = 0
        self._changed = threading.Condition()
        self._is_cancelled = threading.Event()
        self._is_lost = False
        self._outcome: Outcome | None = None
        self._kept_at = clock.monotonic()
        self._is_over = threading.Event()
        threading.Thread(target=self._send, name=f"sends-{job.step}", daemon=True).start()
        threading.Thread(target=self._do, name=f"does-{job.step}", daemon=True).start()

    @property
    def is_over(self) -> bool:
        return self._is_over.is_set()

    def cancel(self) -> None:
        self._is_cancelled.set()
        with self._changed:
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        return self._is_over.wait(seconds)

    # --- what the executor sees ---

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        text = wire.storable(text)
        with self._changed:
            while self._waiting_characters > WAITING_CHARACTERS_MAX and not self._is_ending():
                self._changed.wait(LOOK_SECONDS)
            for at in range(0, len(text), wire.PIECE_CHARACTERS_MAX):
                self._add(Piece(text[at : at + wire.PIECE_CHARACTERS_MAX], stream, target))

    def _add(self, piece: Piece) -> None:
        """Joined with the one before where they belong together, so that a program that writes letters costs no request
        each."""
        last = self._waiting[-1] if len(self._waiting) > wire.PIECES_MAX else None
        is_joined = (
            last is not None
            and (last.stream, last.target) == (piece.stream, piece.target)
            and len(last.text) + len(piece.text) <= wire.PIECE_CHARACTERS_MAX
        )
        if last is not None and is_joined:
            self._waiting[-1] = replace(last, text=last.text + piece.text)
        else:
            self._waiting.append(piece)
        self._waiting_characters += len(piece.text)

    def is_cancelled(self) -> bool:
        return self._is_ending()

    def _is_ending(self) -> bool:
        is_late = clock.monotonic() - self._kept_at > wire.LEASE_SECONDS
        return self._is_cancelled.is_set() or self._is_lost or is_late

    # --- the two threads ---

    def _do(self) -> None:
        broken = Outcome("unknown", "the runner failed while it did this step; its own log says where")
        outcome = guarded("a step", self._run, otherwise=broken)
        if self._is_lost or clock.monotonic() - self._kept_at > wire.LEASE_SECONDS:
            outcome = replace(outcome, sentence=f"ended, since the server was not reached in time: {outcome.sentence}")
        with self._changed:
            self._outcome = outcome
            self._changed.notify_all()

    def _run(self) -> Outcome:
        executor = self._executors.get(self.job.executor)
        if executor is None:
            return Outcome("failed", f"not begun: this runner has no executor {self.job.executor!r}")
        return executor.run(self.job.task, self, self._config)

    def _send(self) -> None:
        renew_at = clock.monotonic() + wire.RENEW_SECONDS
        while True:
            with self._changed:
                if self._outcome is None and len(self._waiting) <= wire.PIECES_MAX:
                    self._changed.wait(LOOK_SECONDS)
                batch = self._batch()
                outcome = self._outcome
            if not batch and outcome is not None:
                break
            if self._is_lost:
                self._drop(batch)
                continue
            asked_at = clock.monotonic()
            try:
                if batch:
                    self._heard(self._connection.send_output(self.job, self._sent, batch).is_cancelled, asked_at)
                    self._drop(batch)
                elif asked_at >= renew_at:
                    self._heard(self._connection.renew(self.job).is_cancelled, asked_at)
                else:
                    continue
                renew_at = asked_at + wire.RENEW_SECONDS
            except (LostError, RefusedError) as error:
                self._lose(str(error))
            except NotNowError as error:
                log.warning("execution %d, %s: %s; tried again", self.job.execution, self.job.title, error)
                self._is_over.wait(AGAIN_SECONDS)
        self._tell(outcome)
        self._is_over.set()

    def _batch(self) -> list[Piece]:
        """The first pieces that go into one request. They stay until they are taken."""
        return [self._waiting[at] for at in range(min(wire.PIECES_MAX, len(self._waiting)))]

    def _drop(self, batch: list[Piece]) -> None:
        with self._changed:
            for piece in batch:
                self._waiting.popleft()
                self._waiting_characters -= len(piece.text)
            self._sent += len(batch)
            self._changed.notify_all()

    def _heard(self, is_cancelled: bool, asked_at: float) -> None:
        self._kept_at = asked_at
        if is_cancelled:
            self._is_cancelled.set()

    def _lose(self, why: str) -> None:
        log.warning("execution %d, %s is not ours any more: %s", self.job.execution, self.job.title, why)
        self._is_lost = True

    def _tell(self, outcome: Outcome) -> None:
        until = clock.monotonic() + OUTCOME_SECONDS_MAX
        while True:
            try:
                self._connection.send_outcome(self.job, outcome)
                log.info("execution %d, %s: %s", self.job.execution, self.job.title, outcome.state)
                return
            except (LostError, RefusedError) as error:
                log.warning(
                    "execution %d, %s ended as %s, which the server did not take: %s",
                    self.job.execution,
                    self.job.title,
                    outcome.state,
                    error,
                )
                return
            except NotNowError as error:
                if clock.monotonic() > until:
                    log.error(
                        "execution %d, %s: the outcome was not taken: %s", self.job.execution, self.job.title, error
                    )
                    return
                self._is_over.wait(AGAIN_SECONDS)
