"""Every write of runbooks, by intent. A refusal is a `ValueError` whose text says what to do instead."""

from __future__ import annotations

from midwatch.prepare.runbooks.actions.documents import (
    RunbookFields,
    change_step_switch,
    delete_runbook,
    revise,
    save_runbook,
)
from midwatch.prepare.runbooks.actions.importing import Place, Taken, take

__all__ = ["Place", "RunbookFields", "Taken", "change_step_switch", "delete_runbook", "revise", "save_runbook", "take"]
