"""A private PostgreSQL server for the tests: made, used and ended by the session that asks for it."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

BINARIES = Path("/usr/lib/postgresql/15/bin")
USER = "postgres"
START_SECONDS_MAX = 60


class MissingError(Exception):
    """There is no PostgreSQL to start. The text says what to install."""


def binaries() -> Path:
    """Where initdb and postgres are."""
    candidates = [BINARIES, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which("initdb")
    for candidate in [*candidates, *([Path(found).parent] if found else [])]:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    raise MissingError("PostgreSQL's server is not installed: apt-get install postgresql-15")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server on a loopback port; `url` names one database of it."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://midwatch@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def create_database(self, name: str) -> str:
        """A new empty database; the address of it."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def set(self, name: str, value: str) -> None:
        """A setting of the server, from now on."""
        with self.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """This standby is the primary from when this returns."""
        with self.connect() as connection:
            assert connection.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)

    def kill(self) -> None:
        """As when a machine loses power: nothing is answered or written any more, by any of its processes."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], check=False, capture_output=True, text=True
        )
        self.process.kill()
        for pid in listed.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.process.wait(10)

    def ensure_database(self, name: str) -> str:
        """The database as it is, or a new one; the address of it."""
        with self.connect() as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def stop(self) -> None:
        """End it fast; what is committed stays in `directory`."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast": clients are sent away
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def start_again(self) -> None:
        """The same data on the same port, for tests of a database that goes away."""
        self.process = _start(self.directory, self.port)
        _wait_until_ready(self)


def _as_postgres(command: list[str]) -> list[str]:
    return ["runuser", "-u", USER, "--", *command] if os.geteuid() == 0 else command


def _start(directory: Path, port: int) -> subprocess.Popen[bytes]:
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(
            [
                str(binaries() / "postgres"), "-D", str(directory / "data"), "-p", str(port),
                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={directory}",
                "-c", "fsync=on", "-c", "max_connections=60", "-c", "shared_buffers=64MB", "-c", "max_wal_size=512MB",
            ],
            stdout=log,
            stderr=log,
            cwd="/",
            user=USER if os.geteuid() == 0 else None,  # PostgreSQL refuses to run as root
            group=USER if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )  # fmt: skip


def _wait_until_ready(server: Server) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            server.connect().close()
            return
        except psycopg.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > until:
                tail = (server.directory / "log").read_text(errors="replace")[-2_000:]
                raise RuntimeError(f"PostgreSQL did not start: {tail}") from error
            time.sleep(0.05)


def _owned(directory: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(directory, USER, USER)


def _init(directory: Path) -> None:
    command = [str(binaries() / "initdb"), "-D", str(directory / "data"), "-U", "midwatch", "-A", "trust", "-E", "UTF8"]
    subprocess.run(_as_postgres([*command, "--no-locale"]), check=True, capture_output=True, cwd="/")


@contextmanager
def _temporary(prefix: str) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        _owned(directory)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _serving(directory: Path) -> Iterator[Server]:
    """On a port of its own, with the data that is there; ended at the end."""
    port = free_port()
    server = Server(directory, port, _start(directory, port))
    try:
        _wait_until_ready(server)
        yield server
    finally:
        server.stop()


@contextmanager
def running() -> Iterator[Server]:
    """A server of its own in a temporary directory, ended and removed at the end."""
    with _temporary("midwatch-pg-") as directory:
        _init(directory)
        with _serving(directory) as server:
            yield server


@contextmanager
def standby_of(primary: Server, name: str) -> Iterator[Server]:
    """A streaming replica that the primary waits for at each commit, once `synchronous_standby_names` names it."""
    with _temporary("midwatch-pg-standby-") as directory:
        source = f"host=127.0.0.1 port={primary.port} user=midwatch application_name={name}"
        command = [str(binaries() / "pg_basebackup"), "-D", str(directory / "data"), "-d", source, "-R", "-c", "fast"]
        subprocess.run(_as_postgres(command), check=True, capture_output=True, cwd="/")
        with _serving(directory) as server:
            yield server


@contextmanager
def kept(directory: Path) -> Iterator[Server]:
    """A server whose data outlives it, for benchmarks that are run again: `directory` is made at the first time."""
    if not (directory / "data").exists():
        directory.mkdir(parents=True, exist_ok=True)
        _owned(directory)
        _init(directory)
    with _serving(directory) as server:
        yield server


@cache
def shared() -> Server:
    """One server for this test process, ended when the process ends."""
    stack = ExitStack()
    server = stack.enter_context(running())
    atexit.register(stack.close)
    return server
