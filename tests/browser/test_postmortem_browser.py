"""Post-mortems in a real Chromium: the editor on all screens, saving by itself, two at once, and without JavaScript."""

from __future__ import annotations

import pytest
from harness import DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, audit, looking
from playwright.sync_api import Browser, Route, expect
from serving import session

from midwatch.learn.postmortems import actions
from midwatch.learn.postmortems.models import SectionText
from midwatch.people.queries import actor_of
from postmortem_world import Lesson, make_lesson

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lesson(url: str) -> Lesson:
    return make_lesson()


def path(lesson: Lesson, more: str = "") -> str:
    return f"/postmortems/{lesson.incident.number}{more}"


def test_every_page_on_every_screen(browser: Browser, url: str, lesson: Lesson) -> None:
    lesson.write(lesson.world.cy)
    by = actor_of(lesson.world.bo, "web")
    actions.comment(lesson.postmortem, by, "Is that **all**?", key="summary")
    actions.add_why(lesson.postmortem, 0, "The pool was full", by)
    actions.add_why(lesson.postmortem, 1, "The limit had been copied", by)
    actions.make_external(lesson.postmortem, by)
    lost = actions.save_section(lesson.postmortem, "impact", "mine", 0, by)
    assert lost.conflict is not None
    faults = []
    for more in ("", "/external", "/history/impact", "/print", f"/conflicts/{lost.conflict.pk}"):
        faults += audit(browser, url, path(lesson, more), session(lesson.world.cy))
    for address in ("/postmortems", "/postmortems?view=late"):
        faults += audit(browser, url, address, session(lesson.world.vi))
    assert not faults, "\n".join(faults)


def test_it_saves_itself_and_shows_what_blames_somebody(browser: Browser, url: str, lesson: Lesson) -> None:
    with looking(browser, DESKTOP_LIGHT, url, session(lesson.world.cy)) as sight:
        page = sight.page
        page.goto(path(lesson))
        section = page.locator("#section-summary")
        section.locator("textarea[name=text]").first.fill("The engineer forgot to drain the node.")
        expect(section.locator("[data-said]")).to_have_text("Not saved yet")
        expect(section.locator("[data-said]")).to_contain_text("Saved ", timeout=15_000)
        expect(section.get_by_text("A person is the actor of a failure")).to_be_visible()
        section.get_by_role("button", name="“The engineer forgot").click()
        assert page.evaluate("document.activeElement.selectionEnd - document.activeElement.selectionStart") == 19
        section.get_by_role("button", name="Preview").click()
        expect(section.locator(".section-preview .prose")).to_contain_text("drain the node")
        assert not sight.faults()
    assert SectionText.objects.get(key="summary").text == "The engineer forgot to drain the node."


def test_two_write_at_once_and_nothing_is_lost(browser: Browser, url: str, lesson: Lesson) -> None:
    with (
        looking(browser, DESKTOP_LIGHT, url, session(lesson.world.cy)) as one,
        looking(browser, PHONE_LIGHT, url, session(lesson.world.bo)) as two,
    ):
        for sight in (one, two):
            sight.page.goto(path(lesson))
        one.page.locator("#text-impact").fill("What cy saw")
        expect(one.page.locator("#section-impact [data-said]")).to_contain_text("Saved ", timeout=15_000)
        expect(two.page.locator("#pm-live")).to_contain_text("Impact by Cy", timeout=25_000)
        two.page.locator("#text-impact").fill("What bo saw")
        said = two.page.locator("#section-impact [data-said]")
        expect(said).to_contain_text("Your text is kept", timeout=15_000)
        assert two.page.locator("#text-impact").input_value() == "What bo saw"
        said.get_by_role("link", name="Look at both").click()
        expect(two.page.locator(".difference")).to_contain_text("- What cy saw")
        two.page.locator("textarea[name=text]").fill("What cy saw\nWhat bo saw")
        two.page.get_by_role("button", name="Let this stand there").click()
        expect(two.page.locator("#text-impact")).to_have_value("What cy saw\nWhat bo saw")


def test_what_cannot_be_sent_is_said_and_sent_later(browser: Browser, url: str, lesson: Lesson) -> None:
    with looking(browser, PHONE_DARK, url, session(lesson.world.cy)) as sight:
        page = sight.page
        page.goto(path(lesson))

        def cut(route: Route) -> None:
            route.abort()

        page.route("**/sections/**", cut)
        page.locator("#text-well").fill("The runbook was found")
        said = page.locator("#section-well [data-said]")
        expect(said).to_contain_text("NOT SAVED", timeout=15_000)
        page.unroute("**/sections/**", cut)
        expect(said).to_contain_text("Saved ", timeout=15_000)
    assert SectionText.objects.get(key="well").text == "The runbook was found"


def test_without_javascript_the_buttons_do_it(browser: Browser, url: str, lesson: Lesson) -> None:
    with looking(browser, PHONE_LIGHT, url, session(lesson.world.cy), with_scripts=False) as sight:
        page = sight.page
        page.goto(path(lesson))
        page.locator("#text-summary").fill("Checkout was slow.")
        page.locator("#section-summary").get_by_role("button", name="Save").click()
        expect(page.locator(".messages")).to_contain_text("Saved.")
        expect(page.locator("#text-summary")).to_have_value("Checkout was slow.")
        page.get_by_role("button", name="Send to review").click()
        expect(page.locator(".messages")).to_contain_text("not written yet: Impact")
