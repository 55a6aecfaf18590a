"""The screens of people, teams, settings and the first minutes in a real Chromium; and the first run without scripts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.db import transaction
from harness import DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, SCREENS, audit, looking
from playwright.sync_api import Browser, expect
from serving import session

from api_world import BY, World, make_world
from midwatch.core import clock
from midwatch.people import actions
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import actor_of
from midwatch.respond.notify.actions import send_test_page
from midwatch.respond.notify.models import Delivery

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a-good-long-password"
HOSTILE = '<img src=x onerror="document.title=1"> "quoted" ' + "long" * 40


@dataclass
class Site:
    world: World
    test: Delivery


@pytest.fixture
def site(url: str) -> Site:
    """A way in each state, words that try to break out, a test under way."""
    world = make_world()
    by = actor_of(world.ana, "web")
    actions.add_contact(world.ana, actions.Contact("push", "ntfy", "https://ntfy.example.com/ana-x7", "secret"), by)
    for name in ("mail", "old"):
        actions.add_contact(world.ana, actions.Contact(name, "email", f"{name}@example.com"), by)
    actions.disable_contact(ContactMethod.objects.get(name="old"), "the carrier said STOP", by)
    actions.ensure_default_rules(world.ana, by)
    with transaction.atomic():
        User.objects.filter(pk=world.vi.pk).update(display_name=HOSTILE[:200])
        ContactMethod.objects.filter(user=world.vi).update(failing_since=clock.now(), problem=HOSTILE[:300])
    actions.create_token(world.ana, "deploy pipeline", by)
    (sent,) = send_test_page(world.ana, by, ContactMethod.objects.get(name="push"))
    return Site(world, sent)


MAIN = ("/profile", "/settings/people", "/settings/teams/payments", "/welcome/reach", "/settings")
OTHERS = (
    "/settings/people/vi",
    "/settings/people/ana/about",
    "/settings/people/ana/access",
    "/settings/people/bo/access",
    "/settings/people/ana/rules",
    "/settings/people/ana/contacts",
    "/settings/people/ana/contacts/push",
    "/settings/new-person",
    "/settings/teams",
    "/settings/teams/payments/edit",
    "/settings/new-team",
    "/settings/audit",
    "/settings/health",
    "/settings/configuration",
    "/settings/tokens",
    "/welcome/you",
    "/welcome/team",
    "/welcome/source",
    "/welcome/check",
)


def test_nothing_is_wrong_with_any_screen(site: Site, url: str, browser: Browser) -> None:
    admin = session(site.world.ana)
    faults = [fault for path in MAIN for fault in audit(browser, url, path, admin)]
    for number, path in enumerate(OTHERS):
        faults += audit(browser, url, path, admin, screens=(SCREENS[number % len(SCREENS)],))
    faults += audit(browser, url, "/settings/people/bo", session(site.world.vi), screens=(PHONE_LIGHT,))
    assert not faults, "\n".join(faults)


def test_nothing_is_wrong_with_getting_in(url: str, browser: Browser) -> None:
    code = actions.setup_code()
    assert code is not None
    faults = audit(browser, url, "/login")
    for path in ("/setup", "/link/unknown"):
        faults += audit(browser, url, path, screens=(PHONE_LIGHT, PHONE_DARK))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("with_scripts", [False, True])
def test_the_first_run_on_a_phone(url: str, browser: Browser, with_scripts: bool) -> None:
    """From the printed code to a team, a source's address and a dry run; the device's zone is taken for a new account."""
    code = actions.setup_code()
    assert code is not None
    with looking(browser, PHONE_LIGHT, url, with_scripts=with_scripts) as sight:
        page = sight.page
        page.goto("/login")
        page.get_by_role("link", name="Set Midwatch up").tap()
        page.get_by_label("Set-up code").fill(code)
        page.get_by_role("button", name="Go on").tap()
        page.get_by_label("Name", exact=False).first.fill("Ana Novak")
        page.locator("[name=time_zone]").select_option("Europe/Prague")
        page.locator("[name=new_password1]").fill(PASSWORD)
        page.locator("[name=new_password2]").fill(PASSWORD)
        page.get_by_role("button", name="Make the account").tap()
        page.wait_for_url("**/welcome/reach")
        page.locator("[name=type]").select_option("ntfy")
        page.locator("[name=address]").fill("https://ntfy.example.com/ana-x7")
        page.get_by_role("button", name="Add", exact=True).tap()
        expect(page.locator(".method-list")).to_contain_text("Not confirmed")
        page.get_by_role("button", name="Send a test page").tap()
        expect(page.locator(".method-test")).to_contain_text("Waiting")
        with transaction.atomic():
            Delivery.objects.update(state="handed over", receipt="handed over")
        if not with_scripts:
            page.reload()
        expect(page.locator(".method-test")).to_contain_text("Handed to provider")  # ticked in by itself
        page.get_by_role("button", name="It came").tap()
        page.get_by_role("button", name="It reaches me: go on").tap()
        page.locator("[name=colleagues]").fill("Bo Nielsen bo@example.com")
        page.get_by_role("button", name="Make team, schedule and policy").tap()
        expect(page.locator("main")).to_contain_text("operations")
        page.get_by_role("button", name="Go on").tap()
        page.locator("[name=service]").fill("Checkout")
        page.get_by_role("button", name="Make the source").tap()
        expect(page.locator("main")).to_contain_text("/in/")
        page.get_by_role("button", name="Later: go on").tap()
        expect(page.locator(".dry-lines")).to_contain_text("Ana Novak")
        page.get_by_role("button", name="Done: to Now").tap()
        page.wait_for_url("**/")
        assert not sight.faults()


def test_the_device_s_zone_is_a_button_not_a_surprise(site: Site, url: str, browser: Browser) -> None:
    with looking(browser, DESKTOP_LIGHT, url, session(site.world.ana)) as sight:
        sight.page.goto("/settings/people/ana/about")
        select = sight.page.locator("[name=time_zone]")
        expect(select).to_have_value("Europe/Prague")
        sight.page.get_by_role("button", name="This device is in").click()
        expect(select).not_to_have_value("Europe/Prague")
        assert User.objects.get(name="ana").time_zone == "Europe/Prague"
        assert not sight.faults()


def test_enter_in_a_field_saves_the_rules(site: Site, url: str, browser: Browser) -> None:
    """And does not press "one more", the first button of the form."""
    with looking(browser, DESKTOP_LIGHT, url, session(site.world.ana)) as sight:
        sight.page.goto("/settings/people/ana/rules")
        sight.page.locator("[name=repeat_after]").fill("7m")
        sight.page.locator("[name=repeat_after]").press("Enter")
        expect(sight.page.locator(".messages")).to_contain_text("Saved.")
    assert User.objects.get(name="ana").repeat_after_seconds == 420


def test_a_failed_log_in_is_said_beside_the_form(site: Site, url: str, browser: Browser) -> None:
    actions.use_link(actions.invite(site.world.cy, BY), PASSWORD)
    with looking(browser, PHONE_DARK, url) as sight:
        page = sight.page
        page.goto("/settings/teams")
        page.locator("[name=username]").fill("cy")
        page.locator("[name=password]").fill("wrong")
        page.locator("[name=password]").press("Enter")
        expect(page.get_by_role("alert").first).to_contain_text("is not right")
        page.locator("[name=username]").fill("cy")
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[name=password]").press("Enter")
        page.wait_for_url("**/settings/teams")
        assert not sight.faults()
