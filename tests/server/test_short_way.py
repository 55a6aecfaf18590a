"""The short way of plain events, on real connections: the same answers as the lane's, in order, whatever the pieces."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import free_port, until

from midwatch import server
from midwatch.intake import protocol
from midwatch.intake.lane import Lane
from midwatch.intake.records import LogError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "intake"))
from lane_client import GENERIC, PAGERDUTY, Client

EVENT = b'{"title": "disk full"}'


class App:
    """A lane with a log in memory, as an ASGI application; counts what did not take the short way."""

    def __init__(self) -> None:
        self.parts = Client()
        self.lane: Lane = self.parts.lane
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                self.parts.writer.start()
                self.parts.keys.start()
                await self.parts.writer.opened(5)
                self.watching = asyncio.create_task(self.lane.watch())
                await send({"type": "lifespan.startup.complete"})
            self.watching.cancel()
            self.parts.keys.stop()
            await self.parts.writer.stop(5)
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.calls += 1
        await self.lane(scope, receive, send)


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    port = free_port()
    uvicorn_server = server.Server(server.config(made, server.Address(port=port)), [])
    thread = threading.Thread(target=uvicorn_server.run, daemon=True)
    thread.start()
    until(lambda: uvicorn_server.started)
    made.port = port  # type: ignore[attr-defined]
    answers = talk(made, request())  # the key is in memory now
    assert answers == [202]
    made.calls = 0
    made.parts.store.rows.clear()
    yield made
    uvicorn_server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def request(
    body: bytes = EVENT, key: str = GENERIC, *headers: str, method: str = "POST", version: str = "1.1"
) -> bytes:
    lines = [f"{method} /in/{key} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def talk(app: App, *pieces: bytes, count: int = 1, is_closed: bool = False) -> list[int]:
    """Statuses of the answers on one connection; each piece leaves by itself."""
    with socket.create_connection(("127.0.0.1", app.port), 10) as connection:  # type: ignore[attr-defined]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index, piece in enumerate(pieces):
            connection.sendall(piece)
            if index < len(pieces) - 1:
                threading.Event().wait(0.02)
        reader = connection.makefile("rb")
        statuses = []
        for _ in range(count):
            statuses.append(int(reader.readline().split()[1]))
            length = 0
            while (line := reader.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            said = reader.read(length)
            assert json.loads(said) if said.startswith(b"{") else said
        assert not is_closed or reader.read(1) == b""
        return statuses


def kept(app: App) -> list[tuple[str, bytes]]:
    return [(kind, body) for kind, _, _, body in app.parts.kept]


def test_a_plain_event_is_kept_without_the_lane(app: App) -> None:
    assert talk(app, request() + request(b'{"title": "two"}'), count=2) == [202, 202]
    assert kept(app) == [("event", EVENT), ("event", b'{"title": "two"}')]
    assert app.calls <= 1, "the second of two that come at once waits its turn, the usual way"
    assert talk(app, request(EVENT, GENERIC, "Content-Type: application/json", "X-Other: 1"), count=1) == [202]
    assert app.parts.store.rows[-1][4] == "application/json"
    assert len({row[0] for row in app.parts.store.rows}) == 3, "each has an id of its own"


def test_answers_keep_the_order_of_the_requests(app: App) -> None:
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    wrong = request(EVENT, "f" * 32)
    assert talk(app, request() + health + request() + wrong + request(), count=5) == [202, 200, 202, 401, 202]
    assert len(kept(app)) == 3


def test_a_request_may_come_in_pieces(app: App) -> None:
    whole = request()
    assert talk(app, whole[:30], whole[30:-10], whole[-10:-1], whole[-1:]) == [202]
    assert kept(app) == [("event", EVENT)]
    assert app.calls == 0
    assert app.lane.arriving == {}


def test_a_body_that_is_slow_goes_the_usual_way(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.0)
    whole = request()
    with socket.create_connection(("127.0.0.1", app.port), 10) as connection:  # type: ignore[attr-defined]
        connection.sendall(whole[:-5])
        until(lambda: app.calls == 1)
        connection.sendall(whole[-5:])
        assert connection.recv(1_000).startswith(b"HTTP/1.1 202 ")
    assert kept(app) == [("event", EVENT)]


@pytest.mark.parametrize(
    ("sent", "status", "records"),
    [
        (request(b"{broken"), 400, [("refused", b"{broken")]),
        (request(b"[1]"), 400, [("refused", b"[1]")]),
        (request(b""), 400, [("refused", b"")]),
        (request(gzip.compress(EVENT), GENERIC, "Content-Encoding: gzip"), 202, [("event", EVENT)]),
        (request(EVENT, "g" * 32), 401, []),
        (request(b"", method="PUT"), 405, [("refused", b"")]),
        (request(b'{"title": "%s"}' % (b"x" * 100_000)), 202, [("event", b'{"title": "%s"}' % (b"x" * 100_000))]),
        (request(b"{}", PAGERDUTY), 400, [("refused", b"{}")]),
        (request(EVENT, GENERIC + "/"), 202, [("event", EVENT)]),
        (b"POST /in/%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n%s\r\n0\r\n\r\n" % (GENERIC.encode(), EVENT),
         202, [("event", EVENT)]),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_the_lanes(app: App, sent: bytes, status: int, records: list[tuple[str, bytes]]) -> None:
    assert talk(app, sent) == [status]
    assert kept(app) == records


def test_who_wants_the_connection_closed_gets_that(app: App) -> None:
    assert talk(app, request(EVENT, GENERIC, "Connection: close"), is_closed=True) == [202]
    assert talk(app, request(EVENT, version="1.0"), is_closed=True) == [202]


def test_a_log_that_fails_is_503_and_the_sender_may_come_again(app: App) -> None:
    app.parts.store.failure = LogError("the disk is full")
    with socket.create_connection(("127.0.0.1", app.port), 10) as connection:  # type: ignore[attr-defined]
        for _ in range(2):
            connection.sendall(request())
            answer = connection.recv(1_000)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 5\r\n" in answer
        app.parts.store.failure = None
        until(lambda: not app.parts.writer.problem)
        connection.sendall(request())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 202 ")


def test_a_sender_that_leaves_harms_nobody(app: App) -> None:
    with socket.create_connection(("127.0.0.1", app.port), 10) as connection:  # type: ignore[attr-defined]
        connection.sendall(request())
    with socket.create_connection(("127.0.0.1", app.port), 10) as connection:  # type: ignore[attr-defined]
        connection.sendall(request()[:-3])
    assert talk(app, request()) == [202]
    until(lambda: not app.lane.arriving)
