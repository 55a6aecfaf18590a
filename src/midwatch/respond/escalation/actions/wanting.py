"""An alert wants a runbook: the wish is written in the transaction that decides about the page, and started after it.

Nothing here waits for a runbook, and nothing that goes wrong with one can keep an alert from its escalation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from midwatch.core import outbox
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.fixing import Hold, Wanted
from midwatch.respond.escalation.models import PolicyStep, Remedy, RemedyState


class Wish(NamedTuple):
    alert: Alert
    wanted: Wanted
    hold: Hold


def of_step(step: PolicyStep) -> Wanted:
    return Wanted(step.runbook, step.name)


def want(wishes: Sequence[Wish], now: datetime) -> None:
    """Each runbook once an alert, however many rounds there are. In the caller's transaction."""
    if not wishes:
        return
    made = [
        Remedy(
            alert=alert,
            source_id=alert.source_id,
            dedup_key=alert.dedup_key,
            runbook=wanted.runbook,
            options=dict(wanted.options),
            origin=wanted.origin,
            hold_seconds=int(hold.length.total_seconds()),
            is_page_anyway=hold.is_page_anyway,
            wanted_at=now,
        )
        for alert, wanted, hold in wishes
    ]
    Remedy.objects.bulk_create(made, ignore_conflicts=True)
    found = Remedy.objects.filter(
        alert_id__in={alert.pk for alert, _, _ in wishes}, state=RemedyState.WANTED, wanted_at=now
    )
    outbox.emit_many("remedy.wanted", [{"remedy": pk} for pk in found.values_list("pk", flat=True)])
