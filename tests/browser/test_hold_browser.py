"""Paging on hold, in a real Chromium: the banner on every page, what would be paged, and the release."""

from __future__ import annotations

import pytest
from harness import DESKTOP_LIGHT, PHONE_DARK, audit, looking
from playwright.sync_api import Browser, expect
from serving import session

from api_world import BY, World, make_world
from midwatch.engine import hold
from midwatch.respond.escalation.actions import page_somebody

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def held(url: str) -> World:
    world = make_world()
    hold.begin(BY, "a backup was restored")
    page_somebody("a page that waits <b>here</b> " + "and is long " * 12, BY, team=world.team)
    return world


def test_the_banner_and_the_list_on_every_screen(browser: Browser, url: str, held: World) -> None:
    for path in ("/settings/hold", "/alerts"):
        faults = audit(browser, url, path, session(held.ana))
        assert not faults, "\n".join(faults)


def test_an_administrator_releases_and_the_banner_goes(browser: Browser, url: str, held: World) -> None:
    with looking(browser, PHONE_DARK, url, session(held.ana)) as sight:
        sight.page.goto("/alerts")
        expect(sight.page.get_by_text("Paging is on hold: nobody is paged.")).to_be_visible()
        sight.page.get_by_role("link", name="What would be paged").click()
        sight.page.get_by_role("button", name="Release: page now").click()
        expect(sight.page.get_by_text("Paging is not on hold")).to_be_visible()
        assert sight.page.locator(".hold-banner").count() == 0
    with looking(browser, DESKTOP_LIGHT, url, session(held.cy)) as sight:
        sight.page.goto("/settings/hold")
        assert sight.page.get_by_role("button", name="Release: page now").count() == 0
    hold.forget()
