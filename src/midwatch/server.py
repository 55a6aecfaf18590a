"""The web process: the intake lane first, Django behind it on a thread pool, what stays open (`web.live`) beside it, one
event loop in front.

Django runs as WSGI: for a small view with three middlewares that served 743 to 990 requests/s, where Django's own ASGI
handler gave 223 to 240 in the same run. Import this module after `django.setup()`.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from midwatch.api import chat_socket
from midwatch.core.guard import guarded
from midwatch.core.integration import sources
from midwatch.intake import state
from midwatch.intake.http import App, Receive, Scope, Send
from midwatch.intake.keys import SourceKeys, table
from midwatch.intake.lane import Lane
from midwatch.intake.log import store
from midwatch.intake.protocol import Protocol
from midwatch.intake.writer import Writer
from midwatch.settings import settings
from midwatch.web.bridge import Bridge
from midwatch.web.live.claims import Claims, is_claim
from midwatch.web.live.streams import Live, is_stream
from midwatch.web.shared import SharedAnswers

log = logging.getLogger("midwatch.server")

FLUSH_SECONDS = 5.0
OPEN_SECONDS = 5.0
GRACE_SECONDS = 1  # for requests under way when the process is told to end
KEEP_ALIVE_SECONDS = 75  # longer than senders keep theirs: closing first would cost one of them an event
SWITCH_SECONDS = 0.001  # of the interpreter's lock: a page being rendered must not hold up the lane for 5 ms


class Application:
    """The lane, and the life of its threads."""

    def __init__(self, behind: App) -> None:
        given = settings()
        retention = timedelta(days=given.event_retention_days)
        self.writer = Writer(store(), queue_max=given.intake_queue_max, retention=retention)
        self.keys = SourceKeys(table())
        self.lane = Lane(self.writer, self.keys, sources(), behind)
        self.live = Live(self.lane)
        self.claims = Claims(self.lane)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http" if is_stream(scope):
                await self.live(scope, receive, send)
            case "http" if is_claim(scope):
                await self.claims(scope, receive, send)
            case "http":
                await self.lane(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1000})  # nothing here speaks it

    def end(self) -> None:
        """What stays open ends now: the process is told to end."""
        self.live.end()
        self.claims.end()

    async def _live(self, receive: Receive, send: Send) -> None:
        watching: asyncio.Task[NoReturn] | None = None
        warming: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.writer.start()
                self.keys.start()
                watching = asyncio.create_task(self.lane.watch())
                await self.writer.opened(OPEN_SECONDS)
                state.writer = self.writer
                warming = asyncio.create_task(asyncio.to_thread(guarded, "web.warm_up", warm_up, otherwise=None))
                await send({"type": "lifespan.startup.complete"})
            else:
                if watching is not None and warming is not None:
                    watching.cancel()
                    warming.cancel()
                self.keys.stop()
                if not await self.writer.stop(FLUSH_SECONDS):
                    log.error("events that were not accepted yet are dropped: the event log did not take them in time")
                await send({"type": "lifespan.shutdown.complete"})
                return


def warm_up() -> None:
    """Load the pages' code before somebody waits for the first one; meanwhile events are taken already."""
    list(get_resolver().url_patterns)


def application() -> Application:
    """Everything of one web process, as an ASGI application."""
    pages: Any = get_wsgi_application()  # Django's stubs have their own words for WSGI
    return Application(SharedAnswers(Bridge(pages, settings().web_threads)))


@dataclass(slots=True)
class Address:
    """Where to listen: a socket that the supervisor has bound, or a host and a port."""

    host: str = "127.0.0.1"
    port: int = 8000
    sockets: list[socket.socket] = field(default_factory=list)


class Server(uvicorn.Server):
    """uvicorn's server, telling when it is ready, and ending with an exit code instead of the signal once more."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Iterable[Callable[[], None]], on_end: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._on_ready = list(on_ready)
        self._on_end = on_end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            for tell in self._on_ready:
                tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_end()  # what stays open would be waited for
        await super().shutdown(sockets=sockets)


def _raise_file_limit() -> None:
    """Each sender keeps a connection open: as many as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def config(app: Any, address: Address) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        loop="uvloop",
        http=Protocol,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,  # paths hold keys
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # Django's middleware reads them, from trusted proxies only
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=2048,
    )


def run(address: Address, on_ready: Callable[[], None] = lambda: None) -> int:
    """Serve until told to end by SIGTERM or SIGINT. Returns the exit code."""
    sys.setswitchinterval(SWITCH_SECONDS)
    _raise_file_limit()
    app = application()
    chats = chat_socket.holders()
    server = Server(config(app, address), [on_ready, *(chat.start for chat in chats)], app.end)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=address.sockets or None))
    for chat in chats:
        chat.stop()
    return 0 if server.started else 1
