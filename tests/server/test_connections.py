"""Connections that say nothing do not stay; those under way do not keep the process from ending."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from running import free_port, until

from midwatch import server
from midwatch.intake import protocol


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, but /hang never."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/hang":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[server.Server, int]]:
    monkeypatch.setattr(protocol, "SILENT_SECONDS", 0.3)
    port = free_port()
    made = server.Server(server.config(app, server.Address(port=port)), [])
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    until(lambda: made.started)
    yield made, port
    made.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(10)
    return connection.recv(100) == b""


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_connection_that_never_asks_is_closed(running: tuple[server.Server, int], said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running[1])) as silent:
        silent.sendall(said)
        assert is_closed(silent)


def test_a_connection_that_asked_stays(running: tuple[server.Server, int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running[1], timeout=10)
    for _ in range(3):
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.read() == b""
        assert "server" not in answer.headers
        kept = connection.sock
        time.sleep(0.25)
    assert connection.sock is kept
    connection.close()


def test_an_end_does_not_wait_for_a_request_that_hangs(running: tuple[server.Server, int]) -> None:
    made, port = running
    with socket.create_connection(("127.0.0.1", port)) as hanging:
        hanging.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: made.server_state.tasks)
        started = time.monotonic()
        made.should_exit = True
        until(lambda: not made.server_state.tasks)
        assert time.monotonic() - started < 5  # a second of grace, on an idle machine


def test_a_later_request_that_never_ends_its_headers_is_closed(running: tuple[server.Server, int]) -> None:
    with socket.create_connection(("127.0.0.1", running[1])) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(1_000).startswith(b"HTTP/1.1 200 ")
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert is_closed(slow)
