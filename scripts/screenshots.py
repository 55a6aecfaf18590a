"""The pictures of README and docs, made from the demo's data: `make screenshots` writes docs/img/*.png.

Starts `midwatch demo` on a free port, logs in as it says, and photographs the main screens as a desktop and a phone see
them, in both themes. Run it again when a screen changes, and the pictures never lie.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from harness import SCREENS, Screen, launch, looking  # noqa: E402 - it lives with the tests
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from playwright.sync_api import Error as PlaywrightError  # noqa: E402

IMAGES = ROOT / "docs" / "img"
START_SECONDS_MAX = 120
LANDING = "/p/"  # what a phone shows: the link that the demo prints
ALL = ("phone", "desktop")
# Picture, where, on which screens (in both themes): those that README and docs show. Where is an address, or a link to
# follow: the first that matches on the page before it.
SHOTS = (
    ("now", "/", ALL),
    ("alerts", "/alerts", ("desktop",)),
    ("alert", "a[data-open]", ("desktop",)),
    ("policies", "/policies", ("desktop",)),
    ("landing", LANDING, ("phone",)),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_demo(port: int) -> tuple[subprocess.Popen[str], str, str, str]:
    """The process, and what it prints: name, password, and the path of a landing page."""
    command = [str(ROOT / ".venv" / "bin" / "midwatch"), "demo", "--port", str(port)]
    demo = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert demo.stdout is not None
    said = ""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        line = demo.stdout.readline()
        if not line:
            break
        said += line
        name = re.search(r"\bname\W+(\S+)", said, re.IGNORECASE)
        password = re.search(r"\bpassword\W+(\S+)", said, re.IGNORECASE)
        landing = re.search(r"/p/[a-z0-9]+", said)
        if name and password and landing:
            return demo, name.group(1), password.group(1), landing.group()
    demo.kill()
    raise SystemExit(f"`midwatch demo` printed no log-in and link:\n{said}")


def log_in(page: Page, name: str, password: str) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            page.goto("/login")
            break
        except PlaywrightError as error:  # not up yet
            if time.monotonic() > deadline:
                raise SystemExit(f"the demo does not answer: {error}") from error
            time.sleep(0.5)
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(password)
    page.locator("form button.is-main").click()
    page.wait_for_url(lambda url: "/login" not in url)


def photograph(browser: Browser, screen: Screen, base_url: str, name: str, password: str, landing: str) -> None:
    with looking(browser, screen, base_url) as sight:
        log_in(sight.page, name, password)
        for picture, where, screens in SHOTS:
            if not screen.name.startswith(screens):
                continue
            if where.startswith("/"):
                sight.page.goto(landing if where == LANDING else where)
            else:
                sight.page.locator(where).first.click()
            sight.page.wait_for_load_state("load")
            sight.page.wait_for_timeout(400)
            path = IMAGES / f"{picture}-{screen.name}.png"
            sight.page.screenshot(path=path)
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    port = free_port()
    demo, name, password, landing = start_demo(port)
    try:
        with sync_playwright() as playwright:
            browser = launch(playwright)
            for screen in SCREENS:
                photograph(browser, screen, f"http://127.0.0.1:{port}", name, password, landing)
            browser.close()
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(timeout=30)
    return 0


if __name__ == "__main__":
    sys.exit(main())
