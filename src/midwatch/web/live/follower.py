"""One thread a process reads what changed, however many pages are open; it lives while any is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue

from django.db import close_old_connections, connection

from midwatch.core import topics, wake
from midwatch.core.guard import guarded

POLL_SECONDS = 1.0  # when no call wakes it
BREATH_SECONDS = 0.2  # between two readings: what changes twice in it is told once
Tell = Callable[[set[str] | None, int], None]


class Follower:
    """`tell(topics, position)` is called in the follower's thread; None instead of topics: any may have changed."""

    def __init__(self, tell: Tell, on_ready: Callable[[], None]) -> None:
        self._tell = tell
        self._on_ready = on_ready
        self._is_over = threading.Event()
        self._left: SimpleQueue[tuple[int, tuple[str, ...]]] = SimpleQueue()
        self._ear: wake.Waiter | None = None
        self._reader: topics.Reader | None = None
        threading.Thread(target=self._run, name="live", daemon=True).start()

    def leave(self, user_id: int, names: Iterable[str]) -> None:
        """This person has closed the last of these here."""
        self._left.put((user_id, tuple(names)))

    def stop(self) -> None:
        self._is_over.set()
        ear = self._ear
        if ear is not None:
            ear.interrupt()

    def _run(self) -> None:
        with wake.waiter(topics.WAKE) as ear:
            self._ear = ear
            while not self._is_over.is_set():
                guarded("live: read what changed", self._turn, otherwise=None)
                close_old_connections()
                self._is_over.wait(BREATH_SECONDS)
                ear.wait(POLL_SECONDS)
            self._ear = None
        connection.close()

    def _turn(self) -> None:
        """While the database cannot be read nothing is lost: the reader goes on where it was."""
        if self._reader is None:
            self._reader = topics.Reader()
            self._on_ready()
        new = self._reader.read()
        if new is None or new:
            self._tell(new, self._reader.position)
        self._write_who_left()

    def _write_who_left(self) -> None:
        while True:
            try:
                user_id, names = self._left.get_nowait()
            except Empty:
                return
            guarded("live: who left", partial(topics.leave, user_id, names), otherwise=None)
