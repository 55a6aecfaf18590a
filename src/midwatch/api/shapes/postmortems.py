"""Post-mortems as the API says them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from midwatch.learn.postmortems import export
from midwatch.learn.postmortems.models import Asked, Postmortem
from midwatch.learn.postmortems.queries import document, missing_sections, texts_of
from midwatch.settings import settings


class PostmortemOut(Schema):
    """`number`: the incident's. `state`: scheduling, draft, in review, reviewed, published, waived."""

    number: int
    title: str
    severity: str
    state: str
    owner: str
    facilitator: str | None
    opened_at: datetime
    due_at: datetime
    late_at: datetime
    meeting_at: datetime | None
    published_at: datetime | None
    url: str

    @classmethod
    def of(cls, found: Postmortem) -> PostmortemOut:
        return cls(**_head(found))


class SectionOut(Schema):
    key: str
    title: str
    is_required: bool
    text: str
    revision: int


class LinkOut(Schema):
    text: str
    url: str


class MomentOut(Schema):
    at: datetime
    text: str
    who: str
    evidence: list[LinkOut]


class WhyOut(Schema):
    depth: int
    text: str


class ClientOut(Schema):
    name: str
    impact: str
    evidence: str


class PostmortemDetailOut(PostmortemOut):
    """`missing`: keys of required sections that nothing stands in. `waived_why`: "" unless it was waived."""

    template: str
    revision: int
    started_at: datetime
    detected_at: datetime
    mitigated_at: datetime | None
    resolved_at: datetime | None
    sections: list[SectionOut]
    missing: list[str]
    timeline: list[MomentOut]
    whys: list[WhyOut]
    clients: list[ClientOut]
    clients_checked_by: str
    actions: list[str]
    waived_by: str
    waived_why: str

    @classmethod
    def of(cls, found: Postmortem) -> PostmortemDetailOut:
        values, texts = export.values(document(found)), texts_of(found)
        given = {
            **values,
            **_head(found),
            "sections": [
                {**one, "revision": texts[one["key"]].revision if one["key"] in texts else 0}
                for one in values["sections"]
            ],
            "revision": found.revision,
            "missing": [section.key for section in missing_sections(found)],
            "waived_by": found.waived_by,
            "waived_why": found.waived_why,
        }
        return cls(**given)


class SavedOut(Schema):
    """`conflict`: somebody was faster; what was sent is kept in the history, and `text` is what stands there."""

    revision: int
    text: str
    conflict: bool


def _head(found: Postmortem) -> dict[str, Any]:
    facilitator = found.facilitator if found.facilitator_state == Asked.ACCEPTED else None
    return {
        "number": found.number,
        "title": found.incident.title,
        "severity": found.incident.severity,
        "state": found.state,
        "owner": found.owner.name,
        "facilitator": facilitator.name if facilitator is not None else None,
        "opened_at": found.opened_at,
        "due_at": found.due_at,
        "late_at": found.late_at,
        "meeting_at": found.meeting_at,
        "published_at": found.published_at,
        "url": f"{settings().base_url}/postmortems/{found.number}",
    }
