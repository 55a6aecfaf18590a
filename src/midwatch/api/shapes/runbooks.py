"""Runbooks and executions as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ninja import Schema

from midwatch.prepare.runbooks.document import parse
from midwatch.prepare.runbooks.models import Execution, LogChunk, Runbook, StepRun


class RunbookOut(Schema):
    """`url`: it is a page elsewhere and has no steps. `revision`: of its text now, null of a link."""

    name: str
    title: str
    team: str
    service: str | None
    owner: str | None
    type: str
    url: str
    is_active: bool
    is_public: bool
    is_trusted: bool
    revision: int | None
    updated_at: datetime

    @classmethod
    def of(cls, runbook: Runbook) -> RunbookOut:
        return cls(**cls.values(runbook))

    @staticmethod
    def values(runbook: Runbook) -> dict[str, Any]:
        names = ("name", "title", "type", "url", "is_active", "is_public", "is_trusted", "updated_at")
        return {
            **{name: getattr(runbook, name) for name in names},
            "team": runbook.team.name,
            "service": runbook.service.name if runbook.service else None,
            "owner": runbook.owner.name if runbook.owner else None,
            "revision": runbook.current.number if runbook.current else None,
        }


class OptionOut(Schema):
    name: str
    type: str
    title: str
    description: str
    is_required: bool
    default: str
    values: list[str]


class StepOut(Schema):
    name: str
    title: str
    kind: str
    executor: str
    idempotent: str


class RunbookDetailOut(RunbookOut):
    """`body`: Markdown with front matter, as it was written."""

    body: str
    options: list[OptionOut]
    steps: list[StepOut]

    @classmethod
    def of(cls, runbook: Runbook) -> RunbookDetailOut:
        body = runbook.current.body if runbook.current else ""
        document = parse(body) if body else None
        options = document.front.options if document else ()
        steps = document.steps if document else ()
        names = ("name", "type", "title", "description", "is_required", "default")
        return cls(
            **cls.values(runbook),
            body=body,
            options=[
                OptionOut(**{name: getattr(one, name) for name in names}, values=list(one.values)) for one in options
            ],
            steps=[
                StepOut(name=s.name, title=s.title, kind=s.kind, executor=s.executor, idempotent=s.idempotent)
                for s in steps
            ],
        )


class ExecutionOut(Schema):
    """`state`: running, waiting (a person or an approval is wanted), unknown (a person decides whether a step was done),
    ok, failed, cancelled. `kind`: real, dry_run or drill."""

    number: int
    runbook: str
    revision: int
    state: str
    kind: str
    trigger: str
    options: dict[str, Any]
    incident: int | None
    alert: int | None
    service: str
    started_by: str
    created_at: datetime
    ended_at: datetime | None
    problem: str
    url: str

    @classmethod
    def of(cls, execution: Execution) -> ExecutionOut:
        return cls(**cls.values(execution))

    @staticmethod
    def values(execution: Execution) -> dict[str, Any]:
        names = ("number", "state", "kind", "trigger", "options", "created_at", "ended_at", "problem")
        return {
            **{name: getattr(execution, name) for name in names},
            "runbook": execution.runbook.name,
            "revision": execution.revision.number,
            "incident": execution.incident_number,
            "alert": execution.alert_number,
            "service": execution.service_slug,
            "started_by": execution.who,
            "url": f"/executions/{execution.number}/",
        }


class StepRunOut(Schema):
    """`rendered`: exactly what is, or will be, done; secrets by name. `digest`: of it; an approval and a press name it."""

    id: int
    step: str
    title: str
    kind: str
    executor: str
    state: str
    attempt: int
    idempotent: str
    rendered: dict[str, Any]
    digest: str
    exit_code: int | None
    sentence: str
    seen: str
    answered_by: str
    skip_reason: str
    is_edited: bool
    coverage: list[int] | None
    targets: dict[str, str]
    values: dict[str, str]
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None

    @classmethod
    def of(cls, row: StepRun) -> StepRunOut:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class WantedOut(Schema):
    """Whose turn it is: `acts` are what `POST .../steps/{id}/{act}` takes now."""

    step: str
    id: int
    by: str
    acts: list[str]


ACTS_OF = {
    "waiting_person": ("person", ["done", "failed", "skip"]),
    "waiting_approval": ("approver", ["approve", "refuse"]),
    "unknown": ("person", ["done", "again", "failed", "check"]),
    "queued": ("machine", []),
    "running": ("machine", []),
}


class ExecutionDetailOut(ExecutionOut):
    steps: list[StepRunOut]
    wanted: WantedOut | None

    @classmethod
    def whole(cls, execution: Execution, rows: Sequence[StepRun]) -> ExecutionDetailOut:
        shown = [StepRunOut.of(row) for row in rows]
        return cls(**cls.values(execution), steps=shown, wanted=None if execution.is_ended else _wanted(rows))


def _wanted(rows: Sequence[StepRun]) -> WantedOut | None:
    for row in rows:
        if row.state in ACTS_OF:
            by, acts = ACTS_OF[row.state]
            if row.state == "waiting_person":
                acts = [*(["run"] if row.kind in ("run", "auto") else []), *acts, "edit"]
            return WantedOut(step=row.step, id=row.pk, by=by, acts=list(acts))
    return None


class ChunkOut(Schema):
    seq: int
    at: datetime
    stream: str
    target: str
    text: str
    attempt: int

    @classmethod
    def of(cls, chunk: LogChunk) -> ChunkOut:
        return cls(**{name: getattr(chunk, name) for name in cls.model_fields})


class OutputOut(Schema):
    """Ask again with `after` = `last`. `is_ended`: the step has ended, and nothing more comes when `items` is empty."""

    items: list[ChunkOut]
    last: int
    is_ended: bool
