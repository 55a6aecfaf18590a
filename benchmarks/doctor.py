"""How long `midwatch doctor --deep` looks through 100,000 open alerts, question by question.

    python benchmarks/doctor.py [--quick] [--alerts 100000] [--postgresql URL]

The rows are written in bulk as the engine leaves them: an escalation under way, two people called, three messages, seven
timeline entries an alert; as many alerts again are resolved. Without --postgresql the database is SQLite.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from measuring.figures import Figure, parser, report

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import installation

ROWS = 1_000


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


def ask() -> tuple[float, float]:
    """(seconds, of them CPU of this process)."""
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
    cpu = time.process_time() - cpu
    for name, took in sorted(seconds.items(), key=lambda item: -item[1])[:5]:
        print(f"  {name:<34} {took:6.2f} s")
    broken = [one.name for one in found if one is not None]
    total = sum(seconds.values())
    print(f"all {len(seconds)} questions: {total:.2f} s, {cpu:.2f} s CPU; broken: {', '.join(broken) or 'none'}")
    return total, cpu


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--alerts", type=int, default=100_000, help="open ones, and as many resolved")
    arguments.add_argument("--postgresql", default="", metavar="URL", help="an empty database; without it: SQLite")
    given = arguments.parse_args()
    count = 5_000 if given.quick else given.alerts
    name = "PostgreSQL" if given.postgresql else "SQLite"
    with tempfile.TemporaryDirectory(prefix="midwatch-bench-") as directory:
        env = installation.environment(Path(directory), given.postgresql)
        installation.prepare(env)
        os.environ.update(env)
        import django

        django.setup()
        started = time.perf_counter()
        fill(count)
        print(f"{name}, {count:,} open alerts (filled in {time.perf_counter() - started:.0f} s)")
        took, cpu = min(ask() for _ in range(3))
    what = f"`midwatch doctor --deep` on {count:,} open alerts, {name}"
    figures = [Figure(what, took, "s", "<= 5")]
    if not given.postgresql:  # whose server spends the CPU
        figures.append(Figure(f"{what}, CPU", cpu, "s", "<= 5"))
    report("doctor", figures, as_json=given.json)


if __name__ == "__main__":
    main()
