"""A node that stood still (a paused machine) between two moments of its work doubles nothing unmarked, and a passing
trouble of the database is no reason to put an event aside."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DataError, OperationalError

from midwatch.core import clock
from midwatch.engine import events
from midwatch.respond.alerts.models import Alert, SourceProblem
from midwatch.respond.notify.actions import claim_deliveries
from midwatch.respond.notify.actions.deliveries import prepare, transport, write_sent
from midwatch.respond.notify.models import Delivery
from stories.story import Story


def waiting(story: Story) -> None:
    """One page is written and not sent."""
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    while story.ticker.tick():
        pass


def test_a_node_that_slept_after_taking_a_message_leaves_it_to_the_next(story: Story) -> None:
    (ana,) = story.phones("ana")
    waiting(story)
    (claimed,) = story.outlet.take()
    parcel = prepare(claimed)
    story.forward(seconds=30)  # another node sends it meanwhile
    ana.rings_with("disk full")
    write_sent([transport(parcel)])
    ana.is_silent()
    assert Delivery.objects.get().state == "handed over"
    assert story.timeline(Alert.objects.get()).count("handed over") == 1


def test_a_node_that_slept_on_the_wire_writes_over_nothing_and_says_that_it_came_twice(story: Story) -> None:
    (ana,) = story.phones("ana")
    waiting(story)
    (claimed,) = story.outlet.take()
    parcel = prepare(claimed)
    back = transport(parcel)
    ana.rings_with("disk full")
    # Its receipt is not written before another node has sent the message once more.
    story.forward(seconds=30)
    ana.rings_with("disk full")
    written = Delivery.objects.get()
    write_sent([back])
    assert Delivery.objects.get().handed_over_at == written.handed_over_at
    told = story.timeline(Alert.objects.get())
    assert "handed over (sent again: the try before was cut off)" in told
    assert "handed over (sent again: another node had sent it while this one stood still)" in told


def test_of_two_who_sent_it_the_second_says_so_whoever_writes_first(story: Story) -> None:
    (ana,) = story.phones("ana")
    waiting(story)
    (claimed,) = story.outlet.take()
    back = transport(prepare(claimed))
    clock.forward(timedelta(seconds=30))
    (again,) = claim_deliveries("webhook", by="another node", limit=10)
    second = transport(prepare(again))
    write_sent([back])
    write_sent([second])
    ana.rings_with("disk full")
    ana.rings_with("disk full")
    assert story.timeline(Alert.objects.get()).count("sent again") == 1


def test_a_receipt_whose_commit_was_not_heard_of_is_written_once(story: Story) -> None:
    (ana,) = story.phones("ana")
    waiting(story)
    (claimed,) = story.outlet.take()
    back = transport(prepare(claimed))
    ana.rings_with("disk full")
    write_sent([back])
    write_sent([back])
    told = story.timeline(Alert.objects.get())
    assert told.count("handed over") == 1
    assert "sent again" not in told


def test_a_lost_connection_puts_no_event_aside(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch fails for what is in it; taken one by one, the first fails for the database's sake alone."""
    story.expected_failures = {"events", "event"}
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    errors: list[Exception] = [DataError("a NUL"), OperationalError("canceling statement due to lock timeout")]
    real = events.process

    def fails(records: list[events.Record]) -> tuple[int, int]:
        if errors:
            raise errors.pop(0)
        return real(records)

    monkeypatch.setattr(events, "process", fails)
    story.ticker.tick()
    assert not SourceProblem.objects.exists()
    story.ticker.tick()
    assert Alert.objects.get().title == "disk full"
    assert not SourceProblem.objects.exists()
