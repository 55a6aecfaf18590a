"""Hand-off and people: who hears that they are on call, who hears that nobody is, and who cannot be done without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from midwatch.people.actions.contacts import remove_contact
from midwatch.people.actions.users import NeededError, deactivate_user
from midwatch.people.models import ContactMethod
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.coverage import sole_target_of
from midwatch.respond.escalation.queries import dry_run
from midwatch.respond.oncall.actions import LayerFields, create_override, set_layers
from midwatch.respond.oncall.models import Layer
from midwatch.respond.oncall.queries import users_on_call
from stories.story import START, Story

MONDAY_9_PRAGUE = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)


def test_a_day_before_and_at_the_start_of_a_shift_people_hear_of_it(story: Story) -> None:
    cy, bo = story.person("cy", notify_on={"shiftStart": []}), story.person("bo")
    ana = story.person("ana", zone="Europe/Prague")
    story.schedule("payments", "cy", "ana", zone="Europe/Prague", start="2026-03-02T09:00")
    story.policy(steps=[("schedule:payments", "0m"), ("bo", "5m")])
    story.is_now(MONDAY_9_PRAGUE - timedelta(hours=24, minutes=1))
    ana.is_silent()
    story.forward(minutes=1)
    ana.is_told(
        "You will be on call for payments from Mon 09:00 CET until Mon 09:00 CET; 0 open alerts; level 2 is Bo.",
        kind="handoff",
    )
    story.is_now(MONDAY_9_PRAGUE - timedelta(minutes=2))
    story.fires(title="one", priority="P4")
    story.fires(title="two", priority="P4")
    cy.forgets()
    story.nothing_else_happens(minutes=1.9)
    story.forward(minutes=0.1)
    story.forward(seconds=30)
    ana.is_told("You are on call for payments until Mon 09:00 CET; 2 open alerts; level 2 is Bo.", kind="handoff")
    story.nothing_else_happens(minutes=2)
    bo.is_silent()


def test_a_person_says_when_to_hear_of_a_shift(story: Story) -> None:
    ana = story.person("ana", notify_on={"shiftStart": ["2h"]})
    ben = story.person("ben", notify_on={"shiftStart": []})
    story.schedule("primary", "nobody", "ana", "ben", every=1, unit="days", start="2026-03-03T00:00")
    story.is_now(START.replace(hour=21, minute=59))
    ana.is_silent()
    story.forward(minutes=1)
    ana.is_told("You will be on call for primary", kind="handoff")
    for hour in range(0, 24, 3):
        story.is_now(START.replace(day=4, hour=hour))
    ana.is_silent(), ben.is_silent()


def test_shift_messages_come_once_even_when_midwatch_was_down(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.schedule("primary", "nobody", "ana", every=1, unit="days", start="2026-03-03T00:00")
    story.sleeps(hours=3)
    ana.is_told("You will be on call for primary", kind="handoff")
    story.sleeps(seconds=40)
    story.nothing_else_happens(minutes=60)


def test_the_team_is_warned_seven_days_and_one_day_before_nobody_is_on_call(story: Story) -> None:
    quiet = {"shiftStart": []}
    ana, ben = story.person("ana", notify_on=quiet), story.person("ben", notify_on=quiet)
    story.team("payments", "ana", "ben")
    story.schedule("primary", "ana", end="2026-03-16T09:00")
    for days in range(3, 9):
        story.is_now(START.replace(day=days, hour=8, minute=50))
    story.nothing_else_happens()
    story.is_now(START.replace(day=9, hour=9))
    for phone in (ana, ben):
        phone.is_told("Nobody is on call for primary from Mon 16 Mar 09:00 UTC to further notice", kind="handoff")
    for days in range(9, 15):
        story.is_now(START.replace(day=days, hour=10))
    story.nothing_else_happens()
    story.is_now(START.replace(day=15, hour=9))
    for phone in (ana, ben):
        phone.is_told("Nobody is on call for primary", kind="handoff")
    story.nothing_else_happens(minutes=60)


def test_an_override_that_covers_the_gap_ends_the_warning(story: Story) -> None:
    quiet = {"shiftStart": []}
    ana, ben = story.person("ana", notify_on=quiet), story.person("ben", notify_on=quiet)
    story.team("payments", "ana", "ben")
    schedule = story.schedule("primary", "ana", end="2026-03-16T09:00")
    create_override(
        schedule,
        ana.actor,
        starts_at=datetime(2026, 3, 16, 9, tzinfo=UTC),
        ends_at=datetime(2026, 6, 1, tzinfo=UTC),
        user=ben.user,
    )
    for days in range(3, 17):
        story.is_now(START.replace(day=days, hour=9))
    story.nothing_else_happens()


def test_an_override_says_who_is_paged(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    schedule = story.schedule("primary", "ana")
    story.policy(steps=[("schedule:primary", "0m")])
    create_override(schedule, ben.actor, starts_at=START, ends_at=START + timedelta(hours=4), user=ben.user)
    story.settle()
    ana.forgets(), ben.forgets()
    story.fires(title="one")
    ben.rings_with("one")
    ana.is_silent()
    story.resolves(title="one")
    story.is_now(START + timedelta(hours=4))
    ana.forgets(), ben.forgets()
    story.fires(title="two")
    ana.rings_with("two")


def test_next_on_call_may_be_a_level_of_its_own(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.schedule("primary", "ana", "ben")
    story.policy(steps=[("schedule:primary", "0m"), ("next:primary", "5m")])
    story.fires()
    ana.rings_with()
    story.forward(minutes=5)
    ben.rings_with("level 2")


def test_adding_a_participant_does_not_change_who_is_on_call_now(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    schedule = story.schedule("primary", "ana", "ben", every=1, unit="days", start="2026-03-02T00:00")
    assert users_on_call(schedule, START) == [ben.user]
    fields = LayerFields(
        name="main",
        start=datetime(2026, 3, 2),
        every=1,
        unit="days",
        turns=[[cy.user], [ana.user], [ben.user]],
    )
    set_layers(schedule, [fields], ana.actor)
    assert users_on_call(schedule, START) == [ben.user]
    assert Layer.objects.get(schedule=schedule).turn_count == 3


def test_a_shift_changes_at_the_wall_clock_hour_on_both_sides_of_a_dst_change(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    schedule = story.schedule(
        "primary", "ana", "ben", every=1, unit="weeks", zone="Europe/Prague", start="2026-03-23T09:00"
    )
    before, after = datetime(2026, 3, 30, 6, 59, tzinfo=UTC), datetime(2026, 3, 30, 7, 0, tzinfo=UTC)
    assert users_on_call(schedule, before) == [ana.user]  # 08:59 CEST
    assert users_on_call(schedule, after) == [ben.user]  # 09:00 CEST


def test_nobody_is_turned_off_while_a_step_has_only_them_unless_forced_which_tells_the_team(story: Story) -> None:
    ana, ben, mia = story.phones("ana", "ben", "mia")
    story.team("payments", "ana", "ben")
    story.schedule("primary", "ana", "ben")
    story.policy(steps=[("mia", "0m"), ("schedule:primary", "5m")])
    needed = sole_target_of(ben.user)
    assert needed == ["policy checkout-policy, level 2 from 2026-03-09 00:00 UTC"]
    with pytest.raises(NeededError, match="Ben is the only one who would be paged"):
        deactivate_user(ben.user, ana.actor, needed_by=needed)
    story.acts(lambda: str(deactivate_user(ben.user, ana.actor, needed_by=needed, is_forced=True)))
    alert = Alert.objects.get()
    assert alert.priority == "P2"
    assert alert.team is not None
    assert alert.team.name == "payments"
    mia.rings_with("Ben was turned off by Ana and is the only one who would be paged")


def test_nobody_loses_their_last_method_while_a_step_has_only_them(story: Story) -> None:
    ana = story.person("ana", methods=("ntfy", "sms"))
    mia = story.person("mia")
    story.team("payments", "ana", "mia")
    story.policy(steps=[("ana", "0m"), ("mia", "5m")])
    with transaction.atomic():
        ContactMethod.objects.update(is_from_code=False)
    push, text = ContactMethod.objects.filter(user=ana.user).order_by("position")
    remove_contact(push, ana.actor, needed_by=sole_target_of(ana.user))
    with pytest.raises(NeededError, match="the last way to reach Ana"):
        remove_contact(text, ana.actor, needed_by=sole_target_of(ana.user))
    story.acts(lambda: str(remove_contact(text, ana.actor, needed_by=sole_target_of(ana.user), is_forced=True)))
    mia.rings_with("Ana lost the last contact method")


def test_the_dry_run_says_beforehand_who_cannot_be_reached(story: Story) -> None:
    story.person("ana", methods=("email",))
    story.person("ben", methods=("ntfy", "sms"))
    story.schedule("primary", "nobody")
    policy = story.policy(steps=[("ana", "0m"), ("schedule:primary", "5m"), ("ben", "10m")])
    seen = dry_run(policy, at=START)
    assert not seen.is_all_reachable
    assert seen.problems == ["level 1: Ana has no usable method that rings", "level 2: nobody"]
    assert [(f"{line.at:%H:%M}", line.text) for line in seen.lines if line.step == "level 3"] == [
        ("02:00", "Ben by ntfy-0"),  # both steps before it pass on at once
        ("02:01", "Ben by sms-1"),
    ]
