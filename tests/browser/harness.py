"""What the browser tests stand on: Debian's Chromium, the four screens, axe, and a watch over what a page does wrong.

`with looking(browser, screen, base_url, session) as sight:` gives a Playwright page whose CSP violations, script errors
and requests to other hosts are collected; `audit` opens one address on all four screens and says everything that is
wrong with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TARGET_MIN_PIXELS = 44  # WCAG 2.5.5; our own buttons are 48
# Links inside a sentence or a row may be small, and so may a box whose label is large.
SMALL_TARGETS = """(least) => {
  const wanted = 'button, summary, nav a, a.btn, a.button, input:not([type=hidden]), select, textarea';
  return [...document.querySelectorAll(wanted)]
    .filter((e) => e.offsetParent !== null && !e.closest('.skip-link') && !e.matches('[type=checkbox], [type=radio]'))
    .map((e) => [(e.innerText || e.name || e.tagName).trim().slice(0, 30), e.getBoundingClientRect().height])
    .filter(([, height]) => height > 0 && height < least)
    .map(([name, height]) => `"${name}" is ${Math.round(height)} px high`);
}"""


@dataclass(frozen=True, slots=True)
class Screen:
    name: str
    width: int
    height: int
    scheme: str  # light, dark: what the device says; the page follows, unless the theme cookie says otherwise

    @property
    def is_phone(self) -> bool:
        return self.width < 600


PHONE_LIGHT = Screen("phone-light", 390, 844, "light")
PHONE_DARK = Screen("phone-dark", 390, 844, "dark")
DESKTOP_LIGHT = Screen("desktop-light", 1280, 800, "light")
DESKTOP_DARK = Screen("desktop-dark", 1280, 800, "dark")
SCREENS = (PHONE_LIGHT, PHONE_DARK, DESKTOP_LIGHT, DESKTOP_DARK)


@dataclass
class Sight:
    """A page, and what it did wrong while it was open."""

    page: Page
    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        return [
            *(f"CSP: {text}" for text in self.violations),
            *(f"script: {text}" for text in self.errors),
            *(f"request to another host: {url}" for url in self.foreign),
        ]


def chromium_path() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise FileNotFoundError("the browser tests need Chromium: apt-get install chromium (make test does it as root)")
    return found


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))


@contextmanager
def looking(
    browser: Browser,
    screen: Screen,
    base_url: str,
    session: str | None = None,
    *,
    with_scripts: bool = True,
    theme: str | None = None,
) -> Iterator[Sight]:
    """`session`: the session cookie's value. `theme`: what the person chose; None: as the device says."""
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": screen.width, "height": screen.height},
        color_scheme="dark" if screen.scheme == "dark" else "light",
        reduced_motion="reduce",
        has_touch=screen.is_phone,
        is_mobile=screen.is_phone,
        java_script_enabled=with_scripts,
        locale="en-GB",
    )
    context.set_default_timeout(10_000)
    if session is not None:
        context.add_cookies([{"name": "midwatch_session", "value": session, "url": base_url}])
    if theme is not None:
        context.add_cookies([{"name": "midwatch_theme", "value": theme, "url": base_url}])
    sight = Sight(context.new_page())
    host = urlsplit(base_url).netloc

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            sight.violations.append(message.text)

    def asked(request: Request) -> None:
        if urlsplit(request.url).netloc not in {host, ""}:
            sight.foreign.append(request.url)

    sight.page.on("console", heard)
    sight.page.on("pageerror", lambda error: sight.errors.append(str(error)))
    sight.page.on("request", asked)
    try:
        yield sight
    finally:
        context.close()


def axe(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds serious or critical, one line each; `rules`: these only. It comes in by the debugger, past the
    page's CSP.
    """
    if not AXE.exists():
        raise FileNotFoundError(f"{AXE} is missing: run `make assets`")
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    run = "(rules) => axe.run(document, {resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {})})"
    found = page.evaluate(run, list(rules))
    return [
        f"axe {rule['id']} ({rule['impact']}): {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


def structure(page: Page) -> list[str]:
    """Title, language, landmarks, one main heading, nothing wider than the screen, no target too small for a finger."""
    faults = []
    if not page.title().strip():
        faults.append("no title")
    for what, selector in (
        ("language", "html[lang]"),
        ("main landmark", "main"),
        ("heading", "main h1, main [role=heading]"),
    ):
        if page.locator(selector).count() == 0:
            faults.append(f"no {what}")
    if page.locator("h1:visible").count() > 1:
        faults.append("more than one h1")
    overflow = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        faults.append(f"{overflow} px wider than the screen")
    viewport = page.viewport_size
    if viewport is not None and viewport["width"] < 600:
        faults += page.evaluate(SMALL_TARGETS, TARGET_MIN_PIXELS)
    return faults


def audit(
    browser: Browser,
    base_url: str,
    path: str,
    session: str | None = None,
    *,
    screens: Sequence[Screen] = SCREENS,
    pictures: Path | None = None,
) -> list[str]:
    """Everything that is wrong with one address, on each screen; [] when all is well."""
    faults: list[str] = []
    for screen in screens:
        with looking(browser, screen, base_url, session) as sight:
            answer = sight.page.goto(path, wait_until="load")
            sight.page.wait_for_timeout(150)  # elements of ours take their place after the load event
            found = [*structure(sight.page), *axe(sight.page), *sight.faults()]
            if answer is None or answer.status >= 500:
                found.append(f"answered {answer.status if answer else 'nothing'}")
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                name = path.split("?", maxsplit=1)[0].strip("/").replace("/", "-") or "now"
                sight.page.screenshot(path=pictures / f"{name}-{screen.name}.png", full_page=True)
            faults += [f"{path} on {screen.name}: {fault}" for fault in found]
    return faults
