"""Evidence of runbooks and of their steps, from the newest executions: three queries, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from midwatch.core import clock
from midwatch.prepare.runbooks.evidence import RUNS_MAX, Evidence, Run, of_runs, sentence
from midwatch.prepare.runbooks.models import ENDED, Execution, Runbook, StepRun, StepState

LISTED_RUNS_MAX = 50  # of each runbook in a list
RUNBOOKS_MAX = 200
_COLUMNS = ("pk", "runbook_id", "kind", "state", "created_at", "ended_at", "who")


@dataclass(frozen=True, slots=True)
class Proof:
    """`sentence`: "92 %, at least 78 %, proven 12 days ago, p95 6 min"."""

    evidence: Evidence
    sentence: str


def evidence(runbook: Runbook) -> Proof:
    """Of the newest 200 executions."""
    found = list(_ended().filter(runbook=runbook).order_by("-number").values_list(*_COLUMNS)[:RUNS_MAX])
    return _proof(_runs(found, _deviations(row[0] for row in found)))


def evidence_of(runbook_ids: Iterable[int]) -> Mapping[int, Proof]:
    """For a list: of each the newest 50 executions, in two queries. What was never run is in it too."""
    wanted = list(dict.fromkeys(runbook_ids))[:RUNBOOKS_MAX]
    place = Window(RowNumber(), partition_by=F("runbook_id"), order_by=F("number").desc())
    found = list(
        _ended()
        .filter(runbook_id__in=wanted)
        .annotate(place=place)
        .filter(place__lte=LISTED_RUNS_MAX)
        .values_list(*_COLUMNS)
    )
    deviations = _deviations(row[0] for row in found)
    return {pk: _proof(_runs([row for row in found if row[1] == pk], deviations)) for pk in wanted}


def evidence_of_steps(runbook: Runbook) -> Mapping[str, Proof]:
    """By the name of the step, of the newest 200 executions."""
    executions = dict(_ended().filter(runbook=runbook).order_by("-number").values_list("pk", "kind")[:RUNS_MAX])
    rows = StepRun.objects.filter(execution_id__in=executions).exclude(ended_at=None)
    runs: dict[str, list[Run]] = {}
    for row in rows.values_list("execution_id", "step", "state", "started_at", "ended_at", "is_edited", "answered_by"):
        execution, step, state, started, ended, is_edited, answered_by = row
        assert ended is not None
        is_skipped = state == StepState.SKIPPED and bool(answered_by)
        runs.setdefault(step, []).append(
            Run(
                executions[execution],
                state,
                ended,
                _seconds(started, ended),
                edited=int(is_edited),
                skipped=int(is_skipped),
                by=answered_by,
            )
        )
    return {step: _proof(found) for step, found in runs.items()}


def _ended() -> QuerySet[Execution]:
    return Execution.objects.filter(state__in=ENDED).exclude(ended_at=None)


def _deviations(executions: Iterable[int]) -> Mapping[tuple[int, str], int]:
    """How many steps of each were edited, and how many a person skipped."""
    rows = StepRun.objects.filter(execution_id__in=list(executions)).filter(
        Q(is_edited=True) | (Q(state=StepState.SKIPPED) & ~Q(answered_by=""))
    )
    counted: Counter[tuple[int, str]] = Counter()
    for execution, is_edited in rows.values_list("execution_id", "is_edited"):
        counted[execution, "edited" if is_edited else "skipped"] += 1
    return counted


def _runs(found: Sequence[tuple[Any, ...]], deviations: Mapping[tuple[int, str], int]) -> list[Run]:
    return [
        Run(
            kind,
            state,
            ended,
            _seconds(created, ended),
            edited=deviations.get((pk, "edited"), 0),
            skipped=deviations.get((pk, "skipped"), 0),
            by=who,
        )
        for pk, _, kind, state, created, ended, who in found
    ]


def _seconds(started: datetime | None, ended: datetime | None) -> float | None:
    return (ended - started).total_seconds() if started and ended else None


def _proof(runs: Sequence[Run]) -> Proof:
    found = of_runs(runs)
    return Proof(found, sentence(found, clock.now()))
