"""A payload may hold more alerts than one transaction should: it becomes alerts part by part, each once and in order."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from midwatch.engine import events
from midwatch.intake import log
from midwatch.respond.alerts.models import Alert, SourceProblem
from stories.story import Story

COUNT = 2 * events.ITEMS_MAX + 50


def payload(status: str = "firing", count: int = COUNT, **fields: Any) -> dict[str, Any]:
    alerts = [
        {"status": status, "labels": {"alertname": "Down", "host": f"h{number}"}, "fingerprint": f"f{number}"}
        for number in range(count)
    ]
    return {"version": "4", "groupKey": "{}", "status": status, "alerts": alerts, **fields}


def items_done() -> int:
    with transaction.atomic(), log.event_log().next_batch(10) as batch:
        return batch.records[0].items_done if batch.records else -1


def test_part_by_part_each_alert_once_and_then_the_next_event(story: Story) -> None:
    story.policy(steps=[])
    source = story.source(type="alertmanager")
    story.arrives(source, payload(truncatedAlerts=3))
    story.arrives(source, payload("resolved", count=1))
    parts = [(events.drain(), Alert.objects.filter(dedup_key__startswith="f").count()) for _ in range(2)]
    assert parts == [(1, 200), (1, 400)]
    assert Alert.objects.get(dedup_key="f0").status == "firing", "what came after it waits for its end"
    assert events.drain() == 2
    assert Alert.objects.filter(dedup_key__startswith="f").count() == COUNT
    assert SourceProblem.objects.filter(kind="truncated").count() == 1, "what is wrong with a payload is said once"
    story.settle()
    assert Alert.objects.get(dedup_key="f0").status == "resolved"
    assert not Alert.objects.filter(count__gt=1).exists()
    assert log.event_log().backlog() == 0


def test_an_engine_that_dies_in_the_middle_goes_on_where_it_was(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.policy(steps=[])
    story.arrives(story.source(type="alertmanager"), payload())
    events.drain()
    monkeypatch.setattr(events, "_large", ("", 0, []))  # another process knows only what is written down
    assert items_done() == events.ITEMS_MAX
    story.settle()
    assert Alert.objects.filter(count=1).count() == Alert.objects.count() == COUNT
    assert log.event_log().backlog() == 0


def test_ordinary_events_fill_a_transaction_and_none_is_cut(story: Story) -> None:
    story.policy(steps=[])
    source = story.source(type="alertmanager")
    for number in range(5):
        story.arrives(source, payload(count=90, groupKey=str(number)))
    assert events.drain() == 2
    assert items_done() == 0
    assert Alert.objects.count() == 90
    story.settle()
    assert set(Alert.objects.values_list("count", flat=True)) == {5}
