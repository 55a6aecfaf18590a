"""Reads of post-mortems longer than a line."""

from __future__ import annotations

from midwatch.learn.postmortems.queries.documents import (
    EXTERNAL,
    document,
    missing_sections,
    template_of,
    texts_of,
)
from midwatch.learn.postmortems.queries.finding import get_postmortem, may_lead, may_waive, visible_to
from midwatch.learn.postmortems.queries.meetings import meeting_calendar, meeting_people
from midwatch.learn.postmortems.queries.people import (
    candidate,
    candidates,
    involvement_of,
    known_people,
    roles_of,
)

__all__ = [
    "EXTERNAL",
    "candidate",
    "candidates",
    "document",
    "get_postmortem",
    "involvement_of",
    "known_people",
    "may_lead",
    "may_waive",
    "meeting_calendar",
    "meeting_people",
    "missing_sections",
    "roles_of",
    "template_of",
    "texts_of",
    "visible_to",
]
