"""Socket mode: the same conversation over a socket that we open. A real WebSocket on loopback; the acts are the story's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from fakes.slack import APP_TOKEN, FakeSlack, FakeSockets
from midwatch.api import chat_socket
from midwatch.api.chat_socket import Holder, Lease
from midwatch.core import clock
from midwatch.core.talking import Asked
from midwatch.engine.models import Chore
from midwatch.integrations.slack import stream
from midwatch.settings import settings


class Free:
    """A lease that is there, until it is not."""

    def __init__(self) -> None:
        self.is_mine = True
        self.was_given_back = False

    def keep(self) -> bool:
        return self.is_mine

    def give_back(self) -> None:
        self.was_given_back = True


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    with FakeSlack() as fake:
        for name, value in {**fake.settings, "MIDWATCH_SLACK_APP_TOKEN": APP_TOKEN}.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        yield fake
    settings.cache_clear()


@pytest.fixture
def sockets(slack: FakeSlack) -> Iterator[FakeSockets]:
    with FakeSockets(slack.workspace) as fake:
        yield fake


def answers(words: str) -> Any:
    def respond(talk: Any, asked: Asked, config: Any) -> tuple[str, bytes]:
        heard.append(asked)
        return talk.answer(asked, words, config)  # type: ignore[no-any-return]

    heard: list[Asked] = []
    respond.heard = heard  # type: ignore[attr-defined]
    return respond


@pytest.fixture
def held(sockets: FakeSockets) -> Iterator[tuple[Free, Any]]:
    lease, respond = Free(), answers("You have #12.")
    holder = Holder(stream, lease, respond)
    holder.start()
    sockets.wait(lambda: sockets.opened)
    yield lease, respond
    holder.stop()
    holder._thread.join(10)
    assert lease.was_given_back


def test_a_command_is_answered_in_its_acknowledgement(slack: FakeSlack, sockets: FakeSockets, held: Any) -> None:
    body = slack.workspace.command("UANA", "ack 12")
    sockets.send(sockets.envelope("slash_commands", body, "e-1"))
    (_, said) = sockets.wait(lambda: sockets.said and sockets.said[0])
    assert said["envelope_id"] == "e-1"
    assert said["payload"]["text"] == "You have #12."
    (asked,) = held[1].heard
    assert (asked.verb, asked.who, asked.text, asked.trigger) == ("command", "UANA", "ack 12", "trigger-1")


def test_a_button_is_acknowledged_bare_and_its_words_are_whispered(
    slack: FakeSlack, sockets: FakeSockets, held: Any
) -> None:
    body = slack.workspace.press("UANA", "midwatch-acknowledge", "12", "C1")
    sockets.send(sockets.envelope("interactive", body, "e-2", takes_answer=False))
    (_, said) = sockets.wait(lambda: sockets.said and sockets.said[0])
    assert said == {"envelope_id": "e-2"}
    assert slack.workspace.whispers[0]["text"] == "You have #12."
    assert (held[1].heard[0].verb, held[1].heard[0].number) == ("acknowledge", 12)


def test_what_takes_longer_is_acknowledged_in_time_and_told_later(
    slack: FakeSlack, sockets: FakeSockets, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_socket, "ANSWER_SECONDS", 0.01)
    go_on = threading.Event()
    respond = held[1]

    def slow(conversation: Any, asked: Asked) -> bytes:
        assert go_on.wait(20)
        return respond(conversation._talk, asked, conversation._config)[1]  # type: ignore[no-any-return]

    monkeypatch.setattr(chat_socket.Conversation, "_body", slow)
    sockets.send(sockets.envelope("slash_commands", slack.workspace.command("UANA", "ack 12", "C1"), "e-3"))
    (_, said) = sockets.wait(lambda: sockets.said and sockets.said[0])
    assert said == {"envelope_id": "e-3"}
    go_on.set()
    slack.wait_for(lambda fake: fake.workspace.whispers)
    assert slack.workspace.whispers[0]["text"] == "You have #12."


def test_a_warning_opens_the_next_socket_before_the_old_one_ends(
    slack: FakeSlack, sockets: FakeSockets, held: Any
) -> None:
    sockets.send({"type": "disconnect", "reason": "warning", "debug_info": {}}, 0)
    sockets.wait(lambda: len(sockets.opened) == 2)
    sockets.send(sockets.envelope("slash_commands", slack.workspace.command("UANA", "list"), "e-4"), 1)
    (number, said) = sockets.wait(lambda: sockets.said and sockets.said[0])
    assert (number, said["envelope_id"]) == (1, "e-4")


def test_a_socket_that_breaks_is_opened_again(sockets: FakeSockets, held: Any) -> None:
    sockets.opened[0].close()
    sockets.wait(lambda: len(sockets.opened) == 2)


@pytest.mark.parametrize("frame", ["", "[]", "{", '{"type": 5}', '{"type": "interactive", "envelope_id": "e-5"}'])
def test_frames_of_any_shape_end_nothing(sockets: FakeSockets, held: Any, frame: str) -> None:
    sockets.opened[0].send(frame)
    sockets.send({"type": "events_api", "envelope_id": "e-6", "payload": {"event": {}}})
    assert sockets.wait(lambda: [said for _, said in sockets.said if said["envelope_id"] == "e-6"])


def test_a_wrong_token_names_no_address(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    config = chat_socket.ChannelConfig(
        {name.removeprefix("MIDWATCH_"): value for name, value in slack.settings.items()}
        | {"SLACK_APP_TOKEN": "xoxb-2"}
    )
    with pytest.raises(chat_socket.TalkError, match="this is no bot token"):
        stream.address(config)


@pytest.mark.django_db(transaction=True)
def test_one_process_has_the_socket_and_another_takes_over() -> None:
    first, second = Lease("slack"), Lease("slack")
    assert (first.keep(), second.keep(), first.keep()) == (True, False, True)
    held_until = Chore.objects.get().claimed_until
    assert held_until is not None
    assert held_until < clock.now() + timedelta(seconds=31)
    first.give_back()
    assert (second.keep(), first.keep()) == (True, False)


def test_a_challenge_is_said_back(slack: FakeSlack) -> None:
    body = json.dumps({"type": "url_verification", "token": "x", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY"}).encode()
    headers = slack.workspace.signed(body, int(clock.now().timestamp()))
    answer = Client(headers=headers).post("/hooks/slack/chat", data=body, content_type="application/json")
    assert (answer.status_code, answer.content) == (200, b"3eZbrw1aBm2rZgRNFdxV2595E9CY")
