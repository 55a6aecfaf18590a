"""How long an acknowledgement waits beside a busy engine, with the write ticket and with SQLite's own waiting.

    python benchmarks/write_ticket.py [--seconds 10] [--alerts 100] [--breath-ms 1]

One process writes alerts in transactions of a hundred with a breath of a millisecond between them, as the engine does at
its busiest; another acknowledges one alert in each transaction. Both go through the real database backend.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from django.apps import apps
from django.conf import settings as django_settings
from measuring.figures import Figure, parser, report

from midwatch.core.sqlite.base import DatabaseWrapper

TABLE = """
CREATE TABLE IF NOT EXISTS alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER, key TEXT, title TEXT, status TEXT, labels TEXT, count INTEGER,
    seen REAL, UNIQUE (source, key)
)
"""


def connect(path: str, *, has_ticket: bool) -> Any:
    if not django_settings.configured:
        django_settings.configure()
        apps.populate([])
    settings = {
        "ENGINE": "midwatch.core.sqlite", "NAME": path, "OPTIONS": {"timeout": 60.0}, "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False, "TIME_ZONE": None, "USER": "",
        "PASSWORD": "", "HOST": "", "PORT": "", "TEST": {"NAME": None},
    }  # fmt: skip
    made = DatabaseWrapper(settings, "bench")
    made.ensure_connection()
    if not has_ticket:
        made._ticket = None
    return made


def begin(database: Any) -> None:
    database.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def commit(database: Any) -> None:
    database.commit()
    database.set_autocommit(True)


def engine(path: str, has_ticket: bool, alerts: int, breath: float, stop: Any, written: Any) -> None:
    database = connect(path, has_ticket=has_ticket)
    labels = json.dumps({f"label{number}": "x" * 20 for number in range(8)})
    number = 0
    with database.cursor() as cursor:
        while not stop.is_set():
            begin(database)
            for _ in range(alerts):
                number += 1
                cursor.execute(
                    "INSERT INTO alert (source, key, title, status, labels, count, seen) VALUES (%s, %s, %s, 'firing', %s, 1, %s)",
                    [1, f"key/{number}", f"Disk of db{number} is full", labels, time.time()],
                )
            commit(database)
            written.value = number
            time.sleep(breath)


def responder(path: str, has_ticket: bool, stop: Any, results: Any) -> None:
    database = connect(path, has_ticket=has_ticket)
    took = []
    number = 0
    with database.cursor() as cursor:
        while not stop.is_set():
            number += 1
            started = time.perf_counter()
            begin(database)
            cursor.execute("UPDATE alert SET status = 'acknowledged' WHERE id = %s", [number])
            commit(database)
            took.append(time.perf_counter() - started)
            time.sleep(0.01)
    results.put(took)


def measure(name: str, *, has_ticket: bool, given: argparse.Namespace) -> float:
    """The 99th percentile of an acknowledgement, in ms."""
    directory = tempfile.mkdtemp(prefix="midwatch-bench-")
    path = str(Path(directory) / "midwatch.sqlite3")
    try:
        with connect(path, has_ticket=True).cursor() as cursor:
            cursor.execute(TABLE)
        context = multiprocessing.get_context("spawn")
        stop, results, written = context.Event(), context.Queue(), context.Value("q", 0)
        processes = [
            context.Process(target=engine, args=(path, has_ticket, given.alerts, given.breath_ms / 1e3, stop, written)),
            context.Process(target=responder, args=(path, has_ticket, stop, results)),
        ]
        for process in processes:
            process.start()
        time.sleep(given.seconds)
        stop.set()
        took = sorted(results.get(timeout=120))
        for process in processes:
            process.join(60)
        p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
        print(
            f"{name:<22} {len(took):>6} acknowledgements   p50 {p50 * 1e3:8.1f} ms   p99 {p99 * 1e3:8.1f} ms   "
            f"max {took[-1] * 1e3:8.1f} ms   beside {written.value / given.seconds:8,.0f} alerts/s"
        )
        return float(p99 * 1e3)
    finally:
        shutil.rmtree(directory)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float)
    arguments.add_argument("--alerts", type=int, default=100, help="alerts in one transaction of the engine")
    arguments.add_argument("--breath-ms", type=float, default=1.0)
    given = arguments.parse_args()
    given.seconds = given.seconds or (2.0 if given.quick else 10.0)
    with_ticket = measure("with the ticket", has_ticket=True, given=given)
    without = measure("SQLite's own waiting", has_ticket=False, given=given)
    report(
        "write_ticket",
        [
            Figure("Acknowledging beside a busy engine, with the write ticket, p99", with_ticket, "ms", "<= 100"),
            Figure("The same with SQLite's own waiting, p99", without, "ms"),
        ],
        as_json=given.json,
    )


if __name__ == "__main__":
    main()
