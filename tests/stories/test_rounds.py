"""Rounds, steps, times."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from midwatch.core import clock
from midwatch.people.models import User
from midwatch.respond.alerts.actions import acknowledge_alert, change_priority, snooze_alert, unacknowledge_alert
from midwatch.respond.escalation.actions import add_responder, escalate_now, page_somebody, reassign
from midwatch.respond.escalation.models import EscalationState, Organisation
from midwatch.respond.notify.models import Delivery
from stories.phones import refuses
from stories.story import START, Story


def test_nobody_answers_so_level_2_is_paged(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy("payments", steps=[("ana", "0m"), ("ben", "5m")])
    story.fires("payments", "disk full")
    ana.rings_with("disk full")
    story.forward(minutes=4.9)
    ben.is_silent()
    story.forward(minutes=0.1)
    ben.rings_with("disk full")
    ana.rings_with("disk full")  # her own rules start again five minutes after they were used up
    story.nothing_else_happens()


def test_every_repeat_is_a_round_from_step_1_and_pages_again(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")], repeat=2, repeat_after_seconds=600)
    for phone in (ana, ben):
        _never_repeats_by_itself(phone.user)
    alert = story.fires()
    for number in (1, 2, 3):
        assert story.escalation(alert).round == number
        ana.rings_with()
        story.forward(minutes=5)
        ben.rings_with()
        story.forward(minutes=10)  # after the last step
    story.nothing_else_happens(minutes=60)
    assert story.escalation(alert).state == EscalationState.EXHAUSTED


def test_no_two_rounds_and_no_two_rules_share_an_idempotency_key(story: Story) -> None:
    ana = story.person("ana", methods=("webhook", "ntfy"))
    story.policy(steps=[("ana", "0m")], repeat=1, repeat_after_seconds=120)
    story.fires()
    story.forward(minutes=12)
    keys = list(Delivery.objects.values_list("idempotency_key", flat=True))
    assert len(keys) == len(set(keys)) >= 6
    assert ana.forgets() == len(keys)


def test_giving_it_back_starts_a_round_from_step_1(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    ana.rings_with()
    story.forward(minutes=5)
    ben.rings_with()
    ana.rings_with()
    ben.acknowledges(alert)
    ana.is_told("Ben has #1, go back to sleep")
    story.nothing_else_happens(minutes=20)
    story.acts(lambda: unacknowledge_alert(alert, ben.actor).sentence)
    ana.rings_with()
    ben.is_silent()
    story.forward(minutes=5)
    ben.rings_with()


def test_given_back_before_the_engine_saw_the_acknowledgement_it_is_a_round_all_the_same(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    ana.rings_with()
    story.forward(minutes=4)

    def takes_it_and_gives_it_back() -> str:
        acknowledge_alert(alert, ana.actor)
        return unacknowledge_alert(alert, ana.actor).sentence

    story.acts(takes_it_and_gives_it_back)
    ana.rings_with()
    story.forward(minutes=4)
    ben.is_silent()  # five minutes of the new round
    story.forward(minutes=1)
    ben.rings_with()


def test_the_end_of_a_snooze_pages_whoever_is_on_call_then(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.schedule("primary", "ana", "ben", every=12, unit="hours")  # ana until noon
    story.policy(steps=[("schedule:primary", "0m")])
    alert = story.fires()
    ana.rings_with()
    until = START.replace(hour=13)
    story.acts(lambda: snooze_alert(alert, ana.actor, until=until).sentence)
    story.forward(to=until - timedelta(seconds=1))
    assert not ben.story.called(alert)
    ana.forgets(), ben.forgets()  # messages about the shift's hand-off
    story.forward(seconds=1)
    ben.rings_with("disk full")
    ana.is_silent()


def test_after_downtime_steps_do_not_pile_up_and_late_ones_say_so(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    for phone in (ana, ben, cy):
        _never_repeats_by_itself(phone.user)
    story.policy(steps=[("ana", "0m"), ("ben", "5m"), ("cy", "15m")])
    story.arrives(story.source(), {"title": "disk full"})
    story.sleeps(minutes=40)
    late = ana.rings_with("disk full")
    assert late.text.startswith("LATE 40 min:")
    ben.is_silent()
    story.forward(minutes=4.9)
    ben.is_silent()
    story.forward(minutes=0.1)
    assert ben.rings_with().text.startswith("LATE 40 min:")
    story.forward(minutes=9.9)
    cy.is_silent()
    story.forward(minutes=0.1)
    cy.rings_with()
    story.nothing_else_happens()


def test_a_step_counts_from_when_the_one_before_was_handed_over(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "1m")])
    with story.broken("ana"):
        story.fires()
        story.forward(seconds=20)
    story.forward(seconds=20)
    handed_over = ana.rings_with().at
    story.forward(seconds=40)
    ben.is_silent()  # the minute runs from the hand-over
    story.forward(seconds=30)
    assert ben.rings_with().at == handed_over + timedelta(minutes=1)


def test_a_step_with_nobody_on_call_passes_on_at_once_and_pulls_the_later_ones(story: Story) -> None:
    ben, cy = story.phones("ben", "cy")
    story.schedule("primary", "nobody")
    story.policy(steps=[("schedule:primary", "0m"), ("ben", "5m"), ("cy", "15m")])
    alert = story.fires()
    ben.rings_with()
    assert "nobody to page" in story.timeline(alert)
    story.forward(minutes=9.9)
    cy.is_silent()
    story.forward(minutes=0.1)  # ten minutes after level 2, as planned
    cy.rings_with()


def test_a_person_without_a_method_that_rings_is_passed_over_but_still_told(story: Story) -> None:
    ana = story.person("ana", methods=("email",))
    (ben,) = story.phones("ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    ana.rings_with(by="email")
    ben.rings_with()
    assert "Ana has no usable method for high urgency" in story.timeline(alert)


def test_an_unconfirmed_method_is_none(story: Story) -> None:
    ana, ben = story.person("ana", methods=()), story.person("ben")
    story.contact(ana.user, "webhook", confirmed_at=None)
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    story.fires()
    ana.is_silent()
    ben.rings_with()


def test_when_every_method_fails_the_next_step_goes_at_once(story: Story) -> None:
    ana = story.person("ana", methods=("webhook", "sms"))
    (ben,) = story.phones("ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    with story.broken("ana/webhook", how=refuses(410)), story.broken("ana/sms", how=refuses(400)):
        alert = story.fires()
    ben.rings_with()
    ana.is_silent()
    assert "Every method of Ana failed" in story.timeline(alert)


def test_sixty_seconds_without_a_hand_over_count_as_failed(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "15m")])
    with story.broken("ana"):
        alert = story.fires()
        story.forward(seconds=59)
        ben.is_silent()
        story.forward(seconds=2)
        ben.rings_with()
        assert "within 60 s: passing on" in story.timeline(alert)
        story.forward(minutes=3)
    story.forward(minutes=3)
    ana.rings_with()  # the first message was tried on meanwhile


def test_steps_of_the_same_moment_do_not_wait_for_each_other(story: Story) -> None:
    _ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "0m")])
    with story.broken("ana"):
        story.fires()
        ben.rings_with()


def test_a_round_that_reached_nobody_calls_duty_then_managers_then_administrators(story: Story) -> None:
    duty, mia, root = story.phones("duty", "mia", "root")
    desk = story.schedule("duty-desk", "duty", team="desk")
    with transaction.atomic():
        Organisation.objects.create(pk=1, duty_schedule=desk)
        User.objects.filter(name="root").update(role="administrator")
    story.team("payments", managers=["mia"])
    story.person("ana", methods=("email",))
    story.policy(steps=[("ana", "0m")])
    for phone in (duty, mia, root):
        _never_repeats_by_itself(phone.user)
        phone.forgets()
    alert = story.fires()
    duty.rings_with()
    story.forward(minutes=4.9)
    mia.is_silent()
    story.forward(minutes=0.1)
    mia.rings_with()
    story.forward(minutes=5)
    root.rings_with()
    story.forward(minutes=5)
    duty.rings_with()  # and again, until one answers
    assert story.alert(alert).status == "firing"
    assert "Nobody was reached: calling the managers" in story.timeline(alert)
    mia.acknowledges(alert)
    duty.forgets(), root.forgets(), story.people["ana"].forgets()
    story.forward(minutes=20)
    duty.is_silent(), root.is_silent()


def test_without_a_duty_schedule_and_with_an_unreachable_manager_administrators_are_called_at_once(
    story: Story,
) -> None:
    (root,) = story.phones("root")
    story.person("mia", methods=())
    with transaction.atomic():
        User.objects.filter(name="root").update(role="administrator")
    story.team("payments", managers=["mia"])
    story.schedule("primary", "nobody")
    story.policy(steps=[("schedule:primary", "0m")])
    story.fires()
    root.rings_with()


def test_a_service_without_a_policy_is_nobodys_but_not_lost(story: Story) -> None:
    (mia,) = story.phones("mia")
    story.team("payments", managers=["mia"])
    story.service()
    story.fires()
    mia.rings_with("disk full")


def test_high_urgency_rules_start_again_until_somebody_answers(story: Story) -> None:
    ana = story.person("ana", methods=("ntfy", "sms"))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    ana.rings_with(by="ntfy")
    story.forward(minutes=1)
    ana.rings_with(by="sms")
    story.forward(minutes=5)
    ana.rings_with(by="ntfy")
    story.forward(minutes=1)
    ana.rings_with(by="sms")
    ana.acknowledges(alert)
    story.nothing_else_happens(minutes=10)


def test_repeating_ends_with_a_resolve_a_snooze_or_that_persons_decline(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    story.fires(title="one")
    ana.rings_with("one")
    story.resolves(title="one")
    ana.is_told("#1 is resolved", kind="resolved")
    story.nothing_else_happens(minutes=30)

    two = story.fires(title="two")
    ana.rings_with("two")
    story.acts(lambda: snooze_alert(two, ana.actor, until=clock.now() + timedelta(hours=4)).sentence)
    story.nothing_else_happens(minutes=30)
    ana.resolves(two)

    three = story.fires(title="three")
    ana.rings_with("three")
    ana.declines(three)
    ben.rings_with("three")
    story.forward(minutes=12)
    ana.is_silent()


def test_a_person_may_choose_that_rules_never_repeat(story: Story) -> None:
    ana = story.person("ana", repeat_after_seconds=0)
    story.policy(steps=[("ana", "0m")])
    story.fires()
    ana.rings_with()
    story.nothing_else_happens(minutes=60)


def test_a_later_step_that_names_the_same_person_restarts_their_rules(story: Story) -> None:
    ana = story.person("ana", methods=("ntfy", "sms"))
    story.policy(steps=[("ana", "0m"), ("ana", "2m")])
    story.fires()
    ana.rings_with(by="ntfy")
    story.forward(minutes=1)
    ana.rings_with(by="sms")
    story.forward(minutes=1)
    ana.rings_with("level 2", by="ntfy")
    story.forward(minutes=1)
    ana.rings_with(by="sms")
    story.nothing_else_happens()


def test_low_urgency_rules_run_once_and_wait_for_their_hours(story: Story) -> None:
    ana = story.person("ana", zone="Europe/Prague")  # 03:00 there
    story.hours(ana, "08:00", "22:00")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires(priority="P3")
    story.forward(hours=4.9)
    ana.is_silent()
    story.forward(hours=0.1)
    heard = ana.rings_with("disk full")
    assert not heard.text.startswith("LATE")
    story.nothing_else_happens(minutes=120)
    assert story.alert(alert).status == "firing"


def test_what_was_answered_while_it_waited_for_its_hours_does_not_leave(story: Story) -> None:
    ana = story.person("ana", zone="Europe/Prague")
    story.hours(ana, "08:00", "22:00")
    story.policy(steps=[("ana", "0m")])
    story.fires(priority="P3")
    story.forward(hours=2)
    story.resolves()
    story.nothing_else_happens(minutes=240)


def test_after_an_acknowledgement_only_unresolved_steps_go_out_and_say_who_has_it(story: Story) -> None:
    ana, ben, cy, _dan = story.phones("ana", "ben", "cy", "dan")
    story.policy(
        steps=[("ana", "0m"), ("ben", "5m"), (["ana", "cy"], "10m", "unresolved"), ("dan", "15m", "unresolved")],
        repeat=1,
    )
    alert = story.fires()
    ana.rings_with()
    ana.acknowledges(alert)
    story.forward(minutes=9.9)
    ben.is_silent(), cy.is_silent()
    story.forward(minutes=0.1)
    assert "Ana has #1" in cy.rings_with("disk full").everything
    ana.is_silent()  # she knows
    story.resolves()
    for phone in (ana, cy):
        phone.is_told("#1 is resolved", kind="resolved")
    story.nothing_else_happens(minutes=30)


def test_after_a_resolve_nothing_goes_out_but_who_was_called_hears_of_it(story: Story) -> None:
    ana, _ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m", "unresolved")], repeat=3)
    story.fires()
    ana.rings_with()
    story.resolves()
    ana.is_told("#1 is resolved by checkout-generic", kind="resolved")
    story.nothing_else_happens(minutes=60)


def test_raising_the_priority_starts_the_high_rules_now(story: Story) -> None:
    ana = story.person("ana", methods=("email", "webhook"))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires(priority="P3")
    ana.rings_with(by="email")
    story.nothing_else_happens(minutes=30)
    story.acts(lambda: change_priority(alert, ana.actor, "P1").sentence)
    ana.rings_with(by="email")
    story.forward(minutes=1)
    ana.rings_with(by="webhook")
    story.forward(minutes=5)
    ana.rings_with(by="email")  # and they repeat


def test_a_source_that_raises_the_severity_starts_the_high_rules_too(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires(priority="P4")
    ana.rings_with()
    story.forward(minutes=10)
    story.fires(priority="P2")
    ana.rings_with()
    assert story.alert(alert).priority == "P2"
    assert story.alert(alert).count == 2


def test_lowering_the_priority_never_stops_a_page_that_is_under_way(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires(priority="P1")
    ana.rings_with()
    story.acts(lambda: change_priority(alert, ana.actor, "P4").sentence)
    story.forward(minutes=5)
    ana.rings_with()
    ben.rings_with()


def test_a_service_says_how_urgent_it_is(story: Story) -> None:
    ana = story.person("ana", methods=("webhook", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    story.service(urgency="low")
    alert = story.fires(priority="P1")
    ana.rings_with(by="webhook")
    story.nothing_else_happens(minutes=30)  # low rules: once, by the first method
    story.acts(lambda: change_priority(alert, ana.actor, "P2").sentence)
    story.nothing_else_happens(minutes=30)


def test_page_after_gives_an_alert_time_to_heal(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.service(page_after_seconds=120)
    story.fires(title="flaps")
    story.forward(minutes=1.9)
    story.resolves(title="flaps")
    story.nothing_else_happens(minutes=10)
    story.fires(title="stays")
    story.forward(minutes=2)
    assert not ana.rings_with("stays").text.startswith("LATE")


def test_escalate_now_brings_the_next_step_and_the_later_ones_forward(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "10m"), ("cy", "15m")])
    alert = story.fires()
    ana.rings_with()
    story.forward(minutes=1)
    said = story.acts(lambda: escalate_now(alert, ana.actor).sentence)
    assert said == "#1 went to level 2."
    ben.rings_with()
    story.forward(minutes=4.9)
    cy.is_silent()
    story.forward(minutes=0.1)
    cy.rings_with()


def test_escalating_after_the_last_step_starts_a_round(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    story.forward(minutes=5)
    ana.forgets(), ben.forgets()
    story.acts(lambda: escalate_now(alert, ben.actor).sentence)
    ana.rings_with("level 1")


def test_a_page_by_hand_reaches_a_person_a_schedule_a_team_a_service(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    schedule = story.schedule("primary", "ben")
    story.policy(steps=[("ana", "0m")])
    by = ana.actor
    story.acts(lambda: str(page_somebody("come here", by, user=ben.user)))
    ben.rings_with("come here")
    story.acts(lambda: str(page_somebody("look at this", by, schedule=schedule)))
    ben.rings_with("look at this")
    story.acts(lambda: str(page_somebody("all of you", by, team=story.team("payments"))))
    ana.rings_with("all of you")
    story.acts(lambda: str(page_somebody("it is slow", by, service=story.service())))
    ana.rings_with("it is slow")


def test_a_new_person_has_until_the_next_step_five_minutes_at_most(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "30m")])
    alert = story.fires()
    ana.rings_with()
    story.acts(lambda: add_responder(alert, cy.user, ana.actor).sentence)
    cy.rings_with()
    assert story.called(alert) == {"ana", "cy"}
    story.forward(minutes=4.9)
    ben.is_silent()
    story.forward(minutes=0.1)
    ben.rings_with()


def test_a_new_person_does_not_put_the_next_step_off(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    story.forward(minutes=4)
    story.acts(lambda: add_responder(alert, cy.user, ana.actor).sentence)
    cy.rings_with()
    story.forward(minutes=1)
    ben.rings_with()


def test_reassigning_calls_the_new_person_instead_and_never_ends_the_policy(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "30m")])
    alert = story.fires()
    ana.rings_with()
    said = story.acts(lambda: reassign(alert, cy.user, ana.actor).sentence)
    assert said == "Cy is being paged for #1."
    cy.rings_with()
    story.forward(minutes=4.9)
    ana.is_silent(), ben.is_silent()
    story.forward(minutes=0.1)
    ben.rings_with()


def test_reassigning_to_somebody_who_cannot_be_reached_passes_on_at_once(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    cy = story.person("cy", methods=("email",))
    story.policy(steps=[("ana", "0m"), ("ben", "30m")])
    alert = story.fires()
    ana.rings_with()
    said = story.acts(lambda: reassign(alert, cy.user, ana.actor).sentence)
    assert "has no method that rings" in said
    ben.rings_with()


def test_reassigning_after_the_last_step_starts_the_policy_again_in_five_minutes(story: Story) -> None:
    ana, cy = story.phones("ana", "cy")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    story.forward(minutes=3)
    story.acts(lambda: reassign(alert, cy.user, ana.actor).sentence)
    ana.forgets()
    cy.rings_with()
    story.forward(minutes=4.9)
    ana.is_silent()
    story.forward(minutes=0.1)
    ana.rings_with()


def _never_repeats_by_itself(user: User) -> None:
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(repeat_after_seconds=0)
