"""From a resolved incident to a published lesson: R10, R11, R13, R14."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from icalendar import Calendar

from midwatch.core import clock, contribute
from midwatch.core.actor import ENGINE
from midwatch.core.models import OutboxEvent
from midwatch.learn.postmortems import actions, facilitators
from midwatch.learn.postmortems.models import Approval, Asked, Letter, Postmortem, Revision, State, TimelineRow
from midwatch.learn.postmortems.queries import candidates, meeting_calendar, missing_sections, visible_to
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.duties import CM, DC
from midwatch.respond.incidents.models import Incident, Lesson
from midwatch.respond.statuspage import actions as statuspage
from midwatch.respond.statuspage.actions import NewNotice, NewUpdate, PageFields
from stories.story import Phone, Story

WRITTEN = {
    "summary": "Checkout answered slowly for twenty minutes, because the pool of connections was too small.",
    "impact": "Every third order failed between 02:00 and 02:20.",
    "factors": "Ana saw the pool fill up; the limit of the pool had been copied from the old service.",
    "surprised": "We believed that the pool grew by itself.",
    "well": "The runbook was found at once.",
    "lucky": "The campaign had ended an hour before.",
}


def company(story: Story) -> tuple[Phone, Phone, Phone, Phone]:
    """ana leads, ben communicates, cy manages their team, dee is of another team."""
    ana, ben, cy, dee = story.phones("ana", "ben", "cy", "dee")
    story.team("payments", "ana", "ben", managers=["cy"])
    story.team("search", "dee")
    story.policy(steps=[("ana", "0m")])
    return ana, ben, cy, dee


def resolved(story: Story, by: Phone, severity: str = "SEV2", **more: object) -> Incident:
    given = {"service": story.service(), **more}
    incident = incidents.declare_incident(Declaration("checkout is slow", severity, **given), by.actor)  # type: ignore[arg-type]
    story.settle()
    story.sleeps(minutes=20)
    incidents.set_phase(incident, "resolved", by.actor)
    story.settle()
    incident.refresh_from_db()
    return incident


def of(incident: Incident) -> Postmortem:
    return Postmortem.objects.select_related("incident", "owner", "facilitator").get(incident=incident)


def written(postmortem: Postmortem, by: Phone) -> Postmortem:
    """Every required section, and the clients checked."""
    incidents.clients_checked(postmortem.incident, by.actor)
    actions.add_row(postmortem, clock.now() - timedelta(minutes=15), "orders began to fail", by.actor)
    for key, text in WRITTEN.items():
        actions.save_section(postmortem, key, text, 0, by.actor)
    return of(postmortem.incident)


def reviewed(postmortem: Postmortem, writer: Phone, reader: Phone) -> Postmortem:
    found = written(postmortem, writer)
    actions.send_to_review(found, writer.actor)
    found = of(found.incident)
    actions.approve(found, reader.user, reader.actor, revision=found.revision)
    return of(found.incident)


def letters_go_out() -> None:
    while claimed := actions.claim_letters(10):
        for letter in claimed:
            actions.send_letter(letter)


# --- R10: opened, due, reminded of, waived ---


def test_resolving_a_qualifying_incident_opens_its_postmortem_in_the_reaction(story: Story) -> None:
    ana, *_ = company(story)
    incident = resolved(story, ana)
    found = of(incident)
    assert (found.state, found.owner.name) == (State.SCHEDULING, "ana")
    assert found.due_at - found.opened_at == timedelta(days=7)
    assert found.late_at - found.opened_at == timedelta(days=10, hours=12)
    assert incident.lesson == Lesson.OPEN
    assert OutboxEvent.objects.get(name="incident.resolved").done_at is not None
    ana.is_told("its post-mortem is open and yours")


@pytest.mark.parametrize(("severity", "more"), [("SEV3", {}), ("SEV1", {"is_drill": True})])
def test_small_incidents_and_drills_demand_none(story: Story, severity: str, more: dict[str, object]) -> None:
    ana, *_ = company(story)
    incident = resolved(story, ana, severity, **more)
    assert not Postmortem.objects.exists()
    assert incident.lesson == Lesson.NONE
    incidents.close_incident(incident, ana.actor)


def test_raised_after_it_was_resolved_it_qualifies(story: Story) -> None:
    ana, *_ = company(story)
    incident = resolved(story, ana, "SEV3")
    incidents.change_severity(incident, "SEV1", ana.actor)
    story.settle()
    assert of(incident).state == State.SCHEDULING


def test_it_cannot_be_closed_in_the_moment_before_its_postmortem_opens(story: Story) -> None:
    ana, *_ = company(story)
    incident = incidents.declare_incident(Declaration("checkout is slow", "SEV1", service=story.service()), ana.actor)
    incidents.set_phase(incident, "resolved", ana.actor)
    with pytest.raises(ValueError, match="opens within seconds"):
        incidents.close_incident(incident, ana.actor)


def test_an_incident_is_not_closed_while_its_postmortem_is_open_and_is_when_waived_with_a_reason(story: Story) -> None:
    ana, *_ = company(story)
    incident = resolved(story, ana)
    with pytest.raises(ValueError, match="post-mortem is open"):
        incidents.close_incident(incident, ana.actor)
    with pytest.raises(ValueError, match="say why"):
        actions.waive(of(incident), ana.actor, "no")
    actions.waive(of(incident), ana.actor, "the same cause as incident 12, written down there")
    found = of(incident)
    assert (found.state, found.waived_by, found.remind_at) == (State.WAIVED, ana.actor.name, None)
    incident.refresh_from_db()
    assert (incident.lesson, incident.lesson_by) == (Lesson.WAIVED, ana.actor.name)
    incidents.close_incident(incident, ana.actor)
    with pytest.raises(ValueError, match="reopen it first"):
        actions.save_section(found, "summary", "more", 0, ana.actor)


def test_reminders_before_at_and_after_the_week(story: Story) -> None:
    ana, _ben, cy, _dee = company(story)
    found = of(resolved(story, ana))
    for phone in (ana, cy):
        phone.forgets()
    story.is_now(found.due_at - timedelta(days=2) + timedelta(minutes=2))
    ana.is_told("set a date for the meeting")
    cy.is_silent()
    story.is_now(found.due_at + timedelta(minutes=2))
    ana.is_told("was due")
    story.is_now(found.late_at + timedelta(minutes=2))
    ana.is_told("is late by 3 days")
    cy.is_told("is late by 3 days")
    story.is_now(found.late_at + timedelta(days=7, minutes=5))
    cy.is_told("is late by 10 days")
    actions.waive(of(found.incident), cy.actor, "nobody is left who was there")
    for phone in (ana, cy):
        phone.forgets()
    story.is_now(found.late_at + timedelta(days=30))
    ana.is_silent()


def test_the_meeting_invites_everybody_who_took_part_with_a_calendar_file(story: Story) -> None:
    ana, ben, _cy, _dee = company(story)
    with transaction.atomic():
        for phone in (ana, ben):
            type(phone.user).objects.filter(pk=phone.user.pk).update(email=f"{phone.user.name}@example.com")
    found = of(resolved(story, ana))
    incidents.assign_role(found.incident, CM, ben.user, ana.actor)
    at = clock.now() + timedelta(days=3)
    assert actions.set_meeting(found, at, ana.actor, where="Room 4") == ""
    letters_go_out()
    said = ben.is_told("invites you to the post-mortem", kind="", by="email")
    assert "Room 4" in said.text
    (event,) = Calendar.from_ical(meeting_calendar(of(found.incident))).walk("VEVENT")
    assert event["SEQUENCE"] == 1
    assert event.decoded("DTSTART") == at.replace(microsecond=0)
    assert "later than a week and a half" in actions.set_meeting(found, found.late_at + timedelta(days=1), ana.actor)
    letters_go_out()
    assert {letter.state for letter in Letter.objects.all()} == {"handed over"}
    assert of(found.incident).meeting_sequence == 2
    (moved,) = Calendar.from_ical(meeting_calendar(of(found.incident))).walk("VEVENT")
    assert (moved["UID"], moved["SEQUENCE"]) == (event["UID"], 2)


# --- R11: who facilitates ---


def test_the_involved_are_not_proposed_and_owners_of_the_service_come_last(story: Story) -> None:
    ana, ben, _cy, dee = company(story)
    eve, fay = story.phones("eve", "fay")
    incident = resolved(story, ana)
    found = of(incident)
    incidents.add_note(incident, eve.actor, "I saw it too")
    names = [one.name for one in facilitators.proposals(candidates(found))]
    assert str(ana.user) not in names  # held IC
    assert str(eve.user) not in names  # wrote on the timeline
    assert set(names[:2]) == {str(dee.user), str(fay.user)}
    assert set(names[2:]) == {str(ben.user), str(_cy.user)}  # not involved, but of the owning team


def test_whoever_facilitated_least_comes_first(story: Story) -> None:
    ana, _ben, _cy, dee = company(story)
    (fay,) = story.phones("fay")
    first = of(resolved(story, ana))
    actions.ask_facilitator(first, dee.user, ana.actor)
    actions.answer_as_facilitator(of(first.incident), dee.user, dee.actor, is_accepted=True)
    second = of(resolved(story, ana))
    names = [one.name for one in facilitators.proposals(candidates(second))]
    assert names[:2] == [str(fay.user), str(dee.user)]
    story.sleeps(days=181)
    assert [one.facilitated for one in facilitators.proposals(candidates(second))[:2]] == [0, 0]


def test_an_involved_facilitator_needs_a_reason_and_a_facilitator_says_yes(story: Story) -> None:
    ana, ben, _cy, dee = company(story)
    found = of(resolved(story, ana))
    incidents.assign_role(found.incident, DC, ben.user, ana.actor)
    with pytest.raises(ValueError, match="was involved"):
        actions.ask_facilitator(found, ben.user, ana.actor)
    actions.ask_facilitator(found, ben.user, ana.actor, why="nobody else speaks Czech")
    assert of(found.incident).facilitator_why == "nobody else speaks Czech"
    story.settle()
    ben.is_told("asks you to facilitate")
    actions.answer_as_facilitator(of(found.incident), ben.user, ben.actor, is_accepted=False)
    story.settle()
    ana.is_told("declined to facilitate")
    actions.ask_facilitator(of(found.incident), dee.user, ana.actor)
    with pytest.raises(ValueError, match="not asked"):
        actions.answer_as_facilitator(of(found.incident), ben.user, ben.actor, is_accepted=True)
    actions.answer_as_facilitator(of(found.incident), dee.user, dee.actor, is_accepted=True)
    assert (of(found.incident).facilitator_state, of(found.incident).facilitator_why) == (Asked.ACCEPTED, "")


# --- the document ---


def test_nothing_typed_is_lost_when_two_write_at_once(story: Story) -> None:
    ana, ben, *_ = company(story)
    found = of(resolved(story, ana))
    first = actions.save_section(found, "summary", "Ana's first words", 0, ana.actor)
    assert (first.revision, first.conflict) == (1, None)
    lost = actions.save_section(found, "summary", "Ben's words", 0, ben.actor)
    assert lost.text == "Ana's first words"
    assert lost.conflict is not None
    again = actions.save_section(found, "summary", "Ben's words, longer", 0, ben.actor)  # his page saves by itself
    assert again.conflict is not None
    assert again.conflict.pk == lost.conflict.pk
    taken = actions.settle_conflict(again.conflict, ben.actor, text="Both", base=again.revision)
    assert taken is not None
    assert taken.text == "Both"
    kept = Revision.objects.get(is_conflict=True)
    assert (kept.text, kept.settled_at is not None) == ("Ben's words, longer", True)
    assert [one.text for one in Revision.objects.filter(is_conflict=False)] == ["Ana's first words", "Both"]


def test_a_sitting_is_one_revision_and_a_lost_answer_is_no_conflict(story: Story) -> None:
    ana, *_ = company(story)
    found = of(resolved(story, ana))
    for number, text in enumerate(["a", "ab", "abc"]):
        assert actions.save_section(found, "impact", text, number, ana.actor).revision == number + 1
    assert Revision.objects.filter(key="impact").count() == 1
    saved = actions.save_section(found, "impact", "abcd", 1, ana.actor)  # the answer with 3 never arrived
    assert (saved.conflict, saved.revision) == (None, 4)
    story.sleeps(minutes=11)
    actions.save_section(found, "impact", "abcde", 4, ana.actor)
    assert [one.text for one in Revision.objects.filter(key="impact")] == ["abc", "abcd", "abcde"]


def test_the_starred_timeline_comes_with_links_to_its_evidence(story: Story) -> None:
    ana, ben, *_ = company(story)
    incident = incidents.declare_incident(Declaration("checkout is slow", "SEV2", service=story.service()), ana.actor)
    entry = incidents.add_note(incident, ben.actor, "the pool is full")
    incidents.star(entry, ben.actor, is_starred=True)
    incidents.set_phase(incident, "resolved", ana.actor)
    story.settle()
    row = TimelineRow.objects.get()
    assert (row.text, row.evidence[0]["url"]) == ("the pool is full", f"/incidents/{incident.number}#entry-{entry.pk}")
    later = incidents.add_note(incident, ana.actor, "it was the limit")
    incidents.star(later, ana.actor, is_starred=True)
    assert actions.import_stars(of(incident), ana.actor) == 1
    actions.remove_row(row, ana.actor)
    assert actions.import_stars(of(incident), ana.actor) == 0  # what was removed does not come back


# --- review ---


def test_required_sections_come_before_review_and_an_edit_voids_approvals(story: Story) -> None:
    ana, ben, _cy, dee = company(story)
    found = of(resolved(story, ana))
    with pytest.raises(ValueError, match=r"not written yet: Summary, Impact, Affected clients, .*lucky"):
        actions.send_to_review(found, ana.actor)
    found = written(found, ben)
    assert missing_sections(found) == []
    actions.send_to_review(found, ana.actor)
    found = of(found.incident)
    with pytest.raises(ValueError, match="somebody else than its owner"):
        actions.approve(found, ana.user, ana.actor, revision=found.revision)
    with pytest.raises(ValueError, match="changed since you read it"):
        actions.approve(found, dee.user, dee.actor, revision=found.revision - 1)
    actions.approve(found, dee.user, dee.actor, revision=found.revision)
    assert of(found.incident).state == State.REVIEWED
    actions.save_section(found, "well", "And the alert came in time.", 1, ben.actor)
    assert of(found.incident).state == State.REVIEW
    assert Approval.objects.get().voided_at is not None


def test_what_a_higher_room_demands_stands_in_the_way(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, ben, _cy, dee = company(story)
    found = written(of(resolved(story, ana)), ben)
    actions.send_to_review(found, ana.actor)
    found = of(found.incident)
    said = contribute.Obstacle("postmortem.approve", lambda thing: [f"an action item of {thing} has no owner"])
    monkeypatch.setattr(contribute, "_contributions", lambda *_: (said,))
    with pytest.raises(ValueError, match=r"an action item of post-mortem \d+ has no owner"):
        actions.approve(found, dee.user, dee.actor, revision=found.revision)


# --- R13: publication ---


def test_the_ic_and_the_cm_decide_both_and_clients_get_it_without_names(story: Story) -> None:
    ana, ben, _cy, dee = company(story)
    found = of(resolved(story, ana))
    incidents.assign_role(found.incident, CM, ben.user, ana.actor)
    incidents.register_client(
        found.incident, ana.actor, name="Shop One", impact="no orders", contact="shop@example.com"
    )
    incidents.register_client(found.incident, ana.actor, name="Shop Two", impact="slow orders")
    page = statuspage.create_page("shop", PageFields(story.service().team, "Shop"), ana.actor)
    new = NewNotice("Card payments fail", body="Solved.", status="investigating", incident_number=found.incident.number)
    notice = statuspage.open_notice(page, new, ana.actor)
    found = reviewed(found, ana, dee)
    wish = {"is_for_page": True, "is_for_clients": True}
    with pytest.raises(ValueError, match="make the external version first"):
        actions.decide(found, ana.user, ana.actor, **wish)
    actions.make_external(found, ana.actor)
    found = of(found.incident)
    assert found.state == State.REVIEW  # what clients read is part of what is reviewed
    actions.approve(found, dee.user, dee.actor, revision=found.revision)
    with pytest.raises(ValueError, match="no status page tells"):
        actions.decide(found, ana.user, ana.actor, **wish)
    statuspage.post_update(notice, NewUpdate(status="resolved"), ana.actor)
    assert "the CM decides too" in actions.decide(found, ana.user, ana.actor, **wish)
    story.settle()
    ben.is_told("you as CM decide too")
    with pytest.raises(ValueError, match="the IC and the CM"):
        actions.decide(found, dee.user, dee.actor, **wish)
    assert "different things" in actions.decide(found, ben.user, ben.actor, is_for_page=False, is_for_clients=False)
    assert actions.decide(found, ben.user, ben.actor, **wish) == "published"
    story.settle()
    assert of(found.incident).state == State.PUBLISHED
    found.incident.refresh_from_db()
    assert found.incident.lesson == Lesson.PUBLISHED
    assert OutboxEvent.objects.get(name="postmortem.published").payload["page"] is True
    notice.refresh_from_db()
    assert notice.status == "postmortem"
    assert "The incident commander saw the pool fill up" in notice.postmortem_body
    letters_go_out()
    said = next(heard for heard in story.network.heard if heard.channel == "email")
    assert "The incident commander saw the pool fill up" in said.text
    assert "Ana" not in said.text
    states = {letter.to_name: letter.state for letter in Letter.objects.exclude(client=None)}
    assert states == {"Shop One": "handed over", "Shop Two": "no address"}
    incidents.close_incident(found.incident, ana.actor)


def test_one_who_holds_both_seats_decides_for_both_and_nothing_need_go_out(story: Story) -> None:
    ana, _ben, _cy, dee = company(story)
    found = reviewed(of(resolved(story, ana)), ana, dee)
    assert actions.decide(found, ana.user, ana.actor, is_for_page=False, is_for_clients=False) == "published"
    assert not Letter.objects.exists()


def test_of_a_private_incident_nothing_goes_outside_and_others_do_not_see_it(story: Story) -> None:
    ana, _ben, _cy, dee = company(story)
    found = of(resolved(story, ana, is_private=True))
    assert not visible_to(dee.user).exists()
    assert visible_to(ana.user).exists()
    actions.ask_facilitator(found, dee.user, ana.actor)
    assert visible_to(dee.user).exists()
    found = reviewed(of(found.incident), ana, dee)
    with pytest.raises(ValueError, match="is private"):
        actions.decide(found, ana.user, ana.actor, is_for_page=True, is_for_clients=False)


def test_a_letter_that_the_relay_refuses_is_tried_again_and_then_shown(story: Story) -> None:
    ana, _ben, _cy, dee = company(story)
    found = of(resolved(story, ana))
    incidents.register_client(found.incident, ana.actor, name="Shop", impact="slow", contact="shop@example.com")
    found = reviewed(found, ana, dee)
    actions.make_external(found, ana.actor)
    found = of(found.incident)
    actions.approve(found, dee.user, dee.actor, revision=found.revision)
    actions.decide(found, ana.user, ana.actor, is_for_page=False, is_for_clients=True)
    with story.broken("email"):
        letters_go_out()
        letter = Letter.objects.get()
        assert (letter.state, letter.attempts) == ("waiting", 1)
        assert letter.problem
    story.sleeps(minutes=1)
    letters_go_out()
    assert Letter.objects.get().state == "handed over"


def test_opened_by_hand_twice_is_once(story: Story) -> None:
    ana, *_ = company(story)
    incident = resolved(story, ana, "SEV4")
    assert (
        actions.open_postmortem(incident, ana.actor, template="short").pk
        == actions.open_postmortem(incident, ENGINE).pk
    )
    assert of(incident).template_name == "short"
