"""The few pieces of HTTP that the lane needs: bounded bodies, small answers."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

READ_TO_END_MAX = 64 * 1024 * 1024  # of a body that is too large: so far, so that its sender can read why
CONTENT_TYPE_MAX = 100
START_BYTES = 4_096
JSON_TYPE = (b"content-type", b"application/json")
TEXT_TYPE = (b"content-type", b"text/plain; charset=utf-8")


class GoneError(Exception):
    """The client went away in the middle of its request."""


class TooLargeError(Exception):
    """`size` bytes were read (or announced) and the limit is less. `is_at_end`: nothing of the body is left unread.

    `start`: its first bytes, which may say whose it is.
    """

    def __init__(self, size: int, *, is_at_end: bool, start: bytes = b"") -> None:
        super().__init__(size)
        self.size = size
        self.is_at_end = is_at_end
        self.start = start[:START_BYTES]


class EncodingError(ValueError):
    """The body's Content-Encoding cannot be undone. The message is for the sender."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Head:
    """The headers that matter here."""

    content_type: str = ""
    encoding: bytes = b""
    length: int = 0
    is_waiting: bool = False  # Expect: 100-continue: the body comes only when we ask for it


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    head = Head()
    for name, value in headers:
        if name == b"content-type":
            text = value[:CONTENT_TYPE_MAX].decode("latin-1")
            head.content_type = text if text.isprintable() and text.isascii() else ""
        elif name == b"content-encoding":
            head.encoding = value.strip().lower()
        elif name == b"content-length":
            head.length = int(value) if value.isdigit() else 0
        elif name == b"expect":
            head.is_waiting = True
    return head


async def read_body(receive: Receive, head: Head, limit: int) -> bytes:
    """The whole body, inflated. Raises `TooLargeError`, `EncodingError`, `GoneError`."""
    if head.length > limit and head.is_waiting:
        raise TooLargeError(head.length, is_at_end=False)
    message = await receive()
    if message["type"] != "http.request":
        raise GoneError
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _read_rest(receive, body, limit)
    if len(body) > limit:
        raise TooLargeError(len(body), is_at_end=True, start=body)
    return inflate(body, head.encoding, limit) if head.encoding else body


async def _read_rest(receive: Receive, start: bytes, limit: int) -> bytes:
    parts = [start]  # what comes first is a piece of a network read, 64 KiB as a rule
    size = len(start)
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise GoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            parts.append(chunk)
        else:
            parts.clear()  # read on, keep nothing
        if not message.get("more_body"):
            break
        if size > READ_TO_END_MAX:
            raise TooLargeError(size, is_at_end=False, start=start)
    if size > limit:
        raise TooLargeError(size, is_at_end=True, start=start)
    return b"".join(parts)


def replayed(body: bytes, rest: Receive) -> Receive:
    """A `receive` that gives the body that was read already, and then what the client does next."""
    messages: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await rest()

    return receive


def inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    """Undo gzip or deflate, never beyond `limit` bytes."""
    if encoding == b"identity":
        return body
    if encoding not in {b"gzip", b"x-gzip", b"deflate"}:
        raise EncodingError("this Content-Encoding is not understood: send the body plain or with gzip", 415)
    parts: list[bytes] = []
    size = 0
    while body:
        machine = zlib.decompressobj(wbits=47)  # finds out by itself whether it is gzip or zlib
        try:
            parts.append(machine.decompress(body, limit + 1 - size))
        except zlib.error:
            raise EncodingError(f"the body is not what Content-Encoding says ({encoding.decode()})", 400) from None
        size += len(parts[-1])
        if size > limit:
            raise TooLargeError(size, is_at_end=True, start=parts[0])
        if not machine.eof:
            raise EncodingError("the compressed body is cut off", 400)
        body = machine.unused_data  # gzip may have several members, one after the other
    return b"".join(parts)


async def answer(
    send: Send,
    status: int,
    body: bytes,
    headers: Iterable[tuple[bytes, bytes]] = (JSON_TYPE,),
    *,
    is_head: bool = False,
) -> None:
    given = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": b"" if is_head else body})
