"""Pages and lists read a bounded number of rows, in a bounded number of statements, whatever the history holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test import Client

from api_world import World
from growth.plans import full_scans, statements
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.respond.alerts.models import Alert, AlertStatus, NumberCounter, TimelineEntry
from midwatch.respond.alerts.queries import AlertFilter, alerts, newer_than, open_count
from midwatch.web.settings_queries import audit_kinds

pytestmark = pytest.mark.postgresql
LISTS = (
    "view=all",
    "view=teams",
    "view=mine",
    "view=all&status=firing",
    "view=all&status=resolved&status=acknowledged",
    "view=teams&status=firing&status=acknowledged&priority=P1",
    "view=all&service=checkout",
    "view=all&service=checkout&status=resolved",
    "view=all&service=checkout&team=payments&priority=P1&priority=P2",
    "view=all&team=payments",
    "view=all&team=payments&status=resolved",
    "view=all&priority=P1",
    "view=mine&status=acknowledged",
    "view=all&q=disk",
    "view=all&q=%231",
    "view=all&q=zq",
    "view=teams&q=disk&status=firing",
    "view=all&q=disk&service=checkout",
    "view=all&before=40",
    "view=teams&newest=1&rows=1,2",
)
PAGES = (
    "/",
    "/alerts/1",
    "/alerts/1?before=3",
    "/services",
    "/services/checkout",
    "/sources",
    "/settings/audit",
    "/settings/audit?name=checkout",
    "/settings/audit?kind=alert&person=ana",
    "/oncall",
    *(f"/alerts?{words}" for words in LISTS),
)
STATEMENTS_MAX = 60


@pytest.fixture
def history(world: World) -> int:
    """Some alerts of every kind, made as the tables hold them."""
    count, now = 60, clock.now()
    service, source = world.service, world.source
    with transaction.atomic():
        first = NumberCounter.objects.first()
        start = first.last if first else 0
        rows = [
            Alert(
                number=start + n,
                source=source,
                service=service,
                team=service.team,
                dedup_key=f"grown {n}",
                title=f"{'Disk' if n % 2 else 'Latency'}Full db{n % 7}",
                priority=f"P{1 + n % 5}",
                status=AlertStatus.RESOLVED if n % 3 else AlertStatus.FIRING,
                resolved_at=now if n % 3 else None,
                created_at=now,
                last_seen_at=now,
            )
            for n in range(1, count + 1)
        ]
        made = Alert.objects.bulk_create(rows)
        NumberCounter.objects.update_or_create(pk=1, defaults={"last": start + count})
        TimelineEntry.objects.bulk_create(
            [TimelineEntry(alert=made[0], at=now, kind="note", text=f"note {n}") for n in range(250)]
        )
    return start


@pytest.mark.parametrize("address", PAGES)
def test_no_page_reads_a_growing_table_whole(
    address: str, world: World, history: int, as_: Callable[[User], Client]
) -> None:
    client = as_(world.ana)
    with statements() as asked:
        answer = client.get(address)
    assert answer.status_code == 200, address
    assert len(asked) <= STATEMENTS_MAX, f"{address}: {len(asked)} statements"
    for statement in asked:
        assert full_scans(statement) == [], f"{address}: {statement[0]}"


def test_a_plan_that_reads_everything_is_found(world: World, history: int) -> None:
    """The check can fail."""
    with statements() as asked:
        list(Alert.objects.filter(description="x"))
        list(TimelineEntry.objects.filter(text__contains="x").order_by("text")[:3])
    assert all(full_scans(statement) for statement in asked)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("DISK", 30),
        ("skfull", 30),  # inside a word
        ("Full db3", 9),
        ("unicorn", 0),
        ("db", 60),  # two letters: among the newest
        ("grown 7", 1),  # a key, whole
        ('"', 0),
        ("%", 0),
        ("_", 0),
        ("OR AND NOT (", 0),
    ],
)
def test_a_search_finds_what_stands_in_the_title(words: str, wanted: int, world: World, history: int) -> None:
    found = alerts(AlertFilter(q=words), limit=200)
    assert len([alert for alert in found if alert.number and alert.number > history]) == wanted
    assert [alert.number for alert in found] == sorted((alert.number or 0 for alert in found), reverse=True)


def test_a_search_knows_what_was_changed_and_what_is_gone(world: World, history: int) -> None:
    number = history + 1
    with transaction.atomic():
        Alert.objects.filter(number=number).update(title="A walrus on the line")
    assert [alert.number for alert in alerts(AlertFilter(q="walrus"))] == [number]
    with transaction.atomic():
        TimelineEntry.objects.filter(alert__number=number).delete()
        Alert.objects.filter(number=number).delete()
    assert alerts(AlertFilter(q="walrus")) == []


def test_pages_of_several_branches_follow_each_other(world: World, history: int) -> None:
    """Two statuses are two walks; together they are one list without a hole or a repeat."""
    by = AlertFilter(status=("firing", "resolved"), priority=("P1", "P2", "P4"))
    wanted = [
        alert.number
        for alert in Alert.objects.exclude(number=None).order_by("-number")
        if alert.status != "acknowledged" and alert.priority in by.priority
    ]
    shown: list[int | None] = []
    while page := alerts(by, before_number=shown[-1] if shown else None, limit=7):
        shown += [alert.number for alert in page]
    assert shown == wanted
    assert newer_than(by, history) == len([number for number in wanted if number and number > history])
    assert open_count(at_most=5) == 5


def test_the_kinds_of_the_audit_log_are_looked_up_one_by_one(world: World) -> None:
    with statements() as asked:
        kinds = audit_kinds()
    assert kinds == sorted(set(kinds))
    assert len(asked) == len(kinds) + 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has an index of pg_trgm")
def test_the_search_table_is_kept_by_triggers(db: None) -> None:
    """A migration that copies the table of alerts on SQLite loses them: it has to make them again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'alerts_alert'")
        names = {row[0] for row in cursor.fetchall()}
    assert names == {"alerts_search_added", "alerts_search_changed", "alerts_search_removed"}
