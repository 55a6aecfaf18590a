"""What the whole report of insights costs over a year: 100,000 alerts with a call each, 1,000 incidents with their updates.

    python benchmarks/insights.py [--alerts N] [--on sqlite postgresql] [--quick | --full] [--json]

The database makes the alerts; the incidents come through `midwatch import github-statuses` from a made-up history in that
format, and every third has a post-mortem with an action item. A report compares the period with the one before it. The figure
is the median of three, in CPU time (of the database's own process too), since that is what does not depend on who else is busy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from measuring import generate, rig  # noqa: E402
from measuring.figures import Chart, Figure, number, parser, report  # noqa: E402

import postgres  # noqa: E402
from fakes.github_statuses import history  # noqa: E402

AIM_MS = 500
INCIDENTS_PER_ALERT = 100  # one incident of so many alerts
MAINTENANCE_SHARE = 0.1  # of the made-up history; it is skipped
ROUNDS = 3
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2])
        return
    if sys.argv[1:2] == ["--lengths"]:
        spread(sys.argv[2])
        return
    arguments = parser(__doc__)
    arguments.add_argument("--alerts", type=int)
    arguments.add_argument("--on", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    given = arguments.parse_args()
    count = given.alerts or (5_000 if given.quick else 1_000_000 if given.full else 100_000)
    figures: list[Figure] = []
    for kind in given.on:
        figures += on_database(kind, given, count)
    report("insights", figures, as_json=given.json, charts=[_chart(figures)])


def _chart(figures: list[Figure]) -> Chart:
    rows = [[one.what, one.value, AIM_MS, one.value > AIM_MS] for one in figures if one.unit == "ms CPU"]
    return Chart("insights", "The whole report of insights, CPU time", "ms CPU", rows=rows)


def on_database(kind: str, given: argparse.Namespace, count: int) -> list[Figure]:
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MIDWATCH_")} | {
            "MIDWATCH_DATA_DIR": str(directory / "data"),
            "MIDWATCH_SECRET_KEY": "s" * 40,
            "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }
        (directory / "data").mkdir()
        if kind == "postgresql":
            environment["MIDWATCH_DATABASE_URL"] = stack.enter_context(postgres.running()).ensure_database("insights")
        generate.make(environment, count, count)
        _run(environment, __file__, "--lengths", kind)
        archive = directory / "incidents.jsonl"
        _write_archive(archive, count // INCIDENTS_PER_ALERT)
        started = time.monotonic()
        _run(environment, "-m", "midwatch.cli", "import", "github-statuses", str(archive), "--service", "s1")
        imported = time.monotonic() - started
        said = json.loads(_run(environment, __file__, "--inside", kind).splitlines()[-1])
    head = f"{NAMES[kind]}, {number(said['alerts'])} alerts, {number(said['incidents'])} incidents"
    aim = f"<= {AIM_MS}" if count <= 100_000 else None
    found = [Figure(f"{head}: {what}", value, "ms CPU", aim) for what, value in said["cpu_ms"].items()]
    found.append(Figure(f"{NAMES[kind]}: incidents imported a second", said["incidents"] / imported, "/s"))
    return found


def _write_archive(path: Path, count: int) -> None:
    began = datetime.now(UTC) - timedelta(days=370)
    lines = history(int(count / (1 - MAINTENANCE_SHARE)), began=began, days=365)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    return done.stdout


def spread(kind: str) -> None:
    """Each alert takes its own time: up to a quarter of an hour to the acknowledgement, four hours to the end."""
    import django

    django.setup()
    from django.db import connection, transaction

    later = {
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f', created_at, '+' || ({}) || ' seconds')",
        "postgresql": "created_at + ({}) * interval '1 second'",
    }[kind]
    with transaction.atomic(), connection.cursor() as cursor:
        for column, seconds in (
            ("acknowledged_at", "number * 37 % 900"),
            ("resolved_at", "900 + number * 101 % 14400"),
        ):
            cursor.execute(f"UPDATE alerts_alert SET {column} = {later.format(seconds)} WHERE {column} IS NOT NULL")


def inside(kind: str) -> None:
    """In a process of the installation: measure, and print one line."""
    import django

    django.setup()
    from django.db import connection

    from midwatch.catalog.models import Service
    from midwatch.core import clock
    from midwatch.learn.insights.queries import Scope
    from midwatch.learn.insights.queries import report as insights
    from midwatch.people.models import Team
    from midwatch.respond.alerts.models import Alert
    from midwatch.respond.incidents.models import Incident

    _lessons()
    now = clock.now()
    pids = [os.getpid()]
    if kind == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET max_parallel_workers_per_gather = 0")  # one process does it all, and is measured
            cursor.execute("ANALYZE")
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
    scopes = {
        "everybody, a year": (Scope(), 365),
        "everybody, 90 days": (Scope(), 90),
        "everybody, 30 days": (Scope(), 30),
        "a team, a year": (Scope(team=Team.objects.get(name="t1")), 365),
        "a service, a year": (Scope(service=Service.objects.get(name="s1")), 365),
    }
    found: dict[str, float] = {}
    for what, (scope, days) in scopes.items():
        took = []
        for _ in range(ROUNDS):
            before = rig.cpu_seconds(*pids)
            insights(scope, now - timedelta(days=days), now, now)
            took.append((rig.cpu_seconds(*pids) - before) * 1000)
        found[what] = statistics.median(took)
    said = {"cpu_ms": found, "alerts": Alert.objects.count(), "incidents": Incident.objects.count()}
    print(json.dumps(said))


def _lessons() -> None:
    """A post-mortem and an action item for every third incident, as the tables hold them."""
    from django.db import transaction

    from midwatch.learn.actions.models import ActionItem, ItemState
    from midwatch.learn.postmortems.models import Postmortem, State
    from midwatch.people.models import User
    from midwatch.respond.incidents.models import Incident

    owner = User.objects.order_by("pk")[0]
    week = timedelta(days=7)
    rows = list(Incident.objects.exclude(resolved_at=None).select_related("team", "service"))[::3]
    with transaction.atomic():
        Postmortem.objects.bulk_create(
            [
                Postmortem(
                    incident=one,
                    template_name="standard",
                    template_version=1,
                    state=State.PUBLISHED,
                    owner=owner,
                    opened_at=one.resolved_at,
                    due_at=one.resolved_at + week,
                    late_at=one.resolved_at + 1.5 * week,
                    held_at=one.resolved_at + (0.8 + one.number % 5 / 10) * week,
                    published_at=one.resolved_at + 2 * week,
                )
                for one in rows
            ]
        )
        ActionItem.objects.bulk_create(
            [
                ActionItem(
                    number=place,
                    title=f"Item of {one}",
                    owner=owner,
                    incident=one,
                    team=one.team,
                    service=one.service,
                    state=ItemState.DONE if place % 3 else ItemState.OPEN,
                    due_on=(one.resolved_at + 3 * week).date(),
                    opened_at=one.resolved_at,
                    created_at=one.resolved_at,
                    created_by="bench",
                    done_at=one.resolved_at + 2 * week if place % 3 else None,
                )
                for place, one in enumerate(rows, 1)
            ]
        )


if __name__ == "__main__":
    main()
