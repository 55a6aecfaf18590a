"""Incidents: what the list and one incident say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from midwatch.api.shapes.people import PersonRef
from midwatch.respond.incidents.models import (
    AffectedClient,
    AffectedService,
    Entry,
    HandOver,
    Incident,
    LinkedIncident,
    Responder,
    Task,
    Update,
)
from midwatch.respond.incidents.phases import LADDER
from midwatch.respond.incidents.queries import Seat
from midwatch.settings import settings


class RoleOut(Schema):
    """`person`: the name in configuration and commands. `held_as`: assigned, or undelegated: it is the IC's."""

    person: str
    name: str
    held_as: str


class RolesOut(Schema):
    """`ic` is never empty. `dc` lists the IC (undelegated) while nobody else works on it. `custom`: by name of the role."""

    ic: RoleOut
    cm: RoleOut
    dc: list[RoleOut]
    custom: dict[str, list[RoleOut]]

    @classmethod
    def of(cls, seats: list[Seat]) -> RolesOut:
        held = {
            seat.role: [RoleOut(person=one.name, name=str(one), held_as=seat.held_as) for one in seat.people]
            for seat in seats
        }
        ic, cm, dc = held.pop("ic"), held.pop("cm"), held.pop("dc")
        return cls(ic=ic[0], cm=cm[0], dc=dc, custom=held)


class PhasesOut(Schema):
    """When each was reached; null: not yet, or never apart."""

    detected: datetime | None
    acknowledged: datetime | None
    mitigated: datetime | None
    resolved: datetime | None
    closed: datetime | None


class IncidentOut(Schema):
    """`status`: the phase that it has reached: detected, acknowledged, mitigated, resolved, closed."""

    number: int
    title: str
    severity: str
    status: str
    type: str | None
    service: str | None
    team: str | None
    is_private: bool
    is_drill: bool
    is_backfilled: bool
    declared_at: datetime
    declared_by: str
    started_at: datetime
    phases: PhasesOut
    lesson: str
    merged_into: int | None
    url: str

    @classmethod
    def of(cls, incident: Incident) -> IncidentOut:
        return cls(**incident_values(incident))


def _successor(incident: Incident) -> int | None:
    """Of a private one not even the number is told here: who may see it finds it in its own list."""
    into = incident.merged_into
    return into.number if into is not None and not into.is_private else None


def incident_values(incident: Incident) -> dict[str, Any]:
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.phase,
        "type": incident.type.name if incident.type else None,
        "service": incident.service.name if incident.service else None,
        "team": incident.team.name if incident.team else None,
        "is_private": incident.is_private,
        "is_drill": incident.is_drill,
        "is_backfilled": incident.is_backfilled,
        "declared_at": incident.declared_at,
        "declared_by": incident.declared_by,
        "started_at": incident.started_at,
        "phases": {rung: getattr(incident, f"{rung}_at") for rung in LADDER},
        "lesson": incident.lesson,
        "merged_into": _successor(incident),
        "url": f"{settings().base_url}/incidents/{incident.number}",
    }


class EntryOut(Schema):
    """`at`: when it was written down; `happened_at`: when it happened. `amends`: id of the entry that it sets right."""

    id: int
    at: datetime
    happened_at: datetime
    kind: str
    who: str
    text: str
    is_automatic: bool
    is_starred: bool
    amends: int | None

    @classmethod
    def of(cls, entry: Entry) -> EntryOut:
        return cls(
            id=entry.pk,
            at=entry.at,
            happened_at=entry.happened_at,
            kind=entry.kind,
            who=entry.who,
            text=entry.text,
            is_automatic=entry.is_automatic,
            is_starred=hasattr(entry, "star"),
            amends=entry.amends_id,
        )


class TaskOut(Schema):
    """`status`: open, acknowledged, done, dropped. `user` null: whoever holds the role."""

    id: int
    title: str
    role: str
    user: str | None
    status: str
    minutes: int | None
    due_at: datetime | None
    outcome: str

    @classmethod
    def of(cls, task: Task) -> TaskOut:
        status = "dropped" if task.is_dropped else "done" if task.done_at else "open"
        if status == "open" and task.acknowledged_at:
            status = "acknowledged"
        return cls(
            id=task.pk,
            title=task.title,
            role=task.role,
            user=task.doer.name if task.doer else None,
            status=status,
            minutes=task.box_seconds // 60 if task.box_seconds else None,
            due_at=task.due_at,
            outcome=task.outcome,
        )


class ResponderOut(Schema):
    """Exactly one of service, team, user was paged; `alert` is the number of that page."""

    service: str | None
    team: str | None
    user: str | None
    message: str
    alert: int | None
    asked_by: str
    asked_at: datetime
    answered_by: PersonRef | None
    answered_at: datetime | None

    @classmethod
    def of(cls, asked: Responder) -> ResponderOut:
        return cls(
            service=asked.service.name if asked.service else None,
            team=asked.team.name if asked.team else None,
            user=asked.user.name if asked.user else None,
            message=asked.message,
            alert=asked.alert.number if asked.alert else None,
            asked_by=asked.asked_by,
            asked_at=asked.asked_at,
            answered_by=PersonRef.of(asked.answered_by) if asked.answered_by else None,
            answered_at=asked.answered_at,
        )


class ImpactOut(Schema):
    id: int
    service: str
    level: str
    starts_at: datetime
    ends_at: datetime | None
    note: str

    @classmethod
    def of(cls, window: AffectedService) -> ImpactOut:
        return cls(
            id=window.pk,
            service=window.service.name,
            level=window.level,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            note=window.note,
        )


class ClientOut(Schema):
    id: int
    name: str
    contact: str
    impact: str
    evidence: str
    query: str
    checked_by: str
    checked_at: datetime

    @classmethod
    def of(cls, client: AffectedClient) -> ClientOut:
        return cls(
            id=client.pk,
            name=client.name,
            contact=client.contact,
            impact=client.impact,
            evidence=client.evidence,
            query=client.query,
            checked_by=client.checked_by,
            checked_at=client.checked_at,
        )


class ClientsOut(Schema):
    """The register of affected clients. `checked_at` with an empty list: checked, none affected."""

    checked_at: datetime | None
    checked_by: str
    affected: list[ClientOut]


class HandOverOut(Schema):
    """A role offered. `state`: offered, accepted, declined, withdrawn."""

    id: int
    role: str
    leaving: str
    taking: str
    why: str
    brief: str
    state: str
    offered_by: str
    offered_at: datetime
    answered_at: datetime | None

    @classmethod
    def of(cls, offer: HandOver) -> HandOverOut:
        return cls(
            id=offer.pk,
            role=offer.role,
            leaving=offer.leaving.name,
            taking=offer.taking.name,
            why=offer.why,
            brief=offer.brief,
            state=offer.state,
            offered_by=offer.offered_by,
            offered_at=offer.offered_at,
            answered_at=offer.answered_at,
        )


class LinkOut(Schema):
    """`kind`: related, duplicate (it was merged into this one), follows."""

    number: int
    kind: str

    @classmethod
    def of(cls, link: LinkedIncident) -> LinkOut:
        return cls(number=link.other.number, kind=link.kind)


class PromiseOut(Schema):
    """When an audience (internal, external) hears next, and heard last."""

    audience: str
    last_at: datetime | None
    next_at: datetime | None


class IncidentDetailOut(IncidentOut):
    """`timeline`: the last 200 entries, oldest first; all of them: `/incidents/{number}/timeline`."""

    summary: str
    roles: RolesOut
    timeline: list[EntryOut]
    tasks: list[TaskOut]
    responders: list[ResponderOut]
    impact: list[ImpactOut]
    clients: ClientsOut
    hand_overs: list[HandOverOut]
    alerts: list[int]
    links: list[LinkOut]
    promises: list[PromiseOut]


class TaskMadeOut(TaskOut):
    """`warning`: a sentence when the IC was given the repair while somebody else is there to do it."""

    warning: str


class UpdateOut(Schema):
    """`state`: draft, waiting (for the IC), published, refused. `digest`: what an approval names."""

    id: int
    stage: str
    title: str
    internal: str
    external: str
    targets: list[str]
    state: str
    author: str
    created_at: datetime
    published_at: datetime | None
    next_at: datetime | None
    answered_by: str
    why_refused: str
    digest: str

    @classmethod
    def of(cls, update: Update) -> UpdateOut:
        return cls(
            id=update.pk,
            stage=update.stage,
            title=update.title,
            internal=update.internal_text,
            external=update.external_text,
            targets=update.targets,
            state=update.state,
            author=update.author_name,
            created_at=update.created_at,
            published_at=update.published_at,
            next_at=update.next_at,
            answered_by=update.answered_by,
            why_refused=update.why_refused,
            digest=update.text_digest,
        )
