"""The war room in a real Chromium: two people at once, one of them losing the network; and what all screens must be."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from django.db import transaction
from harness import DESKTOP_DARK, DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, audit, looking
from playwright.sync_api import Browser, expect
from serving import session

from api_world import World, make_world
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import start
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.models import Entry, Incident
from midwatch.respond.incidents.queries import commander_of
from midwatch.respond.notify.models import Delivery
from midwatch.respond.notify.tokens import token_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> "quoted"'
OTHERS_SEEN_MS = 15_000  # a poll every 5 s, on a machine that is busy with other tests


@dataclass
class Site:
    url: str
    world: World
    incident: Incident
    alert: Alert


@pytest.fixture
def site(url: str) -> Site:
    world = make_world()
    alert = world.alert("disk full on db3")
    with transaction.atomic():
        start([(alert, None)])
    by = actor_of(world.cy, "web")
    made = actions.take_and_declare(alert, Declaration("Checkout is down", "SEV1", service=world.service), by)
    return Site(url, world, made, alert)


def fill(site: Site) -> None:
    """Something in every part."""
    world, made = site.world, site.incident
    by = actor_of(world.cy, "web")
    actions.add_note(made, by, f"Restarted **db3** {HOSTILE}", kind="decision")
    entry = actions.add_note(made, by, "Seeing 40 % errors on `POST /orders`")
    actions.amend(entry, by, "Seeing 4 % errors")
    actions.star(entry, by, is_starred=True)
    actions.open_task(made, by, "Look at the replica lag", doer=world.bo, minutes=15)
    actions.open_task(made, by, HOSTILE, role="cm")
    actions.assign_role(made, "cm", world.ana, by)
    actions.offer_role(made, "ic", world.bo, by, why="my shift ends")
    actions.add_responder(made, by, user=world.ana, message="we need a DBA")
    actions.register_client(made, by, name="ACME", impact="no orders", evidence="ticket 12", query="SELECT 1")
    words = Composed("investigating", "We look.", "Some payments fail.", "Payments", ["stakeholders"])
    actions.compose_update(made, words, actor_of(world.ana, "web"))
    other = actions.declare_incident(Declaration("Checkout is slow", "SEV3", service=world.service), by)
    actions.link_incident(made, other, by)


def test_nothing_is_wrong_with_any_screen(site: Site, browser: Browser) -> None:
    fill(site)
    faults: list[str] = []
    faults += audit(browser, site.url, "/incidents/1", session(site.world.bo))
    others = ["/incidents", "/incidents/declare?alert=1", "/incidents/1/update", "/incidents/1/updates/1"]
    leader = session(site.world.cy)
    for path in others:
        faults += audit(browser, site.url, path, leader, screens=(PHONE_LIGHT, DESKTOP_DARK))
    administrator = session(site.world.ana)
    faults += audit(browser, site.url, "/settings/incidents", administrator, screens=(PHONE_LIGHT, DESKTOP_DARK))
    faults += audit(browser, site.url, "/incidents/1", session(site.world.vi), screens=(PHONE_DARK,))
    assert not faults, "\n".join(faults)


def test_two_people_at_once_and_one_loses_the_network(site: Site, browser: Browser) -> None:
    with (
        looking(browser, DESKTOP_LIGHT, site.url, session(site.world.cy)) as leads,
        looking(browser, PHONE_LIGHT, site.url, session(site.world.bo)) as helps,
    ):
        for sight in (leads, helps):
            sight.page.goto("/incidents/1")
        box = helps.page.get_by_label("What you see, decide or do")
        box.fill("db3 answers again")
        helps.page.get_by_role("button", name="Write", exact=True).click()
        # In place for who wrote it, the box empty; and for the other without a reload.
        expect(helps.page.locator("#timeline")).to_contain_text("db3 answers again")
        expect(box).to_have_value("")
        expect(leads.page.locator("#timeline")).to_contain_text("db3 answers again", timeout=OTHERS_SEEN_MS)
        # What somebody types stays while others write.
        mine = leads.page.get_by_label("What you see, decide or do")
        mine.fill("half a sentence")
        # The line breaks.
        helps.page.context.set_offline(True)
        box.fill("errors are down to 1 %")
        helps.page.get_by_role("button", name="Write", exact=True).click()
        expect(helps.page.locator("note-form [data-state]")).to_contain_text("NOT SENT")
        expect(box).to_have_value("errors are down to 1 %")
        # It is kept over a reload too, and goes out when it is sent again.
        helps.page.context.set_offline(False)
        helps.page.reload()
        expect(box).to_have_value("errors are down to 1 %")
        helps.page.get_by_role("button", name="Write", exact=True).click()
        expect(helps.page.locator("#timeline")).to_contain_text("errors are down to 1 %")
        expect(leads.page.locator("#timeline")).to_contain_text("errors are down to 1 %", timeout=OTHERS_SEEN_MS)
        expect(mine).to_have_value("half a sentence")
        assert Entry.objects.filter(text="errors are down to 1 %").count() == 1
        assert not leads.faults()


def test_the_role_changes_hands_without_a_script(site: Site, browser: Browser) -> None:
    with looking(browser, PHONE_LIGHT, site.url, session(site.world.cy), with_scripts=False) as leads:
        leads.page.goto("/incidents/1")
        offer = leads.page.locator("#offer-ic")
        offer.locator("summary").click()
        offer.get_by_label("To whom").select_option("bo")
        offer.get_by_role("button", name="Offer with a brief").click()
        expect(leads.page.locator("#roles")).to_contain_text("offered to Bo")
    with looking(browser, PHONE_LIGHT, site.url, session(site.world.bo), with_scripts=False) as takes:
        takes.page.goto("/incidents/1")
        takes.page.get_by_text("The brief").click()
        expect(takes.page.locator(".room-offer")).to_contain_text("Checkout is down")
        takes.page.get_by_role("button", name="I take it").click()
        expect(takes.page.locator(".room-people")).to_contain_text("Bo")
    assert commander_of(site.incident) == site.world.bo


def test_from_the_phones_link_to_an_incident(url: str, browser: Browser) -> None:
    """No log-in: the link of a page acknowledges and declares in one tap; the second shows the same incident."""
    world = make_world()
    alert = world.alert("disk full on db3")
    with transaction.atomic():
        start([(alert, None)])
    got = Delivery.objects.filter(alert=alert).exclude(token_digest=None).earliest("id")
    with looking(browser, PHONE_DARK, url) as sight:
        sight.page.goto(f"/p/{token_of(got.idempotency_key)}")
        sight.page.get_by_role("link", name="Declare incident").click()
        expect(sight.page).to_have_url(re.compile(r"/declare$"))
        sight.page.get_by_role("button", name="Acknowledge and declare").click()
        expect(sight.page.get_by_role("heading", level=1)).to_contain_text("is declared")
        sight.page.reload()
        expect(sight.page.get_by_role("heading", level=1)).to_contain_text("is declared")
        assert not sight.faults()
    assert audit(browser, url, f"/p/{token_of(got.idempotency_key)}/declare", screens=(PHONE_LIGHT,)) == []
    made = Incident.objects.get()
    alert.refresh_from_db()
    assert (commander_of(made), alert.acknowledged_by) == (got.user, got.user)
