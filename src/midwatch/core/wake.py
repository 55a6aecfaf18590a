"""Wake up, don't wait: who commits work says so, and who does the work hears it at once.

`wake()` belongs after a commit: `transaction.on_commit(wake.wake)`. It never raises and never blocks; a call that is
lost is made good by the listener's short poll. On SQLite each listener has a datagram socket in the data directory; on
PostgreSQL it is LISTEN/NOTIFY, the listener with a connection of its own (a transaction pooler would swallow it).
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import secrets
import select
import socket
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from midwatch.settings import settings

log = logging.getLogger("midwatch.wake")

WORK = "work"
SOCKET_PATH_MAX = 100  # the kernel takes 108 bytes with the final NUL; the rest is headroom


class Waiter(Protocol):
    """Hears `wake`. One thread waits; `interrupt` may come from any thread or a signal handler."""

    def wait(self, timeout_seconds: float) -> bool:
        """True when woken (or when a call may have been missed), False when the time is over."""

    def interrupt(self) -> None:
        """Make `wait` return now."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Bus(Protocol):
    def wake(self, topic: str) -> None: ...

    def waiter(self, topic: str) -> Waiter: ...


class Closing:
    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalWaiter(Closing):
    """A waiter within one process, for stories and for threads of one process."""

    def __init__(self, bus: LocalBus, topic: str) -> None:
        self.topic = topic
        self._bus = bus
        self._woken = threading.Event()

    def wait(self, timeout_seconds: float) -> bool:
        is_woken = self._woken.wait(timeout_seconds)
        self._woken.clear()
        return is_woken

    def interrupt(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._bus.forget(self)


class LocalBus:
    """Wakes waiters of this process only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: list[LocalWaiter] = []

    def wake(self, topic: str) -> None:
        with self._lock:
            heard = [waiter for waiter in self._waiters if waiter.topic == topic]
        for waiter in heard:
            waiter.interrupt()

    def waiter(self, topic: str) -> LocalWaiter:
        made = LocalWaiter(self, topic)
        with self._lock:
            self._waiters.append(made)
        return made

    def forget(self, waiter: LocalWaiter) -> None:
        with self._lock, suppress(ValueError):
            self._waiters.remove(waiter)


def socket_directory(data_dir: Path) -> Path:
    """Where listeners of one data directory have their sockets; elsewhere when the path is too long for a socket."""
    wanted = data_dir / "wake"
    if len(os.fsencode(wanted / "0123456789-01234567.sock")) <= SOCKET_PATH_MAX:
        return wanted
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:20]
    return Path(tempfile.gettempdir()) / f"midwatch-{name}"


class SocketWaiter(Closing):
    def __init__(self, directory: Path, topic: str) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = directory.lstat()
        if found.st_uid != os.geteuid():
            raise PermissionError(f"{directory} belongs to somebody else")
        self.path = directory / f"{topic}.{os.getpid()}-{secrets.token_hex(4)}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))
        self._reader, self._writer = pipe()

    def wait(self, timeout_seconds: float) -> bool:
        ready = ready_of((self._socket.fileno(), self._reader), timeout_seconds)
        if self._socket.fileno() in ready:
            with suppress(BlockingIOError):
                while self._socket.recv(64):  # many calls are one
                    pass
        drain(self._reader)
        return bool(ready)

    def interrupt(self) -> None:
        with suppress(BlockingIOError, OSError):
            os.write(self._writer, b"!")

    def close(self) -> None:
        self._socket.close()
        with suppress(FileNotFoundError):
            self.path.unlink()
        for descriptor in (self._reader, self._writer):
            with suppress(OSError):
                os.close(descriptor)


class SocketBus:
    """Wakes every listener that has a socket in the data directory, whatever its process."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = socket_directory(data_dir)
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)

    def wake(self, topic: str) -> None:
        try:
            names = os.listdir(self.directory)
        except OSError:
            return  # nobody listens
        for name in names:
            if name.startswith(f"{topic}.") and name.endswith(".sock"):
                self._send(self.directory / name)

    def _send(self, path: Path) -> None:
        try:
            self._sender.sendto(b"!", str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            with suppress(OSError):
                path.unlink()  # its process is dead
        except BlockingIOError:
            pass  # many calls wait there already
        except OSError as error:
            log.warning("a listener cannot be woken: %s", error.strerror)

    def waiter(self, topic: str) -> Waiter:
        try:
            return SocketWaiter(self.directory, topic)
        except OSError as error:
            log.warning("no socket to be woken by (%s): polling only", error)
            return LocalBus().waiter(topic)


def ready_of(descriptors: Iterable[int], timeout_seconds: float) -> set[int]:
    """Which of them can be read. Not select(), which fails above 1,024 open files."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(max(0, round(timeout_seconds * 1000)))}


def pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    return reader, writer


def drain(descriptor: int) -> None:
    with suppress(BlockingIOError):
        while os.read(descriptor, 512):
            pass


_installed: list[Bus] = []


@cache
def _default() -> Bus:
    if settings().is_sqlite:
        return SocketBus(settings().data_dir)
    postgresql = importlib.import_module("midwatch.core.postgresql.wake")  # costs 10 MB that SQLite does without
    made: Bus = postgresql.PostgresBus(settings().database_url)
    return made


@contextmanager
def using(bus: Bus) -> Iterator[Bus]:
    """Replace the way of waking, for stories."""
    _installed.append(bus)
    try:
        yield bus
    finally:
        _installed.remove(bus)


def _bus() -> Bus:
    return _installed[-1] if _installed else _default()


def wake(topic: str = WORK) -> None:
    """There is work. Call it after the commit; it never raises."""
    _bus().wake(topic)


def waiter(topic: str = WORK) -> Waiter:
    """Listen from now on: `with wake.waiter() as ear: ear.wait(1.0)`."""
    return _bus().waiter(topic)
