"""The status page in a real Chromium: what visitors see without scripts, and what members write; with words that try to
break out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from harness import DESKTOP_DARK, PHONE_LIGHT, SCREENS, audit, looking
from playwright.sync_api import Browser, expect
from serving import session

from api_world import BY, World, make_world
from midwatch.core import clock
from midwatch.respond.availability.actions import open_outage
from midwatch.respond.statuspage import actions
from midwatch.respond.statuspage.actions import ComponentFields, NewNotice, NewUpdate, PageFields, Schedule, Wish
from midwatch.respond.statuspage.models import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = '<img src=x onerror="document.title=1"> "quoted" ' + "long" * 40
HOUR = timedelta(hours=1)


@dataclass
class Status:
    world: World
    page: Page
    wire_id: str


@pytest.fixture
def status(url: str) -> Status:
    """Everything at once: a group, an outage, an open incident, one that is over, maintenance planned and under way."""
    world = make_world()
    now = clock.now()
    page = actions.create_page(
        "shop", PageFields(world.team, "Example Shop", HOSTILE, support_url="https://a.example/"), BY
    )
    group = actions.add_component(page, ComponentFields("Shop", is_group=True), BY)
    started = (now - timedelta(days=60)).date()
    checkout = actions.add_component(
        page,
        ComponentFields("Checkout", "Cards and transfers", parent=group, service=world.service, started_on=started),
        BY,
    )
    search = actions.add_component(page, ComponentFields(HOSTILE, HOSTILE, parent=group, started_on=started), BY)
    mail = actions.add_component(page, ComponentFields("Mail", started_on=started), BY)
    for days, level in ((3, "major"), (20, "partial"), (21, "degraded")):
        start = now - timedelta(days=days)
        open_outage(world.service, BY, level=level, starts_at=start, ends_at=start + HOUR)
    over = actions.open_notice(page, NewNotice("Search was slow", components={search: "degraded_performance"}), BY)
    actions.post_update(over, NewUpdate("resolved"), BY)
    actions.draft_postmortem(over, "# What happened\n\n- one\n- two\n\n" + HOSTILE, BY)
    actions.publish_postmortem(over, BY)
    notice = actions.open_notice(page, NewNotice(HOSTILE, HOSTILE, components={checkout: "partial_outage"}), BY)
    actions.post_update(notice, NewUpdate("identified", "We know **why**."), BY)
    upgrade = NewNotice("Database upgrade", components={mail: None}, schedule=Schedule(now - HOUR, now + HOUR))
    actions.post_update(actions.open_notice(page, upgrade, BY), NewUpdate("in_progress"), BY)
    later = Schedule(now + 20 * HOUR, now + 22 * HOUR)
    actions.open_notice(page, NewNotice("Network work", components={mail: None}, schedule=later), BY)
    actions.subscribe(page, Wish("email", "vera@example.org", is_confirmed=True))
    return Status(world, page, notice.wire_id)


def test_nothing_is_wrong_with_what_visitors_see(status: Status, url: str, browser: Browser) -> None:
    faults = audit(browser, url, "/status/shop")
    others = ("/status/shop/subscribe", f"/status/shop/incidents/{status.wire_id}", "/status/shop/history")
    for number, path in enumerate(others):
        for screen in (SCREENS[number % 4], SCREENS[(number + 3) % 4]):
            faults += audit(browser, url, path, screens=(screen,))
    assert not faults, "\n".join(faults)


def test_nothing_is_wrong_with_what_members_see(status: Status, url: str, browser: Browser) -> None:
    admin = session(status.world.ana)
    faults: list[str] = []
    paths = (
        "/status-pages/shop", f"/status-pages/shop/notices/{status.wire_id}", "/status-pages",
        "/status-pages/shop/notices", "/status-pages/shop/maintenance", "/status-pages/shop/edit", "/new-status-page",
        "/status-pages/shop/components", "/status-pages/shop/subscribers",
    )  # fmt: skip
    for number, path in enumerate(paths):
        screens = SCREENS if number < 2 else (SCREENS[number % 4],)
        faults += audit(browser, url, path, admin, screens=screens)
    assert not faults, "\n".join(faults)


def test_a_visitor_without_scripts_reads_and_subscribes(status: Status, url: str, browser: Browser) -> None:
    with looking(browser, PHONE_LIGHT, url, with_scripts=False) as sight:
        page = sight.page
        page.goto("/status/shop")
        expect(page.get_by_role("heading", level=1)).to_have_text("Partial System Outage")
        page.get_by_role("link", name="Subscribe").tap()
        page.get_by_label("Your address").fill("nina@example.org")
        page.get_by_role("button", name="Subscribe").first.tap()
        expect(page.get_by_role("heading", level=1)).to_have_text("Almost done")
        assert page.context.cookies() == []
        assert not sight.faults()


def test_a_member_posts_an_update_in_three_fields(status: Status, url: str, browser: Browser) -> None:
    with looking(browser, DESKTOP_DARK, url, session(status.world.cy)) as sight:
        page = sight.page
        page.goto(f"/status-pages/shop/notices/{status.wire_id}")
        page.get_by_label("Resolved").check()
        page.get_by_label("What we say").first.fill("It is **over**.")
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.get_by_text("It is over.")).to_be_visible()
        page.goto("/status/shop")
        expect(page.get_by_role("heading", level=1)).to_have_text("Service Under Maintenance")
        assert not sight.faults()
