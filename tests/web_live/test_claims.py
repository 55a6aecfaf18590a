"""Runners that wait for work: asked again for them every second, until there is some, the time is over, or somebody goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest

from midwatch.web.live import claims
from midwatch.web.live.claims import NOTHING, Claims, is_claim

SCOPE: dict[str, Any] = {"type": "http", "path": "/api/v1/runners/claim", "method": "POST", "headers": []}
JOB = b'{"job": {"step": 1}}'


class Django:
    """Answers one after the other; the last one again and again."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.on_asked: Callable[[], None] = lambda: None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive())["body"])
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})
        self.on_asked()


def ask(app: Claims, said: dict[str, Any], gone: asyncio.Event | None = None) -> tuple[int, bytes]:
    return asyncio.run(_asked(app, said, gone))


async def _asked(app: Claims, said: dict[str, Any], gone: asyncio.Event | None = None) -> tuple[int, bytes]:
    body = json.dumps(said).encode()
    waiting: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        if waiting:
            return waiting.pop()
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await asyncio.wait_for(app(dict(SCOPE), receive, send), 20)
    return int(sent[0]["status"]), bytes(sent[1]["body"])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "AGAIN_SECONDS", 0.001)


def test_only_claims_are_kept_waiting() -> None:
    assert is_claim(SCOPE)
    assert not is_claim({**SCOPE, "method": "GET"})
    assert not is_claim({**SCOPE, "path": "/api/v1/runners/renew"})


def test_it_is_asked_again_in_the_same_words_until_there_is_a_step() -> None:
    django = Django((200, NOTHING), (200, NOTHING), (200, JOB))
    assert ask(Claims(django), {"wait_seconds": 20}) == (200, JOB)
    assert django.bodies == [b'{"wait_seconds": 20}'] * 3


@pytest.mark.parametrize("said", [{"wait_seconds": 0}, {}, {"wait_seconds": "long"}, {"wait_seconds": -1}])
def test_who_does_not_want_to_wait_is_answered_at_once(said: dict[str, Any]) -> None:
    django = Django((200, NOTHING))
    assert ask(Claims(django), said) == (200, NOTHING)
    assert len(django.bodies) == 1


def test_what_is_refused_is_not_asked_again() -> None:
    django = Django((401, b'{"code": "unauthorized"}'))
    assert ask(Claims(django), {"wait_seconds": 20})[0] == 401
    assert len(django.bodies) == 1


def test_when_the_process_ends_all_hear_that_there_is_nothing() -> None:
    django = Django((200, NOTHING))
    app = Claims(django)
    django.on_asked = app.end
    assert ask(app, {"wait_seconds": 20}) == (200, NOTHING)


def test_nothing_is_claimed_for_a_runner_that_has_gone() -> None:
    django = Django((200, NOTHING), (200, NOTHING), (200, JOB))
    gone = asyncio.Event()
    django.on_asked = gone.set
    assert ask(Claims(django), {"wait_seconds": 20}, gone) == (200, NOTHING)
    assert len(django.bodies) == 1


def test_a_body_that_is_too_long_is_turned_away() -> None:
    django = Django((200, NOTHING))
    assert ask(Claims(django), {"wait_seconds": 1, "host": "x" * 100_000})[0] == 413
    assert django.bodies == []
