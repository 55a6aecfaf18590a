"""What is done to incidents; one function is one intent, one transaction, one audit entry."""

from __future__ import annotations

from midwatch.respond.incidents.actions.channels import open_channels, refresh_channels
from midwatch.respond.incidents.actions.declaring import (
    Declaration,
    change_severity,
    declare_by_rule,
    declare_incident,
    on_call_of,
    rename,
)
from midwatch.respond.incidents.actions.evidence import take_snapshot
from midwatch.respond.incidents.actions.impact import (
    affect_service,
    change_window,
    clients_checked,
    register_client,
    remove_client,
)
from midwatch.respond.incidents.actions.importing import Past, Said, import_incident, known_keys
from midwatch.respond.incidents.actions.ladder import close_incident, set_lesson, set_phase, step_back
from midwatch.respond.incidents.actions.linking import link_alert, link_incident, merge, unlink_alert
from midwatch.respond.incidents.actions.outages import keep_outage
from midwatch.respond.incidents.actions.powers import end_powers, put_on_call, silence
from midwatch.respond.incidents.actions.promises import decide_on_long, keep_promises
from midwatch.respond.incidents.actions.prompting import ask_for_tasks, prompt_due
from midwatch.respond.incidents.actions.responders import (
    add_responder,
    concerns_incident,
    on_alert_acknowledged,
    on_alert_resolved,
)
from midwatch.respond.incidents.actions.roles import (
    answer_offer,
    assign_role,
    confirm_commander,
    end_role,
    offer_role,
    role_title,
    withdraw_offer,
)
from midwatch.respond.incidents.actions.stakeholders import add_stakeholder, remove_stakeholder
from midwatch.respond.incidents.actions.taking import take_and_declare
from midwatch.respond.incidents.actions.tasks import acknowledge_task, assign_task, finish_task, open_task, warning_of
from midwatch.respond.incidents.actions.timeline import add_note, amend, check_note, note, star
from midwatch.respond.incidents.actions.updates import (
    Composed,
    approve_update,
    change_update,
    compose_update,
    refuse_update,
)

__all__ = [
    "Composed",
    "Declaration",
    "Past",
    "Said",
    "acknowledge_task",
    "add_note",
    "add_responder",
    "add_stakeholder",
    "affect_service",
    "amend",
    "answer_offer",
    "approve_update",
    "ask_for_tasks",
    "assign_role",
    "assign_task",
    "change_severity",
    "change_update",
    "change_window",
    "check_note",
    "clients_checked",
    "close_incident",
    "compose_update",
    "concerns_incident",
    "confirm_commander",
    "decide_on_long",
    "declare_by_rule",
    "declare_incident",
    "end_powers",
    "end_role",
    "finish_task",
    "import_incident",
    "keep_outage",
    "keep_promises",
    "known_keys",
    "link_alert",
    "link_incident",
    "merge",
    "note",
    "offer_role",
    "on_alert_acknowledged",
    "on_alert_resolved",
    "on_call_of",
    "open_channels",
    "open_task",
    "prompt_due",
    "put_on_call",
    "refresh_channels",
    "refuse_update",
    "register_client",
    "remove_client",
    "remove_stakeholder",
    "rename",
    "role_title",
    "set_lesson",
    "set_phase",
    "silence",
    "star",
    "step_back",
    "take_and_declare",
    "take_snapshot",
    "unlink_alert",
    "warning_of",
    "withdraw_offer",
]
