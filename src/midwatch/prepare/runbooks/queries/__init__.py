"""Reads of runbooks and their executions, by what is asked."""

from __future__ import annotations

from midwatch.prepare.runbooks.queries.answering import Answer, runbooks_for
from midwatch.prepare.runbooks.queries.finding import execution, runbook_named, visible_executions, visible_to
from midwatch.prepare.runbooks.queries.proving import Proof, evidence, evidence_of, evidence_of_steps

__all__ = [
    "Answer",
    "Proof",
    "evidence",
    "evidence_of",
    "evidence_of_steps",
    "execution",
    "runbook_named",
    "runbooks_for",
    "visible_executions",
    "visible_to",
]
