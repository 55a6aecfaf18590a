"""Everything that one incident's page and its API answer show, read in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from midwatch.core import topics
from midwatch.people.models import User
from midwatch.prepare.runbooks.queries import Answer, runbooks_for
from midwatch.respond.incidents.cadence import Adherence, adherence
from midwatch.respond.incidents.models import (
    AffectedClient,
    AffectedService,
    Audience,
    Channel,
    Entry,
    Evidence,
    HandOver,
    HandOverState,
    Incident,
    LinkedAlert,
    LinkedIncident,
    Promise,
    Responder,
    Task,
    Update,
    UpdateState,
)
from midwatch.respond.incidents.queries.finding import visible_to

ENTRIES_MAX = 200
PRESENT_MAX = 20
UPDATES_SHOWN = 20
UPDATES_MEASURED_MAX = 1_000
RUNBOOK_ALERTS_MAX = 5  # alerts of an incident whose runbooks are looked for
RUNBOOKS_SHOWN = 8


def timeline(
    incident: Incident, *, kinds: Sequence[str] = (), before_id: int | None = None, limit: int = ENTRIES_MAX
) -> list[Entry]:
    """Newest first, with their stars, amendments and attachments."""
    found = Entry.objects.filter(incident=incident).select_related("star", "amends")
    if kinds:
        found = found.filter(kind__in=kinds)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return list(found.prefetch_related("attachments").order_by("-id")[:limit])


def tasks_of(incident: Incident) -> list[Task]:
    return list(Task.objects.filter(incident=incident).select_related("doer").order_by("created_at", "id"))


def responders_of(incident: Incident) -> list[Responder]:
    found = Responder.objects.filter(incident=incident)
    return list(found.select_related("service", "team", "user", "alert", "answered_by"))


def windows_of(incident: Incident) -> list[AffectedService]:
    return list(AffectedService.objects.filter(incident=incident).select_related("service"))


def clients_of(incident: Incident) -> list[AffectedClient]:
    return list(AffectedClient.objects.filter(incident=incident, removed_at=None))


def offers_of(incident: Incident, *, is_open: bool = False) -> list[HandOver]:
    found = HandOver.objects.filter(incident=incident).select_related("leaving", "taking")
    return list(found.filter(state=HandOverState.OFFERED) if is_open else found)


def alerts_of(incident: Incident) -> list[LinkedAlert]:
    found = LinkedAlert.objects.filter(incident=incident).select_related("alert__service", "alert__acknowledged_by")
    return list(found.order_by("alert__number"))


def runbooks_of(incident: Incident, alerts: Sequence[LinkedAlert]) -> list[Answer]:
    """Those that answer its alerts, the most exact first; without an alert those of its service. Each once."""
    asked = [(one.alert.service, one.alert.labels, one.alert.title) for one in alerts[:RUNBOOK_ALERTS_MAX]]
    found: dict[int, Answer] = {}
    for service, labels, title in asked or [(incident.service, {}, incident.title)]:
        for answer in runbooks_for(service, labels, title):
            if answer.pk not in found or answer.exactness > found[answer.pk].exactness:
                found[answer.pk] = answer
    return sorted(found.values(), key=lambda one: -one.exactness)[:RUNBOOKS_SHOWN]


def links_of(incident: Incident, viewer: User) -> list[LinkedIncident]:
    """Those whose other side this person may see."""
    found = LinkedIncident.objects.filter(incident=incident, other__in=visible_to(viewer)).select_related("other")
    return list(found.order_by("id"))


def promises_of(incident: Incident) -> list[Promise]:
    return list(Promise.objects.filter(incident=incident).order_by("audience"))


def evidence_of(incident: Incident) -> list[Evidence]:
    return list(Evidence.objects.filter(incident=incident).defer("content"))


def channels_of(incident: Incident) -> list[Channel]:
    return list(Channel.objects.filter(incident=incident).order_by("id"))


def updates_of(incident: Incident) -> list[Update]:
    """Newest first."""
    return list(Update.objects.filter(incident=incident).order_by("-id")[:UPDATES_SHOWN])


def heard_of(incident: Incident, now: datetime) -> list[tuple[str, Adherence]]:
    """(audience, how it was kept informed), from the start of the incident to its end or now; audiences that heard of it."""
    published = list(
        Update.objects.filter(incident=incident, state=UpdateState.PUBLISHED)
        .exclude(published_at=None)
        .values_list("published_at", "internal_text", "external_text")[:UPDATES_MEASURED_MAX]
    )
    until = incident.resolved_at or now
    heard = {
        Audience.INTERNAL: [at for at, internal, _external in published if at and internal],
        Audience.EXTERNAL: [at for at, _internal, external in published if at and external],
    }
    return [
        (str(audience.value), adherence(moments, incident.started_at, until))
        for audience, moments in heard.items()
        if moments
    ]


def present_people(incident: Incident) -> list[User]:
    """Who has the room open now, those who came first in front."""
    ids = topics.present(f"incident:{incident.number}")[:PRESENT_MAX]
    by_id = User.objects.in_bulk(ids)
    return [by_id[one] for one in ids if one in by_id]
