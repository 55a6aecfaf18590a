"""How long `midwatch doctor --deep` looks through 100,000 open alerts, question by question.

    python benchmarks/doctor.py [--alerts 100000] [--postgresql URL]

The rows are written in bulk as the engine leaves them: an escalation under way, two people called, three messages, seven
timeline entries an alert; as many alerts again are resolved. Without --postgresql the database is SQLite.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import installation

ROWS = 5_000


def fill(count: int) -> None:
    from django.db import connection, transaction

    from midwatch.catalog.models import Service
    from midwatch.core import clock
    from midwatch.engine.models import Node
    from midwatch.people.models import User
    from midwatch.respond.alerts.models import Alert, NumberCounter, Source, TimelineEntry
    from midwatch.respond.escalation.models import Escalation, EscalationPolicy
    from midwatch.respond.notify.models import Delivery, Page

    now = clock.now()
    source, service = Source.objects.order_by("pk").first(), Service.objects.select_related("team").get()
    assert source is not None
    with transaction.atomic():
        users = [User.objects.create(name=f"p{n}", created_at=now) for n in range(200)]
        policy = EscalationPolicy.objects.create(name="payments", team=service.team, created_at=now)
        Node.objects.create(name="bench:1", version="1", started_at=now, ticked_at=now + timedelta(hours=1))
        NumberCounter.objects.create(pk=1, last=2 * count)

    def alert(n: int) -> Alert:
        is_open = n > count
        return Alert(
            pk=n, number=n, source=source, dedup_key=f"k{n}", service=service, team=service.team, title=f"disk {n}",
            priority="P1", urgency="high", status="firing" if is_open else "resolved",
            created_at=now, last_seen_at=now, resolved_at=None if is_open else now,
        )  # fmt: skip

    def escalation(n: int) -> Escalation:
        is_open = n > count
        return Escalation(
            pk=n, alert_id=n, policy=policy, state="paging" if is_open else "ended", round_started_at=now, sent_at=now,
            next_step=1, due_at=now + timedelta(hours=1) if is_open else None,
        )  # fmt: skip

    def pages(n: int) -> list[Page]:
        is_open = n > count
        return [
            Page(
                pk=2 * n + k, alert_id=n, user=users[(n + k) % 200], origin=f"{n}/1/0", urgency="high", started_at=now,
                state="running" if is_open else "answered", due_at=now + timedelta(hours=1) if is_open else None,
                cycle_started_at=now, handed_over_at=now,
            )
            for k in (0, 1)
        ]  # fmt: skip

    def deliveries(n: int) -> list[Delivery]:
        return [
            Delivery(
                pk=3 * n + k, idempotency_key=f"{n}/1/0/{k}", kind="page" if k < 2 else "update", user=users[n % 200],
                channel="webhook", page_id=2 * n + k if k < 2 else None, alert_id=n, state="handed over", attempts=1,
                created_at=now, due_at=now, wanted_at=now, handed_over_at=now, receipt="handed over",
            )
            for k in (0, 1, 2)
        ]  # fmt: skip

    def entries(n: int) -> list[TimelineEntry]:
        kinds = ["opened", "paged", "delivery", "delivery", "delivery", "receipt", "note" if n > count else "resolved"]
        return [
            TimelineEntry(alert_id=n, at=now, kind=kind, text=f"{kind} of {n}", detail={"delivery": 3 * n + at - 2})
            for at, kind in enumerate(kinds)
        ]

    def write(model: Any, rows: Iterator[Any]) -> None:
        batch: list[Any] = []
        for row in rows:
            batch.append(row)
            if len(batch) >= ROWS:
                with transaction.atomic():
                    model.objects.bulk_create(batch)
                batch = []
        with transaction.atomic():
            model.objects.bulk_create(batch)

    numbers = range(1, 2 * count + 1)
    write(Alert, (alert(n) for n in numbers))
    write(Escalation, (escalation(n) for n in numbers))
    write(Page, (page for n in numbers for page in pages(n)))
    write(Delivery, (one for n in numbers for one in deliveries(n)))
    write(TimelineEntry, (one for n in numbers for one in entries(n)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def ask() -> None:
    from midwatch.core import clock
    from midwatch.engine import invariants

    seconds: dict[str, float] = {}
    cpu = time.process_time()
    look = invariants.look_at(now=clock.now())
    found = []
    for question in invariants.QUESTIONS:
        started = time.perf_counter()
        found.append(question(look))
        seconds[question.__name__] = time.perf_counter() - started
    for name, took in sorted(seconds.items(), key=lambda item: -item[1])[:8]:
        print(f"  {name:<34} {took:6.2f} s")
    broken = [one.name for one in found if one is not None]
    print(
        f"all {len(seconds)} questions: {sum(seconds.values()):.2f} s, {time.process_time() - cpu:.2f} s CPU of ours; broken: {', '.join(broken) or 'none'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=100_000, help="open ones, and as many resolved")
    parser.add_argument("--postgresql", default="", metavar="URL", help="an empty database")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="midwatch-bench-") as directory:
        env = installation.environment(Path(directory), args.postgresql)
        installation.prepare(env)
        os.environ.update(env)
        import django

        django.setup()
        started = time.perf_counter()
        fill(args.alerts)
        name = "PostgreSQL" if args.postgresql else "SQLite"
        print(f"{name}, {args.alerts:,} open alerts (filled in {time.perf_counter() - started:.0f} s)")
        for _ in range(2):
            ask()


if __name__ == "__main__":
    main()
