"""Group commit: requests that arrive while one batch is being written form the next one.

One thread owns the store. The event loop hands rows over and gets futures; a batch's futures are resolved by one call
into the loop. When the log cannot be written, or a write hangs, senders hear 503 at once instead of waiting.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from midwatch.core import clock
from midwatch.core.guard import guarded
from midwatch.intake import metrics
from midwatch.intake.records import EVENT, PING, LogError, Row, Store

log = logging.getLogger("midwatch.intake")

ROWS_A_BATCH_MAX = 512
BYTES_A_BATCH_MAX = 8 * 1024 * 1024
BYTES_QUEUED_MAX = 128 * 1024 * 1024
STUCK_SECONDS = 8.0  # a sender waits ten seconds as a rule: tell it before it gives up
CHECK_SECONDS = 0.5  # between two looks whether a failed log works again
PRUNE_SECONDS = 60.0
PRUNE_ROWS = 1_000
KIND: Final = 2  # places in a Row
BODY: Final = 6


class Waiter(Protocol):
    """Who is told what became of a row, in the event loop's thread: a future, or what looks like one."""

    def done(self) -> bool:
        """Nobody waits any more."""

    def set_result(self, result: None, /) -> None: ...

    def set_exception(self, error: LogError, /) -> None: ...


Waiting = tuple[Row, Waiter]


class FullError(Exception):
    """No more events can be taken now; the sender shall come back."""


class Writer:
    """`submit` belongs to the event loop's thread, everything that touches the store to the writer's own."""

    def __init__(self, store: Store, *, queue_max: int, retention: timedelta) -> None:
        self._store = store
        self._queue_max = queue_max
        self._retention = retention
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._is_rung = False
        self._is_stopping = False
        self._is_open = False  # the first look at the log succeeded
        self._problem = "the event log is not open yet"
        self._writing_since: float | None = None
        self._in_hand: list[Waiting] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._prune_at = 0.0

    # --- the event loop's side ---

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="intake-writer", daemon=True)
        self._thread.start()
        self._loop.call_later(1.0, self._watch)

    @property
    def problem(self) -> str:
        """Why events cannot be taken, or "" when they can."""
        return self._problem

    @property
    def queued(self) -> int:
        return len(self._queue)

    def submit(self, row: Row) -> asyncio.Future[None]:
        """The future is done when the row is on disk; it raises `LogError`. Raises `FullError` at once."""
        assert self._loop is not None, "start() comes first"
        future = self._loop.create_future()
        self.hand_in(row, future)
        return future

    def hand_in(self, row: Row, waiter: Waiter) -> None:
        """The same for somebody who is told in place of a future."""
        if self._problem or self._is_stopping:
            raise FullError(self._problem or "the server ends")
        if len(self._queue) >= self._queue_max or self._bytes > BYTES_QUEUED_MAX:
            raise FullError("too many events are waiting")
        assert self._loop is not None, "start() comes first"
        self._bytes += len(row[BODY])
        self._queue.append((row, waiter))
        if not self._is_rung:
            self._is_rung = True
            self._loop.call_soon(self._bell.put, None)  # after the requests that this turn of the loop has read

    async def opened(self, timeout_seconds: float) -> None:
        """Wait for the first look at the log; when it fails or lasts, senders get 503 until it succeeds."""
        until = time.monotonic() + timeout_seconds
        while not self._is_open and time.monotonic() < until:
            await asyncio.sleep(0.005)

    async def stop(self, timeout_seconds: float) -> bool:
        """Write what is queued and end the thread. False when that took too long."""
        self._is_stopping = True
        self._bell.put(None)
        thread = self._thread
        if thread is None:
            return True
        until = time.monotonic() + timeout_seconds
        while thread.is_alive() and time.monotonic() < until:
            await asyncio.sleep(0.01)
        return not thread.is_alive()

    def _watch(self) -> None:
        """A write that hangs (a paused database) must not make senders wait for ever."""
        since = self._writing_since
        metrics.queued.set(len(self._queue))
        if since is not None and time.monotonic() - since > STUCK_SECONDS:
            self._problem = "the event log does not answer"
            error = LogError(self._problem)
            for _, future in self._in_hand:  # the writer accounts for these when it comes back
                if not future.done():
                    future.set_exception(error)
            waiting = list(self._queue)
            self._queue.clear()
            self._resolve(waiting, error)
        if self._loop is not None and not self._is_stopping:
            self._loop.call_later(1.0, self._watch)

    def _resolve(self, batch: list[Waiting], error: LogError | None) -> None:
        for row, future in batch:
            self._bytes -= len(row[BODY])
            if future.done():
                continue  # its client went away, or was told that the log hangs
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    # --- the writer's side ---

    def _run(self) -> None:
        self._attempt("intake.open", self._store.check)
        while True:
            with suppress(Empty):
                self._bell.get(timeout=CHECK_SECONDS if self._problem else 1.0)
            self._is_rung = False
            while self._queue:
                self._write_batch(self._take())
            if self._is_stopping:
                break
            self._keep_house()
        self._store.close()

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        while self._queue and len(batch) < ROWS_A_BATCH_MAX and size < BYTES_A_BATCH_MAX:
            try:
                batch.append(self._queue.popleft())
            except IndexError:  # the watcher cleared it
                break
            size += len(batch[-1][0][BODY])
        return batch

    def _write_batch(self, batch: list[Waiting]) -> None:
        self._in_hand = batch
        self._writing_since = started = time.monotonic()
        is_written = self._attempt("intake.write", lambda: self._store.write([row for row, _ in batch]))
        self._writing_since = None
        error = None if is_written else LogError(self._problem)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
                self._loop.call_soon_threadsafe(self._resolve, batch, error)
        self._in_hand = []
        if is_written:
            metrics.commit_seconds.observe(time.monotonic() - started)
            metrics.batch_size.observe(len(batch))
            self._count(batch)

    @staticmethod
    def _count(batch: list[Waiting]) -> None:
        kinds = [row[KIND] for row, _ in batch]
        metrics.received.inc(kinds.count(EVENT))
        metrics.pings.inc(kinds.count(PING))

    def _attempt(self, job: str, work: Callable[[], None]) -> bool:
        """Did it work? The first failure is logged, the state is kept for `problem`."""

        def tried() -> str:
            try:
                work()
            except LogError as error:
                if not self._problem or not self._is_open:
                    log.error("%s", error)
                return str(error)
            return ""

        problem = guarded(job, tried, otherwise="the event log failed; the server's log says how")
        if self._problem and not problem and self._is_open:
            log.warning("the event log works again")
        self._is_open = True
        self._problem = problem
        return not problem

    def _keep_house(self) -> None:
        if self._problem:
            self._attempt("intake.check", self._store.check)
        elif time.monotonic() >= self._prune_at:
            pruned = guarded("intake.prune", self._prune, otherwise=0)
            # A full portion means that there is more: go on soon, but let events come first.
            self._prune_at = time.monotonic() + (0.2 if pruned == PRUNE_ROWS else PRUNE_SECONDS)

    def _prune(self) -> int:
        try:
            return self._store.prune(clock.now() - self._retention, PRUNE_ROWS)
        except LogError as error:
            log.warning("%s", error)
            return 0
