"""What is done to action items; one function is one intent, one transaction, one audit entry."""

from __future__ import annotations

from midwatch.learn.actions.actions.issues import available_trackers, claim_issues, tend_issue, wish_issue
from midwatch.learn.actions.actions.items import (
    NewItem,
    answer_debt,
    change_item,
    drop_item,
    finish_item,
    note_item,
    open_item,
    reopen_item,
)
from midwatch.learn.actions.actions.proving import prove_due, prove_now
from midwatch.learn.actions.actions.reminding import adopt_orphans, remind_due

__all__ = [
    "NewItem",
    "adopt_orphans",
    "answer_debt",
    "available_trackers",
    "change_item",
    "claim_issues",
    "drop_item",
    "finish_item",
    "note_item",
    "open_item",
    "prove_due",
    "prove_now",
    "remind_due",
    "reopen_item",
    "tend_issue",
    "wish_issue",
]
