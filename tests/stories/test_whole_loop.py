"""The loop from one end to the other: a page at night becomes an incident, a lesson, and a promise that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from midwatch.core import clock
from midwatch.learn.actions import actions as items
from midwatch.learn.actions.actions import NewItem
from midwatch.learn.actions.models import ActionItem, ItemState
from midwatch.learn.insights.queries import Report, Scope, report
from midwatch.learn.postmortems import actions as postmortems
from midwatch.learn.postmortems import facilitators
from midwatch.learn.postmortems.blameless import lint
from midwatch.learn.postmortems.models import Postmortem, State
from midwatch.learn.postmortems.queries import candidates, known_people
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.duties import CM, DC
from midwatch.respond.incidents.models import Incident, Lesson, UpdateState
from midwatch.respond.incidents.queries import commander_of
from midwatch.respond.statuspage import actions as statuspage
from midwatch.respond.statuspage import wire
from midwatch.respond.statuspage.actions import ComponentFields, PageFields, Wish
from midwatch.respond.statuspage.models import Notice, Page
from stories.story import Phone, Story

SELDOM = timedelta(days=2)  # what is due is stopped at anyway
SECTIONS = {
    "summary": "Every third payment failed for half an hour, because the pool of connections was too small.",
    "impact": "Payments in Europe, from 02:00 to 02:30.",
    "factors": "Ben forgot to raise the limit of the pool.",
    "surprised": "We believed that the pool grew by itself.",
    "well": "The runbook was found at once.",
    "lucky": "The campaign had ended an hour before.",
}


def company(story: Story) -> list[Phone]:
    """ana is on call and ben behind her; cleo writes for clients, mo leads the team; fay is of another one."""
    people = story.phones("ana", "ben", "cleo", "mo", "fay")
    story.team("payments", "ana", "ben", "cleo", managers=["mo"])
    story.team("search", "fay")
    story.schedule("primary", "ana")
    story.policy(steps=[("schedule:primary", "0m"), ("ben", "5m"), ("team:payments", "10m")])
    return people


def public_page(story: Story, by: Phone) -> Page:
    service = story.service()
    page = statuspage.create_page("shop", PageFields(service.team, "Shop"), by.actor)
    statuspage.add_component(page, ComponentFields("Card payments", service=service), by.actor)
    statuspage.subscribe(page, Wish("email", "vera@example.org", is_confirmed=True))
    incidents.add_stakeholder(by.actor, kind="email", address="board@example.org", name="The board")
    return page


def of(incident: Incident) -> Postmortem:
    return Postmortem.objects.select_related("incident", "owner", "facilitator").get(incident=incident)


def again(incident: Incident) -> Incident:
    return Incident.objects.select_related("service", "team").get(pk=incident.pk)


def mail_to(story: Story, who: str) -> Sequence[str]:
    return [heard.everything for heard in story.network.heard if heard.channel == "email" and heard.who == who]


def test_from_a_page_to_a_lesson_to_a_promise_that_nobody_forgets(story: Story) -> None:
    ana, ben, cleo, mo, fay = company(story)
    page = public_page(story, mo)
    began = clock.now()
    incident = answered(story, ana, cleo, ben)
    clients_are_told(story, incident, page, cleo, ana)
    postmortem = over(story, incident, ana)
    item = written_without_blame(story, postmortem, ana, fay, mo)
    published_and_closed(story, again(incident), ana, cleo, mo)
    assert Notice.objects.get(page=page).status == "postmortem"
    nobody_forgets(story, item, ben, mo)
    counted(report(Scope(team=story.team("payments")), began, clock.now(), clock.now()))
    assert story.quarantined() == []


def answered(story: Story, ana: Phone, cleo: Phone, ben: Phone) -> Incident:
    """Alertmanager's webhook -> alert -> page -> acknowledged -> declared: who acknowledged leads (R1)."""
    (alert,) = story.prometheus("db3:9100")
    ana.rings_with("DiskFull")
    story.forward(minutes=3)
    ana.acknowledges(alert)
    alert.refresh_from_db()
    incident = incidents.declare_incident(Declaration("Card payments fail", "SEV1", alert=alert), cleo.actor)
    story.settle()
    assert commander_of(incident) == ana.user
    story.forward(minutes=1)
    incidents.assign_role(incident, CM, cleo.user, ana.actor)
    incidents.assign_role(incident, DC, ben.user, ana.actor)
    story.settle()
    story.forward(minutes=10)
    assert story.called(alert) == set(), "an acknowledged alert pages nobody further"
    return incident


def clients_are_told(story: Story, incident: Incident, page: Page, cleo: Phone, ana: Phone) -> None:
    """The CM writes, the IC approves (R6, R7); the status page, its subscribers and the stakeholders have it."""
    composed = Composed(
        "investigating", "The pool on db3 is exhausted.", "Some card payments fail. We are working on it.",
        title="Card payments fail", targets=["stakeholders", "statuspage:shop"],
        components={"shop/card-payments": "partial_outage"},
    )  # fmt: skip
    update = incidents.compose_update(incident, composed, cleo.actor)
    story.settle()
    assert update.state == UpdateState.WAITING
    assert wire.summary(page)["incidents"] == [], "nothing goes out before it is approved"
    ana.is_told("read and approve")
    done = incidents.approve_update(update, ana.actor, digest=update.text_digest)
    story.settle()
    assert done.state == UpdateState.PUBLISHED
    (shown,) = wire.summary(page)["incidents"]
    assert (shown["name"], shown["impact"]) == ("Card payments fail", "major")
    assert "Investigating: Card payments fail" in mail_to(story, "vera")[0]
    (told,) = mail_to(story, "board")
    assert "The pool on db3 is exhausted." in told


def over(story: Story, incident: Incident, ana: Phone) -> Postmortem:
    """Mitigated is not resolved (R9); resolving opens the post-mortem by itself (R10)."""
    incidents.register_client(incident, ana.actor, name="Bookshop", impact="41 payments", contact="shop@example.org")
    incidents.clients_checked(incident, ana.actor)
    entry = incidents.add_note(incident, ana.actor, "We take the second pool into service.", kind="decision")
    incidents.star(entry, ana.actor, is_starred=True)
    incidents.set_phase(incident, "mitigated", ana.actor)
    story.forward(minutes=15)
    story.prometheus("db3:9100", status="resolved")
    incidents.set_phase(incident, "resolved", ana.actor)
    story.settle()
    said = Composed("resolved", "Over.", "Card payments work again.", targets=["stakeholders", "statuspage:shop"])
    incidents.compose_update(incident, said, ana.actor)
    story.settle()
    found = of(incident)
    assert (found.state, found.owner) == (State.SCHEDULING, ana.user)
    assert again(incident).lesson == Lesson.OPEN
    with pytest.raises(ValueError, match="post-mortem is open"):
        incidents.close_incident(incident, ana.actor)
    ana.is_told("its post-mortem is open and yours")
    return found


def written_without_blame(story: Story, found: Postmortem, ana: Phone, fay: Phone, mo: Phone) -> ActionItem:
    """An uninvolved facilitator (R11), no blame (R15), and no approval while an action item is nobody's (R16)."""
    incident = found.incident
    proposed = facilitators.proposals(candidates(found))
    assert proposed[0].name == str(fay.user), "those of other teams come first"
    assert str(ana.user) not in [one.name for one in proposed]
    postmortems.ask_facilitator(found, fay.user, ana.actor)
    story.settle()
    fay.is_told("asks you to facilitate")
    postmortems.answer_as_facilitator(of(incident), fay.user, fay.actor, is_accepted=True)
    postmortems.set_meeting(of(incident), clock.now() + timedelta(days=2), ana.actor)
    story.forward(days=2, hours=1, look_every=SELDOM)
    postmortems.meeting_was_held(of(incident), ana.actor)
    for key, text in SECTIONS.items():
        postmortems.save_section(found, key, text, 0, ana.actor)
    (finding,) = lint(SECTIONS["factors"], known_people(found))
    assert finding.text == "Ben forgot"
    postmortems.save_section(found, "factors", "The limit of the pool had been copied.", 1, ana.actor)
    item = items.note_item(NewItem("alert on the size of the pool", incident=incident, origin="post-mortem"), ana.actor)
    postmortems.make_external(of(incident), ana.actor)
    postmortems.send_to_review(of(incident), ana.actor)
    found = of(incident)
    with pytest.raises(ValueError, match="has no owner: give it one, and a date"):
        postmortems.approve(found, fay.user, fay.actor, revision=found.revision)
    items.open_item(item, story.people["ben"].user, mo.actor, due_on=clock.now().date() + timedelta(days=7))
    postmortems.approve(found, fay.user, fay.actor, revision=found.revision)
    assert of(incident).state == State.REVIEWED
    return item


def published_and_closed(story: Story, incident: Incident, ana: Phone, cleo: Phone, mo: Phone) -> None:
    """The CM and the IC decide both (R13); only then the incident can be closed."""
    wish = {"is_for_page": True, "is_for_clients": True}
    assert "the IC decides too" in postmortems.decide(of(incident), cleo.user, cleo.actor, **wish)
    assert postmortems.decide(of(incident), ana.user, ana.actor, **wish) == "published"
    story.settle()
    assert again(incident).lesson == Lesson.PUBLISHED
    (letter,) = mail_to(story, "shop")
    assert "Ana" not in letter
    incidents.close_incident(again(incident), ana.actor)
    story.settle()
    assert not again(incident).is_open
    mo.forgets()


def nobody_forgets(story: Story, item: ActionItem, ben: Phone, mo: Phone) -> None:
    """Reminders go on after the incident is closed (R17): the owner, then the lead, then the weekly report."""
    ben.forgets()
    closed: datetime = clock.now()
    story.forward(days=10, look_every=SELDOM)
    ben.is_told("is due today")
    assert "Overdue action items: 0" in mo.is_told("The week of Payments").everything
    mo.is_silent()
    story.forward(to=closed + timedelta(weeks=3, hours=12), look_every=SELDOM)
    ben.is_told("14 days overdue")
    mo.is_told("14 days overdue (owner: Ben)")
    weekly = [heard.everything for heard in story.network.heard if "The week of Payments" in heard.everything]
    assert f"{item} alert on the size of the pool (Ben, {item.due_on})" in weekly[-1]
    item.refresh_from_db()
    assert item.state == ItemState.OPEN


def counted(found: Report) -> None:
    shown = {figure.definition.key: figure.shown for figure in found.figures}
    assert shown["alerts"] == "1"
    assert shown["alert_time_to_acknowledge"] == "3 min"
    assert shown["noise"] == "0%"
    assert shown["pages"] == "1"
    assert shown["incidents"] == "1"
    assert shown["time_to_acknowledge"] == "3 min"
    assert shown["time_to_mitigate"] == "14 min"
    assert shown["time_to_resolve"] == "29 min"
    assert shown["time_to_public_notice"] == "11 min"
    assert shown["postmortems_in_time"] == "100%"
    assert (shown["items_open"], shown["items_overdue"]) == ("1", "1")
    assert found.by_severity == [("SEV1", 1, "29 min")]
