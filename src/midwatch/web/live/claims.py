"""Runners that ask for work are kept waiting in the event loop, where one costs some memory and neither a thread nor a
connection of the database: the same request is asked again every second, as an ordinary one, until there is something to do
or the time is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from midwatch.core import clock
from midwatch.intake.http import App, GoneError, Receive, Scope, Send, TooLargeError, answer, read_body, read_head
from midwatch.prepare.runbooks.wire import CLAIM_PATH, WAIT_SECONDS_MAX
from midwatch.web.live import metrics

AGAIN_SECONDS = 1.0
BODY_SECONDS = 10.0
BODY_MAX = 64 * 1024
WAITING_MAX = 2_000  # more are answered at once, and ask again by themselves
NOTHING = b'{"job": null}'


def is_claim(scope: Scope) -> bool:
    return bool(scope["path"] == CLAIM_PATH and scope["method"] == "POST")


class Claims:
    """An ASGI application for what `is_claim` says; `behind` is the lane, which leads to Django."""

    def __init__(self, behind: App) -> None:
        self._behind = behind
        self._ending = asyncio.Event()
        self._waiting = 0

    def end(self) -> None:
        """The process is told to end: every runner hears that there is nothing, and asks another node."""
        self._ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = read_head(scope["headers"])
        head.encoding = b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(receive, head, BODY_MAX)
        except GoneError:
            return
        except (TimeoutError, TooLargeError):
            await answer(send, 413, b'{"code": "too_large", "detail": "a claim is a small JSON body, sent at once"}')
            return
        gone = asyncio.create_task(_gone(receive))
        ending = asyncio.create_task(self._ending.wait())
        self._waiting += 1
        metrics.CLAIMS.set(self._waiting)
        try:
            status, headers, said = await self._wait(scope, body, gone, ending)
        finally:
            self._waiting -= 1
            metrics.CLAIMS.set(self._waiting)
            gone.cancel()
            ending.cancel()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    async def _wait(
        self, scope: Scope, body: bytes, gone: asyncio.Task[None], ending: asyncio.Task[Any]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        until = clock.monotonic() + _wanted(body)
        while True:
            status, headers, said = await self._ask(scope, body)
            left = until - clock.monotonic()
            if status != 200 or said.strip() != NOTHING or left <= 0 or self._waiting > WAITING_MAX:
                return status, headers, said
            done, _ = await asyncio.wait(
                (gone, ending), timeout=min(AGAIN_SECONDS, left), return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                return status, headers, said

    async def _ask(self, scope: Scope, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        dropped = {b"content-length", b"transfer-encoding", b"expect"}
        headers = [pair for pair in scope["headers"] if pair[0] not in dropped]
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        asked = {**scope, "headers": [*headers, (b"content-length", b"%d" % len(body))]}
        await self._behind(asked, receive, keep)
        said = b"".join(message.get("body", b"") for message in sent[1:])
        return int(sent[0]["status"]), list(sent[0]["headers"]), said


def _wanted(body: bytes) -> float:
    """For how long it wants to wait. What is wrong with the body Django says."""
    try:
        found = json.loads(body)["wait_seconds"]
        return min(WAIT_SECONDS_MAX, max(0.0, float(found)))
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0.0


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
