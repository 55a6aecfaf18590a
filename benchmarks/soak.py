"""Does memory stay flat? The real program with real load for as long as told, its processes' memory looked at all the time.

    python benchmarks/soak.py [--minutes 60] [--rate 5] [--postgresql] [--json]

The load is what a day brings, faster: alerts that open, repeat and resolve, pages that a receiver takes, acknowledgements, and
pages and lists read by somebody logged in. The slope is by least squares over the time after the warm-up (a fifth of the run,
ten minutes at most): what Python, SQLite and the templates take once is no growth. All of it is real: no clock is moved here.
The simulated days are in tests/soak.
"""

from __future__ import annotations

import http.client
import http.server
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from measuring.figures import Chart, Figure, number, parser, report  # noqa: E402
from measuring.program import processes, session_cookie, usage  # noqa: E402

import postgres  # noqa: E402
from end_to_end.running import Midwatch  # noqa: E402

KEY = "0123456789abcdef0123456789abcdef"
STANDING = 20  # alerts that only repeat
RESOLVED_AFTER = 50  # events later: about so many are open at a time
LOOK_SECONDS = 5.0
JUDGED_MINUTES = 30  # below it a slope an hour says nothing
PATHS = (
    "/",
    "/alerts",
    "/alerts?q=soak",
    "/oncall",
    "/services",
    "/sources",
    "/metrics",
    "/api/v1/alerts",
    "/alerts/1",
)
DOCUMENTS = """
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: ana}}
spec:
  displayName: Ana Novak
  contactMethods: [{{name: hook, type: webhook, address: "{hook}/ana"}}]
  notificationRules: {{high: [{{after: 0s, contact: hook}}], low: [{{after: 0s, contact: hook}}], repeatAfter: 5m}}
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {{name: ops}}
spec: {{displayName: Ops, members: [{{user: ana, role: manager}}]}}
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: ops}}
spec: {{team: ops, repeat: 1, steps: [{{name: level 1, targets: [{{user: ana}}], after: 0s}}]}}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: checkout}}
spec: {{displayName: Checkout, team: ops, escalationPolicy: ops}}
---
apiVersion: midwatch.dev/v1
kind: Source
metadata: {{name: soak}}
spec: {{type: generic, key: "{key}", service: checkout}}
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    taken = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).taken += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None: ...


class Client:
    """One connection; comes back when the server ended it."""

    def __init__(self, port: int, cookie: str, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"Cookie": cookie, "Authorization": f"Bearer {token}"}
        self.failed = 0

    def ask(self, method: str, path: str, body: object = None) -> int:
        headers = dict(self.headers) if not path.startswith("/in/") else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.failed += 1
            return 0
        self.failed += answer.status >= 500
        return answer.status


def load(client: Client, rate: float, until: float) -> int:
    """Events at an even pace, and a page or an act now and then. Returns how many events were accepted."""
    accepted = 0
    started = time.monotonic()
    paths = itertools.cycle(PATHS)
    count = -1
    while True:
        count += 1
        pause = started + count / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        if time.monotonic() > until:
            return accepted
        match count % 5:
            case 0:
                event = {"key": f"standing {count % STANDING}", "title": f"Standing {count}", "priority": "P3"}
            case 1 | 2:
                event = {"key": f"soak {count}", "title": f"soak {count}", "priority": "P2" if count % 2 else "P4"}
            case _:
                key = f"soak {count - RESOLVED_AFTER - 2}"
                event = {"key": key, "title": key, "status": "resolved"}
        accepted += client.ask("POST", f"/in/{KEY}", event) == 202
        if count % 10 == 0:
            client.ask("GET", next(paths))
        if count % 50 == 25:
            client.ask("POST", f"/api/v1/alerts/{accepted // 3 + 1}/acknowledge", {})


def slope(points: Sequence[tuple[float, float]]) -> float:
    """MB an hour, by least squares; x in seconds."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 3600 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def soak(
    midwatch: Midwatch, environment: dict[str, str], minutes: float, rate: float
) -> tuple[int, int, dict[str, list[tuple[float, float]]]]:
    client = Client(midwatch.port, session_cookie(environment), environment["MIDWATCH_API_TOKEN"])
    until = time.monotonic() + minutes * 60
    accepted: list[int] = []
    worker = threading.Thread(target=lambda: accepted.append(load(client, rate, until)))
    worker.start()
    assert midwatch.process is not None
    looked: dict[str, list[tuple[float, float]]] = {}
    started = time.monotonic()
    while worker.is_alive():
        at = time.monotonic() - started
        for name, pid in processes(midwatch.process.pid).items():
            try:
                looked.setdefault(name, []).append((at, usage(pid).resident))
            except OSError:
                continue
        worker.join(LOOK_SECONDS)
    return accepted[0], client.failed, looked


def figures(
    minutes: float, accepted: int, failed: int, looked: dict[str, list[tuple[float, float]]], database: str
) -> list[Figure]:
    warm = min(600.0, minutes * 60 / 5)
    found = [
        Figure(f"Real soak on {database}, events accepted in {number(minutes)} min", accepted, "events"),
        Figure("Pages handed over meanwhile", Receiver.taken, "messages"),
        Figure("Requests that failed", failed, "requests", "== 0"),
    ]
    for name, points in sorted(looked.items()):
        later = [point for point in points if point[0] >= warm] or points
        aim = "<= 5" if minutes >= JUDGED_MINUTES else None
        found.append(Figure(f"{name}: resident after the warm-up", later[0][1], "MB"))
        found.append(Figure(f"{name}: resident at the end", later[-1][1], "MB"))
        found.append(Figure(f"{name}: slope by least squares", slope(later), "MB/h", aim))
    return found


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float)
    arguments.add_argument("--rate", type=float, default=5.0, help="events a second")
    arguments.add_argument("--postgresql", action="store_true")
    given = arguments.parse_args()
    minutes = given.minutes or (0.5 if given.quick else 60.0 if given.full else 2.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="midwatch-bench-")))
        environment = {"MIDWATCH_API_TOKEN": "t" * 40, "MIDWATCH_SECRET_KEY": "s" * 40}
        if given.postgresql:
            database = stack.enter_context(postgres.running()).create_database("soak")
            environment["MIDWATCH_DATABASE_URL"] = database
        documents = DOCUMENTS.format(hook=f"http://127.0.0.1:{server.server_address[1]}", key=KEY)
        midwatch = Midwatch(directory, documents, **environment)
        beside = {
            **os.environ,
            **environment,
            "MIDWATCH_DATA_DIR": str(midwatch.data),
            "MIDWATCH_BASE_URL": midwatch.url,
        }
        beside["DJANGO_SETTINGS_MODULE"] = "midwatch.django_settings"
        if given.postgresql:
            upgrade(beside)
        stack.enter_context(midwatch)
        accepted, failed, looked = soak(midwatch, beside, minutes, given.rate)
        midwatch.stop()
    lines = [
        {
            "name": name,
            "points": [[round(at / 60, 2), round(size, 2)] for at, size in points[:: max(1, len(points) // 200)]],
        }
        for name, points in sorted(looked.items())
    ]
    chart = Chart(
        "soak", f"Resident memory under load, {number(minutes)} min", "MB", "lines", lines=lines, x_unit="min"
    )
    database = "PostgreSQL" if given.postgresql else "SQLite"
    report("soak", figures(minutes, accepted, failed, looked, database), as_json=given.json, charts=[chart])


def upgrade(environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "midwatch.cli", "upgrade"], env=environment, check=True)


if __name__ == "__main__":
    main()
