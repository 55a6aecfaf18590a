"""What people do to alerts. Each is a conditional update: first wins, and the second learns who it was, never an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.statements import Select
from midwatch.core.text import clean
from midwatch.respond.alerts import grouping
from midwatch.respond.alerts.actions.timeline import note
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.alerts.queries import urgency_now

FRESH = Select(
    lambda pk: Alert.objects.select_related("service", "team", "acknowledged_by", "resolved_by", "source").filter(pk=pk)
)
NOTE_MAX = 2_000
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`alert` as it is now; `sentence` says what is so ("Bo has #1042 since 02:14 UTC")."""

    alert: Alert
    is_changed: bool
    sentence: str


def fresh(alert: Alert) -> Alert:
    found = FRESH(alert.pk)
    if not found:
        raise Alert.DoesNotExist(f"{alert} is not there any more")
    return found[0]


def who_has(alert: Alert) -> str:
    """ "Bo has #1042 since 02:14 UTC"."""
    if alert.status == AlertStatus.RESOLVED:
        by = str(alert.resolved_by) if alert.resolved_by else "its source"
        at = f" at {alert.resolved_at:%H:%M} UTC" if alert.resolved_at else ""
        return f"{alert} was resolved by {by}{at}"
    if alert.status == AlertStatus.ACKNOWLEDGED:
        if alert.is_acknowledged_by_machine:
            return f"{alert} is acknowledged by source, no person"
        since = f" since {alert.acknowledged_at:%H:%M} UTC" if alert.acknowledged_at else ""
        return f"{alert.acknowledged_by or 'Somebody'} has {alert}{since}"
    return f"Nobody has {alert} yet"


def acknowledge_alert(alert: Alert, by: Actor) -> Outcome:
    """Take it. The owner acknowledging again says "still on it" and starts the time-out anew."""
    now = clock.now()
    with transaction.atomic():
        taken = Alert.objects.filter(pk=alert.pk, status=AlertStatus.FIRING).update(
            status=AlertStatus.ACKNOWLEDGED,
            acknowledged_at=now,
            acknowledged_by_id=by.user_id,
            is_acknowledged_by_machine=not by.is_person,
            snoozed_until=None,
        )
        if taken:
            note(
                alert.pk,
                "acknowledged",
                f"{by} acknowledged" if by.is_person else "acknowledged by source, no person",
                by,
                via=by.via,
            )
            audit.record(by, "acknowledge", "alert", str(alert))
            outbox.emit("alert.acknowledged", {"alert": alert.pk, "by": by.user_id})
            return Outcome(fresh(alert), is_changed=True, sentence=f"{by} has {alert}. Escalation stopped.")
        confirmed = (
            Alert.objects.filter(pk=alert.pk, status=AlertStatus.ACKNOWLEDGED, snoozed_until=None)
            .filter(acknowledged_by_id=by.user_id, is_acknowledged_by_machine=not by.is_person)
            .update(acknowledged_at=now)
            if by.is_person
            else 0
        )
        if confirmed:
            note(alert.pk, "still_on_it", f"{by} is still on it", by, via=by.via)
            outbox.emit("alert.confirmed", {"alert": alert.pk, "by": by.user_id})
            return Outcome(fresh(alert), is_changed=True, sentence=f"{by} has {alert}, still on it.")
        person_over_machine = by.is_person and Alert.objects.filter(
            pk=alert.pk, status=AlertStatus.ACKNOWLEDGED, is_acknowledged_by_machine=True
        ).update(acknowledged_at=now, acknowledged_by_id=by.user_id, is_acknowledged_by_machine=False)
        if person_over_machine:
            note(alert.pk, "acknowledged", f"{by} acknowledged", by, via=by.via)
            audit.record(by, "acknowledge", "alert", str(alert))
            outbox.emit("alert.acknowledged", {"alert": alert.pk, "by": by.user_id})
            return Outcome(fresh(alert), is_changed=True, sentence=f"{by} has {alert}. Escalation stopped.")
    current = fresh(alert)
    return Outcome(current, is_changed=False, sentence=who_has(current))


def unacknowledge_alert(alert: Alert, by: Actor, *, why: str = "", is_new_round_theirs: bool = False) -> Outcome:
    """Give it back: a new round starts. `is_new_round_theirs`: the caller sees to what follows, in this transaction."""
    with transaction.atomic():
        changed = Alert.objects.filter(pk=alert.pk, status=AlertStatus.ACKNOWLEDGED).update(
            status=AlertStatus.FIRING,
            acknowledged_at=None,
            acknowledged_by=None,
            is_acknowledged_by_machine=False,
            snoozed_until=None,
        )
        if changed:
            note(alert.pk, "unacknowledged", why or f"{by} gave it back", by, via=by.via)
            if by.is_person:
                audit.record(by, "un-acknowledge", "alert", str(alert))
            if not is_new_round_theirs:
                outbox.emit("alert.unacknowledged", {"alert": alert.pk})
    current = fresh(alert)
    return Outcome(
        current, is_changed=bool(changed), sentence=f"{alert} is unanswered again." if changed else who_has(current)
    )


def resolve_alert(alert: Alert, by: Actor) -> Outcome:
    now = clock.now()
    with transaction.atomic():
        changed = (
            Alert.objects.filter(pk=alert.pk)
            .exclude(status=AlertStatus.RESOLVED)
            .update(
                status=AlertStatus.RESOLVED,
                resolved_at=now,
                resolved_by_id=by.user_id,
                is_resolved_by_source=False,
                is_still_firing=False,
                snoozed_until=None,
                expires_at=None,
            )
        )
        if changed:
            note(alert.pk, "resolved", f"{by} resolved it", by, via=by.via)
            audit.record(by, "resolve", "alert", str(alert))
            outbox.emit("alert.resolved", {"alert": alert.pk, "by": by.user_id})
    current = fresh(alert)
    return Outcome(current, is_changed=bool(changed), sentence=f"{alert} is resolved." if changed else who_has(current))


def snooze_alert(alert: Alert, by: Actor, *, until: datetime) -> Outcome:
    """Quiet until then; whoever is on call then is paged. Raises ValueError with a sentence."""
    now = clock.now()
    if until <= now:
        raise ValueError("give a time in the future to snooze until")
    if (until - now).days > 30:
        raise ValueError("snooze for 30 days at most; for longer, resolve it or use maintenance")
    with transaction.atomic():
        changed = (
            Alert.objects.filter(pk=alert.pk)
            .exclude(status=AlertStatus.RESOLVED)
            .update(
                status=AlertStatus.ACKNOWLEDGED,
                acknowledged_at=now,
                acknowledged_by_id=by.user_id,
                is_acknowledged_by_machine=not by.is_person,
                snoozed_until=until,
            )
        )
        if changed:
            note(
                alert.pk,
                "snoozed",
                f"{by} snoozed it until {until:%Y-%m-%d %H:%M} UTC",
                by,
                until=until.isoformat(),
                via=by.via,
            )
            audit.record(by, "snooze", "alert", str(alert), {"until": until.isoformat()})
            outbox.emit("alert.snoozed", {"alert": alert.pk, "by": by.user_id})
    current = fresh(alert)
    sentence = f"{alert} is snoozed until {until:%H:%M} UTC." if changed else who_has(current)
    return Outcome(current, is_changed=bool(changed), sentence=sentence)


def wake_snoozed(alert: Alert) -> bool:
    """The engine: a snooze has ended. Whoever is on call now is paged, by a new round."""
    with transaction.atomic():
        changed = Alert.objects.filter(
            pk=alert.pk, status=AlertStatus.ACKNOWLEDGED, snoozed_until__lte=clock.now()
        ).update(
            status=AlertStatus.FIRING,
            acknowledged_at=None,
            acknowledged_by=None,
            is_acknowledged_by_machine=False,
            snoozed_until=None,
        )
        if changed:
            note(alert.pk, "snooze_ended", "The snooze ended", ENGINE)
    return bool(changed)


def add_note(alert: Alert, by: Actor, text: str) -> Outcome:
    """Raises ValueError when there is nothing to say."""
    words = clean(text, NOTE_MAX).strip()
    if not words:
        raise ValueError("write something first")
    with transaction.atomic():
        note(alert.pk, "note", words, by, via=by.via)
        audit.record(by, "note", "alert", str(alert))
    return Outcome(fresh(alert), is_changed=True, sentence=f"Noted on {alert}.")


def change_priority(alert: Alert, by: Actor, priority: str) -> Outcome:
    """Raising to high urgency starts the high rules now; lowering never stops a page that is under way."""
    if priority not in PRIORITIES:
        raise ValueError("give a priority from P1 to P5")
    with transaction.atomic():
        current = Alert.objects.select_related("service").select_for_update(of=("self",)).get(pk=alert.pk)
        old = current.priority
        if old == priority:
            return Outcome(fresh(alert), is_changed=False, sentence=f"{alert} is {priority} already.")
        urgency = urgency_now(priority, current.service, clock.now())
        raises_urgency = current.urgency == "low" and urgency == "high" and current.is_open
        Alert.objects.filter(pk=alert.pk).update(priority=priority, urgency="high" if raises_urgency else F("urgency"))
        note(alert.pk, "priority", f"{by} changed the priority from {old} to {priority}", by, old=old, new=priority)
        audit.record(by, "change priority", "alert", str(alert), {"from": old, "to": priority})
        if current.is_open and grouping.higher(priority, old):
            outbox.emit("alert.raised", {"alert": alert.pk})
    return Outcome(fresh(alert), is_changed=True, sentence=f"{alert} is {priority} now.")
