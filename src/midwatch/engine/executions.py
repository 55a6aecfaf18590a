"""Who does the steps of runbooks that ask for no runner of their own: a pool of threads in the engine.

    claim with a lease of 30 s -> run outside any transaction -> output in batches -> the outcome, while the claim is ours

A keeper renews the leases, passes on that somebody wants a step to stop, and writes what has come out. A process that dies
renews nothing: the next engine finds the lease run out and asks the machine what is honest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

from django.db import close_old_connections, transaction

from midwatch.core import clock, integration, running
from midwatch.core.actor import ENGINE
from midwatch.core.guard import guarded
from midwatch.core.integration import Outcome, Runner, RunnerConfig
from midwatch.core.programs import runner_config
from midwatch.engine import hold
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.actions import claiming
from midwatch.prepare.runbooks.actions.carrying import RUNBOOK
from midwatch.prepare.runbooks.models import ExecutionKind, StepRun
from midwatch.settings import settings

POLL_SECONDS = 0.5
KEEP_SECONDS = 0.5  # output that waits is written, cancels are heard of
RENEW_SECONDS = 10.0
BATCH_CHARACTERS = 32_768  # more than this waits for no keeper: the step writes it itself, and is slowed down by that
STOP_SECONDS = 8.0
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 10.0)
WAITING_CHARACTERS_MAX = 4_000_000  # of one step, while the database is away
CANNOT = Outcome("ok", "it cannot be simulated, and was not run", coverage=(0, 1))


class Recorder:
    """`Output` of one claim. Any thread may write; memory stays flat whatever comes out."""

    def __init__(self, row: StepRun) -> None:
        self.step_run, self.fence = row.pk, row.fence
        self.is_abandoned = False
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._pieces: list[claiming.Piece] = []
        self._characters = 0
        self._kept = row.output_bytes
        self._is_over = self._kept > claiming.output_limit()
        self._cancelled = threading.Event()

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        if not text or self._is_over:
            return
        with self._lock:
            last = self._pieces[-1] if self._pieces else None
            if last is not None and (last.stream, last.target) == (stream, target):
                self._pieces[-1] = claiming.Piece(last.text + text, stream, target)
            else:
                self._pieces.append(claiming.Piece(text, stream, target))
            self._characters += len(text)
            is_full = self._characters >= BATCH_CHARACTERS
        if is_full:
            self.flush()

    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        self._cancelled.set()

    def abandon(self) -> None:
        """This process ends: the step is stopped, and what it came to is not known."""
        self.is_abandoned = True
        self._cancelled.set()

    def flush(self) -> None:
        """What waits is written. A database that is away keeps it waiting; a lost claim ends the step."""
        with self._writing:
            with self._lock:
                pieces, self._pieces, self._characters = self._pieces, [], 0
            if not pieces:
                return
            is_mine = guarded(
                "output of a step",
                partial(claiming.write_output, self.step_run, self.fence, pieces),
                otherwise=None,
            )
            if is_mine is None:
                self._put_back(pieces)
                return
            self._kept += sum(len(piece.text.encode("utf-8", "replace")) for piece in pieces)
            self._is_over = self._kept > claiming.output_limit()
            if not is_mine:
                self.cancel()

    def _put_back(self, pieces: list[claiming.Piece]) -> None:
        with self._lock:
            waiting = sum(len(piece.text) for piece in pieces)
            if waiting <= WAITING_CHARACTERS_MAX:
                self._pieces = pieces + self._pieces
                return
            self._pieces.insert(0, claiming.Piece("Output is missing here: the database was away.\n", "midwatch"))


@cache
def _config() -> RunnerConfig:
    return runner_config()


def carry_out(row: StepRun, recorder: Recorder, runners: Mapping[str, Runner]) -> None:
    """One claimed step, to its outcome. Nothing of it runs in a transaction but starting another runbook."""
    executor = claiming.executor_of(row)
    if executor == RUNBOOK and not row.verifying:
        _start_runbook(row)
        return
    broken: list[Exception] = []
    outcome = guarded(
        f"step by {executor}",
        partial(_outcome, row, recorder, runners.get(executor)),
        otherwise=None,
        on_failure=broken.append,
    )
    if outcome is None:
        outcome = Outcome("unknown", f"the executor {executor} broke: {type(broken[0]).__name__}")
    recorder.flush()
    for pause in PAUSES:  # a database that is away for a while: the keeper renews the lease meanwhile
        if guarded("outcome of a step", partial(_written, row, outcome, recorder), otherwise=False):
            return
        threading.Event().wait(pause)


def _written(row: StepRun, outcome: Outcome, recorder: Recorder) -> bool:
    close_old_connections()
    if recorder.is_abandoned and outcome.state != "ok":
        claiming.abandon(row.pk, row.fence, f"{row.claimed_by} was stopped")
    else:
        claiming.finish(row.pk, row.fence, outcome)
    return True


def _outcome(row: StepRun, recorder: Recorder, runner: Runner | None) -> Outcome:
    executor = claiming.executor_of(row)
    if runner is None:
        return Outcome("failed", f"not begun: there is no executor {executor!r} here")
    is_dry = row.execution.kind == ExecutionKind.DRY_RUN and not row.verifying
    if is_dry and not row.rendered.get("can_dry_run", True):
        return CANNOT
    try:
        secrets = claiming.secrets_of(row)
    except ValueError as error:
        return Outcome("failed", f"not begun: {error}")
    task = claiming.task_of(row, secrets)
    return runner.run(task, recorder, _config())


def _start_runbook(row: StepRun) -> None:
    try:
        with transaction.atomic():
            if claiming.wait_for_child(row):
                actions.start_child(row, ENGINE)
    except ValueError as error:
        claiming.finish(row.pk, row.fence, Outcome("failed", f"not begun: {error}"))


class Executions:
    """A thread that claims, a thread that keeps, and as many that do as the setting says."""

    def __init__(self, node: str, *, runners: Callable[[], Mapping[str, Runner]] = integration.runners) -> None:
        self._node = node
        self._runners = runners
        self._threads = settings().execution_threads
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="execution")
        self._under_way: dict[int, Recorder] = {}
        self._lock = threading.Lock()
        self._woken, self._stop = threading.Event(), threading.Event()
        self._claimer = threading.Thread(target=self._claim, name="executions", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="executions-keeper", daemon=True)

    def start(self) -> None:
        guarded("directories that killed steps left", running.sweep_directories, otherwise=0)
        self._claimer.start()
        self._keeper.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """What is under way gets some seconds to end, then it is stopped: as after a crash, it is queued again or put
        before a person."""
        self._stop.set()
        self._woken.set()
        deadline = clock.monotonic() + timeout_seconds
        self._claimer.join(timeout_seconds)
        waiting = threading.Event()
        while self._now() and clock.monotonic() < deadline:
            waiting.wait(0.05)
            if clock.monotonic() > deadline - timeout_seconds / 2:
                for recorder in self._now():
                    recorder.abandon()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _now(self) -> list[Recorder]:
        with self._lock:
            return list(self._under_way.values())

    def _claim(self) -> None:
        while not self._stop.is_set():
            self._woken.wait(POLL_SECONDS)
            self._woken.clear()
            while not self._stop.is_set() and guarded("steps", self._round, otherwise=0):
                pass
            if not self._stop.is_set():  # here too: a tick that is busy with other things delays no take-over
                guarded("lost steps", _take_over, otherwise=None)

    def _round(self) -> int:
        close_old_connections()
        if hold.gate() is not None:
            return 0
        free = self._threads - len(self._now())
        rows = claiming.claim(self._node, limit=free)
        for row in rows:
            recorder = Recorder(row)
            with self._lock:
                self._under_way[row.pk] = recorder
            self._pool.submit(self._one, row, recorder)
        return len(rows)

    def _one(self, row: StepRun, recorder: Recorder) -> None:
        close_old_connections()
        guarded("step", partial(carry_out, row, recorder, self._runners()), otherwise=None)
        with self._lock:
            self._under_way.pop(row.pk, None)
        close_old_connections()
        self._woken.set()

    def _keep(self) -> None:
        renewed_at = clock.monotonic()
        pause = threading.Event()
        while not (self._stop.is_set() and not self._now()):
            pause.wait(KEEP_SECONDS)
            recorders = self._now()
            if not recorders:
                renewed_at = clock.monotonic()
                continue
            close_old_connections()
            claims = {recorder.step_run: recorder.fence for recorder in recorders}
            if clock.monotonic() - renewed_at >= RENEW_SECONDS and guarded(
                "leases of steps", partial(_renewed, claims), otherwise=False
            ):
                renewed_at = clock.monotonic()
            guarded("steps to stop", partial(_stop_unwanted, recorders, claims), otherwise=None)
            for recorder in recorders:
                recorder.flush()


def _take_over() -> None:
    if hold.gate() is None:
        actions.take_over_lost()


def _renewed(claims: Mapping[int, int]) -> bool:
    claiming.renew(claims)
    return True


def _stop_unwanted(recorders: list[Recorder], claims: Mapping[int, int]) -> None:
    held = claiming.look_at(claims)
    for recorder in recorders:
        found = held[recorder.step_run]
        if found.is_lost or found.is_cancel_wanted:
            recorder.cancel()


def run_due(runners: Mapping[str, Runner] | None = None, *, node: str = "inline", limit: int = 50) -> int:
    """Every step that is queued, here and now, without threads: for stories."""
    done = 0
    while hold.gate() is None and (rows := claiming.claim(node, limit=limit)):
        for row in rows:
            recorder = Recorder(row)
            carry_out(row, recorder, integration.runners() if runners is None else runners)
        done += len(rows)
    return done


def move() -> int:
    """Time-outs of people, and steps whose worker is gone: a job of the tick. Neither waits for the pool."""
    if hold.gate() is not None:
        return 0
    return actions.advance_due() + actions.take_over_lost()
