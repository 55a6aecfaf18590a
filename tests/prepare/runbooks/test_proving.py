"""Evidence out of the tables: bounded, with its deviations, and the same for one runbook and for a list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from midwatch.core import clock
from midwatch.people.models import Team
from midwatch.prepare.runbooks.models import Execution, Revision, Runbook, StepRun
from midwatch.prepare.runbooks.queries import evidence, evidence_of, evidence_of_steps

pytestmark = pytest.mark.django_db


def runbook(name: str = "restart") -> Runbook:
    now = clock.now()
    team, _ = Team.objects.get_or_create(name="payments", defaults={"display_name": "Payments", "created_at": now})
    made = Runbook.objects.create(name=name, title=name, team=team, created_at=now, updated_at=now)
    made.current = Revision.objects.create(runbook=made, number=1, body="", digest="x", who="Ana", created_at=now)
    made.save(update_fields=["current"])
    return made


def execution(of: Runbook, state: str = "ok", *, days: float = 1, seconds: float = 60, **more: Any) -> Execution:
    ended = clock.now() - timedelta(days=days)
    number = Execution.objects.count() + 1
    assert of.current is not None
    return Execution.objects.create(
        number=number,
        runbook=of,
        revision=of.current,
        state=state,
        who="Ana",
        via="web",
        created_at=ended - timedelta(seconds=seconds),
        ended_at=ended,
        **more,
    )


def step(of: Execution, name: str = "drain", state: str = "ok", *, position: int = 0, **more: Any) -> StepRun:
    return StepRun.objects.create(
        execution=of,
        position=position,
        step=name,
        title=name,
        kind="run",
        state=state,
        started_at=of.created_at,
        ended_at=of.ended_at,
        **more,
    )


def test_a_runbooks_evidence_is_that_of_its_executions() -> None:
    found = runbook()
    for at in range(3):
        step(execution(found, days=12 + at, seconds=300))
    step(execution(found, "failed", days=30), state="failed", is_edited=True)
    execution(found, "running")
    execution(found, kind="drill", days=20)
    proof = evidence(found)
    assert proof.sentence == "75 %, at least 30 %, proven 12 days ago, p95 5 min"
    assert (proof.evidence.real, proof.evidence.drills, proof.evidence.edited) == (4, 1, 1)
    assert evidence_of([found.pk])[found.pk] == proof


def test_a_step_has_evidence_of_its_own_and_what_a_person_skipped_is_no_run() -> None:
    found = runbook()
    step(execution(found, days=3))
    skipped = execution(found, days=2)
    step(skipped, state="skipped", answered_by="Bo")
    step(skipped, "check", position=1)
    steps = evidence_of_steps(found)
    assert (steps["drain"].evidence.real, steps["check"].evidence.real) == (1, 1)
    assert evidence(found).evidence.skipped == 1


def test_a_list_asks_twice_however_many_there_are() -> None:
    many = [runbook(f"restart-{at}") for at in range(12)]
    for one in many[1:]:
        execution(one)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = evidence_of(one.pk for one in many)
    assert len(asked) == 2
    assert found[many[0].pk].sentence == "never run"
    assert found[many[1].pk].sentence == "100 %, at least 21 %, proven yesterday, p95 60 s"
