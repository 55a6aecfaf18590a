"""Starting an execution, and starting one again where another one stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.numbers import next_numbers
from midwatch.core.rows import insert_rows
from midwatch.core.text import clean
from midwatch.prepare.runbooks import options as typed
from midwatch.prepare.runbooks.actions import carrying
from midwatch.prepare.runbooks.document import Document, Step, parse
from midwatch.prepare.runbooks.models import (
    Execution,
    ExecutionKind,
    ExecutionNumber,
    ExecutionState,
    Revision,
    Runbook,
    StepRun,
    StepState,
    TriggeredBy,
)
from midwatch.prepare.runbooks.queries.rails import Asked, why_not_start

DEPTH_MAX = 5  # runbooks that start runbooks
TARGETS_MAX = 500
RESUMABLE = (ExecutionState.FAILED, ExecutionState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Reference:
    """What it is started for: plain values, since a runbook knows neither alerts nor incidents."""

    incident_number: int | None = None
    alert_number: int | None = None
    service: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


NOTHING = Reference()


def start(
    runbook: Runbook,
    options: Mapping[str, object],
    by: Actor,
    *,
    kind: str = ExecutionKind.REAL,
    trigger: str = TriggeredBy.PERSON,
    reference: Reference = NOTHING,
    start_at_step: str = "",
    only_targets: Sequence[str] = (),
    resumed_from: Execution | None = None,
    parent: StepRun | None = None,
    listed: Mapping[str, Sequence[str]] | None = None,
) -> Execution:
    """Carry out the runbook as it is now. `listed`: choices that were read for options whose values stand elsewhere.

    Raises ValueError with a sentence; of options an `OptionsError` with all that is wrong.
    """
    revision = _revision_of(runbook)
    document = parse(revision.body)
    _check(document, kind, trigger, start_at_step, only_targets)
    asked = Asked(runbook, trigger, kind, reference.incident_number)
    refusal = why_not_start(asked)
    if refusal:
        raise ValueError(refusal)
    values = typed.read(document.front.options, options, reference.labels, listed)
    now = clock.now()
    with transaction.atomic():
        execution = Execution.objects.create(
            number=next_numbers(ExecutionNumber),
            runbook=runbook,
            revision=revision,
            kind=kind,
            trigger=trigger,
            options=typed.stored(document.front.options, values),
            incident_number=reference.incident_number,
            alert_number=reference.alert_number,
            service_slug=reference.service or (runbook.service.name if runbook.service else ""),
            started_by_id=by.user_id,
            who=str(by)[:200],
            via=by.via,
            created_at=now,
            parent=parent,
            resumed_from=resumed_from,
            start_at_step=start_at_step,
            only_targets=[clean(target, 200, is_one_line=True) for target in only_targets],
        )
        insert_rows(_row(execution, place, step) for place, step in enumerate(document.steps))
        detail = {"execution": execution.number, "kind": kind, "trigger": trigger, "revision": revision.number}
        audit.record(by, "start", "runbook", runbook.name, detail)
        carrying.tell(execution, "execution.started", None)
        if resumed_from is not None:
            _take_over(execution, resumed_from)
        carrying.advance(carrying.hold(execution.pk), now)
    execution.refresh_from_db()
    return execution


def _revision_of(runbook: Runbook) -> Revision:
    if not runbook.is_active:
        raise ValueError(f"{runbook} is turned off: turn it on before it is carried out")
    if runbook.current is None:
        what = "is a link: open its page" if runbook.url else "has no text yet: write it"
        raise ValueError(f"{runbook} {what}")
    return runbook.current


def _check(document: Document, kind: str, trigger: str, start_at_step: str, only_targets: Sequence[str]) -> None:
    if kind not in ExecutionKind.values:
        raise ValueError(f"kind: {clean(kind, 40)!r} is none: give {', '.join(ExecutionKind.values)}")
    if trigger not in TriggeredBy.values:
        raise ValueError(f"trigger: {clean(trigger, 40)!r} is none: give {', '.join(TriggeredBy.values)}")
    if not document.steps:
        raise ValueError("this runbook has no steps: it is only read")
    if start_at_step and document.step(start_at_step) is None:
        names = ", ".join(step.name for step in document.steps)
        raise ValueError(f"there is no step {clean(start_at_step, 80)!r}: give one of {names}")
    if len(only_targets) > TARGETS_MAX:
        raise ValueError(f"at most {TARGETS_MAX} targets")


def _row(execution: Execution, place: int, step: Step) -> StepRun:
    return StepRun(
        execution=execution,
        position=place,
        step=step.name,
        title=clean(step.title, 200, is_one_line=True),
        kind=step.kind,
        executor=step.executor,
        idempotent=step.idempotent,
        tags=list(step.tags),
    )


def _take_over(execution: Execution, earlier: Execution) -> None:
    """What the earlier one found out is known here too."""
    found = dict(StepRun.objects.filter(execution=earlier).exclude(values={}).values_list("step", "values"))
    for step, values in found.items():
        StepRun.objects.filter(execution=execution, step=step).update(values=values)


def resume(execution: Execution, by: Actor) -> Execution:
    """A new execution of the runbook as it is now, from the step that stopped this one; on the targets that failed.

    Raises ValueError with a sentence.
    """
    if execution.state not in RESUMABLE:
        raise ValueError(f"{execution} is {execution.state}: one that failed or was cancelled can be resumed")
    rows = list(StepRun.objects.filter(execution=execution).order_by("position"))
    stopped = _stopped_at(rows)
    if stopped is None:
        raise ValueError(f"nothing is left to do in {execution}: start the runbook anew")
    failed = [target for target, state in stopped.targets.items() if state != StepState.OK]
    is_partial = 0 < len(failed) < len(stopped.targets)
    runbook = Runbook.objects.select_related("team", "service", "current").get(pk=execution.runbook_id)
    return start(
        runbook,
        typed.from_stored(execution.options),
        by,
        kind=execution.kind,
        trigger=TriggeredBy.PERSON,
        reference=Reference(execution.incident_number, execution.alert_number, execution.service_slug),
        start_at_step=stopped.step,
        only_targets=failed if is_partial else execution.only_targets,
        resumed_from=execution,
    )


def _stopped_at(rows: Sequence[StepRun]) -> StepRun | None:
    """The first that failed or is in doubt; else the first that was not reached."""
    broken = (StepState.FAILED, StepState.UNKNOWN, StepState.CANCELLED)
    last_broken = [row for row in rows if row.state in broken]
    if last_broken:
        return last_broken[0]
    return next((row for row in rows if row.state == StepState.PENDING), None)


def start_child(parent: StepRun, by: Actor) -> Execution:
    """The step of a runbook that is another runbook. Raises ValueError with a sentence."""
    settings = parent.rendered.get("settings", {})
    name = str(settings.get("runbook", "")).strip()
    runbook = Runbook.objects.select_related("team", "service", "current").filter(name=name).first()
    if runbook is None:
        raise ValueError(f"there is no runbook {clean(name, 63)!r}: name one in the step's `runbook` attribute")
    if _depth(parent.execution) >= DEPTH_MAX:
        raise ValueError(f"runbooks start runbooks at most {DEPTH_MAX} deep")
    if parent.rendered.get("is_trusted") is False and runbook.is_trusted and parent.is_edited:
        raise ValueError("an edited step starts no runbook that comes from configuration as code")
    execution = parent.execution
    given = settings.get("options") or {}
    return start(
        runbook,
        given if isinstance(given, Mapping) else {},
        by,
        kind=execution.kind,
        trigger=TriggeredBy.RUNBOOK,
        reference=Reference(execution.incident_number, execution.alert_number, execution.service_slug),
        parent=parent,
    )


def _depth(execution: Execution) -> int:
    depth = 0
    above: Execution | None = execution
    while above is not None and above.parent_id is not None and depth < DEPTH_MAX:
        depth += 1
        parent = StepRun.objects.select_related("execution").filter(pk=above.parent_id).first()
        above = parent.execution if parent else None
    return depth
