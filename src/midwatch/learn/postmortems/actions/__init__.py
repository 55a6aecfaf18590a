"""What is done to post-mortems; one function is one intent, one transaction, one audit entry."""

from __future__ import annotations

from midwatch.learn.postmortems.actions.letters import claim_letters, send_letter
from midwatch.learn.postmortems.actions.meeting import (
    answer_as_facilitator,
    ask_facilitator,
    change_owner,
    meeting_was_held,
    set_meeting,
)
from midwatch.learn.postmortems.actions.opening import (
    on_incident_resolved,
    open_postmortem,
    reopen,
    use_template,
    waive,
)
from midwatch.learn.postmortems.actions.publishing import decide, make_external
from midwatch.learn.postmortems.actions.reminding import remind_due
from midwatch.learn.postmortems.actions.reviewing import approve, comment, send_to_review, settle_comment, take_back
from midwatch.learn.postmortems.actions.writing import (
    Saved,
    add_row,
    add_why,
    change_row,
    import_stars,
    remove_row,
    remove_why,
    save_section,
    settle_conflict,
)

__all__ = [
    "Saved",
    "add_row",
    "add_why",
    "answer_as_facilitator",
    "approve",
    "ask_facilitator",
    "change_owner",
    "change_row",
    "claim_letters",
    "comment",
    "decide",
    "import_stars",
    "make_external",
    "meeting_was_held",
    "on_incident_resolved",
    "open_postmortem",
    "remind_due",
    "remove_row",
    "remove_why",
    "reopen",
    "save_section",
    "send_letter",
    "send_to_review",
    "set_meeting",
    "settle_comment",
    "settle_conflict",
    "take_back",
    "use_template",
    "waive",
]
