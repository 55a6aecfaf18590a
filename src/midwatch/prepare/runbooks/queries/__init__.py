"""Reads of runbooks and their executions, by what is asked."""

from __future__ import annotations

from midwatch.prepare.runbooks.queries.finding import execution, runbook_named, visible_executions, visible_to

__all__ = ["execution", "runbook_named", "visible_executions", "visible_to"]
