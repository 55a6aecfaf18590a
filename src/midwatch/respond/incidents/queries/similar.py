"""What this reminds of: earlier incidents of the same service or with the same words, each with what matched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from midwatch.catalog.models import ChangeEvent
from midwatch.people.models import User
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.queries.finding import visible_to

LOOKED_AT = 300  # the last ones; older ones are found by the list's search
OF_SERVICE = 20
SHOWN = 5
WORD_MIN = 4
NO_WORDS = frozenset(
    {"with", "from", "that", "this", "have", "does", "down", "error", "errors", "failed", "failing", "high"}
)
CHANGES_BEFORE = timedelta(hours=6)
CHANGES_AFTER = timedelta(minutes=30)
CHANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Similar:
    """`has_same_service`, `words`: what matched."""

    incident: Incident
    has_same_service: bool
    words: Sequence[str]


def similar_to(incident: Incident, viewer: User) -> list[Similar]:
    """The likest first, then the newest. Titles are compared as values: an open room asks for this at every change."""
    others = visible_to(viewer).select_related(None).filter(is_drill=False).exclude(pk=incident.pk)
    looked = others.values_list("number", "title", "service_id").order_by("-number")
    rows = set(looked[:LOOKED_AT])
    if incident.service_id is not None:
        rows.update(looked.filter(service=incident.service_id)[:OF_SERVICE])
    own = words_of(incident.title)
    found: list[tuple[int, int, bool, list[str]]] = []
    for number, title, service_id in rows:
        is_same = incident.service_id is not None and service_id == incident.service_id
        shared = sorted(own & words_of(title))
        if is_same or len(shared) >= 2 or (shared and len(own) == 1):
            found.append((len(shared) + 2 * is_same, number, is_same, shared))
    best = sorted(found, key=lambda one: (-one[0], -one[1]))[:SHOWN]
    by_number = {one.number: one for one in others.filter(number__in=[number for _, number, _, _ in best])}
    return [Similar(by_number[number], is_same, shared) for _, number, is_same, shared in best if number in by_number]


def words_of(title: str) -> set[str]:
    """The words that say something."""
    return {word for word in re.findall(r"\w+", title.lower()) if len(word) >= WORD_MIN and word not in NO_WORDS}


def changes_near(incident: Incident, services: Sequence[int]) -> list[ChangeEvent]:
    """What was deployed or changed shortly before it began, newest first: of these services and what they depend on."""
    since, until = incident.started_at - CHANGES_BEFORE, incident.started_at + CHANGES_AFTER
    near = ChangeEvent.objects.filter(service__in=services, at__gte=since, at__lte=until).select_related("service")
    return list(near.order_by("-at")[:CHANGES_SHOWN])
