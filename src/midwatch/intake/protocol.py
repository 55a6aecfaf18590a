"""The server's protocol, with a short way for the commonest request there is: a plain event with a key that is known.

Such an event needs no task, no ASGI scope and no future: its row goes to the writer when its last byte is parsed, and its
answer is written when the batch is on disk. Whatever is not plain (another method or address, a key that is not in memory, a
large, packed or broken body, a source that answers in its own words, no room) goes the usual way through the lane, which
alone decides about refusals.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from midwatch.core import clock
from midwatch.intake.decode import BrokenError, decode_object
from midwatch.intake.http import Head, read_head
from midwatch.intake.lane import CLOSE, Lane, RefusalError, busy
from midwatch.intake.records import EVENT, LogError, microseconds
from midwatch.intake.writer import FullError

SILENT_SECONDS = 30.0  # for a connection's first request, and for the rest of any request's headers
PLAIN_BODY_MAX = 60 * 1024  # below the amount at which the protocol stops to read until somebody takes the body
BODY_SECONDS = 2.0  # a plain event that takes longer to arrive goes the usual way, which has the time limit
PLACE: Final = b"/in/"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\n"


class _NobodyWaits:
    """In place of the `asyncio.Event` that a task would wait for."""

    def set(self) -> None:
        pass


class PlainEvent:
    """An event on the short way. For the protocol it is the request under way (uvicorn's `RequestResponseCycle`, as far as
    the protocol looks at it), for the writer it is who waits for the row."""

    message_event = _NobodyWaits()

    def __init__(self, protocol: Protocol, source_id: int, head: Head, *, keep_alive: bool) -> None:
        self.protocol = protocol
        self.source_id = source_id
        self.content_type = head.content_type
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.more_body = True
        self.response_complete = False
        self.disconnected = False
        self.token = ""

    # --- what the writer asks and says ---

    def done(self) -> bool:
        return self.response_complete

    def set_result(self, result: None) -> None:
        self._answer(ACCEPTED, b'{"status":"accepted","event_id":"%s"}' % self.token.encode())

    def set_exception(self, error: LogError) -> None:
        refusal = busy(str(error))
        self._answer(BUSY, refusal.body, refusal)

    def _answer(self, status: bytes, body: bytes, refusal: RefusalError | None = None) -> None:
        self.response_complete = True
        protocol = self.protocol
        transport = protocol.transport
        if transport.is_closing():
            return
        headers = [*protocol.server_state.default_headers, *(refusal.headers if refusal is not None else ())]
        if not self.keep_alive:
            headers.append(CLOSE)
        lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        length = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        transport.write(status + lines + length + body)
        if not self.keep_alive:
            transport.close()
        protocol.on_response_complete()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with the short way, and without patience for connections that say nothing or not all of their
    headers."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lane: Lane | None = getattr(self.app, "lane", None)
        self._is_in_head = False
        self._head_timer: asyncio.TimerHandle | None = None

    # --- time limits ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(SILENT_SECONDS, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head and self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(SILENT_SECONDS, self._close_if_silent)
        event: Any = self.cycle
        if type(event) is PlainEvent and event.more_body and self._lane is not None:
            self._lane.arriving.setdefault(event, time.monotonic() + BODY_SECONDS)

    def _close_if_silent(self) -> None:
        """Still no request, or one whose headers began so long ago."""
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is None or (self._is_in_head and self.cycle.response_complete):
            self.transport.close()
        elif self._is_in_head:  # the request before it is still being answered
            self._head_timer = self.loop.call_later(SILENT_SECONDS, self._close_if_silent)

    # --- the short way ---

    def on_message_begin(self) -> None:
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        event = self._plain_event() if self.url.startswith(PLACE) else None
        if event is None:
            super().on_headers_complete()
        else:
            self.cycle = event  # type: ignore[assignment]

    def _plain_event(self) -> PlainEvent | None:
        lane = self._lane
        before = self.cycle
        if lane is None or self.parser.get_method() != b"POST" or self.parser.should_upgrade():
            return None
        if self.pipeline or (before is not None and not before.response_complete):
            return None  # its turn comes later
        source = lane.plain_source(self.url[len(PLACE) :].decode("ascii", "replace"))
        if source is None:
            return None
        head = read_head(self.headers)
        is_packed = bool(head.encoding) or head.is_waiting
        if is_packed or not 0 < head.length <= PLAIN_BODY_MAX or self.parser.get_http_version() != "1.1":
            return None  # of unknown length (chunked) too
        return PlainEvent(self, source, head, keep_alive=self.parser.should_keep_alive())

    def on_message_complete(self) -> None:
        event: Any = self.cycle
        if type(event) is not PlainEvent:
            super().on_message_complete()
            return
        assert self._lane is not None, "it made the event"
        event.more_body = False
        self._lane.arriving.pop(event, None)
        body = bytes(event.body)
        event.token = os.urandom(16).hex()
        at = microseconds(clock.now())
        try:
            decode_object(body)
            self._lane.writer.hand_in((event.token, event.source_id, EVENT, at, event.content_type, "", body), event)
        except (BrokenError, FullError):
            self.hand_over(event)

    def hand_over(self, event: PlainEvent) -> None:
        """The usual way after all, while the parser is still at this request."""
        current: Any = self.cycle
        parser: Any = self.parser  # None: the connection is gone
        if self._lane is None or current is not event or parser is None:
            return
        self._lane.arriving.pop(event, None)
        event.response_complete = True  # by somebody else
        self.cycle = None  # type: ignore[assignment]
        super().on_headers_complete()
        self.cycle.body += event.body
        self.cycle.more_body = event.more_body
        if event.body or not event.more_body:
            self.cycle.message_event.set()
