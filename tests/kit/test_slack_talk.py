"""What Slack sends us: signed, young, and read without trust."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.slack import FakeSlack
from midwatch.core.integration import ChannelConfig, InboundRequest, Rejected
from midwatch.core.talking import Asked, Form, FormField, TalkError
from midwatch.integrations.slack import talk

# Slack's own example: https://docs.slack.dev/authentication/verifying-requests-from-slack
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = 1531420618
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
    b"803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
NOW = datetime.fromtimestamp(STAMP, UTC)


def request(body: bytes = BODY, stamp: str = str(STAMP), signature: str = "") -> InboundRequest:
    headers = {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": signature or talk.signature(body, stamp, SECRET),
    }
    return InboundRequest("chat", "https://midwatch.example/hooks/slack/chat", "POST", headers, {}, body)


def config(**more: str) -> ChannelConfig:
    return ChannelConfig({"SLACK_SIGNING_SECRET": SECRET} | more)


def interaction(payload: object) -> bytes:
    return urlencode({"payload": payload if isinstance(payload, str) else json.dumps(payload)}).encode()


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as fake:
        yield fake


def of(slack: FakeSlack) -> ChannelConfig:
    return ChannelConfig({name.removeprefix("MIDWATCH_"): value for name, value in slack.settings.items()})


def test_slacks_own_example_holds() -> None:
    asked = talk.receive(request(signature=SIGNATURE), NOW, config())
    assert (asked.verb, asked.who, asked.place, asked.text) == ("command", "U2CERLKJA", "G8PSS9T3V", "")


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_are_young(seconds: int) -> None:
    assert talk.receive(request(), NOW + timedelta(seconds=seconds), config())


@pytest.mark.parametrize(
    ("received", "at", "secret", "says"),
    [
        (request(BODY + b"x", signature=SIGNATURE), NOW, SECRET, "does not hold"),
        (request(signature=SIGNATURE[:-1]), NOW, SECRET, "does not hold"),
        (request(signature="ž\udcff"), NOW, SECRET, "does not hold"),
        (request(), NOW + timedelta(seconds=301), SECRET, "five minutes"),
        (request(), NOW - timedelta(seconds=301), SECRET, "five minutes"),
        (request(stamp=str(STAMP + 1), signature=SIGNATURE), NOW, SECRET, "does not hold"),
        (request(stamp="-1"), NOW, SECRET, "timestamp"),
        (request(stamp="9" * 400), NOW, SECRET, "timestamp"),
        (request(stamp="١٢"), NOW, SECRET, "timestamp"),
        (request(), NOW, "other", "does not hold"),
        (request(), NOW, "", "SIGNING_SECRET is not set"),
    ],
)
def test_nothing_else_is_believed(received: InboundRequest, at: datetime, secret: str, says: str) -> None:
    with pytest.raises(PermissionError, match=says):
        talk.receive(received, at, config(SLACK_SIGNING_SECRET=secret))


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"a=1", interaction("{"), interaction("[" * 5_000), interaction([1]), b"x=1&" * 200]
)
def test_what_is_neither_command_nor_interaction_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected):
        talk.receive(request(body), NOW, config())


NAMES = ("user", "id", "actions", "view", "state", "values", "value", "channel", "message", "callback_id", "trigger_id")
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["block_actions", "view_submission", "message_action", 5]),
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4),
)
def test_no_payload_breaks_it(kind: object, payload: dict[str, Any]) -> None:
    asked = talk.receive(request(interaction({"type": kind, **payload})), NOW, config())
    assert isinstance(asked, Asked)


def test_who_counts_is_a_full_member_of_our_own_workspace(slack: FakeSlack) -> None:
    people = {
        "ana": {},
        "gone": {"deleted": True},
        "bot": {"is_bot": True},
        "guest": {"is_restricted": True},
        "single": {"is_ultra_restricted": True},
        "stranger": {"is_stranger": True},
        "partner": {"team_id": "T2"},
        "unproved": {"is_email_confirmed": False},
    }
    for name, more in people.items():
        slack.workspace.person(name, **more)
    found = {name: talk.email_of(f"U{name.upper()}", of(slack)) for name in people}
    assert {name: email for name, email in found.items() if email} == {"ana": "ana@example.com"}
    assert talk.email_of("UNOBODY", of(slack)) == ""
    slack.workspace.breaks["users.info"] = "internal_error"
    with pytest.raises(TalkError):
        talk.email_of("UANA", of(slack))


def test_a_form_is_what_slack_takes_and_comes_back_as_values(slack: FakeSlack) -> None:
    fields = [
        FormField("title", "What?", value="<!channel> " + "x" * 900),
        FormField("severity", "How bad?", "choice", {"SEV1": "one", "SEV2": "two"}, "SEV2"),
        FormField("person", "To whom?", "person", is_optional=True),
    ]
    talk.open_form(Asked("command", "UANA", trigger="t"), Form("offer", "T" * 40, "Go", fields, 42), of(slack))
    (view,) = slack.workspace.views
    assert view["blocks"][1]["element"]["initial_option"]["value"] == "SEV2"
    state = {
        "title": {"value": {"type": "plain_text_input", "value": "a\nb"}},
        "severity": {"value": {"type": "static_select", "selected_option": {"value": "SEV1"}}},
        "person": {"value": {"type": "users_select", "selected_user": "UBEN"}},
    }
    payload = {"type": "view_submission", "user": {"id": "UANA"}, "view": {**view, "state": {"values": state}}}
    asked = talk.receive(request(interaction(payload)), NOW, config())
    assert (asked.verb, asked.number) == ("offer", 42)
    assert asked.values == {"title": "a b", "severity": "SEV1", "person": "UBEN"}


def test_answers_go_to_who_asked_and_mention_nobody(slack: FakeSlack) -> None:
    _, body = talk.answer(Asked("command", "UANA"), "<!channel>\n& more", of(slack))
    said = json.loads(body)
    assert (said["response_type"], said["text"]) == ("ephemeral", "&lt;!channel&gt;\n&amp; more")
    talk.answer(Asked("take", "UANA", place="C1"), "<@U1> x", of(slack))
    assert slack.workspace.asked("chat.postEphemeral")[0]["text"] == "&lt;@U1&gt; x"
    asked = Asked("declare", "UANA", values={"title": ""})
    _, body = talk.answer(asked, "give a title", of(slack), is_refused=True)
    assert json.loads(body) == {"response_action": "errors", "errors": {"title": "give a title"}}
