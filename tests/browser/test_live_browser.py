"""Two people on one page, in real browsers on the real event loop: told at once, cut off, restarted, and not told at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction
from harness import DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, axe, looking
from playwright.sync_api import Browser, Page, expect
from serving import Streaming, session, streaming

from api_world import World, make_world
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import add_note
from midwatch.respond.alerts.models import Alert

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
QUIET = "document.querySelector('#alert-live').removeAttribute('data-polls')"  # only what the stream says makes it read


@pytest.fixture
def server(transactional_db: None) -> Iterator[Streaming]:
    with streaming() as made:
        yield made


@pytest.fixture
def world(server: Streaming) -> World:
    return make_world()


def note(alert: Alert, text: str, by: User) -> None:
    with transaction.atomic():
        add_note(alert, actor_of(by, "web"), text)


def status(page: Page, words: str) -> None:
    expect(page.locator("live-status span")).to_have_text(words, timeout=20_000)


def test_two_people_see_each_other_and_what_they_do(server: Streaming, world: World, browser: Browser) -> None:
    alert = world.alert("disk full")
    with (
        looking(browser, DESKTOP_LIGHT, server.url, session(world.bo)) as bo,
        looking(browser, PHONE_LIGHT, server.url, session(world.cy)) as cy,
    ):
        bo.page.goto(f"/alerts/{alert.number}")
        bo.page.evaluate(QUIET)
        status(bo.page, "live")
        expect(bo.page.locator(".presence")).to_have_count(0)
        cy.page.goto(f"/alerts/{alert.number}")
        expect(bo.page.locator(".presence")).to_contain_text(world.cy.display_name, timeout=10_000)
        expect(cy.page.locator(".presence")).to_contain_text(world.bo.display_name, timeout=10_000)
        with bo.page.expect_request(f"**/alerts/{alert.number}"):
            note(alert, "looking at db3", world.cy)
        expect(bo.page.get_by_text("looking at db3")).to_be_visible()
        assert not axe(cy.page)
        cy.page.goto("/")
        expect(bo.page.locator(".presence")).to_have_count(0, timeout=20_000)
        assert not bo.faults() + cy.faults()


def test_a_restart_and_a_lost_network_miss_nothing(server: Streaming, world: World, browser: Browser) -> None:
    alert = world.alert("disk full")
    with looking(browser, PHONE_DARK, server.url, session(world.bo)) as sight:
        sight.page.goto(f"/alerts/{alert.number}")
        status(sight.page, "live")
        sight.page.evaluate(QUIET)
        server.end()
        note(alert, "while it was down", world.cy)
        server.start()
        expect(sight.page.get_by_text("while it was down")).to_be_visible(timeout=20_000)
        status(sight.page, "live")
        sight.page.context.set_offline(True)
        status(sight.page, "offline, retrying")
        note(alert, "while you were away", world.cy)
        sight.page.context.set_offline(False)
        expect(sight.page.get_by_text("while you were away")).to_be_visible(timeout=20_000)
        status(sight.page, "live")
        assert not sight.faults()


def test_without_a_stream_it_asks_and_says_so(server: Streaming, world: World, browser: Browser) -> None:
    alert = world.alert("disk full")
    with looking(browser, PHONE_LIGHT, server.url, session(world.bo)) as sight:
        sight.page.route("**/live?*", lambda route: route.fulfill(status=503, json={"error": "too many"}))
        sight.page.goto(f"/alerts/{alert.number}")
        status(sight.page, "polling")
        sight.page.evaluate(QUIET)
        note(alert, "seen by asking", world.cy)
        expect(sight.page.get_by_text("seen by asking")).to_be_visible(timeout=15_000)
        sight.page.unroute("**/live?*")
        status(sight.page, "live")
        assert not sight.faults()
