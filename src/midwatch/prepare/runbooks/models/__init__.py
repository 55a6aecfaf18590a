"""Tables of runbooks, by what they are about."""

from __future__ import annotations

from midwatch.prepare.runbooks.models.documents import Revision, Runbook, RunbookType, StepSwitch
from midwatch.prepare.runbooks.models.executions import (
    ENDED,
    STEP_ENDED,
    STEP_WAITING,
    Approval,
    Execution,
    ExecutionKind,
    ExecutionNumber,
    ExecutionState,
    Idempotent,
    LogChunk,
    StepKind,
    StepRun,
    StepState,
    Stream,
    TriggeredBy,
    Verdict,
)

__all__ = [
    "ENDED",
    "STEP_ENDED",
    "STEP_WAITING",
    "Approval",
    "Execution",
    "ExecutionKind",
    "ExecutionNumber",
    "ExecutionState",
    "Idempotent",
    "LogChunk",
    "Revision",
    "Runbook",
    "RunbookType",
    "StepKind",
    "StepRun",
    "StepState",
    "StepSwitch",
    "Stream",
    "TriggeredBy",
    "Verdict",
]
