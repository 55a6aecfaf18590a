"""The lane without a socket: ASGI calls, a log and a table of keys in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from midwatch.core.integration import sources
from midwatch.intake.keys import KnownSource, SourceKeys, UnreadableError
from midwatch.intake.lane import Lane
from midwatch.intake.records import LogError, Row
from midwatch.intake.writer import Writer

GENERIC = "0123456789abcdef0123456789abcdef"
PAGERDUTY = "fedcba9876543210fedcba9876543210"
ALERTMANAGER = "00112233445566778899aabbccddeeff"
GONE = "ffffffffffffffffffffffffffffffff"
KEYS = {
    GENERIC: KnownSource(1, "generic"),
    PAGERDUTY: KnownSource(2, "pagerduty"),
    ALERTMANAGER: KnownSource(3, "alertmanager"),
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class MemoryStore:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.failure: LogError | None = None

    def open(self) -> None: ...

    def write(self, rows: Sequence[Row]) -> None:
        self.check()
        self.rows.extend(rows)

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def prune(self, before: Any, limit: int) -> int:
        return 0

    def close(self) -> None: ...


class MemoryTable:
    is_readable = True

    def read(self, keys: Sequence[str]) -> Mapping[str, KnownSource]:
        if not self.is_readable:
            raise UnreadableError("gone")
        return {key: KEYS[key] for key in keys if key in KEYS}

    def close(self) -> None: ...


async def _django(scope: Any, receive: Any, send: Any) -> None:
    """Tells what it was given."""
    message = await receive()
    told = {
        "headers": {name.decode(): value.decode("latin-1") for name, value in scope["headers"]},
        "query": scope["query_string"].decode("ascii"),
        "body": message.get("body", b"").decode(),
    }
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class Client:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.table = MemoryTable()
        self.writer = Writer(self.store, queue_max=1_000, retention=timedelta(days=1))
        self.keys = SourceKeys(self.table)
        self.lane = Lane(self.writer, self.keys, sources(), _django)

    @property
    def kept(self) -> list[tuple[str, int, dict[str, Any], bytes]]:
        """(kind, source, minted, body) of every record."""
        return [(row[2], row[1], json.loads(row[5] or "{}"), row[6]) for row in self.store.rows]

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        receive: Callable[[], Awaitable[Any]] | None = None,
        query: bytes = b"",
    ) -> Answer:
        parts = [body] if isinstance(body, bytes) else list(body)
        messages = [
            {"type": "http.request", "body": part, "more_body": at < len(parts) - 1} for at, part in enumerate(parts)
        ]
        given = {"content-length": str(sum(map(len, parts))), **(headers or {})}

        async def next_message() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        }
        await self.lane(scope, receive or next_message, send)
        if not sent:
            return Answer(0, {}, b"")
        head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], head, b"".join(message["body"] for message in sent[1:]))

    async def post(self, path: str, value: Any, **headers: str) -> Answer:
        return await self.call("POST", path, json.dumps(value).encode(), headers)


def with_lane(work: Callable[[Client], Awaitable[None]]) -> Client:
    """Runs `work` with a lane that is open."""
    client = Client()

    async def main() -> None:
        client.writer.start()
        client.keys.start()
        await client.writer.opened(5)
        watching = asyncio.create_task(client.lane.watch())
        try:
            await asyncio.wait_for(work(client), 30)
        finally:
            watching.cancel()
            client.keys.stop()
            await client.writer.stop(5)

    asyncio.run(main())
    return client
