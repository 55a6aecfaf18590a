"""The clock jumps: no page is lost or put off by hours, and none that went out goes out again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.engine import clock_steps
from midwatch.engine.checks import clock_is_steady
from midwatch.engine.models import Node
from midwatch.engine.watch import Watch
from stories.story import Story

BACK = [timedelta(seconds=30), timedelta(minutes=10), timedelta(days=3)]


@pytest.fixture
def watch(story: Story) -> Watch:
    made = Watch("story:1")
    made.enlist()
    beat(made)
    return made


def beat(watch: Watch) -> None:
    watch._beat_at = 0.0  # it beats once a second of the monotonic clock, which a story does not move
    watch.beat()


def steps_back(story: Story, watch: Watch, by: timedelta) -> None:
    beat(watch)
    clock.forward(-by)
    story.settle()  # what the engine does before it knows
    beat(watch)
    story.settle()


@pytest.mark.parametrize("by", BACK, ids=str)
def test_back_the_next_step_keeps_its_time_and_nothing_comes_twice(story: Story, watch: Watch, by: timedelta) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    ana.rings_with("disk full")
    story.forward(minutes=2)
    steps_back(story, watch, by)
    ana.is_silent(), ben.is_silent()
    story.forward(minutes=2, seconds=55)
    ben.is_silent()
    story.forward(seconds=10)
    ben.rings_with("disk full")
    assert story.timeline(alert).count("level 1: paging") == 1
    assert AuditEntry.objects.filter(verb=clock_steps.VERB, object_name="back").count() == 1
    assert clock_is_steady().state == "warning"


@pytest.mark.parametrize("by", BACK, ids=str)
def test_back_a_persons_methods_and_retries_keep_their_time(story: Story, watch: Watch, by: timedelta) -> None:
    ana = story.person("ana", methods=("webhook", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    with story.broken("webhook"):
        story.fires()
        story.forward(seconds=5)
    steps_back(story, watch, by)
    story.forward(seconds=20)
    ana.rings_with("disk full", by="webhook")
    story.forward(seconds=60)
    ana.rings_with("disk full", by="ntfy")
    story.nothing_else_happens()


@pytest.mark.parametrize("by", BACK, ids=str)
def test_back_new_alerts_page_at_once(story: Story, watch: Watch, by: timedelta) -> None:
    """Messages that left in what is now the future do not use up the storm limit."""
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    for number in range(6):
        story.fires(title=f"before {number}")
    ana.forgets()
    story.forward(minutes=1, seconds=1)
    ana.forgets()
    steps_back(story, watch, by)
    ana.forgets()
    story.fires(title="after the step")
    ana.rings_with("after the step")


def test_back_an_acknowledgement_runs_out_when_it_would_have(story: Story, watch: Watch) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ben", "0m")])
    alert = story.fires()
    ana.acknowledges(alert)
    story.forward(minutes=20)
    ben.forgets(), ana.forgets()
    steps_back(story, watch, timedelta(hours=5))
    story.forward(minutes=9)
    ben.is_silent()
    story.forward(minutes=2)
    ben.rings_with("disk full")


def test_back_while_nothing_ran_the_time_of_the_last_tick_counts(story: Story, watch: Watch) -> None:
    """A machine that starts with a wrong date."""
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    story.fires()
    ana.rings_with("disk full")
    beat(watch)
    clock.forward(-timedelta(days=400))
    fresh = Watch("story:2")
    fresh.enlist()
    beat(fresh)
    story.settle()
    story.forward(minutes=5, seconds=2)
    ben.rings_with("disk full")


def test_back_leases_that_a_dead_node_left_run_out_in_time(story: Story, watch: Watch) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    while story.ticker.tick():
        pass
    assert len(story.outlet.take()) == 1  # claimed with the commit that opened the alert, by a node that dies
    steps_back(story, watch, timedelta(hours=5))
    story.forward(seconds=21)
    ana.rings_with("disk full")


def test_two_nodes_see_it_and_one_acts(story: Story, watch: Watch) -> None:
    other = Watch("story:2")
    other.enlist()
    beat(watch), beat(other)
    clock.forward(-timedelta(hours=1))
    beat(watch), beat(other)
    assert AuditEntry.objects.filter(verb=clock_steps.VERB).count() == 1
    assert not Node.objects.filter(ticked_at__gt=clock.now()).exists()


@pytest.mark.parametrize("by", BACK, ids=str)
def test_forward_what_is_due_goes_out_late_and_does_not_pile_up(story: Story, watch: Watch, by: timedelta) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "5m"), ("cy", "10m")])
    story.fires()
    ana.rings_with("disk full")
    story.sleeps(seconds=by.total_seconds())
    beat(watch)
    ana.forgets()
    if by > timedelta(minutes=5):
        assert ben.rings_with("disk full").text.startswith("LATE")
        ben.forgets()
    cy.is_silent()
    story.forward(minutes=5 if by > timedelta(minutes=5) else 10)
    cy.rings_with("disk full")


def test_a_small_difference_is_no_step(story: Story, watch: Watch) -> None:
    beat(watch)
    clock.forward(-timedelta(seconds=1))
    beat(watch)
    assert not AuditEntry.objects.filter(verb=clock_steps.VERB).exists()
    clock_steps.note_forward(timedelta(seconds=30))
    assert not AuditEntry.objects.filter(verb=clock_steps.VERB).exists()
    clock_steps.note_forward(timedelta(hours=8))
    assert clock_is_steady().sentence.endswith("forward by 28800.0 s")
