"""Every write of runbooks, by intent. A refusal is a `ValueError` whose text says what to do instead."""

from __future__ import annotations

from midwatch.prepare.runbooks.actions.answering import (
    answer,
    approve,
    cancel,
    decide_unknown,
    edit_step,
    end_orphans,
    press_run,
)
from midwatch.prepare.runbooks.actions.carrying import advance_due
from midwatch.prepare.runbooks.actions.claiming import (
    Piece,
    child_ended,
    claim,
    finish,
    look_at,
    renew,
    take_over_lost,
    task_of,
    wait_for_child,
    write_output,
)
from midwatch.prepare.runbooks.actions.documents import (
    RunbookFields,
    change_step_switch,
    delete_runbook,
    revise,
    save_runbook,
)
from midwatch.prepare.runbooks.actions.importing import Place, Taken, take
from midwatch.prepare.runbooks.actions.starting import Reference, resume, start, start_child

__all__ = [
    "Piece",
    "Place",
    "Reference",
    "RunbookFields",
    "Taken",
    "advance_due",
    "answer",
    "approve",
    "cancel",
    "change_step_switch",
    "child_ended",
    "claim",
    "decide_unknown",
    "delete_runbook",
    "edit_step",
    "end_orphans",
    "finish",
    "look_at",
    "press_run",
    "renew",
    "resume",
    "revise",
    "save_runbook",
    "start",
    "start_child",
    "take",
    "take_over_lost",
    "task_of",
    "wait_for_child",
    "write_output",
]
