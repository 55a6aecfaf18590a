"""What breaks around Midwatch: a full disk, a database that cannot be written, certificates, channels that hang.

With the real program. What is promised for each stands in `docs/reference/failures.md`.
"""

from __future__ import annotations

import math
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

import postgres
from end_to_end.ledger import Pager, Senders
from end_to_end.running import Midwatch, on_postgresql, request, run_verb, wait_until
from end_to_end.team_documents import KEY, NO_STORMS, documents, event
from fakes.server import FakeServer

PEOPLE = 4
THREADS_MORE = 16  # two channels' senders of four each, the web's own, and as many again


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


class FailingDisk:
    """A file system of its own that becomes read-only while files are open, as the kernel does after an I/O error."""

    def __init__(self, directory: Path, image: Path) -> None:
        self.directory = directory
        self._image = image

    def mount(self) -> bool:
        self.directory.mkdir(exist_ok=True)
        command = ["mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.directory)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.directory)], check=True)

    def fail(self) -> None:
        command = ["findmnt", "-no", "SOURCE", str(self.directory)]
        device = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("test")
        with pytest.raises(OSError, match="Read-only file system"):
            (self.directory / "probe").write_text("x")


@contextmanager
def failing_disk(tmp_path: Path) -> Iterator[FailingDisk]:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    made = (
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=False, capture_output=True)
        if shutil.which("mkfs.ext4")
        else None
    )
    disk = FailingDisk(tmp_path / "data", image)
    if os.geteuid() != 0 or made is None or made.returncode != 0 or not disk.mount():
        pytest.skip("a disk that fails is made by mounting one of our own, which is not allowed here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk.directory)], check=True)


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


@pytest.mark.slow
def test_a_disk_that_becomes_read_only(pager: Pager, tmp_path: Path) -> None:
    """The kernel does it after an I/O error, under the open files of SQLite; nobody can undo it without ending what runs."""
    with failing_disk(tmp_path) as disk:
        midwatch = Midwatch(tmp_path, documents(pager.url, PEOPLE), **NO_STORMS)
        with midwatch, Senders([midwatch.port], services=PEOPLE, threads=2) as senders:
            wait_until(lambda: len(senders.accepted) >= 20, what="twenty events")
            disk.fail()
            wait_until(lambda: senders.statuses[503] >= 3, what="503 on a disk that is read-only")
            status, headers = post(midwatch, "refused")
            assert status == 503
            assert int(headers["retry-after"]) >= 1
            ready = request("GET", f"{midwatch.url}/readyz")
            assert ready.status == 503
            assert any("event log" in problem for problem in ready.json["problems"])
            assert request("GET", f"{midwatch.url}/healthz").status == 200
            senders.stop()
            assert not senders.refused
            assert "refused" not in pager.first_page
        disk.unmount()
        assert disk.mount(), "after a repair"
        with midwatch:
            wait_until(lambda: senders.accepted.keys() <= pager.first_page.keys(), what="the pages of all of them")
            titles = [alert["title"] for alert in midwatch.all_alerts()]
            assert senders.accepted.keys() <= set(titles)
            assert len(titles) == len(set(titles)), "an alert came twice"
            assert post(midwatch, "after")[0] == 202
            wait_until(lambda: "after" in pager.first_page, what="a page")


@pytest.mark.slow
def test_postgresqls_own_disk_is_full(pager: Pager, tmp_path: Path) -> None:
    with ExitStack() as stack:
        # Not below the test's own directory: the server runs as a user of its own, who may not go there.
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="midwatch-pg-full-"))
        directory = stack.enter_context(small_disk(Path(place), "200m"))
        server = stack.enter_context(postgres.kept(directory))
        settings = on_postgresql(server.create_database("full"))
        run_verb(tmp_path, "upgrade", **settings)
        midwatch = stack.enter_context(Midwatch(tmp_path, documents(pager.url, PEOPLE), **NO_STORMS, **settings))
        senders = stack.enter_context(Senders([midwatch.port], services=PEOPLE, threads=2))
        wait_until(lambda: len(senders.accepted) >= 20, what="twenty events")
        ballast = fill(directory)
        wait_until(lambda: senders.statuses[503] >= 10, what="503 while PostgreSQL has no room")
        assert request("GET", f"{midwatch.url}/healthz").status == 200
        accepted = len(senders.accepted)
        ballast.unlink()
        if server.process.poll() is not None:  # it ends itself when its log cannot be written, and somebody starts it
            server.start_again()
        wait_until(lambda: len(senders.accepted) > accepted + 20, what="events after there is room again")
        senders.stop()
        assert not senders.refused
        wait_until(lambda: senders.accepted.keys() <= pager.first_page.keys(), what="the pages of all of them")
        titles = [alert["title"] for alert in midwatch.all_alerts()]
        assert senders.accepted.keys() <= set(titles)
        assert len(titles) == len(set(titles)), "an alert came twice"
        wait_until(lambda: request("GET", f"{midwatch.url}/readyz").status == 200, what="readiness")


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
        self.first_given_up_at = math.inf  # when the first caller hung up, on the clock of `time.monotonic`

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
                threading.Thread(target=self._hear, args=(sock,), daemon=True).start()
                if self._drips:
                    threading.Thread(target=self._drip, args=(sock,), daemon=True).start()

    def _hear(self, sock: socket.socket) -> None:
        with suppress(OSError):
            while sock.recv(65_536):
                pass
        self.first_given_up_at = min(self.first_given_up_at, time.monotonic())

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
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: calm}}
spec:
  displayName: Calm
  contactMethods: [{{name: push, type: ntfy, address: "{push}/calm"}}]
  notificationRules: {{high: [{{after: 0s, contact: push}}], low: [{{after: 0s, contact: push}}], repeatAfter: 0s}}
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: calm}}
spec: {{team: ops, steps: [{{name: level 1, targets: [{{user: calm}}], after: 0s}}]}}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: s9}}
spec: {{displayName: Calm, team: ops, escalationPolicy: calm}}
---
"""
CALM = 9  # a service whose person is called by another channel than the one that hangs


def threads_of(midwatch: Midwatch) -> int:
    """Of all processes of the program."""
    assert midwatch.process is not None
    group = ["ps", "-o", "nlwp=", "--pid", str(midwatch.process.pid), "--ppid", str(midwatch.process.pid)]
    return sum(map(int, subprocess.run(group, check=True, capture_output=True, text=True).stdout.split()))


@pytest.mark.slow
def test_channels_that_hang_hold_nobody_up(pager: Pager, tmp_path: Path) -> None:
    """More messages hang than the channel has senders. The next method, of another channel, goes out after 60 s; the
    senders come free at each time-out, so that others of the same channel get their turn."""
    with Stuck(drips=False) as stuck, Stuck(drips=True) as drips, FakeServer() as push:
        parts = documents(pager.url, PEOPLE).split("---")
        own = STUCK.format(stuck=stuck.url, drips=drips.url, push=push.url)
        with Midwatch(tmp_path, own + "---".join(parts[1:]), **NO_STORMS) as midwatch:
            threads = threads_of(midwatch)
            for number in range(12):
                assert post(midwatch, f"stuck {number}", service=0)[0] == 202
            wait_until(lambda: stuck.calls and drips.calls, what="hanging connections")
            assert not push.requests
            for number in range(5):
                assert post(midwatch, f"calm {number}", service=CALM)[0] == 202
            wait_until(lambda: len(push.requests) >= 5, what="pages by another channel")
            given_up_at = min(stuck.first_given_up_at, drips.first_given_up_at)
            assert max(one.at for one in push.requests) < given_up_at, "they waited for those that hang"
            assert threads_of(midwatch) <= threads + THREADS_MORE, "a hanging message costs a sender, and there are few"
            assert post(midwatch, "another person")[0] == 202
            wait_until(lambda: "another person" in pager.first_page, seconds=120, what="a page of somebody else")
            wait_until(
                lambda: any(one.json["topic"] == "p0" for one in push.requests), seconds=120, what="the next method"
            )
            timeline = midwatch.alert(midwatch.all_alerts()[-1]["number"])["timeline"]
            said = " ".join(entry["text"] for entry in timeline)
            assert "did not answer within 10 s" in said
            assert "within 60 s: passing on" in said
            processes = metric(midwatch, "midwatch_ticks_total")
            wait_until(lambda: metric(midwatch, "midwatch_ticks_total") > processes, what="further ticks")
