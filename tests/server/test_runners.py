"""The real program with runners as processes of their own: one is killed in the middle of a step, one is drained; and what
they were given in secret is nowhere to be read afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Serve, serving, until

import installation

pytestmark = pytest.mark.slow
SECRET = "correct-horse-battery-42"
STEP = """---
title: {name}
---
```sh {{"name": "only", "kind": "auto", "executor": "local", "runnerTags": "{tag}", "timeout": "2m"{more}}}
{body}
```
"""


class Desk:
    """`runbook_desk.py` on the installation's data directory."""

    def __init__(self, env: dict[str, str]) -> None:
        program = Path(__file__).with_name("runbook_desk.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "ready"

    def ask(self, *words: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return self._line()

    def start(self, name: str, tag: str, body: str, more: str = "") -> int:
        found: int = self.ask("start", name, STEP.format(name=name, tag=tag, body=body, more=more))
        return found

    def step(self, number: int) -> list[Any]:
        found: list[Any] = self.ask("steps", number)[0]
        return found

    def wait(self, number: int, state: str, seconds: float = 30.0) -> list[Any]:
        until(lambda: self.step(number)[0] == state, seconds)
        return self.step(number)

    def _line(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


class Runner:
    """`midwatch runner` as its own process, which knows nothing of the installation but address and token."""

    def __init__(self, place: Path, port: int, name: str, token: str) -> None:
        home = place / name
        home.mkdir()
        (home / "token").write_text(token)
        self.log = home / "log"
        env = {key: value for key, value in installation.environment(home).items() if not key.startswith("MIDWATCH_")}
        command = [sys.executable, "-m", "midwatch.cli", "runner", "--url", f"http://127.0.0.1:{port}"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--token-file", str(home / "token"), "--name", f"host-of-{name}"],
                env=env,
                cwd=home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self, number: int, seconds: float = 30.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    data_dir = tmp_path / "data"
    with serving(data_dir, installation.environment(data_dir)) as found:
        yield found


@pytest.fixture
def desk(serve: Serve) -> Iterator[Desk]:
    made = Desk(dict(serve.env))
    yield made
    made.close()


def test_one_is_killed_one_is_drained_and_no_secret_is_left_anywhere(serve: Serve, desk: Desk, tmp_path: Path) -> None:
    desk.ask("secret", "db", SECRET)
    runners = {name: Runner(tmp_path, serve.port, name, desk.ask("runner", name, [name])) for name in ("one", "two")}
    try:
        killed = desk.start("killed", "one", "echo begun; sleep 20; echo never told")
        twice = desk.start("again", "one", "sleep 20", ', "idempotent": "yes"')
        for number in (killed, twice):
            desk.wait(number, "running")
        runners["one"].end(signal.SIGKILL)
        _secrets_reach_the_step_and_nothing_else(desk, tmp_path, serve)
        drained = desk.start("drained", "two", "echo begun; sleep 4; echo finished")
        desk.wait(drained, "running")
        two = runners["two"].process
        two.send_signal(signal.SIGTERM)
        until(lambda: desk.ask("runners")["two"][0] == "draining")
        waiting = desk.start("waiting", "two", "echo nobody takes this")
        assert desk.wait(drained, "ok")[2] == 0
        assert desk.ask("output", drained) == "begun\nfinished\n"
        assert two.wait(20) == 0, runners["two"].log.read_text()
        _, by, _, sentence = desk.wait(killed, "unknown", 80)
        assert (by, "one was lost" in sentence) == ("one", True), sentence
        desk.wait(twice, "queued", 20)  # may be done twice: it waits for another runner of these tags
        assert desk.step(waiting)[0] == "queued"
        logs = serve.said() + "".join(one.log.read_text() for one in runners.values())
        assert SECRET not in logs
        assert "Traceback" not in logs
    finally:
        for one in runners.values():
            one.end(signal.SIGKILL)


def _secrets_reach_the_step_and_nothing_else(desk: Desk, tmp_path: Path, serve: Serve) -> None:
    """Searched byte for byte: database, write-ahead log, every other file, a backup, pages."""
    body = 'echo "it is $DB_PASSWORD"; printf %s "user:$DB_PASSWORD" | base64; printf %s "$DB_PASSWORD" | sha256sum'
    told = desk.start("told", "two", body, ', "secrets": "DB_PASSWORD=db"')
    assert desk.wait(told, "ok")[2] == 0, desk.ask("output", told)
    output = desk.ask("output", told)
    assert output.startswith("it is ••••••\n"), output
    assert hashlib.sha256(SECRET.encode()).hexdigest() in output, output  # it came whole
    code = base64.b64encode(SECRET.encode()).decode()[:20]
    inside = base64.b64encode(b"user:" + SECRET.encode()).decode()[8:28]
    subprocess.run(
        [sys.executable, "-m", "midwatch.cli", "backup", str(tmp_path / "backup.tar.gz")],
        env=dict(serve.env),
        check=True,
    )
    with tarfile.open(tmp_path / "backup.tar.gz") as archive:
        archive.extractall(tmp_path / "backup", filter="data")
    for place in (serve.data_dir, tmp_path / "backup"):
        files = [path for path in place.rglob("*") if path.is_file()]
        assert any(path.name == "midwatch.sqlite3" for path in files)
        for path in files:
            found = path.read_bytes()
            for form in (SECRET, code, inside):
                assert form.encode() not in found, path
    pages = desk.ask("pages", [f"/executions/{told}", "/runbooks", "/secrets", "/settings/audit", "/metrics"])
    assert pages[f"/executions/{told}"][0] == pages["/secrets"][0] == 200
    for path, (_, text) in pages.items():
        assert not any(form in text for form in (SECRET, code, inside)), path
