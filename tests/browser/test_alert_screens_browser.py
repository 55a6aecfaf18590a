"""The screens of alerts in a real Chromium: axe, CSP, sizes; and what only a browser can show."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.db import transaction
from harness import DESKTOP_DARK, PHONE_DARK, PHONE_LIGHT, audit, looking
from playwright.sync_api import Browser, expect
from serving import session

from api_world import World, make_world
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import start
from midwatch.respond.notify.models import Delivery
from midwatch.respond.notify.tokens import token_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> "quoted"'
LANDING_BYTES_MAX = 30 * 1024


@dataclass
class Site:
    url: str
    world: World
    called: Alert  # rings whoever is on call
    hostile: Alert
    on_call: User

    def link(self) -> str:
        delivery = (
            Delivery.objects.filter(alert=self.called, user=self.on_call).exclude(token_digest=None).earliest("id")
        )
        return f"/p/{token_of(delivery.idempotency_key)}"


@pytest.fixture
def site(url: str) -> Site:
    world = make_world()
    called, hostile, taken = world.alert("disk full on db3"), world.alert(HOSTILE, "P3"), world.alert("slow", "P2")
    with transaction.atomic():
        start([(alert, None) for alert in (called, hostile, taken)])
        acknowledge_alert(taken, actor_of(world.bo, "web"))
    on_call = Delivery.objects.filter(alert=called).earliest("id").user
    return Site(url, world, called, hostile, on_call)


def test_nothing_is_wrong_with_any_screen(site: Site, browser: Browser) -> None:
    cookie = session(site.on_call)
    main = ["/", "/alerts?view=all", f"/alerts/{site.called.number}", site.link()]
    others = [
        "/alerts?view=all&q=nothing-like-it",
        f"/alerts/{site.hostile.number}",
        "/policies",
        "/policies/payments",
        "/policies/payments/edit",
        "/page",
        "/p/nobodys",
    ]
    faults = [fault for path in main for fault in audit(browser, site.url, path, cookie)]
    for path in others:
        faults += audit(browser, site.url, path, cookie, screens=(PHONE_LIGHT, DESKTOP_DARK))
    assert not faults, "\n".join(faults)


def test_from_the_lock_screen_in_one_tap(site: Site, browser: Browser) -> None:
    """No log-in, one huge button, a light page; and offline says so and sends it when the line is back."""
    with looking(browser, PHONE_DARK, site.url) as sight:
        weights: list[int] = []
        sight.page.on("response", lambda answer: weights.append(len(answer.body())))
        sight.page.goto(site.link())
        button = sight.page.get_by_role("button", name="Acknowledge")
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 64
        assert box["y"] + box["height"] < 844, "without scrolling"
        assert sum(weights) <= LANDING_BYTES_MAX
        sight.page.context.set_offline(True)
        button.tap()
        expect(sight.page.locator("#unsent")).to_be_visible()
        sight.page.context.set_offline(False)
        sight.page.get_by_role("button", name="Retry").tap()
        expect(sight.page.get_by_text("Escalation stopped.")).to_be_visible()
        assert not sight.faults()
    assert Alert.objects.get(pk=site.called.pk).acknowledged_by == site.on_call


@pytest.mark.parametrize("with_scripts", [True, False])
def test_acknowledge_on_now(site: Site, browser: Browser, with_scripts: bool) -> None:
    with looking(browser, PHONE_LIGHT, site.url, session(site.on_call), with_scripts=with_scripts) as sight:
        sight.page.goto("/")
        first = sight.page.locator("article.call").first
        expect(first).to_contain_text("disk full on db3")  # P1 before P3
        first.get_by_role("button", name="Acknowledge").tap()
        expect(sight.page.locator(".messages")).to_contain_text(f"You have #{site.called.number}")
        assert not sight.faults()


@pytest.mark.parametrize("with_scripts", [True, False])
def test_bulk_with_tick_boxes(site: Site, browser: Browser, with_scripts: bool) -> None:
    with looking(browser, PHONE_LIGHT, site.url, session(site.world.bo), with_scripts=with_scripts) as sight:
        sight.page.goto("/alerts?view=all&status=firing")
        for box in sight.page.get_by_role("checkbox").all():
            box.check()
        sight.page.get_by_role("button", name="Resolve").last.tap()
        expect(sight.page.locator(".messages")).to_contain_text("2 alerts resolved.")
    assert not Alert.objects.filter(status="firing").exists()


def test_new_rows_are_announced_and_move_nothing(site: Site, browser: Browser) -> None:
    with looking(browser, PHONE_LIGHT, site.url, session(site.world.bo)) as sight:
        sight.page.goto("/alerts?view=all")
        row = sight.page.locator(f"#alert-{site.called.number}")
        before = row.bounding_box()
        site.world.alert("a new one")
        expect(sight.page.get_by_role("link", name="1 new: show")).to_be_visible(timeout=15_000)
        assert row.bounding_box() == before
        sight.page.get_by_role("link", name="1 new: show").tap()
        expect(sight.page.get_by_text("a new one")).to_be_visible()
        assert not sight.faults()


def test_keys(site: Site, browser: Browser) -> None:
    with looking(browser, PHONE_LIGHT, site.url, session(site.world.bo)) as sight:
        sight.page.goto(f"/alerts?view=all&q=%23{site.called.number}")
        sight.page.keyboard.press("j")
        sight.page.keyboard.press("a")
        expect(sight.page.locator(".messages")).to_contain_text(f"You have #{site.called.number}")
        sight.page.goto(f"/alerts/{site.called.number}")
        sight.page.keyboard.press("n")
        expect(sight.page.get_by_label("What you saw or did")).to_be_visible()
        sight.page.keyboard.press("s")
        expect(sight.page.get_by_role("button", name="30 min")).to_be_visible()
        sight.page.keyboard.press("r")
        expect(sight.page.locator(".messages")).to_contain_text("is resolved")
