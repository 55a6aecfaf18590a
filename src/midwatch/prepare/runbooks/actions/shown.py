"""What a step will do, rendered as it is shown, and kept so: what runs is what was seen and approved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from midwatch.prepare.runbooks import rendering
from midwatch.prepare.runbooks.document import Document, Step, parse
from midwatch.prepare.runbooks.models import Execution, StepRun
from midwatch.prepare.runbooks.options import from_stored

TIMEOUT = timedelta(minutes=10)  # of a step that says nothing


def document_of(execution: Execution) -> Document:
    """Of the revision it began with; parsed once."""
    return parse(execution.revision.body)


def digest_of(rendered: Mapping[str, Any]) -> str:
    """The same content has the same digest, however it is written."""
    text = json.dumps(rendered, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def rendered_of(execution: Execution, document: Document, step: Step, rows: Sequence[StepRun]) -> dict[str, Any]:
    """All that decides what will be done. Secrets stand in it by name. Raises ValueError with a sentence."""
    if step.kind == "approve":
        return _approval(execution, document, step, rows)
    row = next(one for one in rows if one.step == step.name)
    written = row.rendered.get("written") if row.is_edited else None
    if written is not None:
        step = replace(step, body=str(written))
    values, only = values_of(execution, document, rows), _only_targets(execution, step.name)
    found: dict[str, Any] = {
        **rendering.rendered(step, values, only_targets=only).as_json(),
        "timeout_seconds": (step.timeout or TIMEOUT).total_seconds(),
        "is_trusted": execution.revision.is_trusted and written is None,
        "can_dry_run": step.can_dry_run,
        "idempotent": step.idempotent,
    }
    for name, form in (("verify", step.verify), ("dry_run", step.dry_run)):
        if form is not None:
            found[name] = rendering.rendered_form(step, form, values, only_targets=only).as_json()
    if written is not None:
        found["written"] = written
    return found


def _only_targets(execution: Execution, step: str) -> list[str]:
    """A resumed execution repeats its first step on the targets that failed, and the steps after it on all."""
    if execution.resumed_from_id is not None and step != execution.start_at_step:
        return []
    return [str(target) for target in execution.only_targets]


def _approval(execution: Execution, document: Document, step: Step, rows: Sequence[StepRun]) -> dict[str, Any]:
    """An approval is of the steps that it opens, as they are now: command, targets, options."""
    opened = {}
    for name in step.approves:
        one = document.step(name)
        if one is not None:
            opened[name] = digest_of(rendered_of(execution, document, one, rows))
    return {"body": step.body, "language": step.language, "opens": opened, "options": dict(execution.options)}


def values_of(execution: Execution, document: Document, rows: Sequence[StepRun]) -> rendering.Values:
    """What stands behind `${option.host}`, `${value.pod}`, `${alert.number}`."""
    facts = {"execution.number": str(execution.number), "execution.kind": execution.kind}
    if execution.incident_number is not None:
        facts["incident.number"] = str(execution.incident_number)
    if execution.alert_number is not None:
        facts["alert.number"] = str(execution.alert_number)
    captured = {name: str(value) for row in rows for name, value in row.values.items()}
    return rendering.Values(document.front.options, from_stored(execution.options), captured, facts)
