"""A runner's own side: what it sends, when the server is away, refuses or wants it to stop; and how it ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from midwatch.core import net
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.integration.guarded import GuardedRunner
from midwatch.core.net import HttpAnswer, HttpRequest, NetError
from midwatch.prepare.runbooks import wire
from midwatch.prepare.runbooks.wire import Hello, Job, job_from, job_values
from midwatch.runner import doing, process
from midwatch.runner.connection import Connection, NotNowError
from midwatch.runner.doing import Doing
from midwatch.runner.process import Means, Process

TOKEN = "mwr_0123456789"
SECRET = "hunter22"
HELLO = Hello("1", "host", "nonce-one", "process-one", ("local",), wait_seconds=0.0)
SECONDS = 20.0


class Server:
    """`net`'s transport: takes what a runner says. `answers[path]`: what comes first, an answer or an error each."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[tuple[int, dict[str, Any]] | Exception]] = {}
        self.tokens: list[str] = []
        self.moved = threading.Condition()

    def http(self, request: HttpRequest) -> HttpAnswer:
        act = request.url.rpartition("/")[2]
        with self.moved:
            self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
            self.said.append((act, json.loads(request.body)))
            planned = self.answers.get(act)
            answer = planned.pop(0) if planned else (200, {"job": None})
            self.moved.notify_all()
        if isinstance(answer, Exception):
            raise answer
        return HttpAnswer(answer[0], {}, json.dumps(answer[1]).encode())

    def smtp(self, request: object) -> None:
        raise AssertionError("runners send no mail")

    def of(self, act: str) -> list[dict[str, Any]]:
        with self.moved:
            return [said for word, said in self.said if word == act]

    def wait(self, condition: Callable[[], Any]) -> None:
        with self.moved:
            assert self.moved.wait_for(condition, SECONDS)

    def text(self) -> str:
        return "".join(piece["text"] for said in self.of("output") for piece in said["pieces"])


class Hands:
    """An executor that does what the test says."""

    EXECUTOR, TITLE, ATTRIBUTES = "local", "test", {}

    def __init__(self, work: Callable[[Output], Outcome]) -> None:
        self._work = work

    def missing(self, config: RunnerConfig) -> str:
        return ""

    def problems(self, task: Task) -> Sequence[str]:
        return ()

    def preview(self, task: Task, config: RunnerConfig) -> Preview:
        return Preview([], "none")

    def run(self, task: Task, out: Output, config: RunnerConfig) -> Outcome:
        return self._work(out)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(doing, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(process, "CLAIM_SECONDS_MIN", 0.02)
    monkeypatch.setattr(wire, "RENEW_SECONDS", 0.02)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with net.installed(made):
        yield made


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return Connection("https://midwatch.example.com/", tmp_path / "token")


def job(step: int = 7) -> Job:
    task = Task("1/a/1", "sh", "true", secrets={"PASSWORD": SECRET})
    return Job(step, 3, 1, "Restart", "local", task)


def done(connection: Connection, work: Callable[[Output], Outcome]) -> Doing:
    made = Doing(job(), connection, {"local": GuardedRunner(Hands(work))}, RunnerConfig())
    assert made.wait(SECONDS)
    return made


def stops(out: Output) -> Outcome:
    """Works until it is told to end."""
    pause = threading.Event()
    while not out.is_cancelled():
        pause.wait(0.005)
    return Outcome("unknown", "ended")


def test_what_it_says_arrives_in_order_masked_and_with_its_number(server: Server, connection: Connection) -> None:
    def work(out: Output) -> Outcome:
        for number in range(100):
            out.write(f"{number} {SECRET} \0\udc80\n")
        return Outcome("ok", f"exit 0, {SECRET}", 0, {"found": "it"})

    done(connection, work)
    assert server.text() == "".join(f"{number} •••••• \ufffd?\n" for number in range(100))
    sent = 0
    for said in server.of("output"):
        assert (said["step"], said["fence"], said["first"]) == (7, 3, sent)
        assert 1 <= len(said["pieces"]) <= wire.PIECES_MAX
        sent += len(said["pieces"])
    (told,) = server.of("outcome")
    assert told["outcome"]["sentence"] == "exit 0, ••••••"
    assert told["outcome"]["values"] == {"found": "it"}
    assert server.said[-1][0] == "outcome"


def test_a_server_that_is_away_for_a_while_misses_nothing(server: Server, connection: Connection) -> None:
    away: list[tuple[int, dict[str, Any]] | Exception] = [NetError("refused"), (503, {}), (200, {})]
    server.answers = {"output": list(away), "outcome": list(away)}

    def work(out: Output) -> Outcome:
        out.write("one\n")
        return Outcome("ok", "exit 0", 0)

    done(connection, work)
    assert [said["first"] for said in server.of("output")] == [0, 0, 0]
    assert len(server.of("outcome")) == 3


def test_it_renews_and_ends_when_somebody_wants_that(server: Server, connection: Connection) -> None:
    server.answers = {"renew": [(200, {"is_cancelled": False}), (200, {"is_cancelled": True})]}
    done(connection, stops)
    assert len(server.of("renew")) == 2
    assert server.of("outcome")[0]["outcome"]["state"] == "unknown"


def test_it_ends_what_is_not_its_own_any_more(server: Server, connection: Connection) -> None:
    server.answers = {"renew": [(409, {"detail": "lost"})], "outcome": [(409, {"detail": "lost"})]}
    done(connection, stops)
    assert len(server.of("outcome")) == 1  # said once, for the record


def test_it_ends_when_it_could_not_keep_its_lease(
    server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LEASE_SECONDS", 0.1)
    server.answers = {"renew": [NetError("away")] * 1_000}
    done(connection, stops)
    assert "was not reached in time" in server.of("outcome")[0]["outcome"]["sentence"]


def test_an_executor_that_is_not_here_has_not_begun(server: Server, connection: Connection) -> None:
    made = Doing(job(), connection, {}, RunnerConfig())
    assert made.wait(SECONDS)
    outcome = server.of("outcome")[0]["outcome"]
    assert (outcome["state"], "not begun" in outcome["sentence"]) == ("failed", True)


def running(connection: Connection, work: Callable[[Output], Outcome]) -> tuple[Process, list[int], threading.Thread]:
    made = Process(connection, HELLO, Means({"local": GuardedRunner(Hands(work))}, RunnerConfig()), 2)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(made.run()), daemon=True)
    thread.start()
    return made, codes, thread


def given(*steps: int) -> dict[str, list[tuple[int, dict[str, Any]] | Exception]]:
    return {"claim": [(200, {"job": job_values(job(step))}) for step in steps]}


def test_told_to_end_it_finishes_what_it_has_and_takes_nothing_new(server: Server, connection: Connection) -> None:
    go = threading.Event()

    def work(out: Output) -> Outcome:
        assert go.wait(SECONDS)
        return Outcome("ok", "exit 0", 0)

    server.answers = given(1, 2)
    made, codes, thread = running(connection, work)
    server.wait(lambda: len([1 for act, _ in server.said if act == "claim"]) >= 2)
    made.on_signal()
    server.wait(lambda: any(said.get("is_draining") for _, said in server.said))
    assert not codes
    go.set()
    thread.join(SECONDS)
    assert codes == [0]
    assert sorted(said["step"] for said in server.of("outcome")) == [1, 2]


def test_told_twice_it_ends_what_it_has(server: Server, connection: Connection) -> None:
    server.answers = given(1)
    made, codes, thread = running(connection, stops)
    server.wait(lambda: any(act == "renew" for act, _ in server.said))
    made.on_signal()
    made.on_signal()
    thread.join(SECONDS)
    assert codes == [1]
    assert server.of("outcome")[0]["outcome"]["state"] == "unknown"


def test_a_claim_whose_answer_was_lost_is_said_again_in_the_same_words(server: Server, connection: Connection) -> None:
    server.answers = {"claim": [NetError("cut"), (200, {"job": None}), (200, {"job": None})]}
    made, codes, thread = running(connection, stops)
    server.wait(lambda: len([1 for act, _ in server.said if act == "claim"]) >= 3)
    made.on_signal()
    thread.join(SECONDS)
    nonces = [said["nonce"] for said in server.of("claim")]
    assert nonces[0] == nonces[1] != nonces[2]
    assert codes == [0]


def test_a_token_that_has_ended_ends_it(server: Server, connection: Connection) -> None:
    server.answers = {"claim": [(401, {"detail": "this runner's token has ended"})]}
    _, codes, thread = running(connection, stops)
    thread.join(SECONDS)
    assert codes == [1]


def test_a_token_that_was_renewed_is_read_again(server: Server, connection: Connection, tmp_path: Path) -> None:
    server.answers = {"claim": [(401, {"detail": "ended"}), (200, {"job": job_values(job())})]}
    (tmp_path / "token").write_text(f"{TOKEN}-anew")
    with pytest.raises(NotNowError, match="another token"):
        connection.claim(HELLO)
    assert connection.claim(HELLO) == job_from(job_values(job()))
    assert server.tokens == [TOKEN, f"{TOKEN}-anew"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("http://midwatch.example.com", "https://"), ("ftp://x", "--url"), ("midwatch.example.com", "--url")],
)
def test_secrets_do_not_travel_in_the_clear(url: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(ValueError, match=sentence):
        Connection(url, tmp_path / "token")
    Connection("http://127.0.0.1:8000", tmp_path / "token")  # this very machine


def test_a_file_without_a_token_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("something else")
    with pytest.raises(ValueError, match="midwatch runner create"):
        Connection("https://midwatch.example.com", tmp_path / "token")
