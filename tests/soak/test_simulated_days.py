"""Memory over simulated days: the engine's jobs, the sending and the pages of one process, with the clock moved by hand.

What the real program holds over a real hour is measured by `benchmarks/soak.py`; here the same code does in a minute what a
week brings, and what Python itself holds is counted: allocations by tracemalloc, and live objects.
"""

from __future__ import annotations

import gc
import tracemalloc
from datetime import timedelta

import pytest
from django.db import reset_queries, transaction
from django.test import Client

from midwatch.core import clock
from midwatch.core.models import OutboxEvent
from midwatch.engine import retention
from midwatch.people.models import User
from stories.conftest import story
from stories.story import Story, forget_caches

__all__ = ["story"]
WARM_DAYS = 3  # caches fill, and the retention of a day begins to take
DAYS = 2
ALERTS_A_DAY = 4
BYTES_A_DAY_MAX = 40_000
OBJECTS_A_DAY_MAX = 400
PATHS = ("/", "/alerts", "/alerts?q=day", "/services", "/sources", "/oncall", "/metrics")


def a_day(story: Story, client: Client, day: int) -> None:
    for n in range(ALERTS_A_DAY):
        alert = story.fires("checkout", f"day {day} alert {n}")
        if n % 3 == 0:
            story.acts(lambda alert=alert: story.people["ana"].acknowledges(alert))
        story.forward(minutes=1)
        story.resolves("checkout", f"day {day} alert {n}")
    asking = Client()  # a test client holds something of each request for as long as it lives
    asking.cookies = client.cookies
    for path in PATHS:
        assert asking.get(path).status_code == 200, path
    story.network.heard.clear()
    story.forward(hours=20)
    for _ in range(40):
        if not retention.forget():
            break
        clock.forward(retention.SOON)
    clock.forward(timedelta(hours=3))
    reset_queries()


def held() -> tuple[int, int]:
    """(bytes that Python allocated and did not free, live objects): numbers, for what is kept of a look is held too"""
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    return size, len(gc.get_objects())


@pytest.mark.slow
def test_nothing_is_held_from_one_day_to_the_next(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_RETENTION_DAYS", "1")
    monkeypatch.setenv("MIDWATCH_EVENT_RETENTION_DAYS", "1")
    forget_caches()
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.source()
    client = Client()
    with transaction.atomic():
        User.objects.filter(name="ana").update(role="administrator")
        client.force_login(User.objects.get(name="ana"))
    for day in range(WARM_DAYS):
        a_day(story, client, day)
    tracemalloc.start(1)
    a_day(story, client, WARM_DAYS)
    size, objects = held()
    before = tracemalloc.take_snapshot()
    for day in range(WARM_DAYS + 1, WARM_DAYS + 1 + DAYS):
        a_day(story, client, day)
    later, more = held()
    grown = tracemalloc.take_snapshot().compare_to(before, "lineno")[:8]
    tracemalloc.stop()
    said = "\n".join(str(one) for one in grown)
    assert (later - size) / DAYS <= BYTES_A_DAY_MAX, f"{(later - size) / DAYS:.0f} bytes a day:\n{said}"
    assert (more - objects) / DAYS <= OBJECTS_A_DAY_MAX, f"{(more - objects) / DAYS:.0f} objects a day:\n{said}"
    print(f"simulated: {(later - size) / DAYS:,.0f} bytes and {(more - objects) / DAYS:,.0f} objects a day")


def test_done_events_leave_the_outbox(story: Story) -> None:
    """More than one turn's worth, and all of it: 500 in five minutes were fewer than a busy day writes."""
    with transaction.atomic():
        now = clock.now()
        OutboxEvent.objects.bulk_create(
            [OutboxEvent(name="x", payload={}, created_at=now, due_at=now, done_at=now) for _ in range(1_200)]
        )
    clock.forward(timedelta(days=3))
    assert retention.forget() == 1_200
    assert not OutboxEvent.objects.exists()
