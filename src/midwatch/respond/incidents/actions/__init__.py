"""What is done to incidents; one function is one intent, one transaction, one audit entry."""

from __future__ import annotations

from midwatch.respond.incidents.actions.declaring import (
    Declaration,
    change_severity,
    declare_by_rule,
    declare_incident,
    on_call_of,
    rename,
)
from midwatch.respond.incidents.actions.impact import (
    affect_service,
    change_window,
    clients_checked,
    register_client,
    remove_client,
)
from midwatch.respond.incidents.actions.ladder import close_incident, set_lesson, set_phase, step_back
from midwatch.respond.incidents.actions.linking import link_alert, link_incident, merge, unlink_alert
from midwatch.respond.incidents.actions.responders import add_responder, on_alert_acknowledged, on_alert_resolved
from midwatch.respond.incidents.actions.roles import (
    answer_offer,
    assign_role,
    confirm_commander,
    end_role,
    offer_role,
    role_title,
    withdraw_offer,
)
from midwatch.respond.incidents.actions.timeline import add_note, amend, note, star

__all__ = [
    "Declaration",
    "add_note",
    "add_responder",
    "affect_service",
    "amend",
    "answer_offer",
    "assign_role",
    "change_severity",
    "change_window",
    "clients_checked",
    "close_incident",
    "confirm_commander",
    "declare_by_rule",
    "declare_incident",
    "end_role",
    "link_alert",
    "link_incident",
    "merge",
    "note",
    "offer_role",
    "on_alert_acknowledged",
    "on_alert_resolved",
    "on_call_of",
    "register_client",
    "remove_client",
    "rename",
    "role_title",
    "set_lesson",
    "set_phase",
    "star",
    "step_back",
    "unlink_alert",
    "withdraw_offer",
]
