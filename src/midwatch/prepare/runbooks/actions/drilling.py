"""Dry runs and drills are scored when they end: how much was exercised, how fast, and what differed from the text."""

from __future__ import annotations

from django.db import transaction

from midwatch.prepare.runbooks import exercise
from midwatch.prepare.runbooks.models import Drill, Execution, ExecutionKind, ExecutionState, StepRun, StepState
from midwatch.prepare.runbooks.queries.proving import evidence_of_steps


def score(execution_id: int) -> Drill | None:
    """None for a real execution, one under way, and one that was cancelled. Twice makes one row."""
    execution = Execution.objects.select_related("runbook").filter(pk=execution_id).first()
    scored = (ExecutionState.OK, ExecutionState.FAILED, ExecutionState.UNKNOWN)
    if (
        execution is None
        or execution.kind == ExecutionKind.REAL
        or execution.ended_at is None
        or execution.state not in scored
    ):
        return None
    usual = {name: proof.evidence.median_seconds for name, proof in evidence_of_steps(execution.runbook).items()}
    rows = list(StepRun.objects.filter(execution=execution).order_by("position"))
    steps = [_step(row, usual.get(row.step)) for row in rows]
    found = exercise.score(steps)
    reached = exercise.times([(row.step, row.started_at, row.ended_at) for row in rows], execution.created_at)
    with transaction.atomic():
        made, _ = Drill.objects.update_or_create(
            execution_number=execution.number,
            defaults={
                "runbook": execution.runbook,
                "kind": execution.kind,
                "score": found.points,
                "sentence": found.sentence,
                "steps": [_facts(step, reached.get(step.name)) for step in steps],
                "exercised": found.exercised,
                "of": found.of,
                "deviations": found.deviations,
                "ended_at": execution.ended_at,
            },
        )
    return made


def _step(row: StepRun, usual: float | None) -> exercise.Step:
    seconds = (row.ended_at - row.started_at).total_seconds() if row.started_at and row.ended_at else None
    return exercise.Step(
        row.step,
        row.state,
        seconds,
        usual,
        (int(row.coverage[0]), int(row.coverage[1])) if row.coverage else None,
        is_edited=row.is_edited,
        is_skipped_by_hand=row.state == StepState.SKIPPED and bool(row.answered_by),
    )


def _facts(step: exercise.Step, reached: float | None) -> dict[str, object]:
    found: dict[str, object] = {"step": step.name, "state": step.state, "seconds": step.seconds, "reached": reached}
    if step.expected is not None:
        found["expected"] = step.expected
    if step.coverage is not None:
        found["coverage"] = list(step.coverage)
    if step.is_edited or step.is_skipped_by_hand:
        found["deviation"] = "edited" if step.is_edited else "skipped"
    return found
