"""Retention: what is old goes, a few rows at a time, beside everything else.

One node at a time has it in hand (a lease on the one row of `Chore`), so several do not delete the same rows. A turn is a few
short transactions of at most `ROWS` rows; while there is more, the next turn comes a second later, otherwise in a minute. A
node that dies between two of them leaves an alert without some of its timeline: it is closed and old, so the next turn goes on
with it. What something open refers to stays, however old it is. `docs/operating.md` lists what is kept for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q

from midwatch.catalog import actions as catalog
from midwatch.core import audit, clock, files, outbox, topics
from midwatch.core.statements import Select
from midwatch.engine import hold, metrics
from midwatch.engine.models import Chore, Node
from midwatch.people.actions import forget_old_access
from midwatch.prepare.runbooks.actions import claiming, rails
from midwatch.respond.alerts.actions import retention as alerts
from midwatch.respond.escalation.actions import retention as escalation
from midwatch.respond.notify.actions import retention as notify
from midwatch.respond.oncall import actions as oncall
from midwatch.respond.statuspage.actions import sending, subscribers
from midwatch.settings import settings

NAME = "retention"
ROWS = 500  # in one transaction: about five milliseconds of SQLite's write ticket
ALERTS = 50
STEPS_A_TURN = 4
LEASE = timedelta(seconds=60)  # a transaction ends within the database's own limit of 30 s
SOON, LATER = timedelta(seconds=1), timedelta(minutes=1)
TESTS_KEPT = timedelta(days=30)
DONE_KEPT = timedelta(days=2)
NODES_KEPT = timedelta(days=30)
LOOSE_FILES_KEPT = timedelta(days=1)
CHUNKS = 100  # of the output of steps, in one transaction: up to 6 MiB
FILES = 5  # in one transaction: up to 50 MiB


def forget() -> int:
    """One turn. Returns how many rows went."""
    now = clock.now()
    if not _take(now):
        return 0
    count = 0
    try:
        for _ in range(STEPS_A_TURN):
            went = _step(clock.now())
            count += went
            if not went:
                break
    finally:
        _give_back(clock.now() + (SOON if count else LATER))
    metrics.FORGOTTEN.inc(count)
    return count


_NOT_YET = Select(
    lambda now: (
        Chore.objects.filter(name=NAME)
        .filter(Q(due_at__gt=now) | Q(claimed_until__gt=now))
        .values_list("pk", flat=True)[:1]
    )
)


def _take(now: datetime) -> bool:
    if _NOT_YET(now):
        return False
    if hold.gate() is not None:  # somebody is looking at what was restored
        return False
    with transaction.atomic():
        Chore.objects.bulk_create([Chore(name=NAME, due_at=now)], ignore_conflicts=True)
        free = Chore.objects.filter(name=NAME, due_at__lte=now).filter(
            Q(claimed_until=None) | Q(claimed_until__lte=now)
        )
        return free.update(claimed_until=now + LEASE) == 1


def _give_back(due_at: datetime) -> None:
    with transaction.atomic():
        Chore.objects.filter(name=NAME).update(claimed_until=None, due_at=due_at)


def _step(now: datetime) -> int:
    """The first kind of row that has something old, and one transaction of that."""
    return next((went for work in _work(now) if (went := work())), 0)


def _work(now: datetime) -> Iterator[Callable[[], int]]:
    days = settings()
    old = now - timedelta(days=days.retention_days)
    heard = now - timedelta(days=days.event_retention_days)
    yield lambda: outbox.forget_done(now - DONE_KEPT, old, ROWS)
    yield lambda: alerts.forget_problems(heard, ROWS)
    yield lambda: _forget_alerts(old, now - TESTS_KEPT)
    yield lambda: notify.forget_loose_messages(old, ROWS)
    yield lambda: alerts.forget_maintenance(old, ROWS)
    yield lambda: catalog.forget_changes(old, ROWS)
    yield lambda: rails.forget_target_uses(ROWS)
    yield lambda: claiming.forget_output(old, CHUNKS)
    yield lambda: oncall.forget_overrides(old, ROWS)
    yield lambda: sending.forget_messages(now - sending.KEPT, ROWS)
    yield lambda: subscribers.forget(ROWS)
    yield lambda: audit.forget(now - timedelta(days=days.audit_retention_days), ROWS)
    yield lambda: files.forget_loose(now - LOOSE_FILES_KEPT, FILES)
    yield lambda: topics.forget_old(now, ROWS)
    yield lambda: _forget_sessions(now)
    yield lambda: _forget_nodes(now - NODES_KEPT)
    yield lambda: forget_old_access(now)


def _forget_alerts(old: datetime, tests_before: datetime) -> int:
    """What hangs on them first, then the alerts themselves."""
    needed = [*escalation.needed(), *notify.needed()]
    found = alerts.forgettable(old, tests_before, needed, ALERTS)
    if not found:
        return 0
    went = alerts.forget_timelines(found, ROWS) or notify.forget_messages(found, ROWS)
    return went or alerts.forget_alerts(found)


def _forget_sessions(now: datetime) -> int:
    with transaction.atomic():
        over = Session.objects.filter(expire_date__lt=now).order_by("expire_date").values_list("pk", flat=True)[:ROWS]
        count, _ = Session.objects.filter(pk__in=list(over)).delete()
    return count


def _forget_nodes(before: datetime) -> int:
    """Engines that ended long ago; each start is another one."""
    with transaction.atomic():
        gone = Node.objects.filter(Q(ticked_at__lt=before) | Q(ticked_at=None, started_at__lt=before))
        count, _ = Node.objects.filter(pk__in=list(gone.values_list("pk", flat=True)[:ROWS])).delete()
    return count
