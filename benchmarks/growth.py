"""How long pages and lists take when there is a year of history: alerts by the hundred thousand, ten timeline rows for each.

    python benchmarks/growth.py [--alerts N] [--on sqlite postgresql] [--keep DIR] [--quick | --full] [--json]

`--full` is 1,000,000 alerts and 10,000,000 timeline rows, on both databases. The database itself makes them (`--keep DIR` keeps
them there for the next run, otherwise they are removed). The real server answers on loopback, one request at a time, and the
figure is the 95th percentile of each page. Nothing is warmed but the process.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from measuring import generate, rig  # noqa: E402
from measuring.figures import Chart, Figure, number, parser, percentile, report  # noqa: E402
from measuring.program import session_cookie  # noqa: E402

import postgres  # noqa: E402

ENTRIES = 10  # of each alert
AIM_MS = 150
ROUNDS = 20
TOKEN = "g" * 40


def pages(count: int) -> list[tuple[str, str]]:
    """(what, address). Deep: the middle of the list, far from both ends."""
    deep, recent = count // 2, count - 1_500
    found = [
        ("Now", "/"),
        ("Now, refreshed", "/?part=fires"),
        ("badge of the head", "/calls"),
        ("alert", f"/alerts/{deep}"),
        ("alert with 4,000 timeline rows", "/alerts/1"),
        ("service", "/services/s7"),
        ("services", "/services"),
        ("source", "/sources/bench"),
        ("metrics", "/metrics"),
        ("readyz", "/readyz"),
        ("API alert", f"/api/v1/alerts/{recent}"),
        ("API alert with 4,000 timeline rows", "/api/v1/alerts/1"),
        ("API services", "/api/v1/services"),
        ("audit log", "/settings/audit"),
        ("audit log, one name", "/settings/audit?name=&person=p3"),
        ("list, what is new", f"/alerts?view=all&newest={count - 30}&rows={count - 30},{count - 31}"),
    ]
    filters = {
        "all": "view=all",
        "my teams": "view=teams",
        "mine": "view=mine",
        "firing": "view=all&status=firing",
        "open": "view=all&status=firing&status=acknowledged",
        "resolved": "view=all&status=resolved",
        "one service": "view=all&service=s7",
        "one service, firing": "view=all&service=s7&status=firing",
        "one service, P1": "view=all&service=s7&priority=P1",
        "my teams, P1, open": "view=teams&priority=P1&status=firing&status=acknowledged",
        "one team, resolved": "view=all&team=t3&status=resolved",
        "P1": "view=all&priority=P1",
        "a team and a service of another": "view=all&team=t3&service=s7",
    }
    for name, words in filters.items():
        found.append((f"list: {name}", f"/alerts?{words}"))
        found.append((f"list, deep: {name}", f"/alerts?{words}&before={deep}"))
    for name, words in {
        "common word": "disk",
        "rare word": "unicorn",
        "no such word": "qwertyuiop",
        "a host": "db77.host",
        "two letters, none": "zq",
        "a number": f"#{deep}",
        "a key": f"key {deep}",
        "common, firing": "disk&status=firing",
        "common, one service": "disk&service=s8",
        "rare, firing": "unicorn&status=firing",
        "common, mine": "disk&view=mine",
    }.items():
        text, *more = words.split("&")
        rest = "".join(f"&{one}" for one in more)
        view = "" if "view=" in rest else "view=all&"
        found.append((f"search: {name}", f"/alerts?{view}q={quote(text)}{rest}"))
    api = {
        "all": "",
        "open": "?status=open",
        "deep": "?status=resolved&limit=200",
        "search": "?q=unicorn",
        "mine": "?view=mine",
    }
    return [*found, *((f"API alerts: {name}", f"/api/v1/alerts{words}") for name, words in api.items())]


PARTS = {"badge of the head", "Now, refreshed", "list, what is new"}


@contextmanager
def served(environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """The web part alone: what an engine does beside it is measured elsewhere."""
    code = "import django, sys; django.setup(); from midwatch.server import Address, run; sys.exit(run(Address(port=int(sys.argv[1]))))"
    with rig.server(code, environment, start_seconds=60) as found:
        yield found


def measure(
    pid: int, port: int, cookie: str, count: int, rounds: int, only: str
) -> dict[str, tuple[list[float], float]]:
    """Of each page: how long each answer took, and the server's CPU time for one, both in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Cookie": cookie, "Authorization": f"Bearer {TOKEN}"}
    found: dict[str, tuple[list[float], float]] = {}
    for what, address in pages(count):
        if only not in what:
            continue
        partial = {"HX-Request-Type": "partial"} if what in PARTS else {}
        took: list[float] = []
        spent = 0.0
        for turn in range(rounds + 1):
            if turn == 1:  # the first one loads templates and plans
                spent = rig.cpu_seconds(pid)
            started = time.perf_counter()
            connection.request("GET", address, headers=headers | partial)
            answer = connection.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - started) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{what}: GET {address} answered {answer.status}: {body[:300]!r}")
        found[what] = took[1:], (rig.cpu_seconds(pid) - spent) / rounds * 1000
    return found


def on_database(kind: str, given: argparse.Namespace, count: int) -> tuple[list[Figure], Chart]:
    with ExitStack() as stack:
        if given.keep:
            directory = Path(given.keep).absolute() / f"{kind}-{count}"
            directory.mkdir(parents=True, exist_ok=True)
        else:
            directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MIDWATCH_")} | {
            "MIDWATCH_DATA_DIR": str(directory / "data"),
            "MIDWATCH_API_TOKEN": TOKEN,
            "MIDWATCH_SECRET_KEY": "s" * 40,
            "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }
        (directory / "data").mkdir(exist_ok=True)
        if kind == "postgresql":
            server = stack.enter_context(postgres.kept(directory / "server") if given.keep else postgres.running())
            environment["MIDWATCH_DATABASE_URL"] = server.ensure_database("growth")
        is_made = directory / "made"
        if not is_made.exists():
            seconds = generate.make(environment, count, count * ENTRIES)
            print(f"{kind}: made in {seconds:.0f} s", flush=True)
            is_made.write_text("")
        else:
            subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "import django; django.setup(); from django.core.management import call_command as c; c('migrate', verbosity=0, skip_checks=True)",
                ],
                env=environment,
                check=True,
            )
        with served(environment) as (pid, port):
            cookie = session_cookie(environment, "p1")
            took = measure(pid, port, cookie, count, 3 if given.quick else ROUNDS, given.page)
        return _said(kind, count, took)


def _said(kind: str, count: int, took: dict[str, tuple[list[float], float]]) -> tuple[list[Figure], Chart]:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
    aim = f"<= {AIM_MS}"
    p95 = {what: percentile(values, 0.95) for what, (values, _) in took.items()}
    slowest = sorted(p95, key=lambda what: -p95[what])
    every = [value for values, _ in took.values() for value in values]
    head = f"{name}, {count:,} alerts, {count * ENTRIES:,} timeline rows"
    dearest = max(took, key=lambda what: took[what][1])
    found = [
        Figure(f"{head}: slowest page, p95 ({slowest[0]})", p95[slowest[0]], "ms", aim),
        Figure(f"{name}: all {len(p95)} pages together, p95", percentile(every, 0.95), "ms", aim),
        Figure(f"{name}: all {len(p95)} pages together, median", percentile(every, 0.5), "ms"),
        Figure(f"{name}: most CPU of the server for a page ({dearest})", took[dearest][1], "ms CPU"),
    ]
    for what in slowest:
        print(f"{kind:<11} {what:<40} p95 {p95[what]:7.1f} ms   {took[what][1]:7.1f} ms CPU", flush=True)
    found += [Figure(f"{name}: {what}, p95", p95[what], "ms", aim) for what in slowest]
    rows = [[what, p95[what], AIM_MS, p95[what] > AIM_MS] for what in slowest[:16]]
    chart = Chart(f"growth-{kind}", f"{head}: the slowest pages, p95 in ms", "ms", rows=rows)
    return found, chart


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--alerts", type=int)
    arguments.add_argument("--on", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    arguments.add_argument("--keep", metavar="DIR", help="keep the databases there for the next run")
    arguments.add_argument("--page", default="", help="only pages with this in their name")
    given = arguments.parse_args()
    count = given.alerts or (5_000 if given.quick else 1_000_000 if given.full else 100_000)
    figures, charts = [], []
    for kind in given.on:
        print(f"{kind}, {number(count)} alerts", flush=True)
        found, chart = on_database(kind, given, count)
        figures += found
        charts.append(chart)
    report("growth", figures, as_json=given.json, charts=charts)


if __name__ == "__main__":
    main()
