"""What the benchmarks of the web process share: the server as a process, its CPU time, a browser that is logged in."""

from __future__ import annotations

import http.client
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

_CPU_OF_ALL_THREADS = 2  # CPUCLOCK_SCHED: Linux's clock of a process, what clock_getcpuclockid(3) makes of its id

LANE = """
import django, sys
django.setup()
from midwatch.server import Address, run
sys.exit(run(Address(port=int(sys.argv[1]))))
"""


def cpu_seconds(*pids: int) -> float:
    """Of all threads of these processes so far, those that have ended too, to the nanosecond. Raises OSError when one is
    gone.
    """
    return sum(time.clock_gettime_ns(~pid << 3 | _CPU_OF_ALL_THREADS) for pid in pids) / 1e9


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(code: str, env: Mapping[str, str], *, start_seconds: float = 20.0) -> Iterator[tuple[int, int]]:
    """(pid, port) of a Python program that listens on the port it is given."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", code, str(port)], env=dict(env))
    try:
        wait_for_port(port, start_seconds)
        yield process.pid, port
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(15)


def wait_for_port(port: int, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not start")


def in_installation(program: str, env: Mapping[str, str], *arguments: str) -> str:
    """Run a program with Django set up on the installation's database; what it printed."""
    code = f"import sys, django\ndjango.setup()\n{program}"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=dict(env), check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"the installation could not be filled:\n{done.stderr[-3000:]}")
    return done.stdout


@dataclass
class Browser:
    """One person's keep-alive connection, with its cookies."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None

    def ask(
        self, path: str, body: Mapping[str, str] | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """(status, headers, text). `body`: a form's fields, which get the CSRF token, or bytes as they are."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = dict(headers or {})
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        data: bytes | str | None = body if isinstance(body, bytes) else None
        if body is not None and not isinstance(body, bytes):
            data = urllib.parse.urlencode({**body, "csrfmiddlewaretoken": self.cookies.get("csrftoken", "")})
            given["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self.connection.request("GET" if body is None else "POST", path, data, given)
            answer = self.connection.getresponse()
        except http.client.RemoteDisconnected:  # it was silent for longer than the server keeps a connection
            self.connection.close()
            self.connection.request("GET" if body is None else "POST", path, data, given)
            answer = self.connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.split(";", 1)[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers, answer.read()

    def log_in(self, name: str, password: str) -> None:
        self.ask("/login")
        status, _, text = self.ask("/login", {"username": name, "password": password})
        if status != 302:
            raise RuntimeError(f"log-in of {name} failed: {status} {re.sub('<[^>]+>', ' ', text.decode())[:300]}")

    def partial(self, path: str, tag: str = "") -> tuple[int, Mapping[str, str], bytes]:
        """As htmx polls."""
        headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
        return self.ask(path, headers={**headers, "HX-PTag": tag} if tag else headers)


def cpu_each(pid: int, count: int, do: Callable[[], Any], *, rounds: int = 3) -> float:
    """Milliseconds of the process's CPU time for one `do`: the median of some rounds."""
    for _ in range(3):
        do()
    found = []
    for _ in range(rounds):
        before = cpu_seconds(pid)
        for _ in range(count):
            do()
        found.append((cpu_seconds(pid) - before) / count * 1e3)
    return statistics.median(found)


PASSWORD = secrets.token_hex(12)
