"""Who leads an incident, and how that changes hands: R1, R4, R5."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.respond.alerts.actions.maintenance import start_maintenance
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.duties import CM, DC, IC, Duty
from midwatch.respond.incidents.models import DeclarationRule, Entry, HandOverState, How, Incident, Lesson, RoleHolding
from midwatch.respond.incidents.queries import commander_of, duties_of, may_see, seats_of
from stories.story import Story


def declared(
    story: Story, by: Actor, title: str = "checkout is down", severity: str = "SEV2", **more: object
) -> Incident:
    incident = actions.declare_incident(Declaration(title, severity, **more), by)  # type: ignore[arg-type]
    story.settle()
    return incident


def rule(story: Story, *, step: int | None = None, severity: str = "SEV1") -> None:
    with transaction.atomic():
        DeclarationRule.objects.create(
            name="checkout",
            service=story.service(),
            priorities=["P1"],
            step=step,
            severity=severity,
            created_at=clock.now(),
        )


def words(incident: Incident) -> str:
    return "\n".join(entry.text for entry in Entry.objects.filter(incident=incident).order_by("id"))


def test_who_acknowledged_is_the_commander_in_the_transaction_of_the_declaration(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    story.forward(minutes=5)
    ben.acknowledges(alert)
    alert.refresh_from_db()
    incident = actions.declare_incident(Declaration("checkout is down", "SEV1", alert=alert), ana.actor)
    held = RoleHolding.objects.get(incident=incident, role=IC)
    assert (held.user.name, held.how) == ("ben", How.ACKNOWLEDGED)
    assert incident.phase == "acknowledged"
    assert incident.service == story.service()


def test_declared_by_rule_on_an_unanswered_alert_level_1_of_its_own_policy_leads(story: Story) -> None:
    story.phones("ana", "ben", "zoe")
    story.policy("search", steps=[("zoe", "0m")], team="search-team")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    rule(story)
    story.fires()
    incident = Incident.objects.get()
    assert commander_of(incident).name == "ana"
    assert RoleHolding.objects.get(incident=incident).how == How.ON_CALL


def test_when_level_2_answers_what_level_1_did_not_level_2_leads(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    rule(story, step=2)
    alert = story.fires()
    assert not Incident.objects.exists()
    story.forward(minutes=6)
    incident = Incident.objects.get()
    assert commander_of(incident).name == "ana"
    ben.acknowledges(alert)
    assert commander_of(incident).name == "ben"
    incident.refresh_from_db()
    assert incident.phase == "acknowledged"
    # Never silently again: a commander who answered keeps it.
    ana.acknowledges(alert)
    assert commander_of(incident).name == "ben"


def test_a_second_alert_of_the_service_joins_the_open_incident(story: Story) -> None:
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    rule(story)
    story.fires(title="disk full")
    story.fires(title="latency")
    story.forward(seconds=2)
    incident = Incident.objects.get()
    assert incident.linked_alerts.count() == 2


def test_an_alert_in_maintenance_declares_nothing(story: Story) -> None:
    ana = story.person("ana")
    story.policy(steps=[("ana", "0m")])
    rule(story)
    start_maintenance(story.service(), ana.actor, starts_at=clock.now(), ends_at=clock.now() + timedelta(minutes=30))
    story.fires()
    story.forward(minutes=5)
    assert not Incident.objects.exists()
    story.forward(minutes=30)
    assert Incident.objects.count() == 1


def test_a_declarer_leads_until_the_one_on_call_accepts(story: Story) -> None:
    ana, zoe = story.phones("ana", "zoe")
    story.policy(steps=[("ana", "0m")])
    incident = declared(story, zoe.actor, service=story.service())
    assert commander_of(incident).name == "zoe"
    ana.is_told("offers you Incident Commander")
    offer = incident.hand_overs.get()
    actions.answer_offer(offer, ana.actor, is_accepted=True)
    story.settle()
    assert commander_of(incident).name == "ana"
    assert [seat.held_as for seat in seats_of(incident)] == ["assigned", "undelegated", "undelegated"]


def test_a_declared_incident_with_nobody_on_call_is_led_by_the_declarer(story: Story) -> None:
    zoe = story.person("zoe")
    incident = declared(story, zoe.actor)
    assert commander_of(incident).name == "zoe"
    assert not incident.hand_overs.exists()


def test_a_machine_declares_and_nobody_is_on_call_so_a_manager_leads(story: Story) -> None:
    story.phones("mo")
    team = story.team("payments", managers=["mo"])
    incident = declared(story, Actor("deploy-bot", "api"), team=team)
    assert commander_of(incident).name == "mo"


def test_nobody_could_lead_is_said_and_nothing_is_written(story: Story) -> None:
    story.service()
    with pytest.raises(ValueError, match="nobody could lead"):
        actions.declare_incident(Declaration("x", "SEV1", service=story.service()), Actor("bot", "api"))
    assert not Incident.objects.exists()


def test_hand_over_is_an_offer_and_the_leaving_one_holds_it_until_yes(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    incident = declared(story, ana.actor)
    offer = actions.offer_role(incident, IC, ben.user, ana.actor)
    assert commander_of(incident).name == "ana"
    assert "checkout is down" in offer.brief
    assert "IC: Ana" in offer.brief
    with pytest.raises(ValueError, match="offered to Ben"):
        actions.answer_offer(offer, ana.actor, is_accepted=True)
    actions.answer_offer(offer, ben.actor, is_accepted=False)
    story.settle()
    ana.is_told("declined")
    assert commander_of(incident).name == "ana"
    story.forward(minutes=1)
    again = actions.offer_role(incident, IC, ben.user, ana.actor)
    actions.answer_offer(again, ben.actor, is_accepted=True)
    held = RoleHolding.objects.filter(incident=incident, role=IC).order_by("id")
    assert [(one.user.name, one.ended_at is None) for one in held] == [("ana", False), ("ben", True)]
    assert held[0].ended_at == held[1].assumed_at  # no moment without an IC
    late = actions.answer_offer(again, ben.actor, is_accepted=False)
    assert late.state == HandOverState.ACCEPTED


def test_what_nobody_was_given_is_the_commanders_and_says_so(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    incident = declared(story, ana.actor)
    assert duties_of(incident)[Duty.TELL_CLIENTS].held_as == "undelegated"
    actions.assign_role(incident, CM, ben.user, ana.actor)
    actions.assign_role(incident, DC, cy.user, ana.actor)
    story.settle()
    ben.is_told("you are Communication Manager")
    assert duties_of(incident)[Duty.TELL_CLIENTS].person == ben.user.pk
    actions.end_role(incident, CM, ben.user, ben.actor)
    assert duties_of(incident)[Duty.TELL_CLIENTS].person == ana.user.pk
    with pytest.raises(ValueError, match="never without an IC"):
        actions.end_role(incident, IC, ana.user, ana.actor)
    with pytest.raises(ValueError, match="offer the role"):
        actions.assign_role(incident, IC, ben.user, ben.actor)


def test_the_database_holds_two_commanders_to_be_impossible(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    incident = declared(story, ana.actor)
    actions.assign_role(incident, IC, ana.user, ana.actor)
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleHolding.objects.create(
            incident=incident, role=IC, user=ben.user, how=How.ASSIGNED, is_single=True, assumed_at=clock.now()
        )


def test_a_responder_is_paged_through_their_policy_and_is_seen_to_answer(story: Story) -> None:
    ana, dora, eve = story.phones("ana", "dora", "eve")
    story.policy("orders-db", steps=[("dora", "0m"), ("eve", "5m")], team="storage")
    incident = declared(story, ana.actor)
    asked = actions.add_responder(incident, ana.actor, service=story.service("orders-db", team="storage"))
    story.settle()
    dora.rings_with("incident 1")
    story.forward(minutes=5)
    eve.rings_with("incident 1")
    assert asked.alert is not None
    eve.acknowledges(Alert.objects.get(pk=asked.alert.pk))
    asked.refresh_from_db()
    assert asked.answered_by == eve.user
    assert "Eve is here" in words(incident)
    assert RoleHolding.objects.filter(incident=incident, role=DC, user=eve.user, ended_at=None).exists()
    assert commander_of(incident).name == "ana"


def test_resolving_ends_the_impact_and_closing_ends_the_roles(story: Story) -> None:
    ana = story.person("ana")
    story.policy(steps=[("ana", "0m")])
    incident = declared(story, ana.actor, service=story.service())
    with pytest.raises(ValueError, match="resolve it before"):
        actions.close_incident(incident, ana.actor)
    story.forward(minutes=10)
    actions.set_phase(incident, "mitigated", ana.actor)
    story.forward(minutes=5)
    with pytest.raises(ValueError, match="cannot lie before"):
        actions.set_phase(incident, "resolved", ana.actor, at=clock.now() - timedelta(minutes=8))
    actions.set_phase(incident, "resolved", ana.actor)
    window = incident.affected_services.get()
    assert window.ends_at == incident.resolved_at
    with pytest.raises(ValueError, match="demands a post-mortem"):
        actions.close_incident(incident, ana.actor)
    actions.set_lesson(incident, Lesson.WAIVED, ana.actor, why="nothing new")
    actions.close_incident(incident, ana.actor)
    assert not RoleHolding.objects.filter(incident=incident, ended_at=None).exists()
    assert commander_of(incident).name == "ana"
    assert [seat.people[0].name for seat in seats_of(incident)] == ["ana", "ana", "ana"]
    actions.step_back(incident, "resolved", ana.actor, "errors are back")
    assert RoleHolding.objects.get(incident=incident, ended_at=None).user == ana.user
    assert incident.phase == "mitigated"


def test_duplicates_merge_and_their_alerts_move_over(story: Story) -> None:
    ana = story.person("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    first = declared(story, ana.actor, title="checkout")
    second = declared(story, ana.actor, title="checkout again", alert=alert)
    actions.merge(second, first, ana.actor)
    assert [linked.alert for linked in first.linked_alerts.all()] == [alert]
    second.refresh_from_db()
    assert (second.merged_into, second.phase) == (first, "closed")
    with pytest.raises(ValueError, match="closed already"):
        actions.merge(second, first, ana.actor)


def test_a_private_incident_is_seen_by_those_who_take_part(story: Story) -> None:
    ana, ben, mo, zoe = story.phones("ana", "ben", "mo", "zoe")
    team = story.team("payments", managers=["mo"])
    incident = declared(story, ana.actor, title="a key leaked", team=team, is_private=True)
    actions.assign_role(incident, CM, ben.user, ana.actor)
    assert [may_see(phone.user, incident) for phone in (ana, ben, mo, zoe)] == [True, True, True, False]


def test_a_back_filled_incident_keeps_its_own_moments_and_pages_nobody(story: Story) -> None:
    ana = story.person("ana")
    now = clock.now()
    moments = {
        "started": now - timedelta(hours=5),
        "detected": now - timedelta(hours=4),
        "mitigated": now - timedelta(hours=3),
        "resolved": now - timedelta(hours=2),
    }
    incident = declared(story, ana.actor, moments=moments)
    assert (incident.phase, incident.is_backfilled, incident.started_at) == ("resolved", True, moments["started"])
    story.nothing_else_happens()
    with pytest.raises(ValueError, match="cannot lie before"):
        declared(story, ana.actor, moments={**moments, "mitigated": now - timedelta(hours=1)})


def test_a_timeline_is_written_once(story: Story) -> None:
    ana = story.person("ana")
    incident = declared(story, ana.actor)
    entry = actions.add_note(incident, ana.actor, "restarted the pods", kind="decision")
    entry.text = "something else"
    with pytest.raises(TypeError, match="written once"):
        entry.save()
    with pytest.raises(TypeError, match="never forgets"):
        entry.delete()
    mended = actions.amend(entry, ana.actor, "restarted two of the pods")
    assert mended.amends == entry
    actions.star(entry, ana.actor, is_starred=True)
    actions.star(entry, ana.actor, is_starred=True)
    assert entry.star.who == "Ana"
