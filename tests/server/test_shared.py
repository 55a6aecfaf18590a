"""What is the same for everybody is made once a second, also when everybody comes at once, and outlives the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from midwatch.web import shared
from midwatch.web.shared import SharedAnswers

PUBLIC = [(b"Cache-Control", b"public, max-age=5"), (b"ETag", b'"one"'), (b"Content-Length", b"4")]


class Page:
    """An application that counts. `status`, `headers`: of its next answers."""

    def __init__(self) -> None:
        self.count = 0
        self.status = 200
        self.headers = list(PUBLIC)
        self.gate: asyncio.Event | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.count += 1
        if self.gate is not None:
            await self.gate.wait()
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"page"})


async def ask(app: Any, path: str = "/status/shop", method: str = "GET", **headers: str) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    given = [(b"host", b"midwatch.example")]
    given += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": given}
    await app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(shared.time, "monotonic", lambda: now[0])
    return now


def test_made_once_a_second(clock: list[float]) -> None:
    page = Page()
    app = SharedAnswers(page)

    async def story() -> None:
        for _ in range(50):
            assert await ask(app) == (200, b"page")
        assert page.count == 1
        assert await ask(app, if_none_match='"one"') == (304, b"")
        assert await ask(app, method="HEAD") == (200, b"")
        clock[0] += 1.5
        await ask(app)
        assert page.count == 2

    asyncio.run(story())


def test_all_at_once_wait_for_one_and_later_ones_get_what_was_there(clock: list[float]) -> None:
    page = Page()
    app = SharedAnswers(page)

    async def story() -> None:
        page.gate = asyncio.Event()
        crowd = [asyncio.create_task(ask(app)) for _ in range(20)]
        await asyncio.sleep(0)
        page.gate.set()
        assert {await one for one in crowd} == {(200, b"page")}
        assert page.count == 1
        clock[0] += 5
        page.gate = asyncio.Event()
        slow = asyncio.create_task(ask(app))
        await asyncio.sleep(0)
        assert await ask(app) == (200, b"page"), "nobody waits for who makes it anew"
        page.gate.set()
        await slow
        assert page.count == 2

    asyncio.run(story())


def test_when_the_database_is_away_what_was_there_is_shown(clock: list[float]) -> None:
    page = Page()
    app = SharedAnswers(page)

    async def story() -> None:
        await ask(app)
        page.status = 503
        clock[0] += 3600
        assert await ask(app) == (200, b"page")
        page.status = 404
        clock[0] += 2
        assert (await ask(app))[0] == 404, "what was taken away is gone"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "headers", "answers"),
    [
        ("/alerts", {}, PUBLIC),
        ("/status/shop", {"authorization": "Bearer x"}, PUBLIC),
        ("/status/shop", {}, [(b"Cache-Control", b"private, no-cache")]),
        ("/status/shop", {}, [*PUBLIC, (b"Set-Cookie", b"a=1")]),
        ("/status/shop", {}, [*PUBLIC, (b"Vary", b"Cookie")]),
    ],
)
def test_what_is_not_for_everybody_is_kept_for_nobody(
    clock: list[float], path: str, headers: dict[str, str], answers: list[tuple[bytes, bytes]]
) -> None:
    page = Page()
    page.headers = answers
    app = SharedAnswers(page)

    async def story() -> None:
        for _ in range(3):
            assert (await ask(app, path, **headers))[0] == 200
        assert page.count == 3

    asyncio.run(story())


def test_what_is_kept_has_a_limit(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "KEPT_MAX", 2)
    page = Page()
    app = SharedAnswers(page)

    async def story() -> None:
        for name in ("a", "b", "c", "b", "c"):
            await ask(app, f"/status/{name}")
        assert page.count == 3
        await ask(app, "/status/a")
        assert page.count == 4

    asyncio.run(story())
