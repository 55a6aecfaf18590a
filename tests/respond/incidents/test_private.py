"""What of a private incident stands where others read, and what opens its door."""

from __future__ import annotations

import pytest
from django.db import transaction

from api_world import BY, World, make_world
from midwatch.core import clock
from midwatch.people import actions as people
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import Entry, Incident
from midwatch.respond.incidents.queries import commander_of, may_see
from midwatch.respond.notify.models import Page

SECRET = "the payroll leaked"


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def zoe(world: World) -> User:
    """A member who has no part in anything."""
    with transaction.atomic():
        return people.create_user("zoe", people.Profile("Zoe", "zoe@example.com", "UTC", "member"), BY)


def declared(world: World, title: str, *, is_private: bool = False, alert: Alert | None = None) -> Incident:
    wanted = Declaration(title, "SEV2", is_private=is_private, alert=alert)
    return actions.declare_incident(wanted, actor_of(world.cy, "web"))


def answers(alert: Alert, user: User) -> None:
    """As the engine says it."""
    actions.on_alert_acknowledged(alert, actor_of(user, "engine"), user)


def called(alert: Alert, user: User) -> None:
    now = clock.now()
    Page.objects.create(alert=alert, user=user, origin="1/0/0", urgency="high", started_at=now, cycle_started_at=now)


def test_the_alert_of_who_is_asked_for_help_says_nothing(world: World) -> None:
    made = declared(world, SECRET, is_private=True)
    by = actor_of(world.cy, "web")
    asked = actions.add_responder(made, by, team=world.team, message="who sold the payroll?")
    told = f"{asked.alert.title} {asked.alert.description}"
    assert "payroll" not in told
    assert f"incident {made.number}" in told
    assert asked.message == "who sold the payroll?", "in its room it stands"
    public = actions.add_responder(declared(world, "checkout is slow"), by, team=world.team)
    assert "checkout is slow" in public.alert.title


def test_an_answer_by_somebody_who_was_not_called_opens_nothing(world: World, zoe: User) -> None:
    made = declared(world, SECRET, is_private=True)
    asked = actions.add_responder(made, actor_of(world.cy, "web"), team=world.team)
    assert asked.alert is not None
    answers(asked.alert, zoe)
    assert not may_see(zoe, made)
    called(asked.alert, world.bo)
    answers(asked.alert, world.bo)
    assert may_see(world.bo, made)


def test_nobody_takes_the_lead_of_one_that_they_may_not_see(world: World, zoe: User) -> None:
    alert = world.alert()
    made = declared(world, SECRET, is_private=True, alert=alert)
    leads = commander_of(made)
    answers(alert, zoe)
    assert commander_of(made) == leads
    assert not may_see(zoe, made)
    open_one = declared(world, "disk full", alert=world.alert("another"))
    answers(open_one.linked_alerts.get().alert, zoe)
    assert commander_of(open_one) == zoe, "in the open whoever answers leads"


def test_the_timeline_of_another_one_does_not_say_its_title(world: World) -> None:
    hidden, first, second = declared(world, SECRET, is_private=True), declared(world, "slow"), declared(world, "slower")
    by = actor_of(world.cy, "web")
    actions.link_incident(first, hidden, by)
    actions.merge(first, hidden, by)
    other = declared(world, SECRET, is_private=True)
    actions.merge(other, second, by)
    said = Entry.objects.filter(incident__in=[first, second]).values_list("text", flat=True)
    assert not [text for text in said if "payroll" in text]
    assert [text for text in said if str(hidden) in text]
