"""Django as WSGI on a pool of threads, behind the lane's event loop: one hop there and one back for a request.

The lane reads a request to its end before Django sees it, and an answer leaves in one piece. So a thread belongs to a
request only while Django works on it, however slow the client is; only answers of many megabytes are sent in parts.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from midwatch.intake.http import GoneError, Receive, Scope, Send

WHOLE_BYTES_MAX = 4 * 1024 * 1024  # of an answer; what is behind that is sent as the client takes it
Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[bytes, bytes]]
_PLAIN = {"content-length": "CONTENT_LENGTH", "content-type": "CONTENT_TYPE"}


class Bridge:
    """An ASGI application made of a WSGI one."""

    def __init__(self, app: Wsgi, threads: int) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = environ_of(scope)
        if "CONTENT_LENGTH" in environ:  # the lane has set it to what it has read
            environ["wsgi.input"] = BytesIO(await _body(receive))
        loop = asyncio.get_running_loop()
        work = _Work(self._app, environ, loop, send)
        context = contextvars.copy_context()  # what a request activates (a time zone) ends with it
        body = await loop.run_in_executor(self._pool, context.run, work.do)
        if not work.is_started:
            await send(work.start)
        await send({"type": "http.response.body", "body": body})


class _Work:
    """One request, in a thread of the pool."""

    def __init__(self, app: Wsgi, environ: Environ, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self.start: MutableMapping[str, Any] = {}
        self.is_started = False
        self._app = app
        self._environ = environ
        self._loop = loop
        self._send = send

    def do(self) -> bytes:
        """The answer's body, or what is left of it."""
        parts: list[bytes] = []
        size = 0
        answer = self._app(self._environ, self._start_response)
        try:
            for part in answer:
                parts.append(part)
                size += len(part)
                if size > WHOLE_BYTES_MAX:
                    self._send_part(b"".join(parts))
                    parts.clear()
                    size = 0
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        return b"".join(parts)

    def _send_part(self, body: bytes) -> None:
        messages: list[MutableMapping[str, Any]] = [{"type": "http.response.body", "body": body, "more_body": True}]
        if not self.is_started:
            self.is_started = True
            messages.insert(0, self.start)
        for message in messages:
            asyncio.run_coroutine_threadsafe(self._sent(message), self._loop).result()

    async def _sent(self, message: MutableMapping[str, Any]) -> None:
        await self._send(message)

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        """WSGI's; Django uses neither `exc_info` nor the writer that this might return."""
        given: Headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.start = {"type": "http.response.start", "status": int(status[:3]), "headers": given}


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] != "http.request":
        raise GoneError
    body: bytes = message.get("body", b"")
    assert not message.get("more_body"), "the lane reads bodies to their end"
    return body


def environ_of(scope: Scope) -> Environ:
    """WSGI's words for an ASGI request."""
    host, port = scope.get("server") or ("localhost", 80)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("ascii"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    client = scope.get("client")
    if client is not None:
        environ["REMOTE_ADDR"] = client[0]
        environ["REMOTE_PORT"] = str(client[1])
    for key, value in _headers(scope["headers"]):
        if key in environ:
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + value
        else:
            environ[key] = value
    return environ


def _headers(headers: Headers) -> Iterator[tuple[str, str]]:
    for raw, value in headers:
        name = raw.decode("latin-1")
        yield _PLAIN.get(name) or "HTTP_" + name.upper().replace("-", "_"), value.decode("latin-1")
