"""The screens of services, sources and on call in a real Chromium; and changing a rotation without scripts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from harness import DESKTOP_LIGHT, PHONE_LIGHT, SCREENS, audit, looking
from playwright.sync_api import Browser, expect
from serving import session

from api_world import BY, World, make_world
from midwatch.catalog.actions import record_change
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.respond.alerts.actions import start_maintenance
from midwatch.respond.alerts.actions.problems import report_problem
from midwatch.respond.alerts.models import Source
from midwatch.respond.oncall.actions import LayerFields, create_override, set_layers
from midwatch.respond.oncall.models import TurnMember

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = '<img src=x onerror="document.title=1"> "quoted" ' + "long" * 40


@pytest.fixture
def world(url: str) -> World:
    """Everything at once: gaps, overrides, layers, maintenance, problems, and words that try to break out."""
    found = make_world()
    now = clock.now()
    with transaction.atomic():
        User.objects.filter(pk=found.cy.pk).update(display_name=HOSTILE[:200])
        Service.objects.filter(pk=found.service.pk).update(
            display_name=HOSTILE[:200],
            description=HOSTILE,
            links=[{"title": HOSTILE[:200], "url": "https://a.example/"}],
        )
        Source.objects.filter(pk=found.source.pk).update(last_event_at=now, expect_every_seconds=60, expected_at=now)
        report_problem(found.source, "parser", HOSTILE)
    record_change(found.service, HOSTILE, origin="pipeline")
    found.alerts(2)
    start_maintenance(found.service, BY, starts_at=now, ends_at=now + timedelta(hours=1), reason=HOSTILE)
    start_maintenance(found.service, BY, starts_at=now + timedelta(days=1), ends_at=now + timedelta(days=2))
    nights = [{"from": "20:00", "to": "08:00"}]
    start = datetime(2026, 1, 5, 9)
    layers = [
        LayerFields("weekly", start, 1, "weeks", [[found.cy], [found.bo], []]),
        LayerFields(HOSTILE[:100].strip(), start, 1, "days", [[found.bo, found.ana], [found.cy]], restrictions=nights),
    ]
    set_layers(found.schedule, layers, BY)
    create_override(
        found.schedule,
        BY,
        starts_at=now + timedelta(days=1),
        ends_at=now + timedelta(days=2),
        user=found.ana,
        reason=HOSTILE,
    )
    create_override(
        found.schedule, BY, starts_at=now + timedelta(days=3), ends_at=now + timedelta(days=3, hours=2), kind="remove"
    )
    return found


MAIN = ("/oncall", "/schedules/payments-primary", "/services", "/services/checkout", "/sources", "/sources/prometheus")
OTHERS = (
    "/schedules/payments-primary/edit",
    "/new-schedule",
    "/services/checkout/edit",
    "/new-service",
    "/services/checkout/maintenance",
    "/sources/prometheus/edit",
    "/new-source",
    "/schedules/payments-primary?from=2026-03-25&in=mine",
)


def test_nothing_is_wrong_with_any_screen(world: World, url: str, browser: Browser) -> None:
    admin = session(world.ana)
    faults = [fault for path in MAIN for fault in audit(browser, url, path, admin)]
    for number, path in enumerate(OTHERS):
        faults += audit(browser, url, path, admin, screens=(SCREENS[number % len(SCREENS)],))
    for path in ("/oncall", "/sources/prometheus"):
        faults += audit(browser, url, path, session(world.vi), screens=(PHONE_LIGHT,))
    assert not faults, "\n".join(faults)


def test_nothing_is_wrong_with_forms_that_were_refused(world: World, url: str, browser: Browser) -> None:
    with looking(browser, PHONE_LIGHT, url, session(world.ana)) as sight:
        page = sight.page
        page.goto("/schedules/payments-primary")
        page.locator("#override summary").tap()
        page.locator("[name=ends]").fill("2020-01-01T00:00")
        page.get_by_role("button", name="Override", exact=True).tap()
        expect(page.locator("#override [role=alert]")).to_contain_text("ends after it starts")
        expect(page.locator("#override[open]")).to_be_visible()
        assert not sight.faults()


def test_the_preview_follows_each_change(world: World, url: str, browser: Browser) -> None:
    with looking(browser, DESKTOP_LIGHT, url, session(world.ana)) as sight:
        page = sight.page
        page.goto("/schedules/payments-primary/edit")
        expect(page.get_by_role("button", name="Save this")).to_have_count(0)
        page.get_by_label("Turn 1", exact=True).first.select_option("ana")
        expect(page.locator("#preview")).to_contain_text("Hours on call in four weeks")
        page.locator("[name='layer-0-every']").fill("0")
        page.locator("[name='layer-0-every']").blur()
        expect(page.locator("#preview")).to_contain_text("greater than or equal to 1")
        expect(page.get_by_role("button", name="Save this")).to_have_count(0)
        page.locator("[name='layer-0-every']").fill("1")
        page.locator("[name='layer-0-every']").blur()
        page.get_by_role("button", name="Save this").click()
        page.wait_for_url("**/schedules/payments-primary")
        assert not sight.faults()
    assert TurnMember.objects.filter(layer__name="weekly", user=world.ana).exists()


def test_a_rotation_is_changed_on_a_phone_without_scripts(world: World, url: str, browser: Browser) -> None:
    with looking(browser, PHONE_LIGHT, url, session(world.ana), with_scripts=False) as sight:
        page = sight.page
        page.goto("/oncall")
        page.get_by_role("link", name="payments-primary").first.tap()
        page.get_by_role("link", name="Edit layers").tap()
        page.get_by_label("Turn 3", exact=True).first.select_option("ana")
        page.get_by_role("button", name="Show what it means").tap()
        expect(page.locator("#preview")).to_contain_text("On call now")
        page.get_by_role("button", name="Save this").tap()
        page.wait_for_url("**/schedules/payments-primary")
    assert TurnMember.objects.filter(layer__name="weekly", user=world.ana).exists()


def test_take_over_is_one_tap(world: World, url: str, browser: Browser) -> None:
    with looking(browser, PHONE_LIGHT, url, session(world.ana)) as sight:
        page = sight.page
        page.goto("/oncall")
        page.get_by_role("button", name="4 h").tap()
        expect(page.locator(".messages")).to_contain_text("You are on call for payments-primary until")
        expect(page.locator(".who-card.is-mine")).to_contain_text("Ana")
        assert not sight.faults()


def test_the_source_says_by_itself_that_it_was_heard(world: World, url: str, browser: Browser) -> None:
    with transaction.atomic():
        Source.objects.filter(pk=world.source.pk).update(last_event_at=None, expect_every_seconds=None)
    with looking(browser, DESKTOP_LIGHT, url, session(world.bo)) as sight:
        page = sight.page
        page.goto("/sources/prometheus")
        expect(page.locator("#source-live")).to_contain_text("Nothing received yet.")
        with transaction.atomic():
            Source.objects.filter(pk=world.source.pk).update(last_event_at=clock.now())
        expect(page.locator("#source-live")).to_contain_text("Received", timeout=15_000)
        assert not sight.faults()
