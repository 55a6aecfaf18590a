"""What people say of the runbooks that an alert offered."""

from __future__ import annotations

from midwatch.core.actor import Actor
from midwatch.prepare.runbooks.actions.feedback import give_feedback
from midwatch.prepare.runbooks.queries import runbook_named
from midwatch.respond.alerts.actions.people import Outcome
from midwatch.respond.alerts.models import Alert


def say_of_runbook(alert: Alert, by: Actor, name: str, verdict: str) -> Outcome:
    """`name` "": there is none for it. Raises ValueError with a sentence."""
    runbook = runbook_named(name) if name else None
    if name and runbook is None:
        raise ValueError("this runbook is not there any more")
    service = alert.service.name if alert.service is not None else ""
    return Outcome(alert, True, give_feedback(runbook, verdict, by, alert_number=alert.number, service=service))
