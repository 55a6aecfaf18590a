"""Maintenance: alerts are kept, nobody is paged; what still fires at the end pages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from midwatch.core import clock
from midwatch.respond.alerts.actions import end_maintenance, start_maintenance
from midwatch.respond.alerts.models import Alert, Maintenance
from midwatch.respond.escalation.actions import escalate_now, page_somebody
from midwatch.respond.escalation.models import EscalationState
from stories.story import Phone, Story


def maintenance(story: Story, by: Phone, *, starts_in: float = 0, minutes: float = 60) -> Maintenance:
    starts_at = clock.now() + timedelta(minutes=starts_in)
    made = start_maintenance(
        story.service(), by.actor, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes), reason="upgrade"
    )
    story.settle()
    return made


def test_alerts_are_kept_and_what_still_fires_at_the_end_pages(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    maintenance(story, ana)
    stays, goes = story.fires(title="stays"), story.fires(title="goes")
    assert story.escalation(stays).state == EscalationState.HELD
    story.nothing_else_happens(minutes=30)
    story.resolves(title="goes")
    assert Alert.objects.count() == 2
    assert story.alert(goes).status == "resolved"
    story.nothing_else_happens(minutes=29.9)
    story.forward(minutes=0.1)
    page = ana.rings_with("stays")
    assert not page.text.startswith("LATE")
    story.nothing_else_happens()


def test_a_planned_one_stops_the_pages_that_run_when_it_begins(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "15m")])
    maintenance(story, ana, starts_in=10)
    alert = story.fires()
    ana.rings_with()
    story.forward(minutes=5)
    ana.rings_with()
    story.forward(minutes=5)
    ana.forgets()
    story.nothing_else_happens(minutes=59.9)
    assert story.called(alert) == set()
    story.forward(minutes=0.1)
    ana.rings_with()
    story.forward(minutes=15)
    ben.rings_with()


def test_ended_early_it_pages_at_once(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    running = maintenance(story, ana, minutes=600)
    story.fires()
    story.nothing_else_happens(minutes=5)
    end_maintenance(running, ana.actor)
    story.settle()
    ana.rings_with()
    story.forward(minutes=4)
    story.nothing_else_happens()


def test_two_windows_hold_until_the_later_one_ends(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    maintenance(story, ana, minutes=10)
    maintenance(story, ana, minutes=30)
    story.fires()
    story.nothing_else_happens(minutes=29.9)
    story.forward(minutes=0.2)
    ana.rings_with()


def test_what_somebody_took_stays_taken_and_its_time_out_waits(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "10m", "unresolved")])
    alert = story.fires()
    story.press(ana.rings_with())
    maintenance(story, ana, minutes=120)
    story.nothing_else_happens(minutes=119)
    assert story.alert(alert).status == "acknowledged"
    assert not [heard for heard in story.network.heard if heard.who == "ben"]
    story.forward(minutes=2)
    ben.rings_with("Ana has #1") if story.alert(alert).status == "acknowledged" else ana.rings_with()


def test_another_service_pages_and_so_does_what_a_person_pages_by_hand(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    story.policy("search", team="search", steps=[("ben", "0m")])
    maintenance(story, ana)
    story.fires("search")
    ben.rings_with()
    story.acts(lambda: str(page_somebody("the upgrade failed", ben.actor, service=story.service())))
    ana.rings_with("the upgrade failed")


def test_escalating_during_maintenance_says_why_nobody_is_paged(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    maintenance(story, ana)
    alert = story.fires()
    said = story.acts(lambda: escalate_now(alert, ana.actor).sentence)
    assert said == "Nobody is paged for #1: it is in maintenance until 2026-03-03 03:00 UTC."
    ana.is_silent()


def test_a_window_that_makes_no_sense_is_refused_with_a_sentence(story: Story) -> None:
    (ana,) = story.phones("ana")
    now = clock.now()
    with pytest.raises(ValueError, match="after the start and in the future"):
        start_maintenance(story.service(), ana.actor, starts_at=now, ends_at=now - timedelta(hours=1))
    with pytest.raises(ValueError, match="at most 90 days"):
        start_maintenance(story.service(), ana.actor, starts_at=now, ends_at=now + timedelta(days=91))
