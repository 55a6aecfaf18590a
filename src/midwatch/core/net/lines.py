"""Connections that are kept for the next request to the same server: a page of a storm needs no new handshake.

A kept connection is used only where a new one would have been made in the same way: same scheme, host and port, the same
authorities that its certificate was checked against, and connected to one of the addresses that this request's own look-up
found and the check permits. It is left after a few seconds of silence, sooner than the shortest that servers in common use
wait (5 s: Apache, Node, uvicorn), so that hardly ever a request meets a server that is just closing.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from midwatch.core import clock
from midwatch.core.net.addresses import Target

SILENCE_SECONDS_MAX = 4.0
AGE_SECONDS_MAX = 60.0  # a changed certificate or balancer is noticed
KEPT_PER_SERVER_MAX = 8
KEPT_MAX = 32
_TOLD = re.compile(r"timeout=(\d{1,6})")

Key = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Line:
    """`pool`: urllib3's, of one connection. `connection`: that one, as soon as there was a request."""

    key: Key
    pool: Any
    connection: Any = None
    opened_at: float = field(default_factory=lambda: clock.monotonic())  # noqa: PLW0108 - the clock of tests is moved
    ends_at: float = 0.0

    def peer(self) -> str:
        """The number it is connected to; "" when it is not."""
        sock = self.connection.sock if self.connection is not None else None
        try:
            return str(sock.getpeername()[0]) if sock is not None else ""
        except OSError:
            return ""

    def close(self) -> None:
        self.pool.close()


class Lines:
    """Those that nobody uses right now."""

    def __init__(self) -> None:
        self._idle: list[Line] = []  # the one that was used last is the last
        self._changed = threading.Condition()
        self._is_swept = False

    def take(self, key: Key, target: Target) -> Line | None:
        """One that is connected to an address of `target`, and then is the caller's alone."""
        with self._changed:
            for line in reversed(self._idle):
                if line.key != key:
                    continue
                self._idle.remove(line)
                is_fresh = line.ends_at > clock.monotonic() and line.connection.is_connected
                if is_fresh and line.peer() in target.ips:
                    return line
                line.close()
        return None

    def keep(self, line: Line, headers: Mapping[str, str]) -> None:
        """After an answer that was read to its end. `headers`: of the answer; servers say how long they wait."""
        silence = SILENCE_SECONDS_MAX
        told = _TOLD.search(headers.get("keep-alive", ""))
        if told is not None:
            silence = min(silence, int(told[1]) - 1.0)
        line.ends_at = min(clock.monotonic() + silence, line.opened_at + AGE_SECONDS_MAX)
        if not line.peer() or line.ends_at <= clock.monotonic():
            line.close()
            return
        with self._changed:
            self._idle.append(line)
            of_server = [one for one in self._idle if one.key == line.key]
            for one in of_server[:-KEPT_PER_SERVER_MAX] or self._idle[:-KEPT_MAX]:
                self._idle.remove(one)
                one.close()
            if not self._is_swept:
                self._is_swept = True
                threading.Thread(target=self._sweep, name="kept connections", daemon=True).start()

    def close(self) -> None:
        with self._changed:
            for line in self._idle:
                line.close()
            self._idle.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._idle)

    def _sweep(self) -> None:
        """Closes what was silent for too long, and ends with the last of them."""
        with self._changed:
            while self._idle:
                for line in [one for one in self._idle if one.ends_at <= clock.monotonic()]:
                    self._idle.remove(line)
                    line.close()
                if self._idle:
                    self._changed.wait(max(0.05, min(one.ends_at for one in self._idle) - clock.monotonic()))
            self._is_swept = False


lines = Lines()
