"""Incidents of an archive: back-filled with what was said while they ran, closed, each once.

They count in the figures by when they began. Nobody is told of them, no clock runs, and no post-mortem is demanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import Team, User
from midwatch.respond.incidents import wording
from midwatch.respond.incidents.actions.declaring import Declaration, declare_incident
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import (
    ImportedIncident,
    Incident,
    Phase,
    RoleHolding,
    Update,
    UpdateState,
)

KEY_MAX = 200


@dataclass(frozen=True, slots=True)
class Said:
    """One published update of the archive. `stage`: one of `wording.STAGES`."""

    at: datetime
    stage: str
    text: str


@dataclass(frozen=True, slots=True)
class Past:
    """An incident that is over. `key`: the archive and the archive's own id."""

    key: str
    title: str
    severity: str
    started_at: datetime
    resolved_at: datetime
    summary: str = ""
    mitigated_at: datetime | None = None
    updates: Sequence[Said] = ()
    service: Service | None = None
    team: Team | None = None


def known_keys(keys: Sequence[str]) -> set[str]:
    """Those that were imported already."""
    return set(ImportedIncident.objects.filter(key__in=keys).values_list("key", flat=True))


def import_incident(past: Past, commander: User, by: Actor) -> Incident | None:
    """None when it was imported before. Raises ValueError with a sentence. One transaction."""
    if len(past.key) > KEY_MAX:
        raise ValueError(f"its id is longer than {KEY_MAX} characters")
    moments = {"started": past.started_at, "detected": past.started_at, "resolved": past.resolved_at}
    if past.mitigated_at is not None:
        moments["mitigated"] = past.mitigated_at
    wanted = Declaration(
        title=past.title,
        severity=past.severity,
        service=past.service,
        team=past.team,
        summary=past.summary,
        commander=commander,
        moments=moments,
    )
    with transaction.atomic():
        if known_keys([past.key]):
            return None
        incident = declare_incident(wanted, by)
        ImportedIncident.objects.create(incident=incident, key=past.key, at=clock.now())
        for said in past.updates:
            _write_update(incident, said, by)
        Incident.objects.filter(pk=incident.pk).update(phase=Phase.CLOSED, closed_at=past.resolved_at, prompted_at=None)
        RoleHolding.objects.filter(incident=incident, ended_at=None).update(
            assumed_at=past.started_at, ended_at=past.resolved_at
        )
    incident.refresh_from_db()
    return incident


def _write_update(incident: Incident, said: Said, by: Actor) -> None:
    text = clean(said.text, wording.TEXT_MAX)
    Update.objects.create(
        incident=incident,
        stage=said.stage,
        title=clean(incident.title, wording.TITLE_MAX, is_one_line=True),
        external_text=text,
        state=UpdateState.PUBLISHED,
        author_name=str(by)[:200],
        created_at=said.at,
        published_at=said.at,
    )
    note(incident, "update", f"{said.stage}: {text}", by, happened_at=said.at)
