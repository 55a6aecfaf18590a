"""What fifty people who leave the Now page open cost: CPU time of the web process, polled as their browsers do.

    python benchmarks/watchers.py [--people 50] [--seconds 20] [--postgresql URL] [--json] [--quick]

Each browser asks for what burns and for the badge of the head every five seconds, and for who covers once a minute, with the
tag of what it has. Once while nothing happens, once while somebody acknowledges an alert every second.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pages
from measuring import rig
from measuring.figures import Figure, parser, percentile, report

import installation  # isort: skip - rig puts it on the path

POLL_SECONDS = 5.0
COVER_SECONDS = 60.0
ALERTS = 200

# Log-ins without their passwords' hashes, which are no part of this.
SESSIONS = """
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from midwatch.people.models import User
from midwatch.web.sessions import SessionStore

found = []
with transaction.atomic():
    for user in User.objects.filter(name__startswith="p").order_by("id"):
        store = SessionStore()
        store[SESSION_KEY] = str(user.pk)
        store[BACKEND_SESSION_KEY] = "midwatch.people.passwords.Backend"
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.save()
        found.append(store.session_key)
print(json.dumps(found))
"""


class Watcher(threading.Thread):
    """One browser with the page open."""

    def __init__(self, port: int, session: str, starts_at: float, until: float) -> None:
        super().__init__(daemon=True)
        self.browser = rig.Browser(port, {"midwatch_session": session})
        self.starts_at = starts_at
        self.until = until
        self.tags: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.took: list[float] = []

    def ask(self, path: str) -> None:
        started = time.perf_counter()
        status, headers, _ = self.browser.partial(path, self.tags.get(path, ""))
        self.took.append(time.perf_counter() - started)
        self.statuses[status] += 1
        self.tags[path] = headers.get("HX-PTag", "")

    def run(self) -> None:
        for path in ("/", "/calls", "/?part=cover"):
            self.ask(path)  # the page as it was loaded; not counted
        self.statuses.clear()
        self.took.clear()
        due, cover_due = self.starts_at, self.starts_at + COVER_SECONDS / 2
        while due < self.until:
            time.sleep(max(0.0, due - time.monotonic()))
            self.ask("/")
            self.ask("/calls")
            if due >= cover_due:
                self.ask("/?part=cover")
                cover_due += COVER_SECONDS
            due += POLL_SECONDS


def watched(pid: int, port: int, sessions: Sequence[str], seconds: float, changing: str = "") -> tuple[float, Counter[int], float]:  # fmt: skip
    """(share of a core, answers by status, their 99th percentile in ms). `changing`: a token that acknowledges meanwhile."""
    begins = time.monotonic() + 5.0 + len(sessions) * 0.05
    watchers = [
        Watcher(port, session, begins + POLL_SECONDS * index / len(sessions), begins + seconds)
        for index, session in enumerate(sessions)
    ]
    for watcher in watchers:
        watcher.start()
    time.sleep(max(0.0, begins - time.monotonic()))
    before = rig.cpu_seconds(pid)
    script = rig.Browser(port)
    if changing:
        _acknowledge(script, changing, begins + seconds)
    for watcher in watchers:
        watcher.join()
    spent = rig.cpu_seconds(pid) - before
    statuses = sum((watcher.statuses for watcher in watchers), Counter())
    took = [one for watcher in watchers for one in watcher.took]
    return spent / seconds, statuses, percentile(took, 0.99) * 1e3


def _acknowledge(script: rig.Browser, token: str, until: float) -> None:
    """One alert a second, of the firing ones."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for number in range(ALERTS, 0, -1):  # the newest first, which everybody sees
        if time.monotonic() > until:
            return
        if (number - 1) % 5 < 2:
            continue  # acknowledged from the start
        status, _, said = script.ask(f"/api/v1/alerts/{number}/acknowledge", b"", headers)
        assert status == 200, said
        time.sleep(1.0)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--people", type=int, default=50)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--postgresql", metavar="URL", help="an empty database; its tables are made")
    given = options.parse_args()
    seconds = 5.0 if given.quick else given.seconds
    directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        env = installation.environment(directory, given.postgresql or "")
        token = pages.world(env, ALERTS, given.people)
        sessions = json.loads(rig.in_installation(SESSIONS, env))
        figures = []
        for name, changing, aim in (
            ("nothing happens", "", "<= 5"),
            ("an alert is acknowledged every second", token, None),
        ):
            with rig.server(rig.LANE, env) as (pid, port):
                share, statuses, p99 = watched(pid, port, sessions, seconds, changing)
            what = f"{given.people} people watch Now, {name}"
            figures.append(Figure(what, share * 100, "% of a core", aim))
            figures.append(
                Figure(f"{what}: unchanged answers (304)", statuses[304] / sum(statuses.values()) * 100, "%")
            )
            figures.append(Figure(f"{what}: an answer, p99", p99, "ms"))
        report("watchers", figures, as_json=given.json)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
