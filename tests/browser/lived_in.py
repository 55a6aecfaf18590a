"""One running installation with a lived-in week: `midwatch demo` on a free port, for tests and for the pictures of docs."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from playwright.sync_api import Page

START_SECONDS_MAX = 120
PRINTED = {
    "name": r"\bname\W+(\S+)",
    "password": r"\bpassword\W+(\S+)",
    "landing": r"(/p/[a-z0-9]+)",
}


@dataclass(frozen=True, slots=True)
class LivedIn:
    url: str
    name: str
    password: str
    landing: str  # the path of a page that calls the administrator now

    def log_in(self, page: Page) -> None:
        page.goto(f"{self.url}/login")
        page.locator("[name=username]").fill(self.name)
        page.locator("[name=password]").fill(self.password)
        page.locator("form button.is-main").click()
        page.wait_for_url(lambda url: "/login" not in url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def lived_in() -> Iterator[LivedIn]:
    port = free_port()
    command = [sys.executable, "-m", "midwatch.cli", "demo", "--port", str(port)]
    with tempfile.NamedTemporaryFile("w+") as log:  # a file: a pipe that nobody reads fills up and stops its writer
        demo = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _when_ready(demo, Path(log.name), f"http://127.0.0.1:{port}")
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait(timeout=30)


def _when_ready(demo: subprocess.Popen[bytes], log: Path, url: str) -> LivedIn:
    """What it prints, once it answers."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and demo.poll() is None:
        said = log.read_text("utf-8", errors="replace")
        found = {what: re.search(pattern, said, re.IGNORECASE) for what, pattern in PRINTED.items()}
        if all(found.values()) and _answers(url):
            return LivedIn(url, **{what: match.group(1) for what, match in found.items() if match})
        time.sleep(0.2)
    raise RuntimeError(f"`midwatch demo` printed no log-in and link, or does not answer:\n{log.read_text('utf-8')}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
