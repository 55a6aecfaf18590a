"""The document as Markdown and as plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from midwatch.learn.postmortems.sections import Section, Template, is_written
from midwatch.learn.postmortems.whys import Branch


@dataclass(frozen=True, slots=True)
class Moment:
    """`evidence`: (text, address)."""

    at: datetime
    text: str
    who: str = ""
    evidence: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Document:
    number: int
    title: str
    severity: str
    state: str
    owner: str
    facilitator: str
    started_at: datetime
    detected_at: datetime
    mitigated_at: datetime | None
    resolved_at: datetime | None
    meeting_at: datetime | None
    published_at: datetime | None
    template: Template
    texts: Mapping[str, str]
    moments: Sequence[Moment] = ()
    clients: Sequence[tuple[str, str, str]] = ()
    clients_checked_by: str = ""
    whys: Sequence[Branch] = ()
    actions: Sequence[str] = ()  # a line each, from the room of action items
    address: str = ""


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if at is not None else "-"


def _line(text: str) -> str:
    """In one line of a list: what would end it is a space."""
    return " ".join(text.split())


def markdown(document: Document) -> str:
    """Everything, as one file."""
    head = [
        f"# Post-mortem {document.number}: {_line(document.title)}",
        "",
        f"- Severity: {document.severity}",
        f"- State: {document.state}",
        f"- Owner: {document.owner}",
        f"- Facilitator: {document.facilitator or '-'}",
        f"- Impact began: {_moment(document.started_at)}",
        f"- Detected: {_moment(document.detected_at)}",
        f"- Mitigated: {_moment(document.mitigated_at)}",
        f"- Resolved: {_moment(document.resolved_at)}",
        f"- Meeting: {_moment(document.meeting_at)}",
        f"- Published: {_moment(document.published_at)}",
        f"- Template: {document.template.name} {document.template.version}",
        "",
    ]
    for section in document.template.sections:
        body = _body(document, section)
        head += [f"## {section.title}", "", body or "(nothing written)", ""]
    return "\n".join(head).rstrip() + "\n"


def _body(document: Document, section: Section) -> str:
    parts = [document.texts.get(section.key, "").strip()]
    if section.kind == "timeline":
        parts.append("\n".join(_moment_line(moment) for moment in document.moments))
    elif section.kind == "clients":
        parts.append("\n".join(f"- {_line(name)}: {_line(impact)}" for name, impact, _ in document.clients))
        if not document.clients and document.clients_checked_by:
            parts.append(f"Checked by {document.clients_checked_by}: none affected.")
    elif section.kind == "why":
        parts.append("\n".join(f"{'  ' * (branch.depth - 1)}- {_line(branch.node.text)}" for branch in document.whys))
    elif section.kind == "actions":
        parts.append("\n".join(f"- {_line(one)}" for one in document.actions))
    return "\n\n".join(part for part in parts if part)


def _moment_line(moment: Moment) -> str:
    links = "".join(f" [{_line(text)}]({address})" for text, address in moment.evidence)
    who = f" ({_line(moment.who)})" if moment.who else ""
    return f"- {_moment(moment.at)}{who}: {_line(moment.text)}{links}"


def external(document: Document) -> str:
    """What clients read: the sections meant for them, what was felt, no address of ours. Names are replaced after."""
    parts = [f"# {_line(document.title)}", ""]
    until = f" to {_moment(document.resolved_at)}" if document.resolved_at else ""
    parts += [f"From {_moment(document.started_at)}{until}.", ""]
    for section in document.template.sections:
        text = document.texts.get(section.key, "").strip()
        if section.is_external and is_written(text):
            parts += [f"## {section.title}", "", text, ""]
    return "\n".join(parts).rstrip() + "\n"


def values(document: Document) -> dict[str, Any]:
    """As JSON: the same that the API answers."""
    return {
        "number": document.number,
        "title": document.title,
        "severity": document.severity,
        "state": document.state,
        "owner": document.owner,
        "facilitator": document.facilitator,
        "started_at": _iso(document.started_at),
        "detected_at": _iso(document.detected_at),
        "mitigated_at": _iso(document.mitigated_at),
        "resolved_at": _iso(document.resolved_at),
        "meeting_at": _iso(document.meeting_at),
        "published_at": _iso(document.published_at),
        "template": f"{document.template.name}-{document.template.version}",
        "sections": [
            {
                "key": one.key,
                "title": one.title,
                "is_required": one.is_required,
                "text": document.texts.get(one.key, ""),
            }
            for one in document.template.sections
        ],
        "timeline": [
            {
                "at": _iso(one.at),
                "text": one.text,
                "who": one.who,
                "evidence": [{"text": text, "url": url} for text, url in one.evidence],
            }
            for one in document.moments
        ],
        "whys": [{"depth": one.depth, "text": one.node.text} for one in document.whys],
        "clients": [{"name": name, "impact": impact, "evidence": how} for name, impact, how in document.clients],
        "clients_checked_by": document.clients_checked_by,
        "actions": list(document.actions),
        "url": document.address,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
