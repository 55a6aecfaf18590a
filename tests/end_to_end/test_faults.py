"""What breaks around Midwatch: a full disk, a database that cannot be written, certificates, channels that hang.

With the real program. What is promised for each stands in `docs/reference/failures.md`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import postgres
from end_to_end.ledger import Pager, Senders
from end_to_end.running import Midwatch, on_postgresql, request, run_verb, wait_until
from end_to_end.team_documents import KEY, NO_STORMS, documents, event
from fakes.server import FakeServer

PEOPLE = 4


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as made:
        yield made


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """A file system of its own; skipped where mounting is not allowed."""
    directory.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("a full disk is made by mounting a small one, which is not allowed here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """The last byte of the file system is taken."""
    path = directory / "ballast"
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
    return path


def post(midwatch: Midwatch, title: str, *, service: int = 1) -> tuple[int, dict[str, str]]:
    answer = request("POST", f"{midwatch.url}/in/{KEY}", event(title, service), {"Content-Type": "application/json"})
    return answer.status, dict(answer.headers)


def metric(midwatch: Midwatch, name: str) -> float:
    text = request("GET", f"{midwatch.url}/metrics").body.decode()
    return max((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), default=float("nan"))


def test_a_full_disk_refuses_loses_nothing_and_recovers_by_itself(pager: Pager, tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", "24m") as data:
        midwatch = Midwatch(tmp_path, documents(pager.url, PEOPLE), **NO_STORMS)
        with midwatch:
            with Senders([midwatch.port], services=PEOPLE, threads=2) as senders:
                wait_until(lambda: len(senders.accepted) >= 20, what="twenty events")
                ballast = fill(data)
                wait_until(lambda: senders.statuses[503] >= 3, what="503 on a full disk")
                ready = request("GET", f"{midwatch.url}/readyz")
                assert ready.status == 503
                assert any("event log" in problem for problem in ready.json["problems"])
                status, headers = post(midwatch, "refused")
                assert status == 503
                assert int(headers["retry-after"]) >= 1
                assert request("GET", f"{midwatch.url}/healthz").status == 200
                assert metric(midwatch, 'midwatch_intake_refused_total{status="503"}') >= 3
                accepted = len(senders.accepted)
                ballast.unlink()
                wait_until(lambda: len(senders.accepted) > accepted + 20, what="events after there is room again")
            assert not senders.refused
            wait_until(lambda: senders.accepted.keys() <= pager.first_page.keys(), what="the pages of all of them")
            titles = [alert["title"] for alert in midwatch.all_alerts()]
            assert senders.accepted.keys() <= set(titles)
            assert len(titles) == len(set(titles)), "an alert came twice"
            assert request("GET", f"{midwatch.url}/readyz").status == 200


def test_a_database_that_is_read_only_for_a_while(pager: Pager, tmp_path: Path) -> None:
    """PostgreSQL: as after a failover to a standby, or an administrator's ALTER DATABASE."""
    server = postgres.shared()
    url = server.create_database("read_only")
    settings = on_postgresql(url)
    run_verb(tmp_path, "upgrade", **settings)
    with Midwatch(tmp_path, documents(pager.url, PEOPLE), **NO_STORMS, **settings) as midwatch:
        assert post(midwatch, "before")[0] == 202
        wait_until(lambda: "before" in pager.first_page, what="a page")
        _set_read_only(server, "on")
        wait_until(lambda: post(midwatch, "meanwhile")[0] == 503, what="503 while it is read-only")
        assert request("GET", f"{midwatch.url}/readyz").status == 503
        _set_read_only(server, "off")
        wait_until(lambda: post(midwatch, "after")[0] == 202, what="events again")
        wait_until(lambda: "after" in pager.first_page, what="a page again")
        wait_until(lambda: request("GET", f"{midwatch.url}/readyz").status == 200, what="readiness")


def _set_read_only(server: postgres.Server, value: str) -> None:
    with server.connect() as connection:
        connection.execute(f"ALTER DATABASE read_only SET default_transaction_read_only = {value}".encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'read_only'")


class Stuck:
    """A server that takes connections and never answers; or says a byte a second, for ever."""

    def __init__(self, *, drips: bool) -> None:
        self._drips = drips
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._kept: list[socket.socket] = []
        self._stop = threading.Event()
        self.port = int(self._listening.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.calls = 0

    def __enter__(self) -> Stuck:
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._listening.close()
        for sock in self._kept:
            sock.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                self.calls += 1
                self._kept.append(sock)
                if self._drips:
                    threading.Thread(target=self._drip, args=(sock,), daemon=True).start()

    def _drip(self, sock: socket.socket) -> None:
        with suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000:
                sock.sendall(bytes([byte]))
                if self._stop.wait(1.0):
                    return


STUCK = """
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: p0}}
spec:
  displayName: Person 0
  contactMethods:
    - {{name: stuck, type: webhook, address: "{stuck}"}}
    - {{name: drips, type: webhook, address: "{drips}"}}
    - {{name: push, type: ntfy, address: "{push}/p0"}}
  notificationRules:
    high: [{{after: 0s, contact: stuck}}, {{after: 0s, contact: drips}}, {{after: 30m, contact: push}}]
    low: [{{after: 0s, contact: push}}]
    repeatAfter: 0s
---
"""


@pytest.mark.slow
def test_channels_that_hang_hold_nobody_up(pager: Pager, tmp_path: Path) -> None:
    """More messages hang than the channel has senders. The next method, of another channel, goes out after 60 s; the
    senders come free at each time-out, so that others of the same channel get their turn."""
    with Stuck(drips=False) as stuck, Stuck(drips=True) as drips, FakeServer() as push:
        parts = documents(pager.url, PEOPLE).split("---")
        own = STUCK.format(stuck=stuck.url, drips=drips.url, push=push.url)
        with Midwatch(tmp_path, own + "---".join(parts[1:]), **NO_STORMS) as midwatch:
            for number in range(12):
                assert post(midwatch, f"stuck {number}", service=0)[0] == 202
            wait_until(lambda: stuck.calls and drips.calls, what="hanging connections")
            assert not push.requests
            assert post(midwatch, "another person")[0] == 202
            wait_until(lambda: "another person" in pager.first_page, seconds=120, what="a page of somebody else")
            wait_until(lambda: push.requests, seconds=120, what="the next method")
            timeline = midwatch.alert(midwatch.all_alerts()[-1]["number"])["timeline"]
            said = " ".join(entry["text"] for entry in timeline)
            assert "did not answer within 10 s" in said
            assert "within 60 s: passing on" in said
            processes = metric(midwatch, "midwatch_ticks_total")
            wait_until(lambda: metric(midwatch, "midwatch_ticks_total") > processes, what="further ticks")
