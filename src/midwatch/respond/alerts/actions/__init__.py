"""Every write of the alerts room, by intent."""

from midwatch.respond.alerts.actions.maintenance import end_maintenance, start_maintenance
from midwatch.respond.alerts.actions.many import acknowledge_alerts, resolve_alerts
from midwatch.respond.alerts.actions.people import (
    Outcome,
    acknowledge_alert,
    add_note,
    change_priority,
    resolve_alert,
    snooze_alert,
    unacknowledge_alert,
    wake_snoozed,
)
from midwatch.respond.alerts.actions.record import Arrival, Recorded, open_alert, record
from midwatch.respond.alerts.actions.runbooks import say_of_runbook
from midwatch.respond.alerts.actions.testing import send_test_alert
from midwatch.respond.alerts.actions.timeline import note, note_many

__all__ = [
    "Arrival",
    "Outcome",
    "Recorded",
    "acknowledge_alert",
    "acknowledge_alerts",
    "add_note",
    "change_priority",
    "end_maintenance",
    "note",
    "note_many",
    "open_alert",
    "record",
    "resolve_alert",
    "resolve_alerts",
    "say_of_runbook",
    "send_test_alert",
    "snooze_alert",
    "start_maintenance",
    "unacknowledge_alert",
    "wake_snoozed",
]
