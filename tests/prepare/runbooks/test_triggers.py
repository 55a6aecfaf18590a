"""What starts runbooks without a person: schedules, webhooks, and what is refused when a trigger is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.prepare.runbooks.actions import rails, revise, triggers
from midwatch.prepare.runbooks.actions.triggers import TriggerFields
from midwatch.prepare.runbooks.models import Execution, Runbook, Trigger
from prepare.runbooks.test_proving import runbook

pytestmark = pytest.mark.django_db
ANA = Actor("Ana Novak", "web", 1)
NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
TEXT = """---
title: Restart
options:
  - {name: host, type: enum, values: [db1, db2], default: db1}
  - {name: dry, type: boolean}
---
```text {"name": "look", "kind": "manual"}
Look at it.
```
"""


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    clock.freeze(NOW)
    yield
    clock.thaw()


def written() -> Runbook:
    found = runbook()
    revise(found, TEXT, ANA)
    return Runbook.objects.select_related("current").get(pk=found.pk)


def scheduled(**more: object) -> Trigger:
    fields = TriggerFields(written(), "schedule", **({"every_seconds": 3_600} | more))  # type: ignore[arg-type]
    return triggers.create_trigger("hourly", fields, ANA)[0]


def test_a_schedule_starts_at_its_moment_and_counts_what_it_missed() -> None:
    trigger = scheduled()
    assert trigger.due_at == NOW + timedelta(hours=1)
    assert triggers.fire_due() == 0
    clock.freeze(NOW + timedelta(hours=1))
    assert triggers.fire_due() == 1
    assert triggers.fire_due() == 0
    clock.freeze(NOW + timedelta(hours=6, minutes=30))  # down for hours
    assert triggers.fire_due() == 1
    trigger.refresh_from_db()
    assert (trigger.missed, trigger.due_at) == (4, NOW + timedelta(hours=7))
    assert Execution.objects.count() == 2  # missed ones are not piled up
    assert Execution.objects.filter(trigger="schedule", who="Trigger hourly").count() == 2


def test_cron_keeps_its_wall_clock() -> None:
    trigger = scheduled(every_seconds=None, cron="30 9 * * mon-fri", time_zone="Europe/Prague")
    assert trigger.due_at == datetime(2026, 3, 4, 8, 30, tzinfo=UTC)


def test_what_cannot_start_says_so_on_the_trigger_and_goes_on() -> None:
    trigger = scheduled()
    rails.stop_everything(ANA, "it made it worse")
    clock.freeze(NOW + timedelta(hours=1))
    triggers.fire_due()
    trigger.refresh_from_db()
    assert "Ana Novak stopped everything" in trigger.problem
    assert trigger.due_at == NOW + timedelta(hours=2)
    rails.release_everything(ANA, "found it")
    clock.freeze(NOW + timedelta(hours=2))
    triggers.fire_due()
    trigger.refresh_from_db()
    assert (trigger.problem, trigger.last_execution) == ("", 1)


def test_stop_everything_cancels_what_runs_when_it_is_told_to() -> None:
    scheduled()
    clock.freeze(NOW + timedelta(hours=1))
    triggers.fire_due()
    rails.stop_everything(ANA, "enough", cancels_running=True)
    found = Execution.objects.get()
    assert found.state == "cancelled"
    assert "everything is stopped: enough" in found.problem


def post(client: Client, token: str, body: object) -> tuple[int, dict[str, object]]:
    answer = client.post(f"/hooks/run/{token}", body, content_type="application/json")
    return answer.status_code, answer.json()


def test_a_webhook_starts_it_with_options_by_name_and_leaves_the_rest(client: Client) -> None:
    trigger, token = triggers.create_trigger("deploy", TriggerFields(written(), "webhook"), ANA)
    assert token not in str(Trigger.objects.values().get())
    status, said = post(client, token, {"host": "db2", "dry": True, "ref": "refs/heads/main", "commits": [1, 2]})
    assert (status, said["execution"]) == (202, 1)
    assert Execution.objects.get().options == {"host": "db2", "dry": "true"}
    assert post(client, token, {})[0] == 429
    clock.freeze(NOW + timedelta(seconds=5))
    status, said = post(client, token, {"host": "db9"})
    assert status == 409
    assert "not one of the choices (db9)" in str(said["reason"])
    clock.freeze(NOW + timedelta(seconds=10))
    assert post(client, token, "[1]")[0] == 409
    assert post(client, "no-such-token", {})[0] == 404
    new = triggers.new_token(trigger, ANA)
    assert post(client, token, {})[0] == 404
    assert post(client, new, {})[0] == 202


def test_a_webhook_takes_no_get_and_no_flood(client: Client) -> None:
    _, token = triggers.create_trigger("deploy", TriggerFields(written(), "webhook"), ANA)
    assert client.get(f"/hooks/run/{token}").status_code == 405
    assert post(client, token, '{"host": "' + "x" * 300_000 + '"}')[0] == 413
    assert Execution.objects.count() == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"kind": "moon"}, "kind: give alert"),
        ({"kind": "alert"}, "name the service"),
        ({"kind": "schedule"}, "either every or cron"),
        ({"kind": "schedule", "every_seconds": 5}, "1 minute"),
        ({"kind": "schedule", "cron": "* *"}, "write five"),
        ({"kind": "schedule", "every_seconds": 60, "time_zone": "Prague"}, "no time zone"),
        ({"kind": "webhook", "title_has": "x"}, "are for alerts"),
        ({"kind": "webhook", "hold_page_seconds": 60}, "for alerts alone"),
        ({"kind": "alert", "service": True, "hold_page_seconds": 301}, "5 minutes"),
        ({"kind": "alert", "service": True, "hold_page_seconds": 60, "priorities": ["P1"]}, "never waits"),
        ({"kind": "alert", "service": True, "hold_page_seconds": 60, "run_as": "dry_run"}, "only a real run"),
        ({"kind": "alert", "service": True, "priorities": ["P9"]}, "P1 to P5"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused_with_what_to_write(more: dict[str, object], words: str) -> None:
    found = written()
    if more.get("service"):
        more["service"] = Service.objects.create(name="checkout", display_name="C", team=found.team, created_at=NOW)
    with pytest.raises(ValueError, match=words):
        triggers.create_trigger("one", TriggerFields(found, **more), ANA)  # type: ignore[arg-type]
