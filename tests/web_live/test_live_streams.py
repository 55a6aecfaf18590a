"""Streams in this process, over the real bridge and the real Django: who may listen, what is heard, when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.wsgi import get_wsgi_application
from django.db import connections, transaction
from django.test import Client

from midwatch.core import clock, topics
from midwatch.core.models import Presence, TopicEvent
from midwatch.core.topics import Topic
from midwatch.people.models import User
from midwatch.settings import settings
from midwatch.web.bridge import Bridge
from midwatch.web.live import follower, streams
from midwatch.web.live.streams import Live, is_stream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
SECONDS = 20.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (("BEAT_SECONDS", 0.05), ("LEAVE_SECONDS", 0.02), ("IDLE_SECONDS", 0.0)):
        monkeypatch.setattr(streams, name, value)
    monkeypatch.setattr(follower, "BREATH_SECONDS", 0.01)
    monkeypatch.setattr(follower, "POLL_SECONDS", 0.05)
    rooms = {
        "room": Topic("room", lambda user, key: user.name != "eve" or key == "open", has_presence=True),
        "quiet": Topic("quiet", lambda user, key: True),
    }
    monkeypatch.setattr(topics, "known", lambda: rooms)
    yield
    with transaction.atomic():
        TopicEvent.objects.all().delete()
        Presence.objects.all().delete()


def person(name: str = "ana") -> User:
    with transaction.atomic():
        return User.objects.create(name=name, display_name=name.title(), time_zone="UTC", created_at=clock.now())


def cookie_of(user: User) -> tuple[Client, bytes]:
    client = Client()
    with transaction.atomic():
        client.force_login(user)
    return client, f"midwatch_session={client.cookies['midwatch_session'].value}".encode()


def touch(*names: str) -> None:
    with transaction.atomic():
        topics.touch(*names)


def long_ago() -> int:
    """All that was, was long ago. The position."""
    with transaction.atomic():
        TopicEvent.objects.update(at=clock.now() - topics.LATE * 3)
    return topics.latest()


class Ear:
    """One browser's stream."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.is_over = False
        self.moved = asyncio.Event()
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
        else:
            self.body += message.get("body", b"")
            self.is_over = not message.get("more_body", False)
        self.moved.set()

    @property
    def events(self) -> list[tuple[str, list[str], int]]:
        """(event, topics, position), without beats."""
        found = []
        for block in self.body.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines())
            if lines and lines["event"] != "beat":
                found.append((lines["event"], json.loads(lines["data"]).get("topics", []), int(lines["id"])))
        return found

    @property
    def names(self) -> list[str]:
        return [event for event, _, _ in self.events]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                self.moved.clear()
                await self.moved.wait()


def scope(cookie: bytes, query: str, **headers: str) -> dict[str, Any]:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/live",
        "query_string": query.encode(), "server": ("127.0.0.1", 8000), "client": ("192.0.2.7", 4242),
        "headers": [(b"host", b"midwatch.example"), (b"accept", b"text/event-stream"), (b"cookie", cookie), *given],
    }  # fmt: skip


@asynccontextmanager
async def listening(live: Live, cookie: bytes, query: str, **headers: str) -> AsyncIterator[Ear]:
    ear = Ear()
    task = asyncio.create_task(live(scope(cookie, query, **headers), ear.receive, ear.send))
    try:
        await ear.until(lambda: ear.status)
        yield ear
    finally:
        ear.gone.set()
        async with asyncio.timeout(SECONDS):
            await task


def run(story: Callable[[Live], Awaitable[None]]) -> None:
    async def told() -> None:
        bridge = Bridge(get_wsgi_application(), 4)  # type: ignore[arg-type]
        live = Live(bridge)
        try:
            await story(live)
        finally:
            live.end()
            bridge._pool.submit(connections.close_all).result()
            bridge._pool.shutdown()

    asyncio.run(told())


in_thread = sync_to_async


def test_what_changes_is_heard_and_nothing_else() -> None:
    _, cookie = cookie_of(person())

    async def story(live: Live) -> None:
        async with listening(live, cookie, "topic=quiet:1&topic=quiet:2&after=0") as ear:
            assert ear.status == 200
            assert ear.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
            assert ear.headers[b"x-accel-buffering"] == b"no"
            await ear.until(lambda: "changed" in ear.names)
            assert ear.events[0][:2] == ("hello", ["quiet:1", "quiet:2"])
            assert ear.events[1][:2] == ("changed", ["quiet:1", "quiet:2"]), "its position is not known"
            await in_thread(touch)("quiet:2", "quiet:3")
            await ear.until(lambda: len(ear.events) == 3)
            event, names, position = ear.events[2]
            assert (event, names) == ("changed", ["quiet:2"])
            assert position == await in_thread(topics.latest)()
            await ear.until(lambda: ear.body.count(b"event: beat") > 2)
            assert len(ear.events) == 3

    run(story)


def test_who_comes_back_is_told_what_was_missed() -> None:
    _, cookie = cookie_of(person())
    touch("quiet:1")
    at = long_ago()

    async def story(live: Live) -> None:
        async with listening(live, cookie, f"topic=quiet:1&after={at}") as ear:
            await ear.until(lambda: ear.body.count(b"event: beat") > 1)
            assert ear.names == ["hello"]
        await in_thread(touch)("quiet:1")
        async with listening(live, cookie, "topic=quiet:1&after=0", last_event_id=str(at)) as ear:
            await ear.until(lambda: "changed" in ear.names)

    run(story)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("topic=room:1", 403),
        ("topic=room:open&topic=room:1", 403),
        ("topic=nothing:1", 403),
        ("topic=room:%3Cscript%3E", 403),
        ("topic=%00", 403),
        ("", 400),
        ("&".join(f"topic=quiet:{number}" for number in range(11)), 400),
    ],
)
def test_what_is_not_for_you_is_no_stream(query: str, status: int) -> None:
    _, cookie = cookie_of(person("eve"))

    async def story(live: Live) -> None:
        async with listening(live, cookie, query) as ear:
            await ear.until(lambda: ear.is_over)
            assert ear.status == status
            assert b"<script>" not in ear.body
            assert not live._streams

    run(story)


def test_nobody_is_told_to_log_in() -> None:
    async def story(live: Live) -> None:
        async with listening(live, b"midwatch_session=none", "topic=quiet:1") as ear:
            await ear.until(lambda: ear.is_over)
            assert ear.status == 401

    run(story)


@pytest.mark.parametrize("how", ["log-out", "turned off", "not permitted any more", "password"])
def test_a_stream_ends_with_the_right_to_it(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    user = person()
    client, cookie = cookie_of(user)

    def lose() -> None:
        with transaction.atomic():
            match how:
                case "log-out":
                    client.logout()
                case "turned off":
                    User.objects.filter(pk=user.pk).update(is_active=False)
                case "password":
                    User.objects.filter(pk=user.pk).update(password="another")
                case _:
                    monkeypatch.setattr(topics, "known", dict)

    async def story(live: Live) -> None:
        async with listening(live, cookie, "topic=quiet:1") as ear:
            await ear.until(lambda: b"event: beat" in ear.body)
            await in_thread(lose)()
            await ear.until(lambda: ear.is_over)
            assert ear.names[-1] == "over"

    run(story)


def test_there_is_a_limit_for_each_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_LIVE_STREAMS_MAX", "4")
    monkeypatch.setenv("MIDWATCH_LIVE_STREAMS_PER_PERSON", "2")
    settings.cache_clear()
    cookies = [cookie_of(person(name))[1] for name in ("ana", "bo")]

    async def story(live: Live) -> None:
        async with (
            listening(live, cookies[0], "topic=quiet:1") as one,
            listening(live, cookies[0], "topic=quiet:1") as two,
            listening(live, cookies[0], "topic=quiet:1") as three,
            listening(live, cookies[1], "topic=quiet:1") as other,
        ):
            assert [ear.status for ear in (one, two, three, other)] == [200, 200, 503, 200]
            assert three.headers[b"retry-after"] == b"60"
            assert b"you have 2 pages open already" in three.body
            async with listening(live, cookies[1], "topic=quiet:1") as four:
                assert four.status == 200
                async with listening(live, cookies[1], "topic=quiet:1") as five:
                    assert five.status == 503
                    assert b"4 pages are live already" in five.body

    try:
        run(story)
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_the_end_of_the_process_ends_all_at_once() -> None:
    _, cookie = cookie_of(person())

    async def story(live: Live) -> None:
        async with listening(live, cookie, "topic=quiet:1") as one, listening(live, cookie, "topic=quiet:2") as two:
            live.end()
            for ear in (one, two):
                await ear.until(lambda ear=ear: ear.is_over)
                assert ear.names[-1] == "bye"
            async with listening(live, cookie, "topic=quiet:1") as late:
                assert late.status == 503

    run(story)


def test_who_looks_is_known_to_every_node_and_a_reload_is_no_leaving() -> None:
    ana, bo = person("ana"), person("bo")
    cookies = [cookie_of(user)[1] for user in (ana, bo)]
    present = in_thread(lambda: topics.present("room:open"))

    async def story(live: Live) -> None:
        other = Live(live._behind)
        async with listening(live, cookies[0], "topic=room:open") as ear:
            await ear.until(lambda: "changed" in ear.names)
            async with listening(other, cookies[1], "topic=room:open") as second:
                await ear.until(lambda: ear.names.count("changed") >= 2)
                assert await present() == [ana.pk, bo.pk]
                assert second.status == 200
                async with listening(other, cookies[1], "topic=room:open") as again:
                    assert again.status == 200
                await asyncio.sleep(streams.LEAVE_SECONDS * 3)
                assert await present() == [ana.pk, bo.pk], "one of two pages was closed"
            heard = ear.names.count("changed")
            async with listening(other, cookies[0], "topic=quiet:1"):
                await ear.until(lambda: ear.names.count("changed") > heard)
                assert await present() == [ana.pk]
        other.end()

    run(story)


def test_who_polls_the_same_address_is_answered_the_same() -> None:
    client, cookie = cookie_of(person())
    assert not is_stream({**scope(cookie, ""), "headers": []})
    assert client.get("/live?topic=quiet:1", headers={"host": "midwatch.example"}).json()["changed"] == ["quiet:1"]
    touch("quiet:1")
    at = long_ago()
    asked = f"/live?topic=quiet:1&topic=room:open&after={at}"
    assert client.get(asked, headers={"host": "midwatch.example"}).json()["changed"] in ([], ["room:open"])
    touch("quiet:1")
    assert "quiet:1" in client.get(asked, headers={"host": "midwatch.example"}).json()["changed"]
    for after in ("-1", "9" * 30, "x", "\u0663"):
        assert client.get("/live", {"topic": "quiet:1", "after": after}, headers={"host": "midwatch.example"}).json()[
            "changed"
        ]
