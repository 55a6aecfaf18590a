"""Every screen of a running installation with a lived-in week, on a phone and a desktop, light and dark; and by keys.

PAGES is the list of screens: a new page that is not in it, nor explained in NOT_SCREENS, fails the first test.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.error import HTTPError

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter
from harness import DESKTOP_LIGHT, PHONE_LIGHT, Sight, axe, looking, structure
from lived_in import LivedIn, lived_in
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

# URL name, and addresses below it that look different; "" is the bare address. In {} stands what VALUES says.
PAGES: dict[str, tuple[str, ...]] = {
    "web:now": ("",),
    "web:wizard-you": ("",),
    "web:wizard-reach": ("",),
    "web:wizard-team": ("",),
    "web:wizard-source": ("", "?name=prometheus"),
    "web:wizard-check": ("",),
    "web:settings": ("",),
    "web:audit": ("",),
    "web:health": ("",),
    "web:hold": ("",),
    "web:configuration": ("",),
    "web:tokens": ("",),
    "alerts:list": ("", "?view=all", "?q=nothing-like-it"),
    "alerts:detail": ("",),
    "sources:list": ("",),
    "sources:create": ("",),
    "sources:source": ("",),
    "sources:edit": ("",),
    "escalation:page": ("",),
    "escalation:policies": ("",),
    "escalation:policy": ("",),
    "escalation:edit": ("",),
    "incidents:list": ("", "?view=closed", "?q=nothing-like-it"),
    "incidents:declare": ("", "?alert=62"),
    "incidents:room": ("",),
    "incidents:update": ("",),
    "incidents:one-update": ("",),
    "incidents:settings": ("",),
    "oncall:who": ("",),
    "oncall:create": ("",),
    "oncall:schedule": ("",),
    "oncall:edit": ("",),
    "catalog:services": ("",),
    "catalog:create": ("",),
    "catalog:service": ("",),
    "catalog:edit": ("",),
    "service_alerts:start_maintenance": ("",),
    "people:profile": ("",),
    "people:list": ("",),
    "people:invite": ("",),
    "people:person": ("",),
    "people:about": ("",),
    "people:rules": ("",),
    "people:add-contact": ("",),
    "people:contact": ("",),
    "people:access": ("",),
    "people:teams": ("",),
    "people:new-team": ("",),
    "people:team": ("",),
    "people:edit-team": ("",),
    "postmortems:list": ("", "?view=all"),
    "actions:list": ("", "?show=done", "?show=draft"),
    "actions:create": ("", "?incident=2"),
    "actions:detail": ("",),
    "runbooks:list": ("", "?q=nothing-like-it"),
    "runbooks:executions": ("", "?state=failed"),
    "runbooks:approvals": ("",),
    "runbooks:secrets": ("",),
    "runbooks:runners": ("",),
    "runbooks:rails": ("",),
    "runbooks:create": ("",),
    "insights:overview": ("", "?days=7&team=payments"),
    "insights:shift": ("",),
    "statuspage:pages": ("",),
    "statuspage:create": ("",),
    "statuspage:page": ("",),
    "statuspage:edit": ("",),
    "statuspage:add_component": ("",),
    "statuspage:subscribers": ("",),
    "statuspage:new_notice": ("",),
    "statuspage:new_maintenance": ("",),
    "api:docs": ("",),
}
FOREIGN = {"api:docs"}  # Swagger UI as it comes: its colours and headings are its own
# Seen by who is not logged in.
OPEN_PAGES: dict[str, tuple[str, ...]] = {
    "web:login": ("",),
    "web:access-link": ("",),
    "escalation:landing": ("",),
    "objectives:calculator": ("", "?kind=downtime&downtime=1h20m", "?kind=parts", "?sla=none"),
}
NOT_SCREENS = {
    "incidents:file": "an attachment",
    "incidents:evidence": "values as text",
    "insights:csv": "for spreadsheets",
    "backstage:catalog": "for Backstage",
    "runbooks:execution": "of one execution: tests/browser/test_runbook_browser.py",
    **{
        f"runbooks:{name}": "of one runbook: tests/browser/test_runbook_browser.py"
        for name in ("runbook", "edit", "history", "start")
    },
    "runbooks:output": "what is new, for an open page",
    "runbooks:whole-output": "a text file",
    "incidents:declare-by-link": "behind a link of a page: tests/browser/test_incident_screens_browser.py",
    "incidents:change-update": "the composer again, for an update that waits",
    "": "for machines: health and metrics",
    "rundeck:api": "for Rundeck's clients",
    "web:calls": "a part of every page, for htmx only",
    "web:live": "the stream that open pages listen to",
    "web:setup": "only before the first account: tests/browser/test_people_screens_browser.py",
    "web:wizard": "leads to the next step",
    "escalation:hook_root": "for providers",
    "escalation:hook": "for providers",
    "oncall:calendar": "a calendar feed",
    **{
        f"postmortems:{name}": "of one post-mortem: tests/browser/test_postmortem_browser.py"
        for name in ("detail", "conflict", "history", "calendar", "external", "print", "markdown", "json")
    },
    "statuspage:component": "of one component: tests/browser/test_status_page_browser.py",
    "statuspage:notice": "of one notice: tests/browser/test_status_page_browser.py",
    **{
        f"status:{name}": "what visitors see, without our frame: tests/browser/test_status_page_browser.py"
        for name in ("home", "home_slash", "history", "notice", "subscribe", "confirm", "unsubscribe")
    },
    **{f"status:{name}": "for machines" for name in ("look", "atom", "rss", "badge", "management", "api")},
    "api:openapi": "for machines",
    "api:": "for machines: an address of the API that is none",
    "api:docs-asset": "a part of the API's page",
}
VALUES = {
    "number": 62,  # the alert that calls the administrator
    "pk": 1,
    "method": "call",
    "key": "summary",
    "token": "unknown",
    "provider": "twilio",
    "rest": "x",
    "catalog": "checkout",
    "service_alerts": "checkout",
    "sources": "prometheus",
    "oncall": "payments-primary",
    "people": "bo",
    "insights": "payments-primary",
    "statuspage": "shop",
}
# Where a place means something else by the same word.
OF_SPACE: dict[str, dict[str, int]] = {
    "incidents": {"number": 3, "pk": 3},
    "actions": {"number": 1},
}  # 3: the incident that runs
TEAMS = {"people:team", "people:edit-team", "people:test-team", "people:delete-team"}
# without the product's navigation
NO_FRAME = {
    "objectives:calculator",
    "web:login",
    "web:access-link",
    "escalation:landing",
    "api:docs",
}


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    path: str


def addresses(resolver: URLResolver | None = None, space: str = "", before: str = "") -> Iterator[Address]:
    """Every named address of the product, filled with something that exists in the demo."""
    for found in (resolver or get_resolver()).url_patterns:
        if isinstance(found, URLResolver):
            yield from addresses(found, space + (f"{found.namespace}:" if found.namespace else ""))
        elif isinstance(found, URLPattern) and not space.startswith("api:v1"):
            name = f"{space}{found.name or ''}"
            if name.endswith(":") or not name:
                yield Address(name, "")
                continue
            room = space.removesuffix(":")
            known = {**VALUES, **OF_SPACE.get(room, {}), "name": _name_for(name, room)}
            # A room's own words need no line above: such a page is found missing in the table, and the others still run.
            usual = {
                what: 1 if isinstance(kind, IntConverter) else "x" for what, kind in found.pattern.converters.items()
            }
            wanted = {what: known.get(what, word) for what, word in usual.items()}
            yield Address(name, reverse(name, kwargs=wanted))


def _name_for(name: str, space: str) -> str:
    if name in TEAMS or (space == "escalation" and name != "escalation:bind_service"):
        return "payments"
    return "checkout" if name == "escalation:bind_service" else str(VALUES.get(space, "x"))


ALL = {found.name: found.path for found in addresses()}


@pytest.fixture(scope="module")
def demo() -> Iterator[LivedIn]:
    with lived_in() as running:
        yield running


@dataclass
class Eyes:
    phone: Sight
    desktop: Sight


@pytest.fixture(scope="module")
def session(demo: LivedIn, browser: Browser) -> str:
    with looking(browser, DESKTOP_LIGHT, demo.url) as sight:
        demo.log_in(sight.page)
        (cookie,) = [one for one in sight.page.context.cookies() if one["name"] == "midwatch_session"]
    return cookie["value"]


@pytest.fixture(scope="module")
def eyes(demo: LivedIn, browser: Browser, session: str) -> Iterator[Eyes]:
    """One page of each size for all screens: a context for each would cost half the time."""
    with ExitStack() as stack:
        yield Eyes(
            *(
                stack.enter_context(looking(browser, screen, demo.url, session))
                for screen in (PHONE_LIGHT, DESKTOP_LIGHT)
            )
        )


def status_of(url: str, session: str) -> int:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    request = urllib.request.Request(url, headers={"Cookie": f"midwatch_session={session}"})
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def test_every_page_is_in_the_table_or_explained(demo: LivedIn, session: str) -> None:
    """What is neither answers nothing but POST."""
    listed = PAGES.keys() | OPEN_PAGES.keys()
    assert not (listed | NOT_SCREENS.keys()) - ALL.keys(), "in a table here, and no address any more"
    assert not listed & NOT_SCREENS.keys()
    others = sorted(ALL.keys() - listed - NOT_SCREENS.keys())
    answered = {name: status_of(demo.url + ALL[name], session) for name in others}
    assert {name: status for name, status in answered.items() if status != 405} == {}


def wrong_with(sight: Sight, name: str, path: str) -> list[str]:
    """Light as a whole; dark by what colours can break."""
    page = sight.page
    for heard in (sight.violations, sight.errors, sight.foreign):
        heard.clear()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    answer = page.goto(path, wait_until="load")
    page.wait_for_timeout(50)  # elements of ours take their place after the load event
    faults = structure(page) if name not in FOREIGN else []
    if name not in FOREIGN:
        faults += axe(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    if name not in FOREIGN:
        faults += [f"dark: {fault}" for fault in axe(page, rules=("color-contrast",))]
    if answer is None or answer.status != (404 if path.endswith("unknown") and name in OPEN_PAGES else 200):
        faults.append(f"answered {answer.status if answer else 'nothing'}")
    if name not in FOREIGN and page.locator("h1").count() != 1:
        faults.append(f"{page.locator('h1').count()} h1")
    if name not in NO_FRAME and page.locator("nav").count() == 0:
        faults.append("no navigation")
    width = page.viewport_size["width"] if page.viewport_size else 0
    return [f"{path} at {width}: {fault}" for fault in [*faults, *sight.faults()]]


@pytest.mark.slow  # two minutes for all screens: make test-long
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wrong_with(name: str, eyes: Eyes) -> None:
    faults = [
        fault
        for more in PAGES[name]
        for sight in (eyes.phone, eyes.desktop)
        for fault in wrong_with(sight, name, ALL[name] + more)
    ]
    assert not faults, "\n".join(faults)


def test_nothing_is_wrong_without_a_log_in(demo: LivedIn, browser: Browser) -> None:
    faults = []
    for screen in (PHONE_LIGHT, DESKTOP_LIGHT):
        with looking(browser, screen, demo.url) as sight:
            for name in OPEN_PAGES:
                faults += wrong_with(sight, name, ALL[name])
            faults += wrong_with(sight, "escalation:landing", demo.landing)
    assert not faults, "\n".join(faults)


FOCUSED = """() => {
  const e = document.activeElement;
  return [(e.innerText || e.ariaLabel || e.name || '').trim().replace(/\\s+/g, ' '), getComputedStyle(e).outlineStyle];
}"""


def tab_to(page: Page, words: str, *, presses: int = 60) -> None:
    """By Tab alone, past the skip link, and what has the focus shows it."""
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)[0] == "Skip to content"
    page.keyboard.press("Enter")
    seen = []
    for _ in range(presses):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(FOCUSED)
        seen.append(name)
        if words in name:
            assert outline != "none", f"nobody sees that {words!r} has the focus"
            return
    raise AssertionError(f"Tab does not reach {words!r} in {presses} presses, only {seen}")


# Screen, what people come for, and where Enter leads (or what is then on the page).
KEYS = (
    ("web:now", "Page somebody", "/page"),
    ("alerts:list", "7.3% of requests end with 5xx", "/alerts/62"),
    ("oncall:who", "payments-primary", "/schedules/payments-primary"),
    ("escalation:policies", "payments", "/policies/payments"),
    ("catalog:services", "New service", ""),
    ("sources:list", "Connect a source", ""),
    ("people:list", "New person", ""),
)


@pytest.mark.parametrize(("name", "words", "leads_to"), KEYS)
def test_tab_reaches_what_people_come_for(eyes: Eyes, name: str, words: str, leads_to: str) -> None:
    page = eyes.desktop.page
    page.goto(ALL[name])
    before = page.url
    tab_to(page, words)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url != before and not url.endswith("#main") and leads_to in url)
    expect(page.locator("h1")).to_be_visible()


def test_acknowledge_and_resolve_by_keys_alone(eyes: Eyes) -> None:
    """Last: it changes what the others look at."""
    page = eyes.desktop.page
    page.goto("/")
    tab_to(page, "Acknowledge")
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text("You have #62")
    page.goto(ALL["alerts:detail"])
    tab_to(page, "Resolve")
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text("is resolved")
    expect(page.locator("header .calls")).to_have_count(0)
    assert not eyes.desktop.faults()
