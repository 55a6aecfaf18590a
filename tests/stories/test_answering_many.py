""" "All 214 shown": one answer for many alerts, in few statements; all of it is so, or none; what follows may be interrupted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from midwatch.core import clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry, OutboxEvent
from midwatch.engine import reactions
from midwatch.respond.alerts.actions import acknowledge_alert, acknowledge_alerts, resolve_alerts, snooze_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import act_on_landing
from midwatch.respond.escalation.models import Escalation
from stories.phones import Heard
from stories.story import Story


class Killed(BaseException):
    """No handler of the program stops it."""


def group(story: Story, count: int) -> Heard:
    """A page of `count` alerts of one group, opened by who got it; the page that lists them."""
    story.prometheus(*[f"db{number}" for number in range(count)])
    story.forward(seconds=10)
    return story.phones("ana")[0].is_told(f"+{count - 1} more")


def statuses() -> set[str]:
    return set(Alert.objects.values_list("status", flat=True))


def test_all_shown_are_taken_by_one_answer_and_each_tells_who(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    more = group(story, 30)
    ana.forgets()
    ben.forgets()
    assert story.press(more, scope="all") == "30 of 30 acknowledged."
    assert statuses() == {"acknowledged"}
    for alert in Alert.objects.all():
        assert story.timeline(alert).count("acknowledged: Ana acknowledged") == 1
    names = {str(alert) for alert in Alert.objects.all()}
    assert set(AuditEntry.objects.filter(verb="acknowledge").values_list("object_name", flat=True)) == names
    ben.is_told("Ana has #1, go back to sleep")
    story.nothing_else_happens(minutes=20)


def test_the_statements_are_as_many_for_two_hundred_as_for_three(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    counts = []
    for start, count in ((0, 3), (1_000, 200)):
        story.prometheus(*[f"db{number}" for number in range(start, start + count)], group=f"group {start}")
        alerts = list(Alert.objects.filter(status="firing"))
        assert len(alerts) == count
        with CaptureQueriesContext(connection) as queries:
            acknowledge_alerts(alerts, ana.actor)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_an_answer_that_is_cut_off_was_none_and_the_page_goes_on(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    more = group(story, 5)

    def dies(*given: Any, **more: Any) -> None:
        raise Killed

    with monkeypatch.context() as cut:
        cut.setattr(outbox, "emit_many", dies)
        with pytest.raises(Killed):
            act_on_landing(more.token, "acknowledge", scope="all")
    assert statuses() == {"firing"}
    assert not AuditEntry.objects.filter(verb="acknowledge").exists()
    ana.forgets()
    story.forward(minutes=5)
    ben.rings_with("#1")


def test_what_follows_is_cut_off_in_the_middle_and_nobody_is_paged_for_what_was_answered(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    more = group(story, 12)
    ana.forgets()
    found, said = act_on_landing(more.token, "acknowledge", scope="all")
    assert said == "12 of 12 acknowledged."
    assert found.state.startswith("Ana has #1 since")
    done: list[int] = []
    react_to = reactions._react_to

    def dies_after_four(event: OutboxEvent) -> list[OutboxEvent]:
        if len(done) == 4:
            raise Killed
        done.append(event.pk)
        return react_to(event)

    with monkeypatch.context() as cut:
        cut.setattr(reactions, "_react_to", dies_after_four)
        with pytest.raises(Killed):
            reactions.react()
    assert OutboxEvent.objects.filter(name="alert.acknowledged", done_at=None).count() == 8
    story.forward(minutes=6)  # another node, when the lease is over; level 2 was due meanwhile
    ben.is_silent()
    assert not OutboxEvent.objects.filter(done_at=None, quarantined_at=None, name="alert.acknowledged").exists()
    assert set(Escalation.objects.values_list("state", flat=True)) == {"acknowledged"}
    for alert in Alert.objects.all():
        assert story.timeline(alert).count("acknowledged: Ana acknowledged") == 1
    story.nothing_else_happens(minutes=10)


def test_one_that_came_later_pages_though_the_others_are_being_answered(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    more = group(story, 6)
    ana.forgets()
    act_on_landing(more.token, "acknowledge", scope="all")
    story.prometheus(*[f"db{number}" for number in range(7)])  # before anything followed from the answer
    ana.rings_with("#7")
    assert Alert.objects.get(status="firing").number == 7


def test_resolving_many_ends_them_all_and_says_what_was_over_before(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    more = group(story, 4)
    story.prometheus("db3", status="resolved")
    ana.forgets()
    assert story.press(more, "resolve", scope="all") == "3 of 4 resolved."
    assert statuses() == {"resolved"}
    assert set(Escalation.objects.values_list("state", flat=True)) == {"ended"}
    story.nothing_else_happens(minutes=20)


def test_of_many_each_is_what_it_would_be_alone(story: Story) -> None:
    """Free, one's own, another's, a machine's, one that sleeps, one that is over: as the acts of one alert say."""
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    free, mine, theirs, machines, asleep, over = [story.fires("checkout", f"alert {n}") for n in range(6)]
    acknowledge_alert(mine, ana.actor)
    acknowledge_alert(theirs, ben.actor)
    acknowledge_alert(machines, Actor("pager", "source"))
    snooze_alert(asleep, ana.actor, until=clock.now() + timedelta(hours=1))
    resolve_alerts([over], ben.actor)
    outcomes = acknowledge_alerts([free, mine, theirs, machines, asleep, over], ana.actor)
    assert [outcome.is_changed for outcome in outcomes] == [True, True, False, True, False, False]
    assert [outcome.sentence.split(" since")[0].split(" at ")[0] for outcome in outcomes] == [
        f"Ana has {free}. Escalation stopped.",
        f"Ana has {mine}, still on it.",
        f"Ben has {theirs}",
        f"Ana has {machines}. Escalation stopped.",
        f"Ana has {asleep}",
        f"{over} was resolved by Ben",
    ]
