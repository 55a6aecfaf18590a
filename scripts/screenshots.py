"""The pictures of README and docs, made from the demo's data: `make screenshots` writes docs/img/*.png.

    python scripts/screenshots.py [--only now ...] [--into DIR]

Starts `midwatch demo` on a free port, logs in as it says, and photographs the main screens as a desktop and a phone see
them, in both themes. Run it again when a screen changes, and the pictures never lie. `optipng`, where it is installed,
makes them smaller.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from harness import SCREENS, Screen, launch, looking  # noqa: E402 - they live with the tests
from lived_in import LivedIn, lived_in  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

IMAGES = ROOT / "docs" / "img"
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


def photograph(browser: Browser, screen: Screen, demo: LivedIn, only: list[str], into: Path) -> None:
    with looking(browser, screen, demo.url) as sight:
        demo.log_in(sight.page)
        for picture, where, screens in SHOTS:
            if not screen.name.startswith(screens):
                continue
            if where.startswith("/"):
                sight.page.goto(demo.landing if where == LANDING else where)
            else:
                sight.page.locator(where).first.click()
            sight.page.wait_for_load_state("load")
            sight.page.wait_for_timeout(400)
            if picture not in only:
                continue
            path = into / f"{picture}-{screen.name}.png"
            sight.page.screenshot(path=path)
            sys.stdout.write(f"{path}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="The pictures of README and docs.")
    pictures = [picture for picture, _, _ in SHOTS]
    parser.add_argument("--only", nargs="+", choices=pictures, default=pictures, help="these pictures")
    parser.add_argument("--into", type=Path, default=IMAGES, metavar="DIR", help="instead of docs/img")
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    with lived_in() as demo, sync_playwright() as playwright:
        browser = launch(playwright)
        for screen in SCREENS:
            photograph(browser, screen, demo, given.only, given.into)
        browser.close()
    optimise = shutil.which("optipng")
    if optimise is not None:
        subprocess.run([optimise, "-quiet", "-strip", "all", *map(str, sorted(given.into.glob("*.png")))], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
