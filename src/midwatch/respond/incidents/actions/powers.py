"""The IC's powers: for the incident's duration they silence a service's alerts and put somebody on call, whatever their own
team. Each use names the incident in its reason, its timeline and the audit log; what they set ends with the incident.

Paging anyone is `add_responder`, publishing is `compose_update`; who may is in `permits.py`, and a viewer never leads.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import ENGINE, Actor
from midwatch.people.models import User
from midwatch.respond.alerts.actions import end_maintenance, start_maintenance
from midwatch.respond.alerts.models import Maintenance
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import Entry, Incident
from midwatch.respond.oncall.actions import cancel_override, create_override
from midwatch.respond.oncall.models import Override, Schedule

SILENCE_MAX = timedelta(hours=24)
OVERRIDE_MAX = timedelta(days=3)
KIND = "power"


def silence(incident: Incident, service: Service, by: Actor, *, until: datetime) -> Maintenance:
    """Its alerts are kept and page nobody until then, or until the incident is closed. Raises ValueError with a sentence."""
    now = clock.now()
    _check(incident, until, now, SILENCE_MAX)
    with transaction.atomic():
        window = start_maintenance(service, by, starts_at=now, ends_at=until, reason=_reason(incident))
        text = f"{by} silenced {service} until {until:%H:%M} UTC"
        note(incident, KIND, text, by, power="silence", service=service.name, maintenance=window.pk)
        audit.record(by, "use power: silence", "incident", str(incident), {"service": service.name})
    return window


def put_on_call(incident: Incident, schedule: Schedule, user: User, by: Actor, *, until: datetime) -> Override:
    """Instead of whoever is on call there, until then or until the incident is closed. Raises ValueError."""
    now = clock.now()
    _check(incident, until, now, OVERRIDE_MAX)
    with transaction.atomic():
        made = create_override(schedule, by, starts_at=now, ends_at=until, user=user, reason=_reason(incident))
        text = f"{by} put {user} on call for {schedule} until {until:%d %b %H:%M} UTC"
        note(incident, KIND, text, by, power="override", schedule=schedule.name, override=made.pk)
        audit.record(
            by, "use power: override", "incident", str(incident), {"schedule": schedule.name, "user": user.name}
        )
    return made


def _reason(incident: Incident) -> str:
    return f"{incident}" if incident.is_private else f"{incident}: {incident.title}"


def _check(incident: Incident, until: datetime, now: datetime, most: timedelta) -> None:
    if not Incident.objects.filter(pk=incident.pk, closed_at=None).exists():
        raise ValueError(f"{incident} is closed: its powers ended with it")
    if not now < until <= now + most:
        raise ValueError(f"give a moment within {int(most.total_seconds() // 3600)} hours from now")


def end_powers(incident_id: int) -> int:
    """The incident is closed: what its powers set ends now, where it still runs. In the caller's transaction."""
    ended = 0
    incident = Incident.objects.get(pk=incident_id)
    now = clock.now()
    used = Entry.objects.filter(incident=incident, kind=KIND).values_list("detail", flat=True)
    for detail in list(used):
        if window := Maintenance.objects.filter(pk=detail.get("maintenance") or 0, ends_at__gt=now).first():
            end_maintenance(window, ENGINE)
            ended += 1
        if override := Override.objects.filter(pk=detail.get("override") or 0, ends_at__gt=now).first():
            ended += cancel_override(override, ENGINE)
    if ended:
        note(incident, "powers", f"what the IC's powers had set ended with it: {ended}", ENGINE)
    return ended
