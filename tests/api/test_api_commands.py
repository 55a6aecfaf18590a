"""The few commands that people type: understood, refused with what to write instead, and done."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from api_world import World
from midwatch.api import commands
from midwatch.api.commands import (
    Acknowledge,
    Assign,
    CommandError,
    Decline,
    Escalate,
    ListOpen,
    Note,
    Resolve,
    Snooze,
    Unacknowledge,
    Who,
    parse,
    run,
)
from midwatch.people.queries import actor_of
from midwatch.respond.escalation.actions import page_somebody

pytestmark = pytest.mark.postgresql  # runs again there

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("ack 12 13", Acknowledge((12, 13))),
        ("ACK #12", Acknowledge((12,))),
        ("a 12", Acknowledge((12,))),
        ("ack 12, 13 and 12", Acknowledge((12, 13))),
        ("12 ack", Acknowledge((12,))),
        ("ack", Acknowledge(())),
        ("unack 12", Unacknowledge((12,))),
        ("no 12", Decline((12,))),
        ("pass 12", Decline((12,))),
        ("resolve 12", Resolve((12,))),
        ("r 12", Resolve((12,))),
        ("escalate 12", Escalate((12,))),
        ("e: 12", Escalate((12,))),
        ("snooze 12 2h", Snooze((12,), 2 * HOUR)),
        ("snooze 12 13 for 1h 30m", Snooze((12, 13), 1.5 * HOUR)),
        ("snooze 12 for 2 hours", Snooze((12,), 2 * HOUR)),
        ("snooze 12", Snooze((12,), HOUR)),
        ("s 12 1d", Snooze((12,), 24 * HOUR)),
        ("note restarted db3 to 12", Note((12,), "restarted db3")),
        ("note went from 5 to 9 to 12 and 13", Note((12, 13), "went from 5 to 9")),
        ('note "restarted" on #12', Note((12,), "restarted")),
        ("note 12 restarted db3", Note((12,), "restarted db3")),
        ("note 12: restarted", Note((12,), "restarted")),
        ("assign 12 to bo", Assign((12,), "bo")),
        ("assign 12 13 @Bo", Assign((12, 13), "bo")),
        ("who", Who("")),
        ("who payments", Who("payments")),
        ("who is on call for payments?", Who("payments")),
        ("list", ListOpen()),
    ],
)
def test_understood(text: str, command: commands.Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Write: ack 12"),
        ("   ", "Write: ack 12"),
        ("explode", "'explode' is no command"),
        ("ack twelve", "'twelve' is no alert's number"),
        ("ack 0", "'0' is no alert's number"),
        ("ack -1", "no alert's number"),
        ("ack 99999999999999999999", "no alert's number"),
        ("ack " + " ".join(map(str, range(1, 300))), "too many"),
        ("snooze 12 0m", "no time"),
        ("snooze x 2h", "no alert's number"),
        ("note hello", "note TEXT to 12"),
        ("note to 12", "note TEXT to 12"),
        ("note 12", "note TEXT to 12"),
        ('note "" to 12', "needs words"),
        ("assign 12", "assign 12 to bo"),
        ("assign to bo", "no alert's number"),
        ("who the <script>", "is no team's name"),
    ],
)
def test_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(CommandError) as raised:
        parse(text)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 300


@given(st.text(max_size=300))
def test_any_text_is_a_command_or_a_sentence(text: str) -> None:
    with suppress(CommandError):
        assert parse(text)


@pytest.mark.parametrize(
    "rest", ["12 " + "1min" * 900 + "!", "12 for " + "1h " * 1_200 + "x", "12" + " " * 3_900 + "x"]
)
def test_a_length_that_never_ends_takes_no_time(rest: str) -> None:
    """Each further `1min` doubled it once: a word's letters could hold the next number too."""
    with suppress(CommandError):
        parse(f"snooze {rest}")


@given(st.sampled_from(["ack", "note", "snooze", "assign", "who"]), st.text("0123456789 ,ato#hms", max_size=4_000))
def test_no_text_takes_long(verb: str, rest: str) -> None:
    with suppress(CommandError):
        parse(f"{verb} {rest}")


def test_done_as_somebody(world: World) -> None:
    world.alerts(3)
    bo = actor_of(world.bo, "web")
    assert run(parse("ack 1 2 77"), bo, world.bo).splitlines() == [
        "Bo has #1. Escalation stopped.",
        "Bo has #2. Escalation stopped.",
        "There is no alert #77.",
    ]
    assert run(parse("note looking to 1"), bo, world.bo) == "Noted on #1."
    assert run(parse("unack 1"), bo, world.bo) == "#1 is unanswered again."
    assert run(parse("assign 1 to cy"), bo, world.bo).startswith("Cy")
    assert run(parse("snooze 1 2h"), bo, world.bo).startswith("#1 is snoozed")
    assert run(parse("escalate 1"), bo, world.bo)
    assert run(parse("resolve 1"), bo, world.bo) == "#1 is resolved."
    assert run(parse("list"), bo, world.bo).splitlines() == [
        "#3 P1 firing alert 2",
        "#2 P1 acknowledged alert 1",
    ]
    with pytest.raises(ValueError, match="no active person"):
        run(parse("assign 2 to nobody-here"), bo, world.bo)


def test_viewers_look(world: World) -> None:
    world.alert()
    said = run(parse("ack 1"), actor_of(world.vi, "web"), world.vi)
    assert said == "Your role is viewer: you may look, not act."
    assert run(parse("list"), actor_of(world.vi, "web"), world.vi).startswith("#1 P1 firing")


def test_a_bare_ack_means_the_one_page_that_waits(world: World) -> None:
    cy = actor_of(world.cy, "web")
    assert "No page waits" in run(parse("ack"), cy, world.cy)
    with transaction.atomic():
        page_somebody("one", actor_of(world.ana, "web"), user=world.cy)
    assert run(parse("ack"), cy, world.cy) == "Cy has #1. Escalation stopped."
    for title in ("two", "three"):
        page_somebody(title, actor_of(world.ana, "web"), user=world.cy)
    said = run(parse("ack"), cy, world.cy)
    assert said.startswith("2 pages wait for you, say which:")
    assert "#2 two" in said
    assert "#3 three" in said


def test_who_answers_in_the_reader_s_zone(world: World) -> None:
    said = run(parse("who payments"), actor_of(world.ana, "web"), world.ana)
    assert said == "payments-primary: Bo until Mon 09:00 CET, then Cy"
    with pytest.raises(ValueError, match="no team"):
        run(parse("who nothing"), actor_of(world.ana, "web"), world.ana)
    assert run(parse("list"), actor_of(world.ana, "web"), None) == "No alert is open."
