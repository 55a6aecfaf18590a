"""Bad input and faults: nothing is lost, nothing is doubled without saying so, one bad thing stops no other."""

from __future__ import annotations

import itertools
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, transaction

from midwatch.core import clock
from midwatch.core.actor import ENGINE
from midwatch.core.checks import reactions as reactions_check
from midwatch.core.models import OutboxEvent
from midwatch.core.text_sms import gsm7_length
from midwatch.engine import events, reactions, tick
from midwatch.integrations.generic import source as generic
from midwatch.people.models import NotificationRule
from midwatch.respond.alerts.models import Alert, SourceProblem
from midwatch.respond.escalation.actions import answers, running
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions.declaring import Declaration, declare_incident
from midwatch.respond.incidents.models import Entry
from midwatch.respond.notify.actions import deliveries, pages, send_claimed
from midwatch.respond.notify.actions.deliveries import compose
from midwatch.respond.notify.models import Delivery
from stories.phones import refuses
from stories.story import Story

OF_EXECUTIONS = re.compile(r'tell\(.*?"(execution\.[a-z_]+)"(?: if .* else "(execution\.[a-z_]+)")?')
EMITTED = re.compile(r'(?:emit(?:_many)?\(|events\.append\(\()\s*"([a-z_.]+)"')
HOSTILE = [
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "a\x00b\x07c\x1b[31md\x7f",
    "\u202egpj.exe\u2066\u200b\ufeff",
    "x" * 100_000,
    "\ud800 lone",
    "Robert'); DROP TABLE alerts;--",
    "line one\r\nSubject: forged\r\nBcc: all@example.com",
    "{{ 7*7 }} ${jndi:ldap://x} %s %n",
    "💥" * 5_000,
    "   ",
]


# -- hostile text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_in_every_field_goes_through_to_every_channel_and_harms_none(story: Story, text: str) -> None:
    ana = story.person("ana", methods=("webhook", "sms", "email", "ntfy", "voice"))
    story.policy(steps=[("ana", "0m")])
    payload: dict[str, Any] = {
        "title": f"T {text}",
        "key": text,
        "priority": "P1",
        "description": text,
        "labels": {text[:300]: text, "host": text},
        "links": [{"href": "javascript:alert(1)", "text": text}, {"href": "https://wiki.example.com", "text": text}],
    }
    story.sends(story.source(), json.dumps(payload).encode())
    alert = Alert.objects.get()
    assert len(alert.title) <= 1_000
    for stored in (alert.title, alert.description, alert.dedup_key, *alert.labels, *alert.labels.values()):
        assert not set(stored) & set("\x00\x07\x1b\x7f\u202e\u200b\ufeff\ud800")
    assert all(link["href"].startswith(("http://", "https://")) for link in alert.links)
    story.forward(minutes=4)
    ana.rings_with(by="webhook")
    assert gsm7_length(ana.rings_with(by="sms").text) <= 160
    mail = ana.rings_with(by="email")
    assert "\n" not in mail.headers["Subject"]
    assert "Bcc" not in mail.headers
    ana.rings_with(by="ntfy")
    call = ana.rings_with(by="voice")
    assert "<script>" not in ana.picks_up(call)
    ana.presses(call, "4")
    assert story.alert(alert).status == "acknowledged"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"title": "x", "labels": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
        b"\xff\xfe\x00",
        b"",
    ],
    ids=["deep list", "deep object", "no text", "nothing"],
)
def test_a_body_that_cannot_even_be_read_is_put_aside_and_told(story: Story, body: bytes) -> None:
    story.expected_failures = {"events", "event"}
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.sends(story.source(), body)
    ana.rings_with("[P2] Checkout: Source checkout-generic: ")
    assert SourceProblem.objects.count() == 1
    story.fires(title="the next one")
    ana.rings_with("the next one")


@pytest.mark.parametrize(
    "payload", [[], "text", 3, None, {"title": 5}, {"title": "x", "labels": [1]}, {"status": "odd"}]
)
def test_wrong_types_are_kept_and_named(story: Story, payload: object) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.sends(story.source(), payload)
    ana.rings_with("[P2] Checkout: Source checkout-generic: ")
    assert SourceProblem.objects.get().kind == "parser"


# -- a poison event ------------------------------------------------------------------------------------------------------


def test_an_event_that_breaks_us_is_quarantined_and_the_others_go_on(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.expected_failures = {"events", "event"}
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    parse = generic.parse

    def breaks(payload: Any) -> Any:
        if payload["title"] == "poison":
            raise ZeroDivisionError("a bug of ours")
        return parse(payload)

    monkeypatch.setattr(generic, "parse", breaks)
    source = story.source()
    for title in ("one", "poison", "two"):
        story.arrives(source, {"title": title, "priority": "P1"})
    story.settle()
    ana.rings_with("one"), ana.rings_with("two")
    ana.rings_with("an event could not be turned into an alert (ZeroDivisionError)")
    problem = SourceProblem.objects.get()
    assert problem.kind == "quarantined"
    assert problem.event_token
    story.nothing_else_happens()


def test_a_reaction_that_fails_stops_no_other_and_is_put_aside_after_a_while(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.expected_failures = {"reaction alert.acknowledged"}
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    bad, good = story.fires(title="bad"), story.fires(title="good")
    ana.forgets(), ben.forgets()
    react = answers.on_acknowledged

    def breaks(alert_id: int) -> None:
        if alert_id == bad.pk:
            raise ZeroDivisionError("a bug of ours")
        react(alert_id)

    monkeypatch.setattr(answers, "on_acknowledged", breaks)
    ana.acknowledges(bad), ana.acknowledges(good)
    ben.is_told("Ana has #2")
    assert story.alert(bad).status == "acknowledged"
    story.forward(minutes=20)
    assert story.quarantined() == ["alert.acknowledged"]
    assert "a bug of ours" in OutboxEvent.objects.exclude(quarantined_at=None).get().problem
    ben.is_silent()  # the pages themselves look at the state: nobody is called for what is taken


@pytest.mark.parametrize("failing", ["incidents", "escalation"])
def test_a_room_that_fails_undoes_and_delays_no_other_room_that_follows_the_same_event(
    story: Story, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Once both shared a transaction: a bug in incidents undid the answer to a page, and after eight tries lost it."""
    story.expected_failures = {"reaction alert.acknowledged", f"reaction alert.acknowledged of {failing}"}
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    alert = story.fires(title="disk full")
    incident = declare_incident(Declaration(title="Checkout is down", severity="SEV2", alert=alert), ENGINE)
    story.settle()
    ana.forgets(), ben.forgets()

    def breaks(*_: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    room = {"incidents": (incidents, "on_alert_acknowledged"), "escalation": (answers, "on_acknowledged")}
    with monkeypatch.context() as bug:
        bug.setattr(*room[failing], breaks)
        ana.acknowledges(alert)
        story.settle()
        told = [entry.text for entry in Entry.objects.filter(incident=incident)]
        assert any("acknowledged" in one for one in told) == (failing == "escalation")
        if failing == "incidents":
            ben.is_told("Ana has #1")
        waiting = OutboxEvent.objects.get(done_at=None, name="alert.acknowledged")
        assert (waiting.follower, waiting.quarantined_at) == (failing, None)
        story.forward(minutes=20)
        aside = OutboxEvent.objects.exclude(quarantined_at=None).get()
        assert (aside.name, aside.follower) == ("alert.acknowledged", failing)
        assert f"alert.acknowledged of {failing}: ZeroDivisionError" in reactions_check().sentence
    others = OutboxEvent.objects.filter(name="alert.acknowledged").exclude(pk=aside.pk)
    assert [one.done_at is not None for one in others] == [True]
    assert OutboxEvent.objects.filter(attempts__gt=0).count() == 1  # the other one was done once, and at once


def test_an_event_that_concerns_one_room_alone_writes_no_row_for_the_other(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    ana.acknowledges(story.fires(title="disk full"))
    story.settle()
    assert [one.follower for one in OutboxEvent.objects.filter(name="alert.acknowledged")] == [""]


def test_a_step_that_fails_stops_no_other_and_is_tried_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.expected_failures = {"escalations of a batch", "escalation"}
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    bad, good = story.fires(title="bad"), story.fires(title="good")
    ana.forgets()
    people = running._people

    def breaks(escalation: Escalation, index: int, batch: Any) -> Any:
        if escalation.alert_id == bad.pk:
            raise ZeroDivisionError("a bug of ours")
        return people(escalation, index, batch)

    monkeypatch.setattr(running, "_people", breaks)
    story.forward(minutes=5)
    ben.rings_with("good")
    assert "failed (ZeroDivisionError) and is tried again" in story.escalation(bad).why
    monkeypatch.setattr(running, "_people", people)
    story.forward(minutes=1)
    ben.rings_with("bad")
    assert story.called(good) == {"ana", "ben"}


def test_a_page_that_fails_stops_no_other_and_is_tried_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.expected_failures = {"pages of a batch", "page"}
    ana = story.person("ana", methods=("webhook", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    bad = story.fires(title="bad")
    story.fires(title="good")
    ana.forgets()
    delivery = pages._delivery

    def breaks(page: Any, *more: Any) -> Delivery:
        if page.alert_id == bad.pk:
            raise ZeroDivisionError("a bug of ours")
        return delivery(page, *more)

    monkeypatch.setattr(pages, "_delivery", breaks)
    story.forward(minutes=1)
    ana.rings_with("good", by="ntfy")
    ana.is_silent()
    monkeypatch.setattr(pages, "_delivery", delivery)
    story.forward(minutes=1)
    ana.rings_with("bad", by="ntfy")


def test_a_message_that_cannot_be_made_does_not_stop_the_others(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.expected_failures = {"send"}
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])

    def breaks(delivery: Delivery, now: Any) -> Any:
        if delivery.user == ana.user:
            raise ZeroDivisionError("a bug of ours")
        return compose(delivery, now)

    monkeypatch.setattr(deliveries, "compose", breaks)
    story.fires()
    ben.rings_with()
    monkeypatch.setattr(deliveries, "compose", compose)
    story.forward(seconds=20)  # its lease
    ana.rings_with()


# -- providers that fail -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "status"), [("sms", 429), ("sms", 500), ("voice", 503), ("ntfy", 500), ("webhook", 404), ("ntfy", 429)]
)
def test_a_refusal_that_may_pass_is_tried_again_and_shown(story: Story, channel: str, status: int) -> None:
    ana = story.person("ana", methods=(channel, "email"))
    story.policy(steps=[("ana", "0m")])
    with story.broken(channel, how=refuses(status)):
        alert = story.fires()
        story.forward(seconds=10)
        ana.is_silent()
    story.forward(seconds=20)
    ana.rings_with(by=channel)
    assert "failed, will be tried again" in story.timeline(alert)
    assert f"Page to Ana by {channel}-0 ({channel}): handed over" in story.timeline(alert)
    story.nothing_else_happens()


@pytest.mark.parametrize(("channel", "status"), [("sms", 400), ("voice", 404), ("ntfy", 403), ("webhook", 410)])
def test_a_refusal_for_good_sends_the_next_method_at_once(story: Story, channel: str, status: int) -> None:
    ana = story.person("ana", methods=(channel, "ntfy" if channel != "ntfy" else "webhook"))
    story.policy(steps=[("ana", "0m")])
    with story.broken(f"ana/{channel}", how=refuses(status)):
        alert = story.fires()
    assert ana.rings_with().channel != channel
    assert f"by {channel}-0 ({channel}): failed: " in story.timeline(alert)


@pytest.mark.parametrize("channel", ["email", "sms", "ntfy", "webhook"])
def test_what_is_out_of_reach_for_a_minute_brings_the_next_method_and_goes_on_trying(
    story: Story, channel: str
) -> None:
    other = "ntfy" if channel != "ntfy" else "webhook"
    ana = story.person("ana", methods=(channel,), repeat_after_seconds=0)
    with_gap = story.contact(ana.user, other, position=1)
    with transaction.atomic():
        NotificationRule.objects.create(
            user=ana.user, urgency="high", position=1, after_seconds=1_800, contact=with_gap
        )
    story.policy(steps=[("ana", "0m")])
    with story.broken(f"ana/{channel}"):
        alert = story.fires()
        story.forward(seconds=59)
        ana.is_silent()
        story.forward(seconds=2)
        ana.rings_with(by=other)
        story.forward(minutes=3)
    story.forward(minutes=3)
    late = ana.rings_with(by=channel)
    assert "LATE" in late.text
    assert "connection refused" in story.timeline(alert)
    assert "within 60 s: passing on" in story.timeline(alert)


def test_when_everything_is_down_the_page_goes_out_once_something_works(story: Story) -> None:
    ana = story.person("ana", methods=("webhook", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    with story.broken("webhook", "ntfy"):
        alert = story.fires()
        # Until both methods of the third round were tried (02:12 and 02:13): a try that falls between them by chance
        # would ring for the round before, and rightly so.
        story.forward(minutes=13, seconds=1)
    story.forward(minutes=3)
    assert "LATE" in ana.rings_with("disk full", by="webhook").text
    assert "LATE" in ana.rings_with("disk full", by="ntfy").text
    assert story.alert(alert).status == "firing"
    story.nothing_else_happens()  # each method says it once, however often it was tried


def test_back_off_grows_and_never_hammers(story: Story) -> None:
    story.person("ana")
    story.policy(steps=[("ana", "0m")])
    tries: list[Any] = []
    with story.broken("ana", how=lambda: (tries.append(clock.now()), refuses(500)())[1]):
        story.fires()
        story.forward(minutes=4)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= timedelta(seconds=2)
    assert len(tries) <= 9


# -- killed and restarted ------------------------------------------------------------------------------------------------


def test_killed_between_claim_and_receipt_it_is_sent_again_after_the_lease_and_says_so(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    while story.ticker.tick():
        pass
    (claimed,) = story.outlet.take()  # claimed with the commit that opened the alert
    assert claimed.state == "sending"
    ana.is_silent()
    story.forward(seconds=19)
    ana.is_silent()
    story.forward(seconds=2)
    ana.rings_with("disk full")
    assert "handed over (sent again: the try before was cut off)" in story.timeline(Alert.objects.get())
    story.nothing_else_happens(minutes=4)


def test_killed_after_sending_the_repeat_is_the_same_message(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    while story.ticker.tick():
        pass
    (claimed,) = story.outlet.take()  # claimed with the commit that opened the alert
    monkeypatch.setattr(deliveries, "write_sent", lambda *_: (_ for _ in ()).throw(OperationalError("gone")))
    with pytest.raises(OperationalError):
        send_claimed(claimed)
    monkeypatch.undo()
    first = ana.rings_with()
    story.forward(seconds=21)
    again = ana.rings_with()
    assert first.headers["X-Midwatch-Delivery"] == again.headers["X-Midwatch-Delivery"]
    assert first.link == again.link
    story.nothing_else_happens(minutes=4)


def test_a_receipt_that_comes_after_the_lease_is_written_all_the_same(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    while story.ticker.tick():
        pass
    (slow,) = story.outlet.take()
    sent = deliveries.transport(deliveries.prepare(slow))
    clock.forward(timedelta(seconds=30))
    deliveries.write_sent([sent])
    ana.rings_with()
    assert Delivery.objects.get().state == "handed over"
    story.nothing_else_happens(minutes=4)


def test_whatever_was_accepted_while_the_engine_was_down_pages_when_it_is_back(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    waiting = story.fires(title="paged before")
    ana.rings_with("paged before")
    clock.forward(timedelta(minutes=10))
    story.arrives(story.source(), {"title": "arrived meanwhile", "priority": "P1"})
    story.arrives(story.source(), {"title": "came and went", "priority": "P1"})
    story.arrives(story.source(), {"title": "came and went", "status": "resolved"})
    clock.forward(timedelta(minutes=10))
    story.settle()
    assert ana.rings_with("arrived meanwhile").text.startswith("LATE 10 min:")
    assert ben.rings_with("paged before").text.startswith("LATE 15 min:")
    assert story.called(waiting) == {"ana", "ben"}
    assert not [heard for heard in story.network.heard if "came and went" in heard.everything]


def test_a_database_that_is_gone_for_a_moment_costs_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.expected_failures = {"events", "escalations of a batch"}
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])

    def gone(*_: Any) -> Any:
        raise OperationalError("the database is locked")

    monkeypatch.setattr(events, "process", gone)
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    story.ticker.tick()
    assert not Alert.objects.exists()
    monkeypatch.undo()
    story.settle()
    ana.rings_with("disk full")
    monkeypatch.setattr(running, "run", gone)
    clock.forward(timedelta(minutes=5))
    story.ticker.tick()
    ben.is_silent()
    monkeypatch.undo()
    clock.forward(timedelta(seconds=6))
    story.settle()
    ben.rings_with("disk full")


def test_every_event_that_is_emitted_has_a_reaction(story: Story) -> None:
    """What is emitted without one would be put aside unread."""
    assert story.quarantined() == []
    sources = (Path(reactions.__file__).parent.parent).rglob("*.py")
    texts = [path.read_text("utf-8") for path in sources]
    emitted = {name for text in texts for name in EMITTED.findall(text)}
    emitted |= {name for text in texts for names in OF_EXECUTIONS.findall(text) for name in names if name}
    assert emitted == set(reactions.REACTIONS)
    assert [job.name for job in tick.JOBS][:4] == ["events", "reactions", "escalations", "pages"]


def test_a_failure_after_a_try_that_was_cut_off_is_told_too(story: Story) -> None:
    """The simulation found it: the second try was taken and timed out, the third went through, and nothing said "twice"."""
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    story.ticker.tick()
    assert story.outlet.take()  # claimed with the commit that opened the alert, by a node that dies
    clock.forward(timedelta(seconds=21))
    with story.broken("ana"):
        story.settle()
    assert "failed, will be tried again" in story.timeline(story.newest("checkout", "disk full"))
