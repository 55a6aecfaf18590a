"""Moving an execution on: whatever happened, ask the machine what is next and write that, until somebody is waited for.

Everything here runs in a transaction that holds the execution's row, so that one writer at a time moves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import assert_never

from django.db import transaction

from midwatch.core import clock, outbox, topics, wake
from midwatch.core.guard import guarded
from midwatch.core.statements import Select
from midwatch.core.text import clean
from midwatch.prepare.runbooks import machine
from midwatch.prepare.runbooks.actions import shown
from midwatch.prepare.runbooks.document import Document, Step
from midwatch.prepare.runbooks.models import (
    Approval,
    Execution,
    ExecutionKind,
    ExecutionState,
    StepKind,
    StepRun,
    StepState,
    StepSwitch,
)
from midwatch.prepare.runbooks.options import from_stored
from midwatch.prepare.runbooks.queries.rails import may_run_by_itself

DUE = Select(lambda now: Execution.objects.filter(due_at__lte=now).order_by("due_at").values_list("pk", flat=True)[:50])
ROWS = Select(lambda execution: StepRun.objects.filter(execution_id=execution).order_by("position"))
SWITCHES = Select(lambda runbook: StepSwitch.objects.filter(runbook_id=runbook).values_list("step", "reason"))
RUNBOOK = "runbook"  # the executor that starts another runbook


def hold(pk: int) -> Execution:
    """The execution, locked until the transaction's end, with what is needed to move it."""
    related = ("runbook", "runbook__team", "revision", "started_by")
    return Execution.objects.select_for_update(of=("self",)).select_related(*related).get(pk=pk)


def rows_of(execution: Execution) -> list[StepRun]:
    rows: list[StepRun] = list(ROWS(execution.pk))
    for row in rows:
        row.execution = execution
    return rows


def facts_of(document: Document, rows: Sequence[StepRun], switched_off: Mapping[str, str]) -> list[machine.StepFacts]:
    """The machine's view."""
    return [_facts(document.step(row.step), row, switched_off.get(row.step, "")) for row in rows]


def _facts(step: Step | None, row: StepRun, off: str) -> machine.StepFacts:
    assert step is not None, "the rows of an execution are made from its revision"
    return machine.StepFacts(
        name=row.step,
        kind=row.kind,
        state=row.state,
        when=step.when,
        on_failure=step.on_failure,
        retries=max(step.retry.attempts - 1, 0),
        retry_delay=step.retry.delay,
        idempotent=row.idempotent,
        has_verify=step.verify is not None,
        passed_by=off or ("" if step.is_enabled else step.skip_reason or "turned off in the document"),
        attempt=row.attempt,
        claims=row.fence,
        due_at=row.due_at,
        exit_code=row.exit_code,
        values={name: str(value) for name, value in row.values.items()},
    )


def fact_of(row: StepRun) -> machine.StepFacts:
    """Of one step, for what the machine says about it alone."""
    return _facts(shown.document_of(row.execution).step(row.step), row, "")


def advance(execution: Execution, now: datetime | None = None, rows: Sequence[StepRun] | None = None) -> None:
    """Until somebody is waited for, or the end. In a transaction that holds the execution (`hold`).

    `rows`: its steps, when they were read in this transaction and every change was written through `write`.
    """
    now = now or clock.now()
    document = shown.document_of(execution)
    off = {step: f"turned off: {reason}" for step, reason in SWITCHES(execution.runbook_id)}
    rows = rows_of(execution) if rows is None else rows
    run = machine.Run(
        options=from_stored(execution.options),
        kind=execution.kind,
        start_at_step=execution.start_at_step,
        is_cancelled=any(row.is_cancel_wanted for row in rows),
    )
    for _ in range(10 * len(rows) + 10):
        act = machine.next_act(facts_of(document, rows, off), run, now)
        if _apply(act, execution, document, rows, now):
            break
    topics.touch(f"execution:{execution.number}", "executions")
    transaction.on_commit(wake.wake)


def _apply(act: machine.Act, execution: Execution, document: Document, rows: Sequence[StepRun], now: datetime) -> bool:
    """Write it. True: nothing more to do now."""
    match act:
        case machine.Begin(index=index, state=state):
            _begin(execution, document, rows, rows[index], StepState(state), now)
        case machine.Skip(index=index, reason=reason):
            is_cancelled = rows[index].is_cancel_wanted
            passed = StepState.CANCELLED if is_cancelled else StepState.SKIPPED
            write(rows[index], now, state=passed, skip_reason=clean(reason, 500), due_at=None, ended_at=now)
            if not is_cancelled:
                tell_ended(execution, rows[index])
        case machine.Again(index=index, at=at):
            write(rows[index], now, state=StepState.QUEUED, due_at=at, ended_at=None, verifying="")
        case machine.TimeOut(index=index):
            sentence = "nobody answered in time"
            write(rows[index], now, state=StepState.FAILED, sentence=sentence, due_at=None, ended_at=now)
            tell_ended(execution, rows[index])
        case machine.Wait(index=index, for_whom=for_whom, until=until):
            _wait(execution, rows[index], for_whom, until)
            return True
        case machine.End(state=ended, problem=problem):
            _end(execution, rows, ended, problem, now)
            return True
        case _:
            assert_never(act)
    return False


def write(row: StepRun, now: datetime, **values: object) -> None:
    """These columns of a step, in the transaction that holds its execution."""
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))


def _begin(
    execution: Execution,
    document: Document,
    rows: Sequence[StepRun],
    row: StepRun,
    state: StepState,
    now: datetime,
) -> None:
    step = document.step(row.step)
    assert step is not None, "the rows of an execution are made from its revision"
    if (
        row.kind == StepKind.AUTO
        and execution.kind != ExecutionKind.DRY_RUN
        and not may_run_by_itself(execution.runbook)
    ):
        state = StepState.WAITING_PERSON  # nobody reviewed its text or let it: a person presses
    try:
        rendered = shown.rendered_of(execution, document, step, rows)
    except ValueError as error:
        sentence = clean(f"it cannot be rendered: {error}", 1_000)
        write(row, now, state=StepState.FAILED, sentence=sentence, ended_at=now)
        tell_ended(execution, row)
        return
    digest = shown.digest_of(rendered)
    if _is_other_than_approved(execution, rows, row, digest, now):
        return
    person_has = step.timeout if state != StepState.QUEUED and row.kind not in machine.MACHINE else None
    write(
        row,
        now,
        state=state,
        rendered=rendered,
        digest=digest,
        targets=dict.fromkeys(rendered.get("targets", ()), ""),
        started_at=row.started_at or now,
        due_at=now if state == StepState.QUEUED else now + person_has if person_has else None,
    )
    if state != StepState.QUEUED:
        tell(execution, "execution.waiting", row)


def _is_other_than_approved(
    execution: Execution, rows: Sequence[StepRun], row: StepRun, digest: str, now: datetime
) -> bool:
    """What was approved was something else: then nothing was approved, and it is asked again."""
    for gate in rows:
        opened = gate.rendered.get("opens", {}) if gate.kind == StepKind.APPROVE and gate.state == StepState.OK else {}
        if row.step in opened and opened[row.step] != digest:
            ask_again(execution, gate, rows, f"{row.step} is not as it was approved", now)
            return True
    return False


def ask_again(execution: Execution, gate: StepRun, rows: Sequence[StepRun], why: str, now: datetime) -> None:
    """Void what was said, and ask about what it is now."""
    document = shown.document_of(execution)
    step = document.step(gate.step)
    assert step is not None, "the rows of an execution are made from its revision"
    Approval.objects.filter(step_run=gate, voided_at=None).update(voided_at=now, void_reason=clean(why, 300))
    rendered = shown.rendered_of(execution, document, step, rows)
    write(
        gate,
        now,
        state=StepState.WAITING_APPROVAL,
        rendered=rendered,
        digest=shown.digest_of(rendered),
        sentence=clean(f"asked again: {why}", 1_000),
        due_at=now + step.timeout if step.timeout else None,
        ended_at=None,
    )
    tell(execution, "execution.waiting", gate)


def _wait(execution: Execution, row: StepRun, for_whom: str, until: datetime | None) -> None:
    state = {"machine": ExecutionState.RUNNING, "decision": ExecutionState.UNKNOWN}.get(
        for_whom, ExecutionState.WAITING
    )
    execution.state, execution.due_at, execution.claimed_until = state, until, None
    execution.save(update_fields=["state", "due_at", "claimed_until"])


def _end(execution: Execution, rows: Sequence[StepRun], state: str, problem: str, now: datetime) -> None:
    """Steps that were never begun stay pending: it can be resumed there."""
    execution.state, execution.problem = ExecutionState(state), clean(problem or execution.problem, 500)
    execution.ended_at, execution.due_at, execution.claimed_until = now, None, None
    execution.save(update_fields=["state", "problem", "ended_at", "due_at", "claimed_until"])
    tell(execution, "execution.ended", None)


def tell(execution: Execution, event: str, row: StepRun | None) -> None:
    """To whoever follows: the incident's timeline, the alert's, chat."""
    said: dict[str, object] = {
        "execution": execution.pk,
        "number": execution.number,
        "incident": execution.incident_number,
        "alert": execution.alert_number,
        "state": execution.state,
    }
    if row is not None:
        said |= {"step_run": row.pk, "step": row.step, "step_state": row.state}
    outbox.emit(event, said)


def tell_ended(execution: Execution, row: StepRun) -> None:
    """A step has ended, or nobody knows whether it has."""
    tell(execution, "execution.waiting" if row.state == StepState.UNKNOWN else "execution.step_ended", row)


def advance_due() -> int:
    """Executions whose time-out has come. How many."""
    now = clock.now()
    return sum(guarded("execution that is due", partial(_advance_due, pk, now), otherwise=0) for pk in DUE(now))


def _advance_due(pk: int, now: datetime) -> int:
    with transaction.atomic():
        execution = hold(pk)
        if execution.due_at is None or execution.due_at > now:
            return 0
        advance(execution, now)
    return 1
