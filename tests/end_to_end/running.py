"""Real programs for end-to-end tests: Midwatch as people start it, and Debian's Prometheus and Alertmanager.

Everything listens on loopback, on ports of its own, and is ended by the one who started it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")
READY_SECONDS_MAX = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(look: Callable[[], T], *, seconds: float = 60.0, what: str = "it") -> T:
    """Poll until `look` gives something true. Not for correctness of order: only for other processes to get there."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None, timeout: float = 20.0
) -> Answer:
    """With the standard library alone: a client nobody here wrote for Midwatch."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, method=method, headers=dict(headers or {}))
    if data is not None and "Content-Type" not in (headers or {}):
        asked.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.headers.items()})
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), {k.lower(): v for k, v in error.headers.items()})


@dataclass
class Program:
    """A child process in its own group, its output in a file."""

    command: Sequence[str]
    directory: Path
    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    def start(self) -> Self:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                list(self.command),
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        return self

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def kill_group(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4_000:]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()


API_TOKEN = "end-to-end-" + "t" * 32


def on_postgresql(url: str) -> dict[str, str]:
    """The settings of every process of an installation on this database."""
    return {
        "MIDWATCH_DATABASE_URL": url,
        "MIDWATCH_SECRET_KEY": "end-to-end-" + "k" * 40,
        "MIDWATCH_API_TOKEN": API_TOKEN,
    }


def clean_environment(**given: str) -> dict[str, str]:
    """Ours, with nothing of the suite's own installation, and the code of this tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MIDWATCH_", "DJANGO_"))}
    return {**kept, **given}


def run_verb(directory: Path, *arguments: str, codes: Sequence[int] = (0,), **environment: str) -> str:
    """A verb of the command line, to its end. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "midwatch.cli", *arguments],
        env=clean_environment(MIDWATCH_DATA_DIR=str(directory / "data"), **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in codes, f"midwatch {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


class Midwatch(Program):
    """`midwatch serve` on a data directory of its own, configured by documents."""

    def __init__(
        self, directory: Path, documents: str = "", *, arguments: Sequence[str] = (), **environment: str
    ) -> None:
        self.port = free_port()
        self.data = directory / "data"
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "midwatch.cli", "serve", "--port", str(self.port), "--data", str(self.data)]
        if documents:
            config = directory / "config"
            config.mkdir(exist_ok=True)
            (config / "midwatch.yaml").write_text(documents, "utf-8")
            command += ["--config", str(config)]
        inherited = {name: value for name, value in os.environ.items() if name.startswith("MIDWATCH_")}
        super().__init__([*command, *arguments], directory, "midwatch", {**dict.fromkeys(inherited, ""), **environment})

    def start(self) -> Self:
        super().start()
        wait_until(self.is_ready, seconds=READY_SECONDS_MAX, what=f"readiness of Midwatch\n{self.tail()}\n")
        return self

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"Midwatch ended:\n{self.tail()}"
        try:
            return request("GET", f"{self.url}/readyz", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    @property
    def token(self) -> str:
        given = self.environment.get("MIDWATCH_API_TOKEN")
        return given or (self.data / "admin-token").read_text().strip()

    def api(self, method: str, path: str, body: object = None) -> Answer:
        return request(method, f"{self.url}/api/v1{path}", body, {"Authorization": f"Bearer {self.token}"})

    def alerts(self, **query: str) -> list[dict[str, Any]]:
        words = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self.api("GET", f"/alerts?{words}")
        assert answer.status == 200, answer.body
        return list(answer.json["items"])

    def all_alerts(self) -> list[dict[str, Any]]:
        """Page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = self.api("GET", f"/alerts?limit=200&cursor={cursor}").json
            found += answer["items"]
            cursor = answer["next_cursor"]
        return found

    def alert(self, number: int) -> dict[str, Any]:
        return dict(self.api("GET", f"/alerts/{number}").json)
