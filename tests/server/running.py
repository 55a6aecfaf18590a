"""`midwatch serve` as real processes, for tests: started, asked, killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true answer of `condition`."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


@dataclass
class Serve:
    """One `midwatch serve` on a data directory."""

    data_dir: Path
    port: int
    env: Mapping[str, str]
    arguments: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    log: Path = Path("/dev/null")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Serve:
        command = [
            sys.executable,
            "-m",
            "midwatch.cli",
            "serve",
            "--port",
            str(self.port),
            "--data",
            str(self.data_dir),
        ]
        # Files, not pipes: a pipe that nobody reads fills up and stops its writer.
        self.log = self.data_dir.parent / f"serve-{self.port}-{time.monotonic_ns()}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *self.arguments], env=dict(self.env), stdout=log, stderr=log, start_new_session=True
            )
        return self

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, seconds: float = 30.0) -> int:
        """The exit code of a start that ends by itself."""
        assert self.process is not None
        return self.process.wait(seconds)

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, timeout: float = 10.0
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_up(self) -> bool:
        try:
            return self.ask("/healthz", timeout=2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_until_up(self, seconds: float = 60.0) -> Serve:
        until(lambda: self.is_up() or self.process is None or self.process.poll() is not None, seconds)
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return self

    def children(self) -> dict[str, int]:
        """pid of each part that runs."""
        found = {}
        for pid in processes_of(self.data_dir):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"midwatch.parts" in words:
                    found[words[words.index(b"midwatch.parts") + 1].decode()] = pid
        return found

    def end(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(seconds)


def processes_of(data_dir: Path) -> list[int]:
    """Every process that has our lock file open: nothing else on the machine is looked at."""
    found = []
    lock = data_dir / "serve.lock"
    if not lock.exists():
        return []
    wanted = lock.stat()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.path.samestat(descriptor.stat(), wanted) for descriptor in (process / "fd").iterdir()):
                found.append(int(process.name))
    return found


@contextmanager
def serving(data_dir: Path, env: Mapping[str, str], *arguments: str) -> Iterator[Serve]:
    serve = Serve(data_dir, free_port(), env, list(arguments)).start()
    try:
        yield serve.wait_until_up()
    finally:
        if serve.process is not None and serve.process.poll() is None:
            serve.end()
        for pid in processes_of(data_dir):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def events_of(data_dir: Path) -> list[dict[str, Any]]:
    """Every event of the embedded log, as its sender wrote it."""
    import sqlite3

    with sqlite3.connect(data_dir / "events.sqlite3") as log:
        return [json.loads(body) for (body,) in log.execute("SELECT body FROM event WHERE kind = 'event' ORDER BY id")]
