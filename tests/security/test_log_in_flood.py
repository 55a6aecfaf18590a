"""A flood of log-ins takes neither the machine nor the threads that serve pages."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from django.test import Client

from midwatch.people import passwords


@pytest.mark.django_db
def test_who_finds_no_room_is_told_so_at_once_and_nothing_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(*_args: object, **_named: object) -> bool:
        raise AssertionError("no room, and still a hash")

    given = {"username": "ana", "password": "guess"}
    with ExitStack() as others, monkeypatch.context() as patched:
        for _ in range(passwords.LOGINS_AT_ONCE):
            assert others.enter_context(passwords.turn())
        patched.setattr(passwords.Argon2id, "verify", hashed)
        answer = Client().post("/login", given)
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) > 0
        assert "Try again in a few seconds" in answer.content.decode()
        assert Client().get("/login").status_code == 200
    assert Client().post("/login", given).status_code == 422, "the room is given back"


def test_a_turn_is_never_waited_for() -> None:
    told: list[bool] = []
    with ExitStack() as others:
        for _ in range(passwords.LOGINS_AT_ONCE):
            others.enter_context(passwords.turn())
        thread = threading.Thread(target=lambda: others.enter_context(_note(told)))
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
    assert told == [False]


def _note(told: list[bool]) -> ExitStack:
    stack = ExitStack()
    told.append(stack.enter_context(passwords.turn()))
    return stack
