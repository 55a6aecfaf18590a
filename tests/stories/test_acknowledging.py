"""Acknowledging: who has it, who hears of it, and when it pages again."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert, snooze_alert, unacknowledge_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import add_responder, escalate_now
from midwatch.respond.escalation.models import EscalationState
from stories.phones import refuses
from stories.story import START, Story


def test_first_wins_and_the_second_reads_who_has_it_since_when(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    alert = story.fires()
    to_ana, to_ben = ana.rings_with(), ben.rings_with()
    story.forward(minutes=4)
    assert story.press(to_ben) == "Ben has #1. Escalation stopped."
    assert story.press(to_ana) == "Ben has #1 since 02:04 UTC"
    assert story.alert(alert).acknowledged_by == ben.user


def test_everybody_already_paged_gets_one_update_and_never_a_call(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    cy = story.person("cy", methods=("ntfy", "voice"))
    dan = story.person("dan", methods=("voice",))
    story.policy(steps=[(["ana", "cy", "dan"], "0m"), ("ben", "5m")])
    alert = story.fires()
    story.forward(minutes=1)
    ana.rings_with(), cy.rings_with(by="ntfy"), cy.rings_with(by="voice"), dan.rings_with(by="voice")
    ana.acknowledges(alert)
    cy.is_told("Ana has #1, go back to sleep", by="ntfy")
    dan.is_silent()  # has no quiet way to be told
    ben.is_silent()  # was never paged
    story.nothing_else_happens(minutes=20)


def test_a_person_may_choose_how_to_hear_that_somebody_has_it(story: Story) -> None:
    ana = story.person("ana")
    ben = story.person("ben", methods=("ntfy", "email"), notify_on={"acknowledged": "email-1", "resolved": "email-1"})
    story.policy(steps=[(["ana", "ben"], "0m")])
    alert = story.fires()
    ana.rings_with(), ben.rings_with(by="ntfy")
    ana.acknowledges(alert)
    ben.is_told("Ana has #1, go back to sleep", by="email")
    ana.resolves(alert)
    ben.is_told("#1 is resolved by Ana", by="email")
    ana.is_silent()  # she knows


def test_a_viewer_looks_and_does_not_act(story: Story) -> None:
    vic = story.person("vic", methods=("sms",), role="viewer")
    story.policy(steps=[("vic", "0m")])
    alert = story.fires()
    story.press(vic.rings_with())
    assert story.alert(alert).status == "firing"
    assert "viewer" in vic.texts("ack 1")
    assert story.alert(alert).status == "firing"


def test_any_member_may_acknowledge_what_they_were_not_paged_for(story: Story) -> None:
    ana, zoe = story.phones("ana", "zoe")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    ana.rings_with()
    assert zoe.acknowledges(alert) == "Zoe has #1. Escalation stopped."
    ana.is_told("Zoe has #1")


def test_a_manager_acts_for_somebody_and_both_names_are_kept(story: Story) -> None:
    ana, mia = story.phones("ana", "mia")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    ana.rings_with()
    by = actor_of(ana.user, "web", on_behalf_of="Mia")
    story.acts(lambda: acknowledge_alert(alert, by).sentence)
    assert story.alert(alert).acknowledged_by == ana.user
    assert "Ana (by Mia) acknowledged" in story.timeline(alert)
    assert AuditEntry.objects.get(verb="acknowledge").who == "Ana (by Mia)"
    mia.is_silent()


def test_a_link_acts_as_the_person_it_was_sent_to(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    story.press(ana.rings_with())
    entry = AuditEntry.objects.get(verb="acknowledge")
    assert (entry.who, entry.via, entry.user_id) == ("Ana", "link", ana.user.pk)
    assert "(webhook): handed over" in story.timeline(alert)


def test_a_ringing_call_states_the_state_at_the_moment_it_is_answered(story: Story) -> None:
    ana, ben = story.person("ana", methods=("voice",)), story.person("ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    alert = story.fires(title="disk full on db3")
    call = ana.rings_with(by="voice")
    said = ana.picks_up(call)
    assert "Priority 1, alert 1, Checkout: disk full on db3. You are level 1. Press 4 to acknowledge" in said
    ben.acknowledges(alert)
    assert "Ben has it. Go back to sleep." in ana.picks_up(call)
    assert "Press 4" not in ana.picks_up(call)


# -- a machine's acknowledgement ---------------------------------------------------------------------------------------


def pagerduty(story: Story, action: str) -> Alert:
    source = story.source(type="pagerduty")
    payload = {"summary": "disk full", "source": "db3", "severity": "critical"}
    story.sends(source, {"event_action": action, "dedup_key": "k1", "payload": payload})
    return story.newest("checkout", "k1", "pagerduty")


def test_a_machines_acknowledgement_is_nobodys_and_times_out_even_where_peoples_never_do(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")], ack_timeout_seconds=0)
    alert = pagerduty(story, "trigger")
    ana.rings_with()
    pagerduty(story, "acknowledge")
    assert "acknowledged by source, no person" in story.timeline(alert)
    assert story.alert(alert).acknowledged_by is None
    ana.is_told("acknowledged by source, no person: it pages again unless somebody takes it")
    story.forward(minutes=29.9)
    ana.is_silent()  # a machine is not asked whether it is still on it
    story.forward(minutes=0.1)
    ana.rings_with()


def test_a_person_takes_over_what_a_machine_acknowledged(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")], ack_timeout_seconds=0)
    alert = pagerduty(story, "trigger")
    pagerduty(story, "acknowledge")
    assert ana.acknowledges(alert) == "Ana has #1. Escalation stopped."
    ana.forgets()
    story.nothing_else_happens(minutes=60)


# -- the time-out ------------------------------------------------------------------------------------------------------


def test_the_owner_is_asked_five_minutes_before_and_without_an_answer_a_round_starts(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    story.press(ana.rings_with())
    story.forward(minutes=24.9)
    ana.is_silent()
    story.forward(minutes=0.1)
    ana.is_told("still on #1? Acknowledge again for 30m more")
    story.forward(minutes=4.9)
    ana.is_silent()
    story.forward(minutes=0.1)
    ana.rings_with()
    assert story.alert(alert).status == "firing"
    assert "The acknowledgement timed out" in story.timeline(alert)
    story.forward(minutes=5)
    ben.rings_with()


def test_the_owner_who_answers_has_the_whole_time_again(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    story.press(ana.rings_with())
    for _ in range(3):
        story.forward(minutes=25)
        assert story.press(ana.is_told("still on #1?")) == "Ana has #1, still on it."
    assert story.alert(alert).status == "acknowledged"
    story.nothing_else_happens(minutes=24)


def test_the_owner_may_extend_before_being_asked(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    story.press(ana.rings_with())
    story.forward(minutes=20)
    ana.acknowledges(alert)
    story.nothing_else_happens(minutes=24)
    story.forward(minutes=1)
    ana.is_told("still on #1?")


def test_low_urgency_has_no_time_out_and_a_policy_has_its_own(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    low = story.fires(priority="P4")
    ana.rings_with()
    ana.acknowledges(low)
    story.nothing_else_happens(minutes=180)
    story.policy("search", team="search", steps=[("ben", "0m")], ack_timeout_seconds=600)
    alert = story.fires("search")
    ben.rings_with()
    ben.acknowledges(alert)
    story.forward(minutes=5)
    ben.is_told("still on #2? Acknowledge again for 10m more")
    story.forward(minutes=5)
    ben.rings_with()


def test_what_is_raised_after_it_was_taken_times_out_like_anything_urgent(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires(priority="P4")
    ana.rings_with()
    ana.acknowledges(alert)
    story.forward(minutes=10)
    story.fires(priority="P1")
    story.forward(minutes=15)
    ana.is_told("still on #1?")
    story.forward(minutes=5)
    ana.rings_with()
    assert story.alert(alert).status == "firing"


def test_what_was_given_back_before_a_confirmation_was_looked_at_pages_once(story: Story) -> None:
    """The engine was down: the round before does not go on beside the new one."""
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")], repeat=2)
    alert = story.fires()
    ana.rings_with()
    ana.acknowledges(alert)
    story.sleeps(minutes=12)
    with transaction.atomic():
        acknowledge_alert(story.alert(alert), ana.actor)
        unacknowledge_alert(story.alert(alert), ana.actor)
    story.settle()
    ana.rings_with()
    ana.is_silent()
    assert story.escalation(alert).round == 2


# -- resolved, and not ---------------------------------------------------------------------------------------------------


def test_resolved_by_a_person_while_the_source_still_fires_it_is_theirs_again(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    (alert,) = story.prometheus("db3")
    ana.rings_with()
    ana.resolves(alert)
    story.forward(hours=4)
    (again,) = story.prometheus("db3")  # the same fingerprint and start
    assert again == alert
    seen = story.alert(alert)
    assert (seen.status, seen.acknowledged_by, seen.is_still_firing) == ("acknowledged", ana.user, True)
    ana.is_told("#1 still fires: it is open again, as yours")
    story.forward(minutes=25)
    ana.is_told("still on #1?")
    story.prometheus("db3", status="resolved")
    assert story.alert(alert).status == "resolved"
    assert not story.alert(alert).is_still_firing


def test_after_a_persons_resolve_another_start_is_another_alert(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    (alert,) = story.prometheus("db3")
    ana.rings_with()
    ana.resolves(alert)
    story.forward(minutes=3)
    (other,) = story.prometheus("db3", starts=clock.now())
    assert other != alert
    ana.rings_with("#2")


def test_firing_again_soon_after_its_own_resolve_is_linked_and_pages_its_owner_first(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ana", "20m")])
    first = story.fires()
    ana.rings_with()
    ben.acknowledges(first)
    ana.is_told("Ben has #1")
    story.resolves()
    ana.is_told("resolved", kind="resolved"), ben.is_silent()
    story.forward(minutes=9)
    second = story.fires()
    assert second != first
    assert second.previous == first
    ben.rings_with("#2")
    ana.is_silent()
    story.forward(minutes=4.9)
    ana.is_silent()
    story.forward(minutes=0.1)
    ana.rings_with("#2")


def test_an_owner_who_cannot_be_reached_or_declines_holds_nobody_up(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    first = story.fires()
    ben.acknowledges(first)
    story.resolves()
    ana.forgets(), ben.forgets()
    with story.broken("ben", how=refuses(410)):
        second = story.fires()
        ana.rings_with("#2")
    ben.acknowledges(second)
    story.resolves()
    story.forward(minutes=2)
    ana.forgets(), ben.forgets()
    third = story.fires()
    ben.rings_with("#3")
    ben.declines(third)
    ana.rings_with("#3")


def test_firing_again_after_ten_minutes_is_simply_new(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    first = story.fires()
    ben.acknowledges(first)
    story.resolves()
    ana.forgets()
    story.forward(minutes=11)
    second = story.fires()
    assert second.previous is None
    ana.rings_with("#2")
    ben.is_silent()


# -- passing on ----------------------------------------------------------------------------------------------------------


def test_declining_pages_the_next_person_now_and_the_last_one_gets_the_whole_team(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.team("payments", "ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    to_ana = ana.rings_with()
    assert story.press(to_ana, "decline") == "Passed on to level 2."
    to_ben = ben.rings_with()
    assert story.press(to_ben, "decline") == "Nobody after you: whole team now."
    cy.rings_with("whole team")
    ana.is_silent(), ben.is_silent()  # they cannot take it
    assert story.called(alert) == {"cy"}


def test_declining_while_others_are_called_leaves_it_to_them(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    alert = story.fires()
    ana.rings_with(), ben.rings_with()
    assert ana.declines(alert) == "Passed on. Ben: being paged for #1."
    assert story.called(alert) == {"ben"}


def test_when_the_whole_team_is_one_person_who_declines_administrators_are_called(story: Story) -> None:
    ana, root = story.phones("ana", "root")
    with transaction.atomic():
        User.objects.filter(name="root").update(role="administrator")
    story.team("payments", "ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    ana.rings_with()
    assert "administrators are called" in ana.declines(alert)
    root.rings_with()


def test_an_owner_who_cannot_go_on_passes_it_to_the_next_step(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    ana.rings_with()
    ana.acknowledges(alert)
    story.forward(minutes=10)
    assert ana.declines(alert) == "Passed on to level 2."
    ben.rings_with()
    ana.is_silent()
    assert story.alert(alert).status == "firing"


def test_declining_what_somebody_else_has_only_says_who(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    alert = story.fires()
    ben.acknowledges(alert)
    assert ana.declines(alert) == "Ben has #1 since 02:00 UTC"
    assert story.alert(alert).status == "acknowledged"


def test_escalating_an_acknowledged_alert_gives_it_back_and_goes_on(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    story.press(ana.rings_with())
    assert story.acts(lambda: escalate_now(alert, ana.actor).sentence) == "#1 went to level 2."
    ben.rings_with()
    assert story.alert(alert).status == "firing"


def test_somebody_added_to_what_is_taken_is_paged_and_told_who_has_it(story: Story) -> None:
    ana, cy = story.phones("ana", "cy")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    story.press(ana.rings_with())
    story.acts(lambda: add_responder(alert, cy.user, ana.actor).sentence)
    assert "Ana has #1" in cy.rings_with().everything
    assert story.alert(alert).acknowledged_by == ana.user


def test_a_snooze_is_quiet_and_its_owner_is_not_asked(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    alert = story.fires()
    ana.rings_with(), ben.rings_with()
    until = clock.now() + timedelta(hours=3)
    story.acts(lambda: snooze_alert(alert, ana.actor, until=until).sentence)
    ben.is_told("Ana has #1, go back to sleep")
    story.nothing_else_happens(minutes=179)
    assert story.escalation(alert).state == EscalationState.SNOOZED
    story.forward(minutes=1)
    ana.rings_with(), ben.rings_with()
    assert story.alert(alert).status == "firing"
    story.acts(lambda: unacknowledge_alert(alert, ana.actor).sentence)  # nobody has it: nothing to give back
    story.nothing_else_happens()
    assert clock.now() > START
