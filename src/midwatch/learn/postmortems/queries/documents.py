"""The whole document as values, for pages, exports and checks."""

from __future__ import annotations

from django.db.models import QuerySet

from midwatch.core.contribute import exports
from midwatch.learn.postmortems import export, whys
from midwatch.learn.postmortems.models import Asked, Postmortem, SectionText, TimelineRow
from midwatch.learn.postmortems.sections import Section, Template, missing, newest, templates
from midwatch.respond.incidents.models import AffectedClient
from midwatch.settings import settings

EXTERNAL = "external"  # the key of what clients read: a text like a section, of no template


def template_of(postmortem: Postmortem) -> Template:
    """The version it was begun by; the newest when that one is gone from the package."""
    found = templates().get((postmortem.template_name, postmortem.template_version))
    return found or newest(postmortem.template_name if _is_known(postmortem.template_name) else "standard")


def _is_known(name: str) -> bool:
    return any(known == name for known, _ in templates())


def texts_of(postmortem: Postmortem) -> dict[str, SectionText]:
    return {text.key: text for text in SectionText.objects.filter(postmortem=postmortem)}


def missing_sections(postmortem: Postmortem) -> list[Section]:
    """Required ones that nothing stands in, neither as text nor beside it."""
    template = template_of(postmortem)
    answered = []
    for section in template.sections:
        if section.kind == "timeline" and _rows(postmortem).exists():
            answered.append(section.key)
        if section.kind == "clients" and postmortem.incident.clients_checked_at is not None:
            answered.append(section.key)
    texts = {key: text.text for key, text in texts_of(postmortem).items()}
    return missing(template, texts, answered)


def _rows(postmortem: Postmortem) -> QuerySet[TimelineRow]:
    return TimelineRow.objects.filter(postmortem=postmortem, removed_at=None)


def document(postmortem: Postmortem) -> export.Document:
    incident = postmortem.incident
    texts = texts_of(postmortem)
    clients = AffectedClient.objects.filter(incident=incident, removed_at=None)
    facilitator = postmortem.facilitator if postmortem.facilitator_state == Asked.ACCEPTED else None
    return export.Document(
        number=incident.number,
        title=incident.title,
        severity=incident.severity,
        state=postmortem.state,
        owner=str(postmortem.owner),
        facilitator=str(facilitator) if facilitator is not None else "",
        started_at=incident.started_at,
        detected_at=incident.detected_at,
        mitigated_at=incident.mitigated_at,
        resolved_at=incident.resolved_at,
        meeting_at=postmortem.meeting_at,
        published_at=postmortem.published_at,
        template=template_of(postmortem),
        texts={key: text.text for key, text in texts.items()},
        moments=[
            export.Moment(
                row.happened_at,
                row.text,
                row.who,
                [(str(one["text"]), f"{settings().base_url}{one['url']}") for one in row.evidence],
            )
            for row in _rows(postmortem)
        ],
        clients=[(client.name, client.impact, client.evidence) for client in clients],
        clients_checked_by=incident.clients_checked_by if incident.clients_checked_at else "",
        actions=exports("postmortem.actions", postmortem),
        whys=whys.branches(whys.read(postmortem.why)),
        address=f"{settings().base_url}/postmortems/{incident.number}",
    )
