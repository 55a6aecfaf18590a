"""The application in this process for a browser to look at. Apart from the harness, which a script uses without Django."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.test import Client

from midwatch.people.models import User
from midwatch.server import Address, Server, config
from midwatch.web.bridge import Bridge
from midwatch.web.live.streams import Live, is_stream


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving() -> Iterator[str]:
    """The application on a port of its own, in threads of this process; its address."""
    server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=_Threaded, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


def session(user: User) -> str:
    """The cookie of somebody who is logged in."""
    client = Client()
    with transaction.atomic():
        client.force_login(user)
    return client.cookies["midwatch_session"].value


class Streaming:
    """The application with its streams, on the event loop that it really runs on; ended and started again at will."""

    def __init__(self) -> None:
        self.port = 0
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        pages: Any = get_wsgi_application()
        bridge = Bridge(pages, 4)
        live = Live(bridge)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                while (await receive())["type"] != "lifespan.shutdown":
                    await send({"type": "lifespan.startup.complete"})
                await send({"type": "lifespan.shutdown.complete"})
            elif is_stream(scope):
                await live(scope, receive, send)
            else:
                await bridge(scope, receive, send)

        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._server = Server(config(app, Address(sockets=[listening])), [], live.end)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()

    def end(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
            assert not self._thread.is_alive()


@contextmanager
def streaming() -> Iterator[Streaming]:
    made = Streaming()
    made.start()
    try:
        yield made
    finally:
        made.end()
