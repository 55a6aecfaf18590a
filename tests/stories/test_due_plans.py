"""What is due is found by an index that holds only what can become due, on both databases: a million old rows cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from midwatch.core import leases
from midwatch.core.statements import Select
from midwatch.engine import pools, reactions, tick
from midwatch.respond.escalation.actions import running
from midwatch.respond.notify.actions import claiming, deliveries, pages

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def plan_of(text: str, params: Sequence[Any]) -> str:
    """A database asked about empty tables would rather read them whole, or any index of theirs and sort: PostgreSQL is
    told not to."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"{'EXPLAIN' if connection.vendor == 'postgresql' else 'EXPLAIN QUERY PLAN'} {text}", params)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("query", "values", "index"),
    [
        (tick.ESCALATIONS_DUE, (NOW,), "escalation_due"),
        (running.DUE, (NOW,), "escalation_due"),
        (tick.NEXT_ESCALATION, (), "escalation_due"),
        (tick.PAGES_DUE, (NOW,), "page_due"),
        (pages.DUE, (NOW,), "page_due"),
        (tick.NEXT_PAGE, (), "page_due"),
        (reactions.CLAIMABLE.first, (NOW,), "outbox_d"),
        (tick.NEXT_REACTION, (), "outbox_d"),
        (tick.NEXT_DELIVERY, (), "delivery_overdue"),
        (deliveries.OVERDUE, (NOW,), "delivery_overdue"),
        (pools.POLLS_OF, ("sms", NOW), "delivery_poll"),
        (pools.POLL_CHANNELS, (NOW,), "delivery_poll"),
        (pools.DUE_OF, ("webhook", NOW), "delivery_"),
        (pools.DUE_CHANNELS, (NOW,), "delivery_"),
    ],
)
def test_looking_for_work_goes_by_a_partial_index(query: Select[Any], values: tuple[Any, ...], index: str) -> None:
    prepared = query._prepare(values)
    assert prepared is not None
    plan = plan_of(prepared[0], prepared[1])
    assert index in plan, plan


def test_taking_messages_goes_by_a_partial_index() -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        leases.claim(claiming.CLAIMABLE, now=NOW, lease=timedelta(seconds=5), limit=50, values=("sms",))
    plan = plan_of(queries.captured_queries[-1]["sql"].replace("%", "%%"), [])
    assert "delivery_due" in plan, plan
