"""What people do to one alert from its page, the list or the Now page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.utils.translation import gettext as _

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.zones import comes_at, wall_at
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.actions import (
    Outcome,
    acknowledge_alert,
    add_note,
    change_priority,
    resolve_alert,
    say_of_runbook,
    snooze_alert,
    unacknowledge_alert,
)
from midwatch.respond.alerts.models import Alert
from midwatch.respond.alerts.views.common import alert_act

SNOOZES = {"30m": timedelta(minutes=30), "1h": timedelta(hours=1), "4h": timedelta(hours=4)}
MORNING_HOUR = 8


def next_morning(now: datetime, zone_name: str) -> datetime:
    """The next 08:00 on this person's wall that is at least an hour away."""
    local = wall_at(now, zone_name)
    morning = local.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
    while morning < local + timedelta(hours=1):
        morning += timedelta(days=1)
    return comes_at(morning, zone_name)


@alert_act
def acknowledge(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    was_mine = alert.acknowledged_by_id == by.user_id
    outcome = acknowledge_alert(alert, by)
    if outcome.is_changed and not was_mine:
        return replace(outcome, sentence=_("You have %s. Escalation stopped.") % alert)
    return outcome


@alert_act
def unacknowledge(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return unacknowledge_alert(alert, by)


@alert_act
def resolve(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return resolve_alert(alert, by)


@alert_act
def snooze(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    wanted = request.POST.get("for", "")
    if wanted == "morning":
        return snooze_alert(alert, by, until=next_morning(clock.now(), viewer(request).time_zone))
    if wanted not in SNOOZES:
        raise ValueError(_("Choose how long: 30m, 1h, 4h or morning."))
    return snooze_alert(alert, by, until=clock.now() + SNOOZES[wanted])


@alert_act
def note(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return add_note(alert, by, request.POST.get("text", ""))


@alert_act
def priority(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return change_priority(alert, by, request.POST.get("priority", ""))


@alert_act
def runbook_feedback(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    """One tap: the runbook helped, was wrong, or had no words for this."""
    return say_of_runbook(alert, by, request.POST.get("runbook", ""), request.POST.get("said", ""))
