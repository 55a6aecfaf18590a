"""An incident's windows of impact are outages of their services: the room of availability keeps the one truth of up and down.

Reaction to "incident.impact_changed": it reads the window as it is now, so that one that comes late or twice does no harm.
"""

from __future__ import annotations

from midwatch.core.actor import ENGINE
from midwatch.respond.availability.actions import Correction, correct_outage, open_outage, withdraw_outage
from midwatch.respond.availability.queries import outages_from
from midwatch.respond.incidents.models import AffectedService, Incident


def keep_outage(window_id: int, incident_id: int) -> None:
    """The outage of one window is opened, corrected or withdrawn. Drills have none."""
    incident = Incident.objects.filter(pk=incident_id).first()
    if incident is None or incident.is_drill:
        return
    origin = f"incident/{incident.number}/{window_id}"
    outage = outages_from(origin).first()
    window = AffectedService.objects.select_related("service").filter(pk=window_id).first()
    if window is None:
        if outage is not None:
            withdraw_outage(outage, ENGINE, "the window was taken away")
        return
    if outage is None:
        open_outage(
            window.service,
            ENGINE,
            level=window.level,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            origin=origin,
            note=window.note,
            is_private=incident.is_private,
        )
        return
    correction = Correction(
        level=window.level,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        note=window.note,
        is_private=incident.is_private,
    )
    correct_outage(outage, ENGINE, correction)
