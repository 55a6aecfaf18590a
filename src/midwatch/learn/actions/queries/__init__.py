"""Reads of action items longer than a line."""

from __future__ import annotations

from midwatch.learn.actions.queries.items import Debt, debts_of, overdue, visible_items

__all__ = ["Debt", "debts_of", "overdue", "visible_items"]
