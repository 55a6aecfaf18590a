"""Words of messages, whatever the facts are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.integration import MessageAlert
from midwatch.core.text_sms import gsm7_length, to_gsm7
from midwatch.core.zones import zone
from midwatch.respond.notify.words import Facts, answered_call, compose, late_words, segment, you_are

NOW = datetime(2026, 3, 3, 2, 14, tzinfo=UTC)
LINK = "https://midwatch.example.com/p/" + "a" * 26


def alert(**given: object) -> MessageAlert:
    known: dict[str, object] = {
        "id": 1,
        "number": 1042,
        "title": "DiskFull db3",
        "priority": "P1",
        "status": "firing",
        "service": "Checkout",
        "url": "https://midwatch.example.com/alerts/1042",
        "since": NOW,
    }
    return MessageAlert(**{**known, **given})  # type: ignore[arg-type]


def facts(**given: object) -> Facts:
    known: dict[str, object] = {
        "kind": "page",
        "delivery": "1/1/0/1/0/0",
        "person": "ana",
        "person_name": "Ana",
        "address": "+420601000001",
        "zone": zone("Europe/Prague"),
        "now": NOW,
        "alerts": [alert()],
        "ack_url": LINK,
        "context": {"step": "level 1"},
    }
    return Facts(**{**known, **given})  # type: ignore[arg-type]


def test_the_text_of_the_manual() -> None:
    assert compose(facts()).short == (
        f'Midwatch P1 #1042 Checkout: DiskFull db3. You are level 1. Reply "ack 1042" or "no 1042". {LINK}'
    )


@given(
    title=st.text(max_size=300),
    service=st.text(max_size=80),
    step=st.text(max_size=100),
    who=st.text(max_size=200),
    more=st.integers(0, 10**6),
    number=st.integers(1, 10**9),
    late=st.integers(0, 10**6),
    kind=st.sampled_from(["page", "bundle", "update", "resolved"]),
)
def test_a_text_is_one_segment_with_its_number_and_link_whole(
    title: str, service: str, step: str, who: str, more: int, number: int, late: int, kind: str
) -> None:
    shown = alert(title=title, service=service, number=number)
    context = {"step": step, "who": who, "more": more, "sentence": title}
    short = compose(facts(kind=kind, alerts=[shown], count=7, context=context, late=timedelta(seconds=late))).short
    assert short == to_gsm7(short)
    assert gsm7_length(short) <= 160
    assert short.endswith(LINK)
    if kind in {"page", "bundle"}:
        assert f"#{number}" in short


@given(before=st.text(max_size=30), title=st.text(max_size=400), extras=st.lists(st.text(max_size=90), max_size=4))
def test_what_stands_around_a_title_is_never_cut(before: str, title: str, extras: list[str]) -> None:
    made = segment(before, title, LINK, extras=extras)
    assert made.startswith(to_gsm7(before))
    assert made.endswith(LINK)
    assert gsm7_length(made) <= max(160, gsm7_length(to_gsm7(before)) + gsm7_length(LINK))


def test_who_has_it_is_said_before_how_to_answer() -> None:
    context = {"step": "whole team", "who": "Bo has #1042", "more": 213}
    short = compose(facts(context=context)).short
    assert "(+213 more). Bo has #1042." in short
    assert gsm7_length(short) <= 160


@pytest.mark.parametrize(
    ("late", "said"),
    [(0, ""), (119, ""), (120, "LATE 2 min: "), (7_200, "LATE 120 min: ")],
)
def test_late_is_said_from_two_minutes_on(late: int, said: str) -> None:
    assert late_words(timedelta(seconds=late)) == said
    made = compose(facts(late=timedelta(seconds=late)))
    for text in (made.subject, made.short, made.spoken, made.text):
        assert text.startswith(said)


def test_levels_are_spoken_as_people_say_them() -> None:
    assert you_are("level 2") == " You are level 2."
    assert you_are("whole team") == " You are in whole team."
    assert you_are("") == ""


def test_the_subject_of_a_mail_and_its_first_line() -> None:
    context = {
        "step": "level 1",
        "others": ["Bo", "Cy"],
        "next_step": "level 2",
        "next_at": (NOW + timedelta(minutes=5)).isoformat(),
    }
    made = compose(facts(context=context))
    assert made.subject == "[P1] Checkout: DiskFull db3 (#1042)"
    assert made.lines[0] == "Since 03:14 CET; you are level 1; also paged: Bo, Cy; next: level 2 at 03:19 CET."
    alone = compose(facts())
    assert alone.lines[0] == "Since 03:14 CET; you are level 1; nobody else was paged."


def test_a_call_spells_the_number_and_offers_keys_only_where_they_work() -> None:
    deaf = compose(facts())
    assert deaf.spoken == "Midwatch. Priority 1, alert 1 0 4 2, Checkout: DiskFull db3. You are level 1."
    assert compose(facts(has_callbacks=True)).spoken.endswith(
        "Press 4 to acknowledge, 5 to pass on, 6 to resolve, 9 to repeat."
    )


def test_a_call_that_is_answered_says_what_is_so_then() -> None:
    assert answered_call([alert()], "Bo has it. Go back to sleep.", can_act=False) == (
        "Midwatch. Priority 1, alert 1 0 4 2, Checkout: DiskFull db3. Bo has it. Go back to sleep."
    )
    both = [alert(), replace(alert(), id=2, number=1043)]
    assert "alert 1 0 4 2 and 1 more" in answered_call(both, "You are level 1.", can_act=True)
    assert answered_call([], "Nothing waits.", can_act=False) == "Midwatch. Nothing waits."


def test_a_test_says_that_nothing_is_wrong() -> None:
    made = compose(facts(kind="test", alerts=[], context={"by": "Mia"}))
    for text in (made.subject, made.short, made.spoken, made.text):
        assert "TEST, no action needed" in text
    assert made.short.endswith(LINK)


def test_a_bundle_counts_lists_and_names_the_most_urgent() -> None:
    alerts = [alert(id=n, number=n, title=f"alert {n}", priority="P1" if n == 1 else "P3") for n in range(1, 36)]
    made = compose(facts(kind="bundle", alerts=alerts, count=35))
    assert made.subject == "[P1] 35 alerts: #1, #2, #3, #4, #5, #6, #7, #8, #9, #10 and 25 more"
    assert made.short.startswith("Midwatch P1: 35 alerts, first #1 Checkout: alert 1.")
    assert made.count == 35
