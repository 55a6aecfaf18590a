"""Runbooks that alerts start: the escalation says which and when a page leaves, this starts them and tells what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midwatch.core.actor import Actor
from midwatch.engine import hold
from midwatch.prepare.runbooks.actions import Reference, start
from midwatch.prepare.runbooks.models import Execution, TriggeredBy
from midwatch.prepare.runbooks.queries import runbook_named
from midwatch.prepare.runbooks.queries.trusting import is_verified
from midwatch.respond.escalation.actions import remedies
from midwatch.respond.escalation.models import Remedy


def wanted(payload: Mapping[str, Any]) -> None:
    remedies.start_wanted(payload["remedy"], _start, is_held=hold.gate() is not None)


def _start(remedy: Remedy) -> int:
    """Raises ValueError: gone, switched off, of another team, frozen, too often, an option that is missing."""
    alert = remedy.alert
    runbook = runbook_named(remedy.runbook)
    if runbook is None or not runbook.is_active:
        raise ValueError(f"there is no runbook {remedy.runbook} any more" if runbook is None else "it is switched off")
    is_theirs = alert.team_id == runbook.team_id or (
        alert.service_id is not None and alert.service_id == runbook.service_id
    )
    if not is_theirs:
        raise ValueError(f"it belongs to {runbook.team}, and the alert to {alert.team or 'no team'}")
    reference = Reference(
        alert_number=alert.number,
        service=alert.service.name if alert.service else "",
        labels={str(name): str(value) for name, value in alert.labels.items()},
    )
    by = Actor(f"Alert {alert}", "engine")
    return start(runbook, remedy.options, by, trigger=TriggeredBy.ALERT, reference=reference).number


def moved(payload: Mapping[str, Any]) -> None:
    """An execution ended, or waits for somebody."""
    execution = Execution.objects.filter(pk=payload["execution"]).first()
    if execution is not None and execution.trigger == TriggeredBy.ALERT:
        remedies.on_execution(execution.number, execution.state, is_verified=is_verified(execution))
