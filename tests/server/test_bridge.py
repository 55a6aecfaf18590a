"""Django behind the event loop: what WSGI is told, and how its answers leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from midwatch.web import bridge
from midwatch.web.bridge import Bridge, Environ

SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/alerts/žluť",
    "query_string": b"q=a%20b",
    "server": ("127.0.0.1", 8000),
    "client": ("192.0.2.7", 4242),
    "headers": [(b"host", b"midwatch.example"), (b"cookie", b"a=1"), (b"x-two", b"1"), (b"x-two", b"2"), (b"cookie", b"b=2")],
}  # fmt: skip


def ask(app: Callable[..., Iterable[bytes]], scope: dict[str, Any] = SCOPE, body: bytes = b"") -> list[dict[str, Any]]:
    """The messages that leave."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(Bridge(app, 1)(scope, receive, send))
    return sent


def test_what_wsgi_is_told() -> None:
    seen: Environ = {}

    def app(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read(), thread=threading.current_thread().name)
        start("204 No Content", [("X-Said", "yes")])
        return []

    post = {**SCOPE, "method": "POST", "headers": [*SCOPE["headers"], (b"content-length", b"5")]}
    start, body = ask(app, post, b"hello")
    assert start == {"type": "http.response.start", "status": 204, "headers": [(b"X-Said", b"yes")]}
    assert body == {"type": "http.response.body", "body": b""}
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/alerts/žluť"
    assert seen["QUERY_STRING"] == "q=a%20b"
    assert (seen["REMOTE_ADDR"], seen["HTTP_HOST"]) == ("192.0.2.7", "midwatch.example")
    assert (seen["HTTP_COOKIE"], seen["HTTP_X_TWO"]) == ("a=1; b=2", "1,2")
    assert (seen["CONTENT_LENGTH"], seen["body"]) == ("5", b"hello")
    assert seen["thread"].startswith("web"), "never in the event loop's own thread"


class Closing(list[bytes]):
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_an_answer_leaves_in_one_piece_and_is_closed() -> None:
    parts = Closing([b"a" * 10, b"b" * 10])

    def app(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        return parts

    sent = ask(app)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b"a" * 10 + b"b" * 10
    assert parts.is_closed, "Django ends the request there"


def test_a_very_large_answer_leaves_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "WHOLE_BYTES_MAX", 15)

    def app(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        return (b"x" * 10 for _ in range(5))

    sent = ask(app)
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert [len(message.get("body", b"")) for message in sent[1:]] == [20, 20, 10]
    assert [message.get("more_body", False) for message in sent[1:]] == [True, True, False]


def test_a_fault_is_the_servers_to_answer() -> None:
    def app(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        ask(app)
