"""Taking or resolving many alerts at once: all that a page or a message listed, and no other.

In statements for all of them, not for each. One by one, in the transaction that "all 214 shown" needs to be one answer, they
held the write ticket for a millisecond each; in parts, the group would page on for what is not yet taken, and a crash would
leave half of what somebody was told. What follows for each alert is the engine's, one short transaction after the other: by
then its state says that nobody is to be called for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.statements import fetch
from midwatch.respond.alerts.actions.people import Outcome, who_has
from midwatch.respond.alerts.actions.timeline import entry, note_many
from midwatch.respond.alerts.models import Alert, AlertStatus

AT_ONCE_MAX = 1_000  # what a message lists, and what has joined its page since
Said = tuple[
    str, str, str, str
]  # words of the entry, verb of the audit log ("": none), the event, the answer's sentence


def acknowledge_alerts(alerts: Sequence[Alert], by: Actor) -> list[Outcome]:
    """As `acknowledge_alert` of each, by a person. Outcomes in the order given."""
    assert by.is_person, "only people answer for many at once"

    def change(alert: Alert, now: datetime) -> tuple[str, dict[str, Any]] | None:
        taken = {"status": AlertStatus.ACKNOWLEDGED, "acknowledged_at": now, "acknowledged_by_id": by.user_id}
        if alert.status == AlertStatus.FIRING or (
            alert.status == AlertStatus.ACKNOWLEDGED and alert.is_acknowledged_by_machine
        ):
            return "acknowledged", {**taken, "is_acknowledged_by_machine": False}
        is_theirs = alert.status == AlertStatus.ACKNOWLEDGED and alert.acknowledged_by_id == by.user_id
        return ("still_on_it", {"acknowledged_at": now}) if is_theirs and alert.snoozed_until is None else None

    return _each(alerts, by, change)


def resolve_alerts(alerts: Sequence[Alert], by: Actor) -> list[Outcome]:
    """As `resolve_alert` of each. Outcomes in the order given."""

    def change(alert: Alert, now: datetime) -> tuple[str, dict[str, Any]] | None:
        if alert.status == AlertStatus.RESOLVED:
            return None
        return "resolved", {
            "status": AlertStatus.RESOLVED,
            "resolved_at": now,
            "resolved_by_id": by.user_id,
            "is_resolved_by_source": False,
            "is_still_firing": False,
            "snoozed_until": None,
            "expires_at": None,
        }

    return _each(alerts, by, change)


def _said(kind: str, alert: Alert, by: Actor) -> Said:
    match kind:
        case "acknowledged":
            return f"{by} acknowledged", "acknowledge", "alert.acknowledged", f"{by} has {alert}. Escalation stopped."
        case "still_on_it":
            return f"{by} is still on it", "", "alert.confirmed", f"{by} has {alert}, still on it."
        case _:
            return f"{by} resolved it", "resolve", "alert.resolved", f"{alert} is resolved."


def _each(
    alerts: Sequence[Alert], by: Actor, change: Callable[[Alert, datetime], tuple[str, dict[str, Any]] | None]
) -> list[Outcome]:
    """`change`: the kind of entry and the columns of one alert as it is now, or None when there is nothing to do."""
    assert len(alerts) <= AT_ONCE_MAX, f"at most {AT_ONCE_MAX} alerts in one transaction"
    now = clock.now()
    outcomes: dict[int, Outcome] = {}
    by_kind: dict[str, list[Alert]] = {}
    columns: dict[str, dict[str, Any]] = {}
    with transaction.atomic():
        locked = Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).order_by("pk")
        related = locked.select_related("service", "team", "acknowledged_by", "resolved_by", "source")
        for alert in fetch(related.select_for_update(of=("self",))):
            found = change(alert, now)
            if found is None:
                outcomes[alert.pk] = Outcome(alert, is_changed=False, sentence=who_has(alert))
            else:
                by_kind.setdefault(found[0], []).append(alert)
                columns[found[0]] = found[1]
        for kind, changing in by_kind.items():
            Alert.objects.filter(pk__in=[alert.pk for alert in changing]).update(**columns[kind])
            outcomes |= {alert.pk: _changed(alert, kind, columns[kind], by) for alert in changing}
            _write_down(kind, changing, by, now)
    return [outcomes[alert.pk] for alert in alerts if alert.pk in outcomes]


def _changed(alert: Alert, kind: str, columns: dict[str, Any], by: Actor) -> Outcome:
    for name, value in columns.items():
        setattr(alert, name, value)
    return Outcome(alert, is_changed=True, sentence=_said(kind, alert, by)[3])


def _write_down(kind: str, alerts: Sequence[Alert], by: Actor, now: datetime) -> None:
    said = {alert.pk: _said(kind, alert, by) for alert in alerts}
    note_many(entry(alert.pk, kind, said[alert.pk][0], by, at=now, via=by.via) for alert in alerts)
    audit.record_many(by, [(verb, "alert", str(a), None) for a in alerts if (verb := said[a.pk][1])])
    event = said[alerts[0].pk][2]
    outbox.emit_many(event, [{"alert": alert.pk, "by": by.user_id} for alert in alerts])
