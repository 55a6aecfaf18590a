"""How few steps stand between an event and its page, counted: statements and commits, not milliseconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from midwatch.core.actor import ENGINE
from midwatch.engine import hold, tick
from midwatch.engine.pools import Pools
from midwatch.engine.tick import Ticker
from midwatch.respond.alerts.models import Alert
from midwatch.respond.notify.actions import pages
from midwatch.respond.notify.models import Delivery, DeliveryState
from midwatch.respond.notify.outlet import sending_through
from stories.story import Story

READS_AND_WRITES_OF_A_PAGE = 34  # whatever is added here, somebody who is asleep waits for


def counted(work: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        work()
    return [query["sql"] for query in queries.captured_queries]


def people(story: Story, count: int) -> None:
    names = [f"p{number}" for number in range(count)]
    story.phones(*names)
    for name in names:
        story.policy(f"service-{name}", steps=[(name, "0m"), (name, "5m")])


def arrive(story: Story, count: int, word: str) -> None:
    for number in range(count):
        title = f"{word} {number}"
        event = {"title": title, "priority": "P1", "labels": {"service": f"service-p{number % 10}"}}
        story.arrives(story.source(service_label="service"), event)


def test_a_page_is_written_claimed_by_the_transaction_that_opens_its_alert(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    ran = counted(tick.events.drain)
    assert Delivery.objects.get().state == DeliveryState.WAITING, "without senders at hand it waits to be claimed"
    assert len(ran) <= READS_AND_WRITES_OF_A_PAGE, "\n".join(ran)
    story.arrives(story.source(), {"title": "queue grows", "priority": "P1"})
    with sending_through(story.outlet):
        ran = counted(tick.events.drain)
    (claimed,) = story.outlet.leaving
    assert claimed.state == DeliveryState.SENDING
    assert claimed.pk == Delivery.objects.get(state=DeliveryState.SENDING).pk
    assert claimed.claimed_by == "inline"
    assert sum(sql.startswith("BEGIN") for sql in ran) <= 1  # PostgreSQL's is not among them
    assert len(ran) <= READS_AND_WRITES_OF_A_PAGE, "\n".join(ran)
    story.settle()
    ana.rings_with("disk full")
    ana.rings_with("queue grows")
    story.nothing_else_happens(minutes=4)


def test_a_batch_takes_as_many_statements_whatever_it_holds(story: Story) -> None:
    people(story, 10)
    arrive(story, 10, "warm")
    story.ticker.tick()
    counts = []
    for count in (20, 90):
        arrive(story, count, f"round of {count}")
        counts.append(len(counted(tick.events.drain)))
    assert Alert.objects.count() == 120
    assert counts[0] == counts[1]


def test_what_repeats_takes_as_many_statements_whatever_it_is(story: Story) -> None:
    people(story, 10)
    arrive(story, 90, "known")
    story.ticker.tick()
    counts = []
    for count in (20, 90):
        arrive(story, count, "known")
        counts.append(len(counted(tick.events.drain)))
    assert Alert.objects.count() == 90
    assert counts[0] == counts[1]


def test_steps_that_are_due_together_take_as_many_statements_whatever_they_are(story: Story) -> None:
    people(story, 10)
    arrive(story, 90, "first")
    story.settle()
    story.network.heard.clear()
    story.forward(minutes=4, seconds=59)
    counts = []
    for limit in (10, 40):
        tick.clock.forward(tick.timedelta(seconds=1))
        counts.append(len(counted(lambda limit=limit: tick.run_due(limit=limit))))  # type: ignore[misc]
    assert counts[0] == counts[1]
    assert Alert.objects.count() == 90


def test_what_is_over_the_storm_limit_is_left_to_be_bundled(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    for number in range(10):
        story.arrives(story.source(), {"title": f"alert {number}", "priority": "P1"})
    story.ticker.tick()
    assert not story.outlet.leaving, "ten at once are more than six a minute"
    story.settle()
    ana.rings_with(kind="bundle")


def test_while_a_hold_lasts_nothing_leaves_with_its_commit(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    hold.begin(ENGINE, "a restore")

    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    story.settle()
    assert Alert.objects.filter(title="disk full").exists()
    assert not story.outlet.leaving
    ana.is_silent()


def test_senders_of_a_transaction_that_failed_are_free_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.expected_failures = {"events", "event"}
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    pools = Pools(senders=2, node="here")
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})

    def breaks(*_: object) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(pages, "_start_notes", breaks)
    Ticker(pools).tick()
    assert not Alert.objects.exists()
    assert pools.reserve("webhook", 5) == 2


def test_no_more_leaves_with_a_commit_than_has_a_sender(story: Story) -> None:
    people(story, 10)
    pools = Pools(senders=3, node="here")
    for pool in pools._pools.values():
        monkey = pool._executor  # nothing is sent here: it is about what is claimed
        monkey.shutdown()
        pool.send = lambda deliveries: None  # type: ignore[method-assign, assignment]
    arrive(story, 10, "at once")
    Ticker(pools).tick()
    assert Delivery.objects.filter(state=DeliveryState.SENDING, claimed_by="here").count() == 3
    assert Delivery.objects.filter(state=DeliveryState.WAITING).count() == 7
