"""From the incident's composer to the page of its clients, and from its windows of impact to the bars there."""

from __future__ import annotations

from datetime import timedelta

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.engine import errands
from midwatch.respond.availability.queries import outages_from, uptime
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.models import Entry
from midwatch.respond.statuspage import actions as statuspage
from midwatch.respond.statuspage import wire
from midwatch.respond.statuspage.actions import ComponentFields, PageFields, Wish
from midwatch.respond.statuspage.models import Component, Notice, Page
from stories.story import Story

BY = Actor("Ana", "web")


def page_of(story: Story) -> tuple[Page, Component]:
    service = story.service()
    page = statuspage.create_page("shop", PageFields(service.team, "Shop"), BY)
    return page, statuspage.add_component(page, ComponentFields("Card payments", service=service), BY)


def test_an_update_for_clients_is_on_the_page_and_in_the_mailbox(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    page, component = page_of(story)
    statuspage.subscribe(page, Wish("email", "vera@example.org", is_confirmed=True))
    incident = incidents.declare_incident(
        Declaration(title="db3 is full", severity="SEV2", service=component.service), ana.actor
    )
    said = Composed(
        "investigating", external_text="Some cards are declined.", title="Card payments fail",
        targets=["statuspage:shop", "statuspage:gone"], components={"shop/card-payments": "partial_outage"},
    )  # fmt: skip
    incidents.compose_update(incident, said, ana.actor)
    story.settle()
    errands.run_due()
    (shown,) = wire.summary(page)["incidents"]
    assert (shown["name"], shown["impact"]) == ("Card payments fail", "major")
    assert Notice.objects.get().incident_number == incident.number
    (mail,) = [one for one in story.network.heard if one.who == "vera"]
    assert "Investigating: Card payments fail" in mail.everything
    failed = Entry.objects.filter(incident=incident, text__contains="the status page gone did not take the update")
    assert failed.exists(), "a page that is not there is no reason to say nothing"
    story.forward(minutes=20)
    incidents.compose_update(
        incident, Composed("resolved", external_text="Done.", targets=["statuspage:shop"]), ana.actor
    )
    story.settle()
    component.refresh_from_db()
    assert component.status == "operational"
    assert wire.summary(page)["incidents"] == []
    assert Notice.objects.get().updates.count() == 2, "the same notice goes on"


def test_windows_of_impact_are_the_outages_of_their_services(story: Story) -> None:
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    _page, component = page_of(story)
    service = component.service
    assert service is not None
    incident = incidents.declare_incident(Declaration(title="db3 is full", severity="SEV2", service=service), BY)
    start = clock.now() - timedelta(hours=2)
    window = incidents.affect_service(incident, service, BY, level="major", starts_at=start)
    story.settle()
    assert outages_from(f"incident/{incident.number}/{window.pk}").get().level == "major"
    end = incident.started_at
    incidents.change_window(window, BY, level="partial", starts_at=start, ends_at=end)
    story.settle()
    outage = outages_from(f"incident/{incident.number}/{window.pk}").get()
    assert (outage.level, outage.ends_at) == ("partial", end)
    found = uptime([service], start - timedelta(hours=1), end)[service.pk]
    assert found.sums.partial == 2 * 3600
    drill = incidents.declare_incident(Declaration(title="drill", severity="SEV2", service=service, is_drill=True), BY)
    incidents.affect_service(drill, service, BY)
    story.settle()
    assert not outages_from(f"incident/{drill.number}").exists(), "drills took nothing down"
