"""From event to page, on the real program: `midwatch serve` with its embedded default, posted to and listened to on loopback.

    python benchmarks/paging.py [latency|storm|drain|list|start ...]      (all of them without a name)

The receiver's clock counts: from the first byte of the event to the arrival of its page. Nothing here asserts.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from measuring import rig  # noqa: E402
from measuring.figures import Figure, parser, percentile, report  # noqa: E402

from end_to_end.running import Midwatch, wait_until  # noqa: E402
from end_to_end.team_documents import KEY, NO_STORMS, documents, event  # noqa: E402

PEOPLE = 40  # one a service, so that storm limits (six messages a person and minute) do not count here
RATE = 40  # alerts a second
SECONDS = 15
DRAIN = 10_000
LISTED = 100_000
DUPLICATES = 2_000  # a second, beside the alerts of the storm
SENDERS = 4  # connections that send them


class Sender:
    """Posts events and remembers when each began."""

    def __init__(self, midwatch: Midwatch) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", midwatch.port, timeout=10)
        self.sent: dict[str, float] = {}

    def post(self, title: str, service: int) -> None:
        body = json.dumps({"title": title, "priority": "P1", "labels": {"service": f"s{service}"}})
        self.sent[title] = time.perf_counter()
        self.connection.request("POST", f"/in/{KEY}", body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 202, answer.status

    def at_a_rate(self, word: str, seconds: int) -> list[str]:
        started, titles = time.perf_counter(), [f"{word} {index}" for index in range(RATE * seconds)]
        for index, title in enumerate(titles):
            pause = started + index / RATE - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            self.post(title, index % PEOPLE)
        return titles


class Listener:
    """Counts pages and notes when each arrived, by the alert's title."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                arrived = time.perf_counter()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                title = (body.get("alert") or {}).get("title")
                if body["kind"] == "page" and title:
                    listener.at.setdefault(title, arrived)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def installation(people: int, hook: str, **environment: str) -> Iterator[Midwatch]:
    with tempfile.TemporaryDirectory(prefix="midwatch-bench-") as directory:
        midwatch = Midwatch(Path(directory), documents(hook, people), **NO_STORMS, **environment)
        with midwatch:
            yield midwatch


def delays(listener: Listener, sender: Sender, titles: Sequence[str]) -> list[float]:
    """Milliseconds from event to page of each; waits for the last."""
    wait_until(lambda: all(title in listener.at for title in titles), seconds=120, what="all pages")
    return [(listener.at[title] - sender.sent[title]) * 1000 for title in titles]


def spread(what: str, found: Sequence[float], p50: str | None, p99: str | None) -> list[Figure]:
    return [
        Figure(f"event to page handed over, {what}: p50", percentile(found, 0.5), "ms", p50),
        Figure(f"event to page handed over, {what}: p99", percentile(found, 0.99), "ms", p99),
    ]


def warmed(listener: Listener, midwatch: Midwatch) -> Sender:
    sender = Sender(midwatch)
    for index in range(20):
        sender.post(f"warm {index}", index % PEOPLE)
        time.sleep(0.05)
    delays(listener, sender, [f"warm {index}" for index in range(20)])
    return sender


def latency(size: str) -> list[Figure]:
    listener = Listener()
    seconds = 3 if size == "quick" else SECONDS
    with installation(PEOPLE, listener.url) as midwatch:
        sender = warmed(listener, midwatch)
        idle = []
        for index in range(20 if size == "quick" else 60):
            sender.post(f"idle {index}", index % PEOPLE)
            idle += delays(listener, sender, [f"idle {index}"])
        pids = engine_pids(midwatch)
        before = rig.cpu_seconds(*pids)
        titles = sender.at_a_rate("load", seconds)
        loaded = delays(listener, sender, titles)
        spent = rig.cpu_seconds(*pids) - before
    return [
        *spread("one at a time", idle, "<= 15", None),
        *spread(f"{RATE} alerts/s", loaded, "<= 15", "<= 60"),
        Figure(f"CPU of the engine a page, {RATE} alerts/s", spent / len(titles) * 1e3, "ms", None),
    ]


REPEAT = """
import http.client, json, sys, time
port, key, rate, seconds, people = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
started, sent = time.monotonic(), 0
while (now := time.monotonic() - started) < seconds:
    if sent > now * rate:
        time.sleep(0.002)
        continue
    body = json.dumps({"title": f"warm {sent % 20}", "priority": "P1", "labels": {"service": f"s{sent % 20 % people}"}})
    connection.request("POST", f"/in/{key}", body, {"Content-Type": "application/json"})
    connection.getresponse().read()
    sent += 1
print(sent)
"""


def storm(size: str) -> list[Figure]:
    """Alerts that are new among thousands that are not."""
    listener = Listener()
    seconds = 3 if size == "quick" else SECONDS
    with installation(PEOPLE, listener.url) as midwatch:
        sender = warmed(listener, midwatch)
        each = [
            sys.executable,
            "-c",
            REPEAT,
            str(midwatch.port),
            KEY,
            str(DUPLICATES / SENDERS),
            str(seconds),
            str(PEOPLE),
        ]
        crowd = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True) for _ in range(SENDERS)]
        found = delays(listener, sender, sender.at_a_rate("new", seconds))
        came = sum(int(process.communicate()[0]) for process in crowd) / seconds
    what = f"{RATE} alerts/s among {DUPLICATES:,} repeats/s"
    return [*spread(what, found, None, "<= 250"), Figure("repeats that came meanwhile", came, "events/s", None)]


def drain(size: str) -> list[Figure]:
    """10,000 distinct alerts wait in the log while the engine is paused; then it takes them."""
    listener = Listener()
    count = 500 if size == "quick" else DRAIN
    with installation(PEOPLE, listener.url) as midwatch:
        pids = engine_pids(midwatch)
        for pid in pids:
            os.kill(pid, 19)  # SIGSTOP: the engine sleeps, the lane goes on
        connection = http.client.HTTPConnection("127.0.0.1", midwatch.port, timeout=30)
        for index in range(count):
            body = event(f"drain {index}", index % PEOPLE)
            connection.request("POST", f"/in/{KEY}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 202, answer.status
        before = rig.cpu_seconds(*pids)
        started = time.perf_counter()
        for pid in pids:
            os.kill(pid, 18)
        wait_until(lambda: backlog(midwatch) == 0, seconds=300, what="the drain")
        took = time.perf_counter() - started
        spent = rig.cpu_seconds(*pids) - before
    return [
        Figure(
            "distinct alerts that waited, drained beside the sending of their pages", count / took, "alerts/s", None
        ),
        Figure("distinct alerts that waited, CPU of the engine", spent / count * 1e6, "us/alert", None),
    ]


def engine_pids(midwatch: Midwatch) -> list[int]:
    assert midwatch.process is not None
    found = []
    for line in subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]:
        pid, parent, arguments = line.split(None, 2)
        if int(parent) == midwatch.process.pid and "engine" in arguments:
            found.append(int(pid))
    assert found, "no engine process"
    return found


def backlog(midwatch: Midwatch) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", midwatch.port, timeout=30)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith("midwatch_intake_backlog"):
            return float(line.rsplit(" ", 1)[1])
    return -1.0


FILL = """
import django
django.setup()
from datetime import timedelta
from django.db import transaction
from midwatch.core import clock
from midwatch.catalog.models import Service
from midwatch.respond.alerts.models import Alert, NumberCounter, Source
count = COUNT
services = list(Service.objects.select_related("team"))
source = Source.objects.get(name="posts")
now = clock.now()
for start in range(0, count, 2000):
    rows = []
    for index in range(start, start + 2000):
        service = services[index % len(services)]
        is_open = index % 50 == 0
        rows.append(Alert(number=index + 1, source=source, dedup_key=f"filled {index}", service=service, team=service.team,
            title=f"filled {index}", priority=f"P{index % 5 + 1}", urgency="low", status="firing" if is_open else "resolved",
            created_at=now - timedelta(seconds=count - index), last_seen_at=now, resolved_at=None if is_open else now))
    with transaction.atomic():
        Alert.objects.bulk_create(rows)
with transaction.atomic():
    NumberCounter.objects.update_or_create(pk=1, defaults={"last": count})
"""


def listing(size: str) -> list[Figure]:
    figures = []
    count = 2_000 if size == "quick" else LISTED
    listener = Listener()
    with installation(PEOPLE, listener.url) as midwatch:
        environment = {
            **os.environ,
            "MIDWATCH_DATA_DIR": str(midwatch.data),
            "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
        }
        subprocess.run([sys.executable, "-c", FILL.replace("COUNT", str(count))], env=environment, check=True)
        connection = http.client.HTTPConnection("127.0.0.1", midwatch.port, timeout=30)
        headers = {"Authorization": f"Bearer {midwatch.token}"}
        for words in ("", "?status=firing", "?service=s7", "?team=ops&status=resolved", "?q=filled+99"):
            took = []
            for _ in range(20):
                started = time.perf_counter()
                connection.request("GET", f"/api/v1/alerts{words}", headers=headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                took.append((time.perf_counter() - started) * 1000)
            figures.append(
                Figure(f"GET /api/v1/alerts{words} over {count:,} alerts: p95", percentile(took, 0.95), "ms", "<= 150")
            )
        cookie = log_in(midwatch, environment)
        for words in ("", "?status=firing"):
            took = []
            for _ in range(20):
                started = time.perf_counter()
                connection.request("GET", f"/alerts{words}", headers={"Cookie": cookie})
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200, (answer.status, body[:200])
                took.append((time.perf_counter() - started) * 1000)
            figures.append(
                Figure(f"GET /alerts{words} (page) over {count:,} alerts: p95", percentile(took, 0.95), "ms", "<= 150")
            )
    return figures


SESSION = """
import django
django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from midwatch.core import clock
from midwatch.people.models import User
with transaction.atomic():
    user = User.objects.create(name="bench-admin", display_name="Bench", role="administrator", created_at=clock.now(), password="!")
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
print(settings.SESSION_COOKIE_NAME + "=" + session.session_key)
"""


def log_in(midwatch: Midwatch, environment: dict[str, str]) -> str:
    """A session made beside the server, so that no password hash is measured."""
    key = environment | {"MIDWATCH_BASE_URL": midwatch.url}
    return subprocess.run(
        [sys.executable, "-c", SESSION], env=key, check=True, capture_output=True, text=True
    ).stdout.strip()


def starting(size: str) -> list[Figure]:
    first, again = [], []
    memory = ""
    for _ in range(1 if size == "quick" else 3):
        with tempfile.TemporaryDirectory(prefix="midwatch-bench-") as directory:
            for kept in (first, again):
                midwatch = Midwatch(Path(directory))
                started = time.perf_counter()
                with midwatch:
                    kept.append(time.perf_counter() - started)
                    time.sleep(2)
                    memory = resident(midwatch)
    print(f"memory after start: {memory}")
    return [
        Figure("`serve` ready, first start (empty directory)", statistics.median(first), "s", None),
        Figure("`serve` ready, again", statistics.median(again), "s", None),
    ]


def resident(midwatch: Midwatch) -> str:
    assert midwatch.process is not None
    group = subprocess.run(
        ["ps", "-eo", "pid,pgid,rss"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    mine = [line.split() for line in group if line.split()[1] == str(midwatch.process.pid)]
    total = sum(int(rss) for _, _, rss in mine) / 1024
    shares = 0.0
    for pid, _, _ in mine:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        shares += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    each = ", ".join(f"{int(rss) / 1024:.0f}" for _, _, rss in mine)
    return f"{total:.0f} MB resident in all ({each}), {shares:.0f} MB with shared pages counted once"


PARTS = {"latency": latency, "storm": storm, "drain": drain, "list": listing, "start": starting}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    given = arguments.parse_args()
    size = "quick" if given.quick else "full" if given.full else "default"
    figures = [figure for name in given.parts or PARTS for figure in PARTS[name](size)]
    report("paging", figures, as_json=given.json)


if __name__ == "__main__":
    main()
