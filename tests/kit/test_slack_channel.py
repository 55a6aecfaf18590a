"""An incident's channel against a workspace that remembers: made once, kept as things stand, whatever fails between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fakes.slack import FakeSlack
from midwatch.core.integration import ChannelConfig, ChatError, ChatRoom, ChatWish
from midwatch.integrations.slack import chat
from midwatch.integrations.slack.words import channel_name, headline, topic

WISH = ChatWish(
    number=42,
    title="Checkout is down: <!channel> & co",
    severity="SEV1",
    phase="acknowledged",
    service="Payments",
    url="https://midwatch.example/incidents/42",
    roles={"ic": ["Ana"], "cm": ["Ben <@U1>"], "dc": ["Cy", "Dora"]},
    emails=("ana@example.com", "ben@example.com"),
    is_private=False,
    is_drill=False,
    is_closed=False,
    next_update_at=datetime(2026, 3, 1, 14, 5, tzinfo=UTC),
)
NAME = "inc-42-checkout-is-down-channel-co"


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as fake:
        fake.workspace.person("ana")
        fake.workspace.person("ben")
        yield fake


def config(slack: FakeSlack, **more: str) -> ChannelConfig:
    values = {name.removeprefix("MIDWATCH_"): value for name, value in slack.settings.items()}
    return ChannelConfig(values | more, 3.0)


def again(room: ChatRoom, **changes: Any) -> ChatWish:
    return replace(WISH, external=room.external, **changes)


def test_the_channel_is_made_with_people_topic_and_one_pinned_headline(slack: FakeSlack) -> None:
    room = chat.tend(WISH, config(slack))
    made = slack.workspace.channel(NAME)
    assert room.url == f"https://acme.slack.example/archives/{made.id}"
    assert room.title == f"#{NAME}"
    assert made.members == {"UBOT", "UANA", "UBEN"}
    assert made.topic == "SEV1 · acknowledged · IC Ana · CM Ben &lt;@U1&gt; · next update 14:05 UTC"
    assert made.purpose == "Midwatch: https://midwatch.example/incidents/42"
    (message,) = made.messages.values()
    assert made.pins == [message["ts"]]
    assert "<!channel>" not in message["text"]
    assert "&lt;!channel&gt; &amp; co" in message["text"]
    buttons = message["blocks"][-1]["elements"]
    assert [one["text"]["text"] for one in buttons] == ["Open the room", "I take it", "Hand over"]
    assert buttons[0]["url"] == WISH.url


def test_twice_is_once_and_what_changed_is_edited_in_place(slack: FakeSlack) -> None:
    room = chat.tend(WISH, config(slack))
    slack.workspace.calls.clear()
    same = chat.tend(again(room), config(slack))
    assert (same, slack.workspace.calls) == (room, [])
    changed = chat.tend(again(room, phase="mitigated", roles={"ic": ["Ben"]}), config(slack))
    assert [name for name, _ in slack.workspace.calls] == ["conversations.setTopic", "chat.update"]
    made = slack.workspace.channel(NAME)
    assert made.topic == "SEV1 · mitigated · IC Ben · next update 14:05 UTC"
    assert len(made.messages) == 1
    chat.tend(again(changed, phase="closed", is_closed=True), config(slack))
    assert made.is_archived
    assert "take" not in str(made.messages)


@pytest.mark.parametrize(
    "broken",
    [
        "conversations.setPurpose", "conversations.setTopic", "chat.postMessage", "pins.add", "users.lookupByEmail",
        "conversations.invite",
    ],
)  # fmt: skip
def test_a_try_that_failed_half_way_goes_on_where_it_stopped(slack: FakeSlack, broken: str) -> None:
    slack.workspace.breaks[broken] = "internal_error"
    with pytest.raises(ChatError) as failed:
        chat.tend(WISH, config(slack))
    assert not failed.value.permanent
    slack.workspace.breaks.clear()
    chat.tend(replace(WISH, external=failed.value.external), config(slack))
    made = slack.workspace.channel(NAME)
    assert (len(slack.workspace.channels), len(made.messages), len(made.pins)) == (1, 1, 1)
    assert made.members == {"UBOT", "UANA", "UBEN"}


@pytest.mark.parametrize("last", ["conversations.create", "chat.postMessage", "pins.add", "conversations.invite"])
def test_a_crash_that_forgets_everything_finds_its_channel_and_headline(slack: FakeSlack, last: str) -> None:
    after = {"conversations.create": "conversations.setPurpose", "chat.postMessage": "pins.add"}
    for _ in range(3):  # others, so that the list has several pages
        slack.workspace.api("conversations.create", {"name": f"other-{_}"}, f"Bearer {slack.workspace.token}")
    slack.workspace.breaks[after.get(last, "none")] = "internal_error"
    try:
        chat.tend(WISH, config(slack))
    except ChatError:
        slack.workspace.breaks.clear()
    chat.tend(WISH, config(slack))
    made = slack.workspace.channel(NAME)
    assert (len(slack.workspace.channels), len(made.messages), len(made.pins)) == (4, 1, 1)


def test_a_channel_of_somebody_elses_making_is_left_alone(slack: FakeSlack) -> None:
    slack.workspace.api("conversations.create", {"name": NAME}, f"Bearer {slack.workspace.token}")
    slack.workspace.channel(NAME).creator = "UANA"
    assert chat.tend(WISH, config(slack)).title == f"#{NAME}-2"
    assert slack.workspace.channel(NAME).messages == {}


def test_a_channel_of_another_incident_of_that_number_is_left_alone(slack: FakeSlack) -> None:
    chat.tend(replace(WISH, url="https://old.example/incidents/42"), config(slack))
    assert chat.tend(WISH, config(slack)).title == f"#{NAME}-2"


def test_a_private_incident_has_a_private_channel(slack: FakeSlack) -> None:
    chat.tend(WISH, config(slack))
    room = chat.tend(replace(WISH, is_private=True), config(slack))
    assert slack.workspace.channel(NAME).is_private is False
    assert slack.workspace.channels[str(room.external["channel"])].is_private


def test_who_is_not_in_slack_or_cannot_be_invited_is_named_once(slack: FakeSlack) -> None:
    slack.workspace.person("eva")
    slack.workspace.cannot_be_invited.add("UEVA")
    emails = ("nobody@example.com", "ana@example.com", "eva@example.com")
    room = chat.tend(replace(WISH, emails=emails), config(slack))
    assert slack.workspace.channel(NAME).members == {"UBOT", "UANA"}
    assert list(room.notes) == [
        "nobody in Slack has the e-mail address nobody@example.com: they were not invited",
        "eva@example.com could not be invited: Slack says cant_invite",
    ]
    assert chat.tend(again(room, emails=emails), config(slack)).notes == []
    slack.workspace.people["UNOBODY"] = {
        **slack.workspace.people["UANA"], "id": "UNOBODY", "profile": {"email": "nobody@example.com"}
    }  # fmt: skip
    chat.tend(again(room, emails=emails), config(slack))
    assert "UNOBODY" in slack.workspace.channel(NAME).members


def test_many_people_are_asked_for_in_several_calls_and_invited_a_hundred_at_a_time(slack: FakeSlack) -> None:
    names = [f"p{number}" for number in range(60)]
    for name in names:
        slack.workspace.person(name)
    wish = replace(WISH, emails=tuple(f"{name}@example.com" for name in names))
    room, calls = chat.tend(wish, config(slack)), 1
    while not room.is_complete:
        room, calls = chat.tend(replace(wish, external=room.external), config(slack)), calls + 1
    assert calls == 3
    assert len(slack.workspace.channel(NAME).members) == 61
    known = {f"{number}@example.com": f"U{number}" for number in range(250)}
    slack.workspace.people |= {user: {} for user in known.values()}
    chat.tend(replace(WISH, emails=tuple(known), external={**room.external, "users": known}), config(slack))
    assert [len(one["users"].split(",")) for one in slack.workspace.asked("conversations.invite")[-3:]] == [
        100,
        100,
        50,
    ]


def test_a_headline_that_somebody_deleted_comes_again(slack: FakeSlack) -> None:
    room = chat.tend(WISH, config(slack))
    made = slack.workspace.channel(NAME)
    made.messages.clear()
    chat.tend(again(room, phase="mitigated"), config(slack))
    (message,) = made.messages.values()
    assert message["ts"] in made.pins


@pytest.mark.parametrize(
    ("suffix", "permanent", "after", "words"),
    [
        ("-ratelimited", False, 30.0, "wait 30 s"),
        ("-fatal", False, 0.0, "fatal_error"),
        ("-disconnected", False, 0.0, "502"),
        ("-other", True, 0.0, "token is not valid"),
    ],
)
def test_failures_are_told_apart_and_name_no_secret(
    slack: FakeSlack, suffix: str, permanent: bool, after: float, words: str
) -> None:
    token = f"xoxb-sesame{suffix}"
    with pytest.raises(ChatError, match=words) as failed:
        chat.tend(WISH, config(slack, SLACK_BOT_TOKEN=token))
    assert (failed.value.permanent, failed.value.retry_after_seconds) == (permanent, after)
    assert "sesame" not in str(failed.value)


def test_a_server_that_is_not_there_is_tried_again(slack: FakeSlack) -> None:
    slack.close()
    with pytest.raises(ChatError, match="refused") as failed:
        chat.tend(WISH, config(slack))
    assert not failed.value.permanent


@pytest.mark.parametrize("gone", ["is_archived", "channel_not_found", "not_in_channel"])
def test_a_channel_that_was_taken_away_says_what_to_do(slack: FakeSlack, gone: str) -> None:
    room = chat.tend(WISH, config(slack))
    slack.workspace.breaks["conversations.setTopic"] = gone
    with pytest.raises(ChatError, match="channel") as failed:
        chat.tend(again(room, phase="mitigated"), config(slack))
    assert failed.value.permanent
    assert failed.value.external["channel"] == room.external["channel"]


def test_an_incident_that_is_over_before_its_channel_was_made_gets_none(slack: FakeSlack) -> None:
    assert chat.tend(replace(WISH, is_closed=True), config(slack)).url == ""
    assert slack.workspace.channels == {}


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Žluťoučký kůň", "inc-42-zlutoucky-kun"),
        ("漢字", "inc-42"),
        ("x" * 500, "inc-42-" + "x" * 73),
        ("--- A_b  c!", "inc-42-a-b-c"),
        ("\u202e<script>\x00", "inc-42-script"),
    ],
)
def test_names_are_what_slack_takes(title: str, name: str) -> None:
    assert channel_name(replace(WISH, title=title)) == name
    assert len(channel_name(replace(WISH, title=title), 4)) <= 80
    assert channel_name(replace(WISH, title=title, is_drill=True)).startswith("drill-42")


@pytest.mark.parametrize("hostile", ["&" * 5_000, "<!here>" * 900, "\x00\u202e\ud800" * 99, "a" * 9_999, "@channel"])
def test_hostile_words_fit_and_mean_nothing(slack: FakeSlack, hostile: str) -> None:
    people = {"ic": [hostile] * 40, "cm": [hostile], **{f"role-{number}": [hostile] for number in range(20)}}
    wish = replace(WISH, title=hostile, service=hostile, roles=people, is_drill=True)
    assert len(topic(wish)) <= 250
    text, _ = headline(wish)
    assert "<" not in text + topic(wish)
    room = chat.tend(wish, config(slack))
    assert room.url


def test_it_says_which_setting_is_missing() -> None:
    assert "MIDWATCH_SLACK_BOT_TOKEN" in chat.missing_settings(ChannelConfig({"SLACK_BOT_TOKEN": ""}))
    assert chat.missing_settings(ChannelConfig({"SLACK_BOT_TOKEN": "xoxb-1"})) == ""
