"""Answers that are the same for everybody, kept for a second in front of Django: a status page in the news is asked for by
thousands, and made once a second at most.

Only what says so itself is kept (`Cache-Control: public`, 200, no cookie), only below `/status/`, and only when nobody
said who they are. While one request makes it anew, the others get what was there. When making it fails because the
database is away, what was there is shown for as long as this process lives: a status page is read exactly then.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from midwatch.intake.http import App, Receive, Scope, Send

PREFIX = "/status/"
FRESH_SECONDS = 1.0
KEPT_MAX = 300
BODY_BYTES_MAX = 1024 * 1024
_DISTINGUISHING = (b"host", b"x-forwarded-host", b"x-forwarded-proto")
SERVED = Counter(
    "midwatch_shared_answers", "Answers that were the same for everybody, given without making them again."
)
Headers = list[tuple[bytes, bytes]]
Key = tuple[str, bytes, tuple[bytes, ...]]


@dataclass(slots=True)
class Answer:
    headers: Headers
    body: bytes
    etag: bytes
    at: float
    is_being_made: bool = False


class SharedAnswers:
    """An ASGI application around another one. Runs in one event loop, so it needs no lock."""

    def __init__(self, behind: App) -> None:
        self._behind = behind
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self._first: dict[Key, asyncio.Event] = {}  # being made for the first time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._behind(scope, receive, send)
            return
        found = self._kept.get(key)
        if found is None and key in self._first:
            await self._first[key].wait()
            found = self._kept.get(key)
        now = time.monotonic()
        if found is not None and (found.is_being_made or now - found.at < FRESH_SECONDS):
            self._kept.move_to_end(key)
            SERVED.inc()
            await _give(found, scope, send)
            return
        await self._make(key, found, scope, receive, send)

    async def _make(self, key: Key, before: Answer | None, scope: Scope, receive: Receive, send: Send) -> None:
        if before is not None:
            before.is_being_made = True
        else:
            self._first[key] = asyncio.Event()
        heard = _Heard(send)
        try:
            plain = [(name, value) for name, value in scope["headers"] if name != b"if-none-match"]
            await self._behind({**scope, "method": "GET", "headers": plain}, receive, heard)
        finally:
            if before is not None:
                before.is_being_made = False
            else:
                self._first.pop(key).set()
        if heard.is_passed_on:
            return
        made = heard.shared()
        if made is not None:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        elif before is not None and heard.status >= 500:
            made = before
            before.at = time.monotonic()
        elif before is not None:
            del self._kept[key]  # gone, or private now
        if made is not None:
            await _give(made, scope, send)
        else:
            await heard.replay(is_head=scope["method"] == "HEAD")


class _Heard:
    """What the application answers, held back; what is too large or comes in parts goes straight on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: MutableMapping[str, Any] = {}
        self._body = b""
        self.is_passed_on = False

    @property
    def status(self) -> int:
        return int(self._start.get("status", 500))

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if self.is_passed_on:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start = message
        elif message.get("more_body") or len(message.get("body", b"")) > BODY_BYTES_MAX:
            self.is_passed_on = True
            await self._send(self._start)
            await self._send(message)
        else:
            self._body = message.get("body", b"")

    def shared(self) -> Answer | None:
        """As it may be given to others, or None."""
        headers: Headers = list(self._start.get("headers", ()))
        named = {name.lower(): value for name, value in headers}
        is_public = named.get(b"cache-control", b"").startswith(b"public")
        if self.status != 200 or not is_public or {b"set-cookie", b"vary"} & named.keys():
            return None
        return Answer(headers, self._body, named.get(b"etag", b""), time.monotonic())

    async def replay(self, *, is_head: bool) -> None:
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": b"" if is_head else self._body})


def _key(scope: Scope) -> Key | None:
    path: str = scope["path"]
    if not path.startswith(PREFIX) or scope["method"] not in {"GET", "HEAD"}:
        return None
    told = dict.fromkeys(_DISTINGUISHING, b"")
    for name, value in scope["headers"]:
        if name == b"authorization":
            return None
        if name in told:
            told[name] = value
    return path, scope["query_string"], tuple(told.values())


async def _give(found: Answer, scope: Scope, send: Send) -> None:
    wanted = next((value for name, value in scope["headers"] if name == b"if-none-match"), b"")
    is_known = bool(found.etag) and found.etag in wanted
    headers = found.headers
    if is_known:
        headers = [pair for pair in headers if pair[0].lower() not in {b"content-length", b"content-type"}]
    await send({"type": "http.response.start", "status": 304 if is_known else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_known or scope["method"] == "HEAD" else found.body})
