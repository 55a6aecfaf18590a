"""A small threaded HTTP server that records what it got and answers as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Recorded:
    """One request. `headers`: names in lower case. `status`: what it was answered with."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(self.form_items)

    @property
    def form_items(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_seconds: float = 0.0


def json_reply(status: int, content: object, **headers: str) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})


class Heard:
    """Something that happens, and can be waited for without sleeping."""

    def __init__(self) -> None:
        self.changed = threading.Condition()

    def wait_for(self, predicate: Callable[[Self], Any], timeout: float = 10.0) -> Any:
        """The first true value of `predicate(self)`. Raises AssertionError when there is none in time."""
        with self.changed:
            found = self.changed.wait_for(lambda: predicate(self), timeout)
        assert found, f"{type(self).__name__}: it did not happen within {timeout} s; heard: {self.heard()}"
        return found

    def heard(self) -> object:
        raise NotImplementedError


class FakeServer(Heard):
    """Subclasses say what they answer in `respond`; `fail_next` and `answers_with` go before it."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self.requests: list[Recorded] = []
        self._next: list[Reply] = []
        self._always: Reply | None = None
        self._closed = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                parts = urlsplit(self.path)
                recorded = Recorded(
                    self.command,
                    parts.path,
                    parts.query,
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                reply = fake.take(recorded)
                if reply.after_seconds:
                    fake._closed.wait(reply.after_seconds)
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.write(reply.body)
                except OSError:
                    pass  # the client gave up first, which is what some tests are about
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, request: Recorded) -> Reply:
        with self.changed:
            if self._next:
                reply = self._next.pop(0)
            elif self._always is not None:
                reply = self._always
            else:
                reply = self.respond(request)
            self.requests.append(request)
            self.changed.notify_all()
        return reply

    def respond(self, request: Recorded) -> Reply:
        """What a healthy one answers. Called with the lock held."""
        return Reply()

    def fail_next(self, status: int, times: int = 1, body: bytes = b"", **headers: str) -> None:
        with self.changed:
            self._next += [Reply(status, body, dict(headers))] * times

    def answers_with(self, reply: Reply | None) -> None:
        """From now on, whatever comes; None: healthy again."""
        with self.changed:
            self._always = reply

    def hangs(self, seconds: float = 60.0) -> None:
        """Takes requests and answers nothing for so long, or until closed."""
        self.answers_with(Reply(200, after_seconds=seconds))

    def heard(self) -> object:
        return [f"{request.method} {request.path}" for request in self.requests]

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
