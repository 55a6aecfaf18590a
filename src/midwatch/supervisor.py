"""`midwatch serve`: a small parent that starts the web and the engine part, and starts again what dies.

It imports nothing but the standard library and our settings. It binds the port itself and hands the socket on, so that
while a web process is started again connections wait in the kernel's queue instead of being refused.

Two locks, both freed by the kernel, so that no stale file ever stops a start: `supervisor.lock` is held by the parent
alone (a second `serve` is refused at once), `serve.lock` by parent and children (after a kill -9 of the parent the next
`serve` waits for the children, who see the end of a pipe and end by themselves).
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from midwatch import __version__
from midwatch.core import move_mark
from midwatch.settings import LANE_URL, LISTEN_URL, PREFIX, raw, secret_key, settings

STOP_SECONDS = 12.0  # of the fifteen that `serve` promises
ORPHANS_SECONDS = 30.0
ORPHANS_KILLED_AFTER_SECONDS = 8.0
HEALTHY_SECONDS = 30.0  # a child that ran so long starts its back-off anew
BACK_OFF_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
BACKLOG = 2048
ADDRESS_FILE = "address"  # of the data directory: the command line beside us builds its links with it
GO = b"G"  # to a child: the database is prepared


@dataclass(frozen=True, slots=True)
class Orders:
    """What a child is told. Descriptors: `life` is read, `status` written, `listen` the bound socket."""

    life: int
    status: int
    listen: int
    config: str
    is_prepared: bool

    def text(self) -> str:
        return json.dumps(asdict(self))


def serve(args: Namespace) -> int:
    """Everything, one command. Takes host, port, data, config."""
    _take(args)
    listening = None
    data_dir = settings().data_dir
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        locks = _lock(data_dir)
    except OSError as error:
        raise SystemExit(f"{data_dir}: {error.strerror}: give a directory that can be written with --data") from error
    if not settings().is_sqlite:
        secret_key()  # says at once what is missing
    try:
        listening = _bind(args.host, args.port)
        return Supervisor(listening, args, locks).run()
    finally:
        if listening is not None:
            listening.close()


def web(args: Namespace) -> int:
    """The web part alone. Takes host, port, data, config."""
    _take(args)
    parts = importlib.import_module("midwatch.parts")  # not in the parent: what it imports would stay for ever
    return int(parts.web(args.host, args.port, getattr(args, "config", None)))


def engine(args: Namespace) -> int:
    """The engine part alone. Takes data, health_port."""
    _take(args)
    return int(importlib.import_module("midwatch.parts").engine(getattr(args, "health_port", None)))


def _take(args: Namespace) -> None:
    """What was said on the command line, as every child will read it. Fails early on settings that cannot be used."""
    os.umask(0o077)  # the databases, keys and sockets are ours alone, whatever directory they lie in
    if getattr(args, "data", None):
        os.environ[f"{PREFIX}DATA_DIR"] = str(args.data)
    if getattr(args, "port", None):
        host = "127.0.0.1" if args.host in {"0.0.0.0", "::", ""} else args.host  # noqa: S104 - a comparison
        os.environ[LANE_URL] = f"http://[{host}]:{args.port}" if ":" in host else f"http://{host}:{args.port}"
        if not raw("BASE_URL"):
            os.environ[LISTEN_URL] = os.environ[LANE_URL]
    settings.cache_clear()
    if settings().is_sqlite and (problem := move_mark.problem(settings().data_dir)):
        raise SystemExit(problem)


def _bind(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise SystemExit(
                f"port {port} of {host} is in use by another program: give a free one with --port"
            ) from error
        raise SystemExit(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return made


@dataclass(frozen=True, slots=True)
class Locks:
    """Descriptors; `tree` is handed on to the children."""

    own: int
    tree: int


def _lock(data_dir: Path) -> Locks:
    own = os.open(data_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(own, 20, 0).decode("ascii", "replace").strip()
        raise SystemExit(
            f"another `midwatch serve` (process {pid or 'unknown'}) runs on {data_dir}: "
            "stop it, or give this one a directory of its own with --data"
        ) from None
    os.ftruncate(own, 0)
    os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
    tree = os.open(data_dir / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _wait_for_orphans(tree, data_dir / "serve.lock")
    return Locks(own, tree)


def _wait_for_orphans(tree: int, path: Path) -> None:
    """Children of a parent that was killed end within seconds; one that hangs is ended."""
    until = time.monotonic() + ORPHANS_SECONDS
    kill_at = time.monotonic() + ORPHANS_KILLED_AFTER_SECONDS
    while True:
        try:
            fcntl.flock(tree, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        if time.monotonic() > until:
            raise SystemExit(f"{path} is held by another program (a restore?): wait until it has ended")
        if time.monotonic() > kill_at:
            for pid in _orphans(path):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _orphans(path: Path) -> list[int]:
    """Parts of Midwatch that have this very file open though their parent is gone."""
    wanted = path.stat()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"midwatch.parts" not in (process / "cmdline").read_bytes():
                continue
            for descriptor in (process / "fd").iterdir():
                if os.path.samestat(descriptor.stat(), wanted):
                    found.append(int(process.name))
                    break
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found


@dataclass
class Child:
    """One part. `life`: our end of its pipe; closing it ends the child."""

    part: str
    process: subprocess.Popen[bytes] | None = None
    life: int = -1
    status: int = -1
    heard: bytes = b""
    started_at: float = 0.0
    failures: int = 0
    start_at: float = 0.0


@dataclass
class Supervisor:
    listening: socket.socket
    args: Namespace
    locks: Locks
    children: list[Child] = field(default_factory=lambda: [Child("web"), Child("engine")])
    is_prepared: bool = False
    is_ready: bool = False
    setup_code: str | None = None
    is_ending: bool = False
    exit_code: int = 0

    def run(self) -> int:
        """Until SIGTERM, SIGINT or SIGHUP, or until the first preparation fails."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        try:
            while not self.is_ending:
                self._start_what_is_due()
                self._listen(reader)
                self._reap()
        finally:
            self._stop()
        return self.exit_code

    def _end(self, number: int, frame: object) -> None:
        self.is_ending = True

    def _start_what_is_due(self) -> None:
        for child in self.children:
            if child.process is None and time.monotonic() >= child.start_at:
                self._start(child)

    def _start(self, child: Child) -> None:
        life_reader, child.life = os.pipe()
        child.status, status_writer = os.pipe()
        orders = Orders(
            life=life_reader,
            status=status_writer,
            listen=self.listening.fileno(),
            config=str(self.args.config.absolute()) if getattr(self.args, "config", None) else "",
            is_prepared=self.is_prepared,
        )
        handed = (life_reader, status_writer, self.locks.tree)
        command = [sys.executable, "-m", "midwatch.parts", child.part, orders.text()]
        child.heard = b""
        child.started_at = time.monotonic()
        try:
            child.process = subprocess.Popen(
                command, pass_fds=(*handed, self.listening.fileno()) if child.part == "web" else handed
            )
        except OSError as error:
            self._again(child, f"cannot be started ({error.strerror})")
            return
        finally:
            os.close(life_reader)
            os.close(status_writer)
        if self.is_prepared:
            self._go(child)

    @staticmethod
    def _go(child: Child) -> None:
        with suppress(BrokenPipeError):  # it is dead, and will be started again
            os.write(child.life, GO)

    def _listen(self, wakeup: int) -> None:
        """Wait for a signal, a word from a child, or the moment to start one."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        by_descriptor = {child.status: child for child in self.children if child.status >= 0}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        waiting = [child.start_at - time.monotonic() for child in self.children if child.process is None]
        timeout = max(0.0, min(waiting)) if waiting else 60.0
        for descriptor, _ in poll.poll(int(timeout * 1000) + 1):
            if descriptor == wakeup:
                os.read(wakeup, 512)
            else:
                self._hear(by_descriptor[descriptor])

    def _hear(self, child: Child) -> None:
        said = os.read(child.status, 4096)
        if not said:
            os.close(child.status)
            child.status = -1
        child.heard += said
        *lines, child.heard = child.heard.split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def _note(self, said: dict[str, Any]) -> None:
        if said.get("prepared"):
            self.is_prepared = True
            self.setup_code = said.get("setup_code")
            for child in self.children:
                if child.process is not None:
                    self._go(child)
        elif said.get("ready") and not self.is_ready:
            self.is_ready = True
            self._say_hello()

    def _say_hello(self) -> None:
        found = settings()
        lines = [f"Midwatch {__version__} is ready: {found.base_url}", f"  data directory  {found.data_dir}"]
        if found.is_sqlite and not raw("API_TOKEN"):
            lines.append(f"  admin token     {found.data_dir / 'admin-token'}")
        if self.setup_code:
            lines.append(
                f"  first run       open {found.base_url}/setup and give this one-time code: {self.setup_code}"
            )
        self.setup_code = None
        with suppress(OSError):  # a full disk is no reason to end what runs
            (found.data_dir / ADDRESS_FILE).write_text(f"{found.base_url}\n", "utf-8")
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _reap(self) -> None:
        for child in self.children:
            if child.process is None or child.process.poll() is None:
                continue
            code = child.process.returncode
            self._forget(child)
            if self.is_ending:
                continue
            if child.part == "web" and not self.is_prepared and code > 0:
                self.exit_code = (
                    code  # it has said why: a first start with settings or configuration that cannot be used
                )
                self.is_ending = True
                continue
            if time.monotonic() - child.started_at > HEALTHY_SECONDS:
                child.failures = 0
            self._again(child, f"was ended by signal {-code}" if code < 0 else f"ended with code {code}")

    def _again(self, child: Child, what: str) -> None:
        self._forget(child)
        pause = BACK_OFF_SECONDS[min(child.failures, len(BACK_OFF_SECONDS) - 1)]
        child.failures += 1
        child.start_at = time.monotonic() + pause
        sys.stderr.write(f"midwatch: the {child.part} part {what}; starting it again in {pause:g} s\n")
        sys.stderr.flush()

    @staticmethod
    def _forget(child: Child) -> None:
        child.process = None
        for descriptor in (child.life, child.status):
            if descriptor >= 0:
                os.close(descriptor)
        child.life = child.status = -1

    def _stop(self) -> None:
        """End the children, within the time that `serve` promises."""
        alive = [child.process for child in self.children if child.process is not None]
        for process in alive:
            process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for process in alive:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
