"""The write ticket: one writer of the main database at a time, first come, first served.

SQLite's own waiting sleeps and is unfair: beside a busy engine an acknowledgement waited 1,348 ms at its 99th
percentile; with a blocking flock taken before BEGIN IMMEDIATE and freed after COMMIT it was 19 ms. The kernel wakes
those who wait at the release, and frees the ticket of a process that dies.
"""

from __future__ import annotations

import fcntl
import os
import queue
import threading
import time
from contextlib import suppress
from pathlib import Path

MAIN_DATABASE = "midwatch.sqlite3"


class TicketTimeoutError(Exception):
    """Another writer kept the ticket for longer than we may wait."""


def ticket_path(database: str | os.PathLike[str]) -> Path | None:
    """The ticket beside a database file: `write.lock` for the main one. None for a database in memory."""
    name = os.fspath(database)
    if not name or ":memory:" in name or name.startswith("file:") or "mode=memory" in name:
        return None
    path = Path(name).absolute()
    return path.with_name("write.lock" if path.name == MAIN_DATABASE else f"{path.name}.write.lock")


class _Waiter(threading.Thread):
    """Waits in the kernel's queue in place of a thread that must not wait for ever: flock() knows no time-out."""

    def __init__(self) -> None:
        super().__init__(name="write-ticket", daemon=True)
        self.work: queue.SimpleQueue[_Claim] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        while True:
            claim = self.work.get()
            claim.wait()
            with _idle_lock:
                _idle.append(self)


class _Claim:
    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.answered = threading.Event()
        self.error: OSError | None = None
        self._lock = threading.Lock()
        self._is_abandoned = False

    def wait(self) -> None:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        except OSError as error:
            self.error = error
        with self._lock:
            if self._is_abandoned:
                os.close(self.descriptor)  # frees the lock too: nobody else has this open file
            self.answered.set()

    def abandon(self) -> bool:
        """Give up; from now on the descriptor belongs to the waiter. False: the ticket came at the last moment."""
        with self._lock:
            if self.answered.is_set():
                return False
            self._is_abandoned = True
            return True


_idle_lock = threading.Lock()
_idle: list[_Waiter] = []


def _forget_after_fork() -> None:
    global _idle_lock  # noqa: PLW0603 - threads do not survive a fork, nor may a lock that one of them held
    _idle_lock = threading.Lock()
    _idle.clear()


os.register_at_fork(after_in_child=_forget_after_fork)


class _Lock:
    """One flock, by a descriptor of our own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._pid = 0

    def take(self, timeout_seconds: float) -> None:
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait(descriptor, timeout_seconds)

    def free(self) -> None:
        """Does nothing with a lock that was taken before a fork: it is the parent's."""
        if self._descriptor is not None and self._pid == os.getpid():
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is not None and self._pid != os.getpid():
            self.close()  # a fork shares the open file, and with it the lock: we need our own
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._pid = os.getpid()
        return self._descriptor

    def _wait(self, descriptor: int, timeout_seconds: float) -> None:
        claim = _Claim(descriptor)
        with _idle_lock:
            waiter = _idle.pop() if _idle else None
        (waiter or _Waiter()).work.put(claim)
        if not claim.answered.wait(timeout_seconds) and claim.abandon():
            self._descriptor = None
            raise TicketTimeoutError(f"another writer kept {self.path.name} for more than {timeout_seconds:g} s")
        if claim.error is not None:
            raise claim.error


class Ticket:
    """One connection's way to the ticket. Not for use by two threads at the same time, like the connection itself.

    A freed flock goes to whoever asks first, and a busy engine asks again before a sleeper is awake. Hence the queue: one
    waits for the ticket while holding the place at the front, and nobody can pass there.
    """

    def __init__(self, path: Path) -> None:
        self._ticket = _Lock(path)
        self._front = _Lock(path.with_name(f"{path.name.removesuffix('.lock')}.queue"))
        self.is_held = False

    def take(self, timeout_seconds: float) -> None:
        """Wait for the ticket. Raises `TicketTimeoutError`, or `OSError` when a file cannot be opened."""
        assert not self.is_held, "a connection has one transaction, and a transaction one ticket"
        until = time.monotonic() + timeout_seconds
        self._front.take(timeout_seconds)
        try:
            self._ticket.take(max(0.0, until - time.monotonic()))
        finally:
            self._front.free()
        self.is_held = True

    def free(self) -> None:
        """Let the next one in. Does nothing when the ticket is not held."""
        if self.is_held:
            self.is_held = False
            self._ticket.free()

    def close(self) -> None:
        self.is_held = False
        self._ticket.close()
        self._front.close()

    def __del__(self) -> None:
        self.close()  # a thread that ends drops its connection without closing it
