"""A clock that steps back must lose no page: what is planned keeps its distance to now.

Engines write each second when they ticked. Where the newest of these lies ahead, the clock has gone back (an NTP step, a
corrected date, another database server): every moment of what is open goes back with it, once, in one transaction.
Nothing that went out is forgotten by that, so nothing goes out again. A step forward needs nothing done: what is due
by the new time goes out, late, with its distances kept, as after a sleep of the machine.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q

from midwatch.core import audit
from midwatch.core.actor import ENGINE
from midwatch.core.models import AuditEntry, OutboxEvent
from midwatch.engine import metrics
from midwatch.engine.hold.gate import forget
from midwatch.engine.models import Hold, Node
from midwatch.respond.alerts.models import OPEN, Alert, Source
from midwatch.respond.escalation.models import Escalation, EscalationState
from midwatch.respond.notify.actions.claiming import OUTSTANDING
from midwatch.respond.notify.models import Delivery, Page

log = logging.getLogger("midwatch.clock")
STEP_MIN = timedelta(seconds=2)
FORWARD_TOLD_MIN = timedelta(minutes=1)  # a shorter one may be a machine that was busy
STORM_WINDOW_MAX = timedelta(minutes=10)
VERB = "clock step"


def look_back(now: datetime) -> timedelta:
    """Has the clock gone back since an engine ticked last? Then what is open goes back with it. Returns by how much."""
    newest = Node.objects.filter(ticked_at__gt=now + STEP_MIN).order_by("-ticked_at").first()
    if newest is None:
        return timedelta(0)
    with transaction.atomic():
        # One of several nodes does it: the others find no tick ahead once they have the lock.
        ahead = list(Node.objects.select_for_update().filter(ticked_at__gt=now + STEP_MIN).order_by("pk"))
        latest = max((node.ticked_at for node in ahead if node.ticked_at is not None), default=None)
        if latest is None:
            return timedelta(0)
        by = latest - now
        _shift(by, now)
        Node.objects.filter(pk__in=[node.pk for node in ahead]).update(ticked_at=now)
        audit.record(ENGINE, VERB, "installation", "back", {"seconds": round(by.total_seconds(), 1)})
    forget()
    metrics.CLOCK_STEPS.labels("back").inc()
    log.warning("the clock went back by %.1f s: what is planned goes back with it", by.total_seconds())
    return by


def note_forward(by: timedelta) -> None:
    """The machine's clock went ahead of the monotonic one: a step, or a sleep of the machine."""
    if by < FORWARD_TOLD_MIN:
        return
    metrics.CLOCK_STEPS.labels("forward").inc()
    with transaction.atomic():
        audit.record(ENGINE, VERB, "installation", "forward", {"seconds": round(by.total_seconds(), 1)})


def steps_since(since: datetime) -> list[AuditEntry]:
    found = AuditEntry.objects.filter(object_kind="installation", object_name__in=["back", "forward"], verb=VERB)
    return list(found.filter(at__gte=since).order_by("-id")[:10])


def _back(rows: models.QuerySet[Any], by: timedelta, *fields: str) -> None:
    rows.update(**{name: F(name) - by for name in fields})


def _shift(by: timedelta, now: datetime) -> None:
    """Of what is open every moment, so that distances stay; of what is over only what lies ahead and would hold others up."""
    opened = Alert.objects.filter(status__in=OPEN)
    _back(opened, by, "acknowledged_at", "snoozed_until", "expires_at")
    live = Escalation.objects.exclude(state=EscalationState.ENDED)
    fields = ["due_at", "round_started_at", "sent_at", "next_by", "last_resort_at", "asked_at", "claimed_until"]
    _back(live, by, *fields)
    pages = Page.objects.filter(alert__status__in=OPEN)
    _back(pages, by, "due_at", "cycle_started_at", "handed_over_at", "failed_at", "claimed_until")
    outstanding = Delivery.objects.filter(state__in=OUTSTANDING)
    at_once = outstanding.filter(Q(attempts__gt=0) | Q(due_at__lte=F("created_at")))  # not what a person's hours hold
    _back(at_once, by, "due_at", "wanted_at")
    _back(outstanding, by, "created_at", "claimed_until")
    left = Delivery.objects.filter(handed_over_at__gt=now - STORM_WINDOW_MAX)  # the storm limits count these
    _back(left, by, "handed_over_at")
    _back(Delivery.objects.filter(poll_at__gt=now), by, "poll_at")
    _back(OutboxEvent.objects.filter(done_at=None), by, "due_at", "claimed_until")
    _back(Source.objects.exclude(expected_at=None), by, "expected_at")
    _back(Hold.objects.filter(released_at=None), by, "began_at", "told_at")
