"""What executions of runbooks write on the timelines of the incident and the alert they belong to.

A runbook knows neither; its events name their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midwatch.core import topics
from midwatch.core.actor import ENGINE, Actor
from midwatch.prepare.runbooks import actions as runbooks
from midwatch.prepare.runbooks.models import Execution, ExecutionKind, StepRun, StepState
from midwatch.respond.alerts.actions import timeline as alert_timeline
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents.actions import timeline as incident_timeline
from midwatch.respond.incidents.models import Incident

KIND = "execution"
WAITS = {
    StepState.WAITING_PERSON: "waits for a person",
    StepState.WAITING_APPROVAL: "waits for an approval",
    StepState.UNKNOWN: "is in doubt: nobody knows whether it was done, and a person decides",
}


def concerns(payload: Mapping[str, Any]) -> bool:
    return payload.get("incident") is not None or payload.get("alert") is not None


def follow(event: str, payload: Mapping[str, Any]) -> None:
    """A line on each timeline that the execution belongs to."""
    execution = Execution.objects.select_related("runbook").filter(pk=payload["execution"]).first()
    if execution is None:
        return
    row = StepRun.objects.filter(pk=payload["step_run"]).first() if payload.get("step_run") else None
    said = sentence(event, execution, row, str(payload.get("step_state", "")))
    if said:
        _write(execution, said, _by(execution, row, event), row)


def sentence(event: str, execution: Execution, row: StepRun | None, step_state: str) -> str:
    """ "" when the line would say nothing."""
    what = {ExecutionKind.DRY_RUN: "Dry run", ExecutionKind.DRILL: "Drill"}.get(
        ExecutionKind(execution.kind), "Execution"
    )
    name = f"{what} {execution.number} of \u201c{execution.runbook}\u201d"
    if event == "execution.started":
        return f"{name} began"
    if event == "execution.ended":
        return f"{name} ended: {execution.state}" + (f" ({execution.problem})" if execution.problem else "")
    if row is None:
        return ""
    step = f"{name}, step \u201c{row}\u201d"
    if event == "execution.waiting":
        return f"{step} {WAITS.get(StepState(step_state), 'waits')}"
    parts = [row.skip_reason if step_state == StepState.SKIPPED else row.sentence]
    parts += [f"seen: {row.seen}"] if row.seen else []
    parts += [f"by {row.answered_by}"] if row.answered_by else []
    detail = "; ".join(part for part in parts if part)
    return f"{step}: {step_state}" + (f" ({detail})" if detail else "")


def _by(execution: Execution, row: StepRun | None, event: str) -> Actor:
    if event == "execution.started":
        return Actor(execution.who, "engine", execution.started_by_id)
    if event == "execution.step_ended" and row is not None and row.answered_by:
        return Actor(row.answered_by, "engine", row.answered_by_id)
    return ENGINE


def _write(execution: Execution, said: str, by: Actor, row: StepRun | None) -> None:
    number = execution.number
    link: dict[str, Any] = {"execution": number, "url": f"/executions/{number}/", "step": row.step if row else ""}
    if execution.incident_number is not None:
        incident = Incident.objects.filter(number=execution.incident_number).first()
        if incident is not None:
            incident_timeline.note(incident, KIND, said[:4_000], by, **link)
    if execution.alert_number is not None:
        alert = Alert.objects.filter(number=execution.alert_number).values_list("pk", flat=True).first()
        if alert is not None:
            alert_timeline.note(alert, KIND, said, by, **link)
            topics.touch(f"alert:{alert}")


def ended(payload: Mapping[str, Any]) -> None:
    """Another runbook's step goes on with it; what its own steps started and still runs is stopped."""
    execution = Execution.objects.filter(pk=payload["execution"]).first()
    if execution is not None and execution.is_ended:
        runbooks.child_ended(execution)
        runbooks.end_orphans(execution, ENGINE)
