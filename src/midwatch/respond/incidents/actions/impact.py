"""Which services suffered from when to when, and which clients (R12)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import AffectedClient, AffectedService, Incident
from midwatch.respond.incidents.models.record import Level


def affect_service(
    incident: Incident,
    service: Service,
    by: Actor,
    *,
    level: str = Level.MAJOR,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    note_text: str = "",
) -> AffectedService:
    """One window of one service. Raises ValueError with a sentence."""
    begins = starts_at or incident.started_at
    _check_window(begins, ends_at, level)
    with transaction.atomic():
        window = AffectedService.objects.create(
            incident=incident,
            service=service,
            level=level,
            starts_at=begins,
            ends_at=ends_at,
            note=clean(note_text, 500, is_one_line=True),
        )
        note(incident, "impact", f"{service}: {window.get_level_display()} since {begins:%H:%M} UTC", by)
        outbox.emit("incident.impact_changed", {"incident": incident.pk, "window": window.pk})
    return window


def change_window(
    window: AffectedService, by: Actor, *, level: str, starts_at: datetime, ends_at: datetime | None
) -> None:
    """Set a window right; what it was stays in the audit log."""
    _check_window(starts_at, ends_at, level)
    with transaction.atomic():
        before = AffectedService.objects.select_for_update().get(pk=window.pk)
        AffectedService.objects.filter(pk=window.pk).update(level=level, starts_at=starts_at, ends_at=ends_at)
        until = f" until {ends_at:%H:%M} UTC" if ends_at else ""
        note(window.incident, "impact", f"{window.service}: {level} from {starts_at:%H:%M} UTC{until}", by)
        audit.record(
            by,
            "change impact",
            "incident",
            str(window.incident),
            {"service": window.service.name, "before": _shown(before.level, before.starts_at, before.ends_at)},
        )
        outbox.emit("incident.impact_changed", {"incident": window.incident_id, "window": window.pk})


def end_windows(incident: Incident, at: datetime) -> None:
    """What is still open ends with the incident. In the caller's transaction."""
    windows = AffectedService.objects.filter(incident=incident, ends_at=None)
    for window in windows:
        AffectedService.objects.filter(pk=window.pk).update(ends_at=max(at, window.starts_at))
        outbox.emit("incident.impact_changed", {"incident": incident.pk, "window": window.pk})


def _check_window(starts_at: datetime, ends_at: datetime | None, level: str) -> None:
    if level not in Level.values:
        raise ValueError(f"{level!r} is no level: give one of {', '.join(Level.values)}")
    if starts_at > clock.now():
        raise ValueError("the impact cannot begin in the future")
    if ends_at is not None and ends_at < starts_at:
        raise ValueError("the impact cannot end before it began")


def _shown(level: str, starts_at: datetime, ends_at: datetime | None) -> dict[str, str | None]:
    return {"level": level, "from": starts_at.isoformat(), "to": ends_at.isoformat() if ends_at else None}


def register_client(
    incident: Incident, by: Actor, *, name: str, impact: str, evidence: str = "", query: str = "", contact: str = ""
) -> AffectedClient:
    """A client who was affected, what they suffered, and how we know."""
    if not name.strip() or not impact.strip():
        raise ValueError("give the client's name, and what they suffered")
    now = clock.now()
    with transaction.atomic():
        client = AffectedClient.objects.create(
            incident=incident,
            name=clean(name, 200, is_one_line=True),
            contact=clean(contact, 300, is_one_line=True),
            impact=clean(impact, 1_000),
            evidence=clean(evidence, 1_000),
            query=clean(query, 2_000),
            checked_by=str(by)[:200],
            checked_at=now,
        )
        note(incident, "client", f"{client.name}: {client.impact}", by)
        audit.record(by, "register client", "incident", str(incident), {"client": client.name})
        Incident.objects.filter(pk=incident.pk).update(clients_checked_at=now, clients_checked_by=str(by)[:200])
    return client


def remove_client(client: AffectedClient, by: Actor) -> None:
    with transaction.atomic():
        if AffectedClient.objects.filter(pk=client.pk, removed_at=None).update(removed_at=clock.now()):
            note(client.incident, "client", f"{client.name} was not affected after all", by)
            audit.record(by, "remove client", "incident", str(client.incident), {"client": client.name})


def clients_checked(incident: Incident, by: Actor) -> None:
    """ "Checked" is an answer, also when none was affected."""
    with transaction.atomic():
        count = AffectedClient.objects.filter(incident=incident, removed_at=None).count()
        found = f"{count} affected" if count else "none affected"
        Incident.objects.filter(pk=incident.pk).update(clients_checked_at=clock.now(), clients_checked_by=str(by)[:200])
        note(incident, "client", f"{by} checked the clients: {found}", by)
        audit.record(by, "check clients", "incident", str(incident), {"affected": count})
