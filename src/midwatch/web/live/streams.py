"""`/live` as a stream: server-sent events, held open in the event loop, where one costs some memory and no thread.

    id: 4711                      the position; a page that comes back says it (Last-Event-ID, or ?after=)
    event: changed                hello, changed, beat, over (not permitted any more), bye (we restart: come back)
    data: {"topics": ["incident:42"]}

A message only says that something changed; the page asks for its part again, with its tag, and gets 304 or what is new. So a
stream never carries what somebody may not see, and one message too many costs a small request. Every quarter of a minute a
stream beats, in an event of its own so that the page knows it is live, after asking whether its person may still follow.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from midwatch.core import clock
from midwatch.intake.http import App, Receive, Scope, Send, answer
from midwatch.settings import settings
from midwatch.web.live import metrics
from midwatch.web.live.follower import Follower
from midwatch.web.live.views import TOPICS_MAX

PATH = "/live"
BEAT_SECONDS = 15.0
RETRY_MS = 3_000
ASK_SECONDS = 10.0  # for permission; an answer that takes longer is no permission
STUCK_SECONDS = 20.0  # for a client that does not read
LEAVE_SECONDS = 5.0  # a reload is no leaving
IDLE_SECONDS = 60.0  # without a stream, until the follower ends
TOLD_MAX = 100  # topics in one message: more than a stream may have
HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep the events for itself
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(eq=False, slots=True)
class Stream:
    """`why`: it shall end; gone, over, stuck or restart."""

    topics: frozenset[str]
    user_id: int = 0
    changed: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""

    def tell(self, new: Iterable[str]) -> None:
        self.changed.update(new)
        self.woken.set()

    def end(self, why: str) -> None:
        self.why = self.why or why
        self.woken.set()


@dataclass(frozen=True, slots=True)
class Answered:
    """What Django said."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def said(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.body)
        return found


def is_stream(scope: Scope) -> bool:
    """Not for those who poll the same address."""
    if scope["path"] != PATH or scope["method"] != "GET":
        return False
    return any(name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"])


class Live:
    """An ASGI application for what `is_stream` says; `behind` is the lane, which leads to Django."""

    def __init__(self, behind: App) -> None:
        self._behind = behind
        self._streams: set[Stream] = set()
        self._follower: Follower | None = None
        self._ready = asyncio.Event()
        self._position = 0
        self._is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = settings().live_streams_max
        if self._is_ending or len(self._streams) >= most:
            await self._refuse(send, "restart" if self._is_ending else "total", f"{most} pages are live already")
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=100)
        stream = Stream(frozenset([value for name, value in query if name == "topic"][:TOPICS_MAX]))
        self._add(stream)  # before it is permitted and asks what it missed: what changes from now on is heard
        try:
            await self._open(stream, scope, receive, send)
        finally:
            self._remove(stream)

    def end(self) -> None:
        """The process is told to end: all streams at once. Their pages come back, to us or to another node."""
        self._is_ending = True
        for stream in self._streams:
            stream.end("restart")
        if self._follower is not None:
            self._follower.stop()
            self._follower = None

    # --- one stream ---

    async def _open(self, stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._ready.wait()
                said = await self._ask(scope, [])
        except TimeoutError:
            await self._refuse(send, "busy", "the database does not answer in time")
            return
        if said.status != 200:
            metrics.REFUSED.labels(str(said.status)).inc()
            await send({"type": "http.response.start", "status": said.status, "headers": said.headers})
            await send({"type": "http.response.body", "body": said.body})
            return
        permit = said.said()
        stream.user_id = int(permit["user"])
        most = settings().live_streams_per_person
        if sum(other.user_id == stream.user_id for other in self._streams) > most:
            await self._refuse(send, "person", f"you have {most} pages open already")
            return
        self._position = max(self._position, int(permit["position"]))
        stream.changed.update(permit["changed"])
        gone = asyncio.create_task(_gone(receive, stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            await self._serve(stream, scope, send)
        except TimeoutError:
            stream.end("stuck")
        finally:
            gone.cancel()
            metrics.ENDED.labels(stream.why or "cancelled").inc()

    async def _serve(self, stream: Stream, scope: Scope, send: Send) -> None:
        await self._write(send, "hello", {"topics": sorted(stream.topics)}, f"retry: {RETRY_MS}\n")
        beat_at = clock.monotonic() + BEAT_SECONDS
        while not stream.why:
            if stream.changed:
                told = sorted(stream.changed)[:TOLD_MAX]
                stream.changed.clear()
                metrics.MESSAGES.inc()
                await self._write(send, "changed", {"topics": told})
            try:
                async with asyncio.timeout(max(0.0, beat_at - clock.monotonic())):
                    await stream.woken.wait()
            except TimeoutError:
                beat_at = clock.monotonic() + BEAT_SECONDS
                if await self._may_stay(scope):
                    await self._write(send, "beat", {})
                else:
                    stream.end("over")
            stream.woken.clear()
        if stream.why in {"over", "restart"}:
            await self._write(send, "over" if stream.why == "over" else "bye", {})
            await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, event: str, data: Mapping[str, Any], before: str = "") -> None:
        text = f"{before}id: {self._position}\nevent: {event}\ndata: {json.dumps(data)}\n\n"
        async with asyncio.timeout(STUCK_SECONDS):
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _may_stay(self, scope: Scope) -> bool:
        """Not when nobody can say: the page comes back, or polls."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return (await self._ask(scope, [("permit", "1")])).status == 200
        except TimeoutError:
            return False

    async def _ask(self, scope: Scope, more: list[tuple[str, str]]) -> Answered:
        """The same request as an ordinary one: host, session, person and topics are checked where they always are."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=100)
        dropped = {b"content-length", b"transfer-encoding", b"content-encoding", b"expect"}
        asked = {
            **scope,
            "headers": [pair for pair in scope["headers"] if pair[0] not in dropped],
            "query_string": urlencode([*query, *more]).encode(),
        }
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def keep(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._behind(asked, receive, keep)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Answered(int(sent[0]["status"]), list(sent[0]["headers"]), body)

    async def _refuse(self, send: Send, reason: str, why: str) -> None:
        metrics.REFUSED.labels(reason).inc()
        text = json.dumps({"error": f"no stream now ({why}): ask again in a minute, or poll this address"})
        await answer(send, 503, text.encode(), ((b"content-type", b"application/json"), (b"retry-after", b"60")))

    # --- all of them ---

    def _add(self, stream: Stream) -> None:
        self._streams.add(stream)
        metrics.STREAMS.set(len(self._streams))
        if self._follower is None:
            loop = asyncio.get_running_loop()
            self._ready = ready = asyncio.Event()
            self._follower = Follower(
                lambda new, position: _call(loop, self._tell, new, position), lambda: _call(loop, ready.set)
            )

    def _remove(self, stream: Stream) -> None:
        self._streams.discard(stream)
        metrics.STREAMS.set(len(self._streams))
        if self._is_ending:
            return
        loop = asyncio.get_running_loop()
        if stream.user_id and stream.why != "over":
            loop.call_later(LEAVE_SECONDS, self._left, stream.user_id, stream.topics)
        if not self._streams:
            loop.call_later(IDLE_SECONDS, self._rest)

    def _left(self, user_id: int, names: frozenset[str]) -> None:
        here = Counter(name for stream in self._streams if stream.user_id == user_id for name in stream.topics)
        gone = names - here.keys()
        if gone and self._follower is not None:
            self._follower.leave(user_id, gone)

    def _rest(self) -> None:
        if not self._streams and self._follower is not None:
            self._follower.stop()
            self._follower = None

    def _tell(self, new: set[str] | None, position: int) -> None:
        self._position = max(self._position, position)
        for stream in self._streams:
            hit = stream.topics if new is None else stream.topics & new
            if hit:
                stream.tell(hit)


def _call(loop: asyncio.AbstractEventLoop, work: Any, *given: Any) -> None:
    """In the event loop; nothing when it has ended meanwhile."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(work, *given)


async def _gone(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end("gone")
