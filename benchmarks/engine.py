"""The engine by itself: what an alert costs from the log to its due page, and what is due, taken in batches.

In this process and without the wire, so that CPU time is the engine's own: distinct alerts and repeats drained from the log,
escalations that are due at one second, statements a batch, commits a page, and what looking for due work costs beside old rows.
`--postgresql URL` (an empty database) measures there.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from measuring.figures import Figure, parser, report

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import installation

PEOPLE = 40
ROWS = 2_000


def fill() -> Any:
    """People with a hook each, a policy of two steps and a service each; the source that names them."""
    from django.db import transaction

    from midwatch.catalog.models import Service
    from midwatch.core import clock
    from midwatch.people.models import ContactMethod, NotificationRule, Team, User
    from midwatch.respond.alerts.models import Source
    from midwatch.respond.escalation.models import EscalationPolicy, PolicyStep, ServicePolicy, StepTarget

    now = clock.now()
    with transaction.atomic():
        team = Team.objects.create(name="bench", display_name="Bench", created_at=now)
        service = None
        for number in range(PEOPLE):
            user = User.objects.create(name=f"p{number}", created_at=now, repeat_after_seconds=0)
            hook = ContactMethod.objects.create(
                user=user,
                name="hook",
                type="webhook",
                address="http://127.0.0.1:9/",
                is_from_code=True,
                confirmed_at=now,
            )
            NotificationRule.objects.create(user=user, urgency="high", contact=hook)
            policy = EscalationPolicy.objects.create(name=f"p{number}", team=team, created_at=now)
            for place in (0, 1):
                step = PolicyStep.objects.create(
                    policy=policy, position=place, name=f"level {place + 1}", after_seconds=300 * place
                )
                StepTarget.objects.create(step=step, user=user)
            service = Service.objects.create(name=f"s{number}", team=team, created_at=now)
            ServicePolicy.objects.create(service=service, policy=policy)
        assert service is not None
        return Source.objects.create(
            name="bench", type="generic", key="b" * 32, service=service, service_label="service", created_at=now
        )


def arrive(source: Any, count: int, word: str) -> None:
    from midwatch.core import clock
    from midwatch.intake import log
    from midwatch.intake.records import microseconds

    store = log.store()
    store.open()
    for start in range(0, count, 500):
        rows = []
        for number in range(start, min(start + 500, count)):
            event = {"title": f"{word} {number}", "priority": "P1", "labels": {"service": f"s{number % PEOPLE}"}}
            body = json.dumps(event).encode()
            rows.append((secrets.token_hex(16), source.pk, "event", microseconds(clock.now()), "application/json", "", body))  # fmt: skip
        store.write(rows)
    store.close()


class Counted:
    """Statements and commits while it lasts."""

    def __init__(self) -> None:
        self.statements = self.commits = 0

    def __enter__(self) -> Counted:
        from django.db import connection
        from django.db.backends.base.base import BaseDatabaseWrapper

        def one(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            self.statements += not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE"))
            return execute(sql, params, many, context)

        whole = BaseDatabaseWrapper.commit

        def commit(wrapper: Any) -> None:
            self.commits += 1
            whole(wrapper)

        self._undo = lambda: setattr(BaseDatabaseWrapper, "commit", whole)
        BaseDatabaseWrapper.commit = commit  # type: ignore[method-assign]
        self._watch = connection.execute_wrapper(one)
        self._watch.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._watch.__exit__(None, None, None)
        self._undo()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(seconds, of them CPU of this process)."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def drained() -> None:
    from midwatch.engine import events

    while events.drain():
        pass


def draining(source: Any, count: int, word: str, what: str, aim: str | None) -> list[Figure]:
    walls, cpus = [], []
    for turn in range(3):
        arrive(source, count, f"{word} {turn}" if word == "distinct" else word)
        wall, cpu = timed(drained)
        walls.append(count / wall)
        cpus.append(cpu / count * 1e6)
    return [
        Figure(f"{what}, event to due message", statistics.median(walls), "alerts/s", aim),
        Figure(f"{what}, CPU of the engine", statistics.median(cpus), "us/alert", "<= 500" if aim else None),
    ]


def counting(source: Any) -> list[Figure]:
    from midwatch.engine import events
    from midwatch.engine.pools import Inline
    from midwatch.respond.notify.outlet import sending_through

    found = {}
    for count in (10, 100):
        arrive(source, count, f"counted {count}")
        with Counted() as counted:
            events.drain()
        found[count] = counted.statements
    arrive(source, 1, "alone")
    with Counted() as alone, sending_through(Inline()):
        events.drain()
    return [
        Figure("statements of a batch of 10 alerts", found[10], ""),
        Figure("statements of a batch of 100 alerts", found[100], "", f"== {found[10]}"),
        Figure("statements from one event to its claimed page", alone.statements, ""),
        Figure("commits from one event to its claimed page", alone.commits, "", "<= 1"),
    ]


def stepping(count: int) -> list[Figure]:
    """Level 2 of `count` alerts, due at the same second."""
    from django.db import transaction

    from midwatch.core import clock
    from midwatch.respond.escalation.actions import run_due
    from midwatch.respond.escalation.models import Escalation
    from midwatch.respond.notify.models import Page

    with transaction.atomic():
        Page.objects.update(handed_over_at=clock.now() - timedelta(seconds=400), due_at=None)
        some = Escalation.objects.filter(state="paging").order_by("pk").values_list("pk", flat=True)[:count]
        due = clock.now() - timedelta(seconds=1)
        Escalation.objects.filter(pk__in=some).update(
            due_at=due, sent_at=due - timedelta(seconds=400), round_started_at=due - timedelta(seconds=400)
        )
    number = Escalation.objects.filter(due_at__lte=clock.now()).count()
    longest = 0.0

    def all_of_them() -> None:
        nonlocal longest
        while True:
            started = time.perf_counter()
            if not run_due():
                return
            longest = max(longest, time.perf_counter() - started)

    wall, cpu = timed(all_of_them)
    return [
        Figure(f"{number} escalations due at once, stepped: all of them", wall, "s"),
        Figure("escalations due at once, stepped: at 100,000", wall / number * 100_000, "s", "<= 30"),
        Figure("escalations due at once, stepped: CPU", cpu / number * 1e6, "us/step", "<= 300"),
        Figure("escalations due at once: the longest transaction", longest * 1e3, "ms", "<= 300"),
    ]


def answering(count: int) -> list[Figure]:
    """What follows from `count` acknowledgements: the event between the rooms, done."""
    from midwatch.core.actor import ENGINE
    from midwatch.engine.reactions import react
    from midwatch.respond.alerts.actions import acknowledge_alert
    from midwatch.respond.alerts.models import Alert

    def all_of_them() -> None:
        while react():
            pass

    all_of_them()
    for alert in Alert.objects.filter(status="firing").order_by("-pk")[:count]:
        acknowledge_alert(alert, ENGINE)
    with Counted() as counted:
        _, cpu = timed(all_of_them)
    return [
        Figure("what follows from an acknowledgement, CPU", cpu / count * 1e6, "us/event"),
        Figure("statements of what follows from an acknowledgement", counted.statements / count, ""),
    ]


def looking(count: int) -> list[Figure]:
    """The look for due work beside `count` rows that are over."""
    from django.db import connection, transaction

    from midwatch.core import clock
    from midwatch.core.rows import insert_rows
    from midwatch.engine import pools, tick
    from midwatch.respond.alerts.models import Alert
    from midwatch.respond.escalation.models import Escalation

    now = clock.now()

    def look() -> float:
        took = []
        for _ in range(50):
            started = time.process_time()
            tick.ESCALATIONS_DUE(clock.now())
            pools.has_due("webhook")
            took.append((time.process_time() - started) * 1e3)
        return statistics.median(took)

    few = look()
    for start in range(0, count, ROWS):
        alerts = [
            Alert(dedup_key=f"old {start + n}", title="old", priority="P3", urgency="low", status="resolved",
                  created_at=now, last_seen_at=now, resolved_at=now)
            for n in range(min(ROWS, count - start))
        ]  # fmt: skip
        with transaction.atomic():
            insert_rows(alerts)
            insert_rows([Escalation(alert=alert, round_started_at=now, state="ended") for alert in alerts])
    many = look()
    prepared = tick.ESCALATIONS_DUE._prepare((clock.now(),))
    assert prepared is not None
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{prepared[0]}", prepared[1])
        print("the plan of the look:", " / ".join(str(row[-1]) for row in cursor.fetchall()))
    return [
        Figure("a look for due work, CPU", few, "ms"),
        Figure(f"a look for due work beside {count:,} old rows, CPU", many, "ms", f"<= {max(2 * few, 1):.2f}"),
    ]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--postgresql", default="", metavar="URL", help="an empty database; without it: SQLite")
    given = arguments.parse_args()
    count, due, old = (300, 500, 5_000) if given.quick else (10_000, 100_000, 1_000_000) if given.full else (3_000, 5_000, 200_000)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="midwatch-bench-") as directory:
        env = installation.environment(Path(directory), given.postgresql)
        installation.prepare(env)
        os.environ.update(env)
        import django

        django.setup()
        source = fill()
        arrive(source, 200, "warm")
        drained()
        from midwatch.core import memory

        memory.settle()  # as the engine's process does at its start
        figures = draining(source, count, "distinct", "distinct alerts", ">= 2000")
        figures += draining(source, count, "repeat", "repeats", None)
        figures += counting(source)
        figures += answering(min(count, 1_000))
        arrive(source, max(0, due - 3 * count), "due")
        drained()
        figures += stepping(due)
        figures += looking(old)
        report("engine-postgresql" if given.postgresql else "engine", figures, as_json=given.json)


if __name__ == "__main__":
    main()
