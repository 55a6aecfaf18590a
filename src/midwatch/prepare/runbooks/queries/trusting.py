"""May it be trusted: freshness with its reasons, open proposals, drills, and what to exercise next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q

from midwatch.catalog.models import ChangeEvent
from midwatch.core import clock, contribute
from midwatch.prepare.runbooks import exercise, freshness
from midwatch.prepare.runbooks.document import parse
from midwatch.prepare.runbooks.freshness import Broken, Freshness
from midwatch.prepare.runbooks.models import (
    DecisionState,
    Drill,
    Execution,
    ExecutionKind,
    ExecutionState,
    Probe,
    ProbeState,
    Promotion,
    Runbook,
    StepRun,
    StepState,
    Trigger,
)
from midwatch.prepare.runbooks.queries.proving import RUNBOOKS_MAX, Proof, evidence_of

CHANGES_MAX = 200
PAGED_WITHIN = timedelta(days=90)
DRILLS_SHOWN = 50


def is_verified(execution: Execution) -> bool:
    """It ended well, and a machine looked afterwards: a step with a `verify` is ok only when that said so. What a person
    answered for is their word, and a dry run shows nothing."""
    if execution.state != ExecutionState.OK or execution.kind != ExecutionKind.REAL:
        return False
    names = [step.name for step in parse(execution.revision.body).steps if step.verify is not None]
    done = StepRun.objects.filter(execution=execution, state=StepState.OK, step__in=names, answered_by="")
    return done.exists()


def freshness_of(runbook: Runbook) -> Freshness:
    return freshness_of_many([runbook])[runbook.pk]


def freshness_of_many(
    runbooks: Sequence[Runbook], proofs: Mapping[int, Proof] | None = None
) -> Mapping[int, Freshness]:
    """For a list, in four queries. Each runbook has `current` loaded."""
    wanted = list(runbooks)[:RUNBOOKS_MAX]
    now = clock.now()
    found = proofs if proofs is not None else evidence_of(one.pk for one in wanted)
    broken: dict[int, list[Broken]] = {}
    unasked: dict[int, int] = {}
    states = Q(state=ProbeState.BROKEN) | Q(state=ProbeState.UNKNOWN, checked_at__isnull=False)
    for probe in Probe.objects.filter(states, runbook__in=wanted):
        if probe.state == ProbeState.BROKEN:
            broken.setdefault(probe.runbook_id, []).append(Broken(probe.sentence, probe.since or now))
        else:
            unasked[probe.runbook_id] = unasked.get(probe.runbook_id, 0) + 1
    changes = _changes({one.service_id for one in wanted if one.service_id})
    verdicts: dict[int, Freshness] = {}
    for one in wanted:
        proven_at = found[one.pk].evidence.proven_at
        written_at = one.current.created_at if one.current is not None else one.updated_at
        since = proven_at or written_at
        facts = freshness.Facts(
            written_at=written_at,
            proven_at=proven_at,
            changes=sum(at > since for at in changes.get(one.service_id or 0, ())),
            broken=broken.get(one.pk, ()),
            unasked=unasked.get(one.pk, 0),
        )
        verdicts[one.pk] = freshness.freshness(facts, now)
    return verdicts


def _changes(services: Iterable[int]) -> Mapping[int, Sequence[datetime]]:
    """The newest 200 changes of each."""
    return {
        service: list(
            ChangeEvent.objects.filter(service_id=service).order_by("-at").values_list("at", flat=True)[:CHANGES_MAX]
        )
        for service in services
    }


def probes(runbook: Runbook) -> Sequence[Probe]:
    """What it refers to, what is broken first."""
    found = list(Probe.objects.filter(runbook=runbook))
    return sorted(found, key=lambda one: ({"broken": 0, "unknown": 1}.get(one.state, 2), one.kind, one.subject))


def open_proposals(runbook: Runbook | None = None) -> Sequence[Promotion]:
    found = Promotion.objects.select_related("runbook").filter(state=DecisionState.PROPOSED)
    return list((found.filter(runbook=runbook) if runbook is not None else found)[:DRILLS_SHOWN])


def decisions(runbook: Runbook) -> Sequence[Promotion]:
    """The record: what was decided, by whom and why, newest first."""
    return list(Promotion.objects.filter(runbook=runbook).exclude(state=DecisionState.PROPOSED)[:DRILLS_SHOWN])


def drills(runbook: Runbook) -> Sequence[Drill]:
    """Dry runs and drills with their scores, newest first."""
    return list(Drill.objects.filter(runbook=runbook)[:DRILLS_SHOWN])


def triggers(runbook: Runbook) -> Sequence[Trigger]:
    return list(Trigger.objects.select_related("service").filter(runbook=runbook)[:DRILLS_SHOWN])


@dataclass(frozen=True, slots=True)
class Exercise:
    """One line of the calendar. `due_on`: by then somebody should have run it, in earnest or as a drill."""

    runbook: Runbook
    due_on: date
    risk: float
    why: str
    proof: Proof
    freshness: Freshness


def calendar(*, limit: int = 50, runbooks: Sequence[Runbook] | None = None) -> Sequence[Exercise]:
    """What to exercise next, by risk and staleness. Links have no steps to exercise."""
    now = clock.now()
    found = list(
        runbooks
        if runbooks is not None
        else Runbook.objects.select_related("team", "service", "current", "owner")
        .filter(is_active=True, url="")
        .exclude(current=None)
        .order_by("service__tier", "name")[:RUNBOOKS_MAX]
    )
    proofs = evidence_of(one.pk for one in found)
    verdicts = freshness_of_many(found, proofs)
    paged = contribute.fact("alerts.paged_by_service", now - PAGED_WITHIN, otherwise={})
    candidates = [
        exercise.Candidate(
            one.name,
            one.service.tier if one.service is not None else None,
            int(paged.get(one.service_id or 0, 0)),
            proofs[one.pk].evidence.proven_at,
            one.current.created_at if one.current is not None else one.created_at,
            is_stale=verdicts[one.pk].state == "stale",
        )
        for one in found
    ]
    by_name = {one.name: one for one in found}
    return [
        Exercise(
            by_name[due.name],
            due.due_on.date(),
            due.risk,
            due.why,
            proofs[by_name[due.name].pk],
            verdicts[by_name[due.name].pk],
        )
        for due in exercise.calendar(candidates, now)[:limit]
    ]
