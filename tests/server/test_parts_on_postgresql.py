"""`midwatch web` and `midwatch engine` as separate processes on PostgreSQL, whose server goes away and comes back."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from running import free_port, serving, until

import installation
import postgres

pytestmark = pytest.mark.postgresql
KEY = installation.GENERIC_KEY


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """Not the suite's: this one is stopped."""
    with postgres.running() as made:
        yield made


@pytest.fixture
def env(server: postgres.Server, tmp_path: Path) -> dict[str, str]:
    made = installation.environment(tmp_path / "data", server.create_database("parts"))
    installation.prepare(made)
    return made


class Part:
    """One verb of the command line, running."""

    def __init__(self, env: dict[str, str], directory: Path, *arguments: str) -> None:
        self.log = directory / f"{arguments[0]}.log"
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "midwatch.cli", *arguments]
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def end(self, number: int = signal.SIGTERM) -> int:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(20)


def ask(port: int, path: str, body: object = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def is_up(port: int) -> bool:
    try:
        return ask(port, "/healthz")[0] == 200
    except OSError:
        return False


def kept(server: postgres.Server) -> list[str]:
    with server.connect("parts") as connection:
        rows = connection.execute("SELECT body FROM intake_event WHERE kind = 'event' ORDER BY id").fetchall()
    return [json.loads(bytes(body))["title"] for (body,) in rows]  # type: ignore[call-overload]


def test_a_database_that_goes_away_costs_no_accepted_event(
    server: postgres.Server, env: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    web = Part(env, tmp_path, "web", "--port", str(port))
    accepted: list[str] = []

    def post(title: str) -> int:
        status, _ = ask(port, f"/in/{KEY}", {"title": title})
        if status == 202:
            accepted.append(title)
        return status

    try:
        until(lambda: is_up(port), 60)
        assert post("before") == 202
        server.stop()
        assert post("away") == 503
        assert ask(port, f"/in/{'f' * 32}", {})[0] == 503  # not 401: nobody can know
        server.start_again()
        until(lambda: post("after") == 202)
        with server.connect("parts") as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        assert post("a failover costs no sender anything") == 202
        os.kill(web.process.pid, signal.SIGKILL)
    finally:
        web.end()
    assert set(accepted) <= set(kept(server))


def test_the_engine_alone_has_its_own_health_port(server: postgres.Server, env: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    engine = Part(env, tmp_path, "engine", "--health-port", str(port))
    try:
        until(lambda: is_up(port), 60)
        until(lambda: b"midwatch_ticks_total 0.0" not in ask(port, "/metrics")[1])
        assert ask(port, "/else")[0] == 404
    finally:
        assert engine.end() == 0


def test_an_engine_waits_for_the_upgrade(server: postgres.Server, tmp_path: Path) -> None:
    env = installation.environment(tmp_path / "data", server.create_database("parts"))
    engine = Part(env, tmp_path, "engine")
    try:
        until(lambda: "migrations are pending" in engine.log.read_text(), 60)
        installation.prepare(env)

        def has_ticked() -> bool:
            with server.connect("parts") as connection:
                return (
                    connection.execute("SELECT 1 FROM engine_node WHERE ticked_at IS NOT NULL").fetchone() is not None
                )

        until(has_ticked)
    finally:
        assert engine.end() == 0


def test_two_upgrades_at_once(server: postgres.Server, tmp_path: Path) -> None:
    """The second waits for the first and finds nothing to do."""
    env = installation.environment(tmp_path / "data", server.create_database("parts"))
    code = "import django; django.setup(); from midwatch.startup import upgrade; print(len(upgrade()))"
    both = [subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) for _ in range(2)]
    applied = sorted(int(process.communicate(timeout=60)[0]) for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert applied[0] == 0
    assert applied[1] > 10
    with psycopg.connect(server.url("parts")) as connection:
        assert connection.execute("SELECT count(*) FROM intake_consumer").fetchone() == (1,)


def test_serve_on_postgresql_waits_for_the_upgrade(server: postgres.Server, tmp_path: Path) -> None:
    env = installation.environment(tmp_path / "data", server.create_database("parts"))
    with serving(tmp_path / "data", env) as serve:
        status, body = serve.ask("/readyz")
        assert status == 503
        assert "midwatch upgrade" in body.decode()
        assert serve.ask(f"/in/{KEY}", "POST", b"{}")[0] == 503
        installation.prepare(env)
        until(lambda: serve.ask("/readyz")[0] == 200)
        assert serve.ask(f"/in/{KEY}", "POST", b'{"title": "x"}')[0] == 202
    assert kept(server) == ["x"]
