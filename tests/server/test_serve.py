"""`midwatch serve`, with real processes: what was answered 202 is kept, whatever dies; nothing stale stops a start."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Serve, events_of, free_port, processes_of, serving, until

import installation

KEY = installation.GENERIC_KEY


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated data directory with a source, to be copied."""
    directory = tmp_path_factory.mktemp("template")
    installation.prepare(installation.environment(directory))
    return directory


@pytest.fixture
def data_dir(template: Path, tmp_path: Path) -> Path:
    target = tmp_path / "data"
    subprocess.run(["cp", "-a", str(template), str(target)], check=True)
    return target


@pytest.fixture
def env(data_dir: Path) -> dict[str, str]:
    return installation.environment(data_dir)


@pytest.fixture
def serve(data_dir: Path, env: dict[str, str]) -> Iterator[Serve]:
    with serving(data_dir, env) as running:
        yield running


class Sender(threading.Thread):
    """Posts numbered events until told to stop; `accepted` are those that were answered 202."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.name = name
        self.accepted: list[str] = []
        self.others: list[int] = []
        self.errors = 0
        self.is_done = False
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        number = 0
        while not self.is_done:
            number += 1
            title = f"{self.name}/{number}"
            try:
                connection.request("POST", f"/in/{KEY}", json.dumps({"title": title}))
                answer = connection.getresponse()
                answer.read()
                if answer.status == 202:
                    self.accepted.append(title)
                else:
                    self.others.append(answer.status)
            except (OSError, http.client.HTTPException):
                self.errors += 1
                connection.close()

    def finish(self) -> None:
        self.is_done = True
        self.join(30)
        assert not self.is_alive()


def post(serve: Serve, title: str) -> int:
    return serve.ask(f"/in/{KEY}", "POST", json.dumps({"title": title}).encode())[0]


def test_killed_web_parts_lose_nothing_that_was_accepted(serve: Serve, data_dir: Path) -> None:
    senders = [Sender(serve.port, f"s{number}") for number in range(8)]
    for _ in range(3):
        before = sum(len(sender.accepted) for sender in senders)
        until(lambda count=before: sum(len(sender.accepted) for sender in senders) > count + 100)
        victim = serve.children()["web"]
        os.kill(victim, signal.SIGKILL)
        until(lambda pid=victim: serve.children().get("web") not in {None, pid})
    before = sum(len(sender.accepted) for sender in senders)
    until(lambda: sum(len(sender.accepted) for sender in senders) > before + 100)
    for sender in senders:
        sender.finish()
    kept = {event["title"] for event in events_of(data_dir)}
    accepted = {title for sender in senders for title in sender.accepted}
    assert len(accepted) > 400
    assert accepted <= kept
    assert sum(sender.errors for sender in senders) > 0  # it did die in the middle of requests
    assert {status for sender in senders for status in sender.others} <= {503}


def test_while_the_web_part_starts_again_connections_wait_instead_of_being_refused(serve: Serve) -> None:
    victim = serve.children()["web"]
    os.kill(victim, signal.SIGKILL)
    assert post(serve, "sent while nobody served") == 202


def test_a_killed_engine_starts_again(serve: Serve) -> None:
    victim = until(lambda: serve.children().get("engine"))
    os.kill(victim, signal.SIGKILL)
    until(lambda: serve.children().get("engine") not in {None, victim})
    assert serve.is_up()


def test_sigterm_ends_everything_in_time(serve: Serve, data_dir: Path) -> None:
    idle = socket.create_connection(("127.0.0.1", serve.port))  # an open connection that says nothing
    keeping = http.client.HTTPConnection("127.0.0.1", serve.port)
    keeping.request("GET", "/healthz")
    keeping.getresponse().read()
    slow = socket.create_connection(("127.0.0.1", serve.port))  # and one in the middle of its body
    slow.sendall(f"POST /in/{KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert post(serve, "last") == 202
    started = time.monotonic()
    assert serve.end(signal.SIGTERM) == 0
    assert time.monotonic() - started < 15
    assert processes_of(data_dir) == []
    assert [event["title"] for event in events_of(data_dir)] == ["last"]
    for connection in (idle, slow, keeping):
        connection.close()


def test_children_stay_in_the_process_group(serve: Serve) -> None:
    until(lambda: len(serve.children()) == 2)
    assert {os.getpgid(pid) for pid in serve.children().values()} == {os.getpgid(serve.pid)}


@pytest.mark.parametrize("whom", ["parent", "all"])
def test_a_killed_serve_starts_again_on_the_same_port_and_data(serve: Serve, whom: str) -> None:
    assert post(serve, "before") == 202
    if whom == "parent":
        os.kill(serve.pid, signal.SIGKILL)
    else:
        os.killpg(serve.pid, signal.SIGKILL)
    assert serve.process is not None
    serve.process.wait(10)
    again = Serve(serve.data_dir, serve.port, serve.env).start()
    try:
        again.wait_until_up(90)
        assert post(again, "after") == 202
        assert [event["title"] for event in events_of(serve.data_dir)] == ["before", "after"]
        assert len(until(lambda: len(again.children()) == 2 and again.children())) == 2
    finally:
        again.end()


def test_orphans_end_by_themselves(serve: Serve, data_dir: Path) -> None:
    os.kill(serve.pid, signal.SIGKILL)
    until(lambda: processes_of(data_dir) == [], 15)


def test_a_child_that_hangs_does_not_stop_the_next_start(serve: Serve) -> None:
    stuck = until(lambda: serve.children().get("engine"))
    os.kill(stuck, signal.SIGSTOP)
    os.kill(serve.pid, signal.SIGKILL)
    assert serve.process is not None
    serve.process.wait(10)
    again = Serve(serve.data_dir, serve.port, serve.env).start()
    try:
        again.wait_until_up(90)
    finally:
        again.end()


def test_a_second_serve_is_refused_with_a_sentence(serve: Serve) -> None:
    second = Serve(serve.data_dir, free_port(), serve.env).start()
    assert second.wait() == 1
    assert f"another `midwatch serve` (process {serve.pid}) runs on {serve.data_dir}" in second.said()
    assert "--data" in second.said()
    assert serve.is_up()


def test_a_port_in_use_is_refused_with_a_sentence(data_dir: Path, env: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        serve = Serve(data_dir, other.getsockname()[1], env).start()
        assert serve.wait() == 1
    assert "is in use by another program" in serve.said()


def test_stale_files_never_stop_a_start(data_dir: Path, env: dict[str, str]) -> None:
    for name in ("serve.lock", "supervisor.lock", "write.lock"):
        (data_dir / name).write_text("99999\n")
    (data_dir / "wake").mkdir()
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    directory = os.open(data_dir / "wake", os.O_RDONLY)
    stale.bind(f"/proc/self/fd/{directory}/work.1-00000000.sock")  # a socket's path is short, a test's directory is not
    stale.close()
    os.close(directory)
    (data_dir / "engine-metrics.prom").write_text("not metrics\n")
    with serving(data_dir, env) as serve:
        assert post(serve, "x") == 202


def test_the_lock_of_a_working_command_delays_and_does_not_stop(data_dir: Path, env: dict[str, str]) -> None:
    """A restore holds serve.lock while it works."""
    with (data_dir / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        serve = Serve(data_dir, free_port(), env).start()
        time.sleep(1)
        assert not serve.is_up()
    try:
        serve.wait_until_up()
    finally:
        serve.end()


def test_the_first_start_makes_everything_and_says_where(tmp_path: Path) -> None:
    data_dir = tmp_path / "new"
    env = installation.environment(data_dir)
    started = time.monotonic()
    with serving(data_dir, env) as serve:
        assert time.monotonic() - started < 30  # 3 s on an idle machine; benchmarks/startup.py measures
        until(lambda: "one-time code" in serve.said())
        said = serve.said().partition("Midwatch ")[2].splitlines()
        assert f"http://127.0.0.1:{serve.port}" in said[0]
        assert str(data_dir) in said[1]
        assert str(data_dir / "admin-token") in said[2]
        assert "one-time code" in said[3]
        for name in ("admin-token", "secret-key", "midwatch.sqlite3", "events.sqlite3"):
            assert (data_dir / name).stat().st_mode & 0o777 == 0o600, name
        assert (data_dir / "admin-token").read_text().strip()
        _, body = until(lambda: (answer := serve.ask("/readyz"))[0] == 200 and answer)
        said_of_itself = json.loads(body)
        assert said_of_itself.pop("canary")["state"] in {"none yet", "arrived"}
        assert said_of_itself == {"ready": True, "problems": [], "engine": "ticking"}
        metrics = until(lambda: (text := serve.ask("/metrics")[1].decode()) and "midwatch_ticks_total" in text and text)
        assert "midwatch_events_received_total 0.0" in metrics
        assert 'process_resident_memory_bytes{process="engine"}' in metrics


def test_wrong_settings_end_the_start(data_dir: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "midwatch.cli", "serve", "--port", str(free_port())],
        env={**env, "MIDWATCH_WEB_THREADS": "many"}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "MIDWATCH_WEB_THREADS='many': give whole threads" in done.stderr


def test_a_missing_configuration_directory_ends_the_start(data_dir: Path, env: dict[str, str]) -> None:
    serve = Serve(data_dir, free_port(), env, ["--config", str(data_dir / "nowhere")]).start()
    assert serve.wait() == 1
    assert "there is no such directory" in serve.said()
    assert processes_of(data_dir) == []


def test_before_a_migration_a_backup_is_written(data_dir: Path, env: dict[str, str]) -> None:
    import sqlite3

    with sqlite3.connect(data_dir / "midwatch.sqlite3") as main:  # as if a release had not known the engine yet
        main.execute("DELETE FROM django_migrations WHERE app = 'engine'")
        tables = main.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'engine\\_%' ESCAPE '\\'"
        )
        for (name,) in tables.fetchall():
            main.execute(f"DROP TABLE {name}")
    with serving(data_dir, env) as serve:
        assert post(serve, "x") == 202
    [backup] = (data_dir / "backups").iterdir()
    assert backup.stat().st_size > 1_000
