"""A large installation, made by the database itself: alerts of a year with all that hangs on them.

    python benchmarks/measuring/generate.py ALERTS ENTRIES      (of the installation that the environment names)

One in a thousand is open; titles are words, hosts and numbers, a few of them rare. Everything is younger than the retention,
so that the engine leaves it alone. Run as a program of its own, since the settings are the installation's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping

TEAMS, SERVICES, PEOPLE = 5, 40, 20
WORDS = ("Disk", "Cpu", "Latency", "Errors", "Crash", "Loop", "Memory", "Queue", "Cache", "Node")
DAYS = 380
LONG = 4_000  # entries of the one alert that has very many

SERIES = {
    "sqlite": "WITH RECURSIVE g(i) AS (SELECT {low} UNION ALL SELECT i + 1 FROM g WHERE i < {high})",
    "postgresql": "WITH g(i) AS (SELECT generate_series({low}, {high}))",
}
AT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ((({count} - {i}) * {span} / {count}) + 60) || ' seconds')",
    "postgresql": "now() - ((({count} - {i})::bigint * {span} / {count}) + 60) * interval '1 second'",
}
JSON = {"sqlite": "'{}'", "postgresql": "'{}'::jsonb"}
BOOL = {"sqlite": ("0", "1"), "postgresql": ("false", "true")}


def make(environment: Mapping[str, str], alerts: int, entries: int) -> float:
    """Seconds it took."""
    started = time.perf_counter()
    subprocess.run([sys.executable, __file__, str(alerts), str(entries)], env=dict(environment), check=True)
    return time.perf_counter() - started


def statements(vendor: str, alerts: int, entries: int) -> list[str]:
    """Each is short enough for one transaction; people, teams and services (ids from 1) are there."""
    no, yes = BOOL[vendor]
    word = "CASE {x} " + " ".join(f"WHEN {n} THEN '{w}'" for n, w in enumerate(WORDS)) + " END"
    at = AT[vendor].format(count=alerts, i="i", span=DAYS * 86_400)
    of_alert = "(1 + (i - 1) / {each})"
    title = (
        f"{word.format(x='i % 10')} || {word.format(x='(i / 10) % 10')} || ' on db' || (i % 500) || '.host' || (i % 7919)"
        " || CASE WHEN i % 99991 = 77 THEN ' Unicorn' ELSE '' END"
    )
    is_open = "CASE i % 1000 WHEN 0 THEN 'firing' WHEN 1 THEN 'acknowledged' ELSE 'resolved' END"
    resolved = f"CASE WHEN i % 1000 < 2 THEN NULL ELSE {at} END"
    made = [
        f"""INSERT INTO alerts_alert (number, is_test, source_id, dedup_key, service_id, team_id, title, description, priority,
            urgency, status, labels, links, group_key, count, created_at, last_seen_at, is_acknowledged_by_machine, resolved_at,
            is_resolved_by_source, is_still_firing, acknowledged_at, acknowledged_by_id)
        {{series}} SELECT i, {no}, 1, 'key ' || i, 1 + i % {SERVICES}, 1 + i % {TEAMS}, {title}, 'What to look at first.',
            'P' || (1 + i % 5), CASE WHEN i % 5 < 2 THEN 'high' ELSE 'low' END, {is_open}, {JSON[vendor]}, {"{json}"}, '', 1 + i % 7,
            {at}, {at}, {no}, {resolved}, {yes}, {no},
            CASE WHEN i % 3 = 1 THEN {at} END, CASE WHEN i % 3 = 1 THEN 1 + i % {PEOPLE} END FROM g""",
        f"""INSERT INTO escalation_escalation (alert_id, policy_id, joined_count, joined_told_count, state, why, round,
            round_started_at, rounds_limit, next_step, pulled_seconds, has_reached, last_resort)
        {{series}} SELECT i, 1, 0, 0, CASE WHEN i % 1000 = 0 THEN 'exhausted' WHEN i % 1000 = 1 THEN 'acknowledged' ELSE 'ended' END,
            '', 1, {at}, 1, 1, 0, {yes}, 0 FROM g""",
        f"""INSERT INTO notify_page (alert_id, user_id, origin, step_name, urgency, state, started_at, cycle, cycle_started_at,
            next_rule, note, context)
        {{series}} SELECT i, 1 + i % {PEOPLE}, i || '/1/0', 'level 1', 'high',
            CASE WHEN i % 1000 = 0 THEN 'running' ELSE 'answered' END, {at}, 0, {at}, 1, '', {JSON[vendor]} FROM g""",
        f"""INSERT INTO notify_delivery (idempotency_key, kind, user_id, channel, method_name, page_id, alert_id, urgency, rank,
            context, state, attempts, created_at, due_at, wanted_at, claimed_by, handed_over_at, finished_at, receipt,
            receipt_detail, provider_id)
        {{series}} SELECT i || '/1/0/0/0/0', 'page', 1 + i % {PEOPLE}, 'webhook', 'hook', i, i, 'high', 1 + i % 5, {JSON[vendor]},
            'handed over', 1, {at}, {at}, {at}, '', {at}, {at}, 'handed over', '', '' FROM g""",
    ]
    made.append(
        f"""INSERT INTO core_auditentry (at, who, user_id, via, verb, object_kind, object_name, detail)
        {{series}} SELECT {at}, 'Person', 1 + i % {PEOPLE}, 'web', 'acknowledge', CASE i % 50 WHEN 0 THEN 'team' ELSE 'alert' END,
            '#' || i, {JSON[vendor]} FROM g"""
    )
    made = [one.replace("{json}", "'[]'" if vendor == "sqlite" else "'[]'::jsonb") for one in made]
    found = [part for one in made for part in _parts(one, vendor, alerts)]
    each = max(1, entries // alerts)
    when = AT[vendor].format(count=alerts, i=of_alert.format(each=each), span=DAYS * 86_400)
    timeline = f"""INSERT INTO alerts_timelineentry (alert_id, at, kind, who, text, detail)
        {{series}} SELECT {of_alert.format(each=each)}, {when}, CASE i % 4 WHEN 0 THEN 'paged' WHEN 1 THEN 'note' ELSE 'receipt' END,
            'Midwatch', 'Level 1: somebody was called, message ' || i, {JSON[vendor]} FROM g"""
    found += _parts(timeline, vendor, each * alerts)
    many = timeline.replace(f"SELECT {of_alert.format(each=each)}", "SELECT 1")
    return [*found, many.replace("{series}", SERIES[vendor].format(low=1, high=LONG))]


def _parts(statement: str, vendor: str, count: int, size: int = 200_000) -> list[str]:
    return [
        statement.replace("{series}", SERIES[vendor].format(low=low, high=min(count, low + size - 1)))
        for low in range(1, count + 1, size)
    ]


def main() -> None:
    import django

    django.setup()
    from django.db import connection, transaction

    from midwatch.core.migrating import migrate

    migrate()
    alerts, entries = int(sys.argv[1]), int(sys.argv[2])
    _people()
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if is_sqlite:
            cursor.execute("PRAGMA synchronous=OFF")  # of this connection alone; the data is thrown away
            cursor.execute("PRAGMA cache_size=-400000")
        else:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET synchronous_commit = off")
        for statement in statements(connection.vendor, alerts, entries):
            with transaction.atomic():
                cursor.execute(statement)
        if not is_sqlite:
            with transaction.atomic():
                for table in (
                    "people_user",
                    "people_team",
                    "catalog_service",
                    "alerts_source",
                    "escalation_escalationpolicy",
                ):
                    cursor.execute(
                        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
                    )
            cursor.execute("VACUUM ANALYZE")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(f"{alerts:,} alerts with {entries:,} timeline entries", os.environ.get("MIDWATCH_DATA_DIR"), file=sys.stderr)


def _people() -> None:
    from django.db import transaction

    from midwatch.catalog.models import Service
    from midwatch.core import clock
    from midwatch.people.models import Membership, Team, User
    from midwatch.respond.alerts.models import NumberCounter, Source
    from midwatch.respond.escalation.models import EscalationPolicy, PolicyStep, ServicePolicy, StepTarget

    now = clock.now()
    with transaction.atomic():
        users = [
            User.objects.create(
                name=f"p{n}",
                display_name=f"Person {n}",
                created_at=now,
                password="!",
                pk=n,
                role="administrator" if n == 1 else "member",
            )
            for n in range(1, PEOPLE + 1)
        ]
        for n in range(1, TEAMS + 1):
            team = Team.objects.create(pk=n, name=f"t{n}", display_name=f"Team {n}", created_at=now)
            for user in users[n::TEAMS]:
                Membership.objects.create(team=team, user=user)
        policy = EscalationPolicy.objects.create(pk=1, name="ops", team_id=1, created_at=now)
        step = PolicyStep.objects.create(policy=policy, position=0, name="level 1")
        StepTarget.objects.create(step=step, user=users[0])
        for n in range(1, SERVICES + 1):
            service = Service.objects.create(
                pk=n, name=f"s{n}", display_name=f"Service {n}", team_id=1 + (n - 1) % TEAMS, created_at=now
            )
            ServicePolicy.objects.create(service=service, policy=policy)
        Source.objects.create(
            pk=1, name="bench", type="generic", key="0123456789abcdef" * 2, service_id=1, created_at=now
        )
        NumberCounter.objects.update_or_create(pk=1, defaults={"last": int(sys.argv[1])})


if __name__ == "__main__":
    main()
