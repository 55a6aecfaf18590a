"""Reading what happened: a few statements for a period, each over an index, whatever the number of rows."""

from __future__ import annotations

from midwatch.learn.insights.queries.report import Figure, Report, Scope, report
from midwatch.learn.insights.queries.shift import ShiftReport, shift_report

__all__ = ["Figure", "Report", "Scope", "ShiftReport", "report", "shift_report"]
