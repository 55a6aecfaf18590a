"""Which runbooks answer an alert, and what people said of them: one prepared query each, bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from midwatch.catalog.models import Service
from midwatch.core.statements import Select
from midwatch.prepare.runbooks import matching, options, rendering
from midwatch.prepare.runbooks.document import DocumentError, Prose, parse
from midwatch.prepare.runbooks.models import Feedback, Revision, Runbook

LOOKED_AT_MAX = 500  # runbooks of the service, and of no service, whose matchers are read
SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """A runbook that answers an alert. `exactness`: 0 when it is only of the same service and names no alerts. `said`:
    what this person said of it, ""."""

    pk: int
    name: str
    title: str
    url: str
    is_public: bool
    exactness: int
    said: str = ""

    @property
    def is_link(self) -> bool:
        return bool(self.url)


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a runbook that is only read: prose, or a step with its text as it is for this alert."""

    prose: str = ""
    title: str = ""
    kind: str = ""
    text: str = ""


_FIELDS = ("pk", "name", "title", "url", "is_public", "matchers", "service_id")
_OF_SERVICE = Select(
    lambda service: (
        Runbook.objects.filter(Q(service=service) | Q(service=None), is_active=True)
        .order_by("title", "name")
        .values_list(*_FIELDS)[:LOOKED_AT_MAX]
    )
)
_OF_NONE = Select(
    lambda: (
        Runbook.objects.filter(service=None, is_active=True)
        .order_by("title", "name")
        .values_list(*_FIELDS)[:LOOKED_AT_MAX]
    )
)
_SAID = Select(
    lambda number, user: Feedback.objects.filter(alert_number=number, user_id=user).values_list("runbook_id", "verdict")
)


def runbooks_for(service: Service | None, labels: Mapping[str, str], title: str) -> list[Answer]:
    """The most exact first. Looked at are those of the service and those of none; one of the service that names no
    alerts stands at the end."""
    rows = _OF_SERVICE(service.pk) if service is not None else _OF_NONE()
    name = service.name if service is not None else ""
    found = []
    for pk, slug, shown, url, is_public, matchers, service_id in rows:
        exactness = matching.exactness(matchers, service=name, labels=labels, title=title)
        if exactness or (not matchers and service_id is not None):
            found.append(Answer(pk, slug, shown, url, is_public, exactness))
    return sorted(found, key=lambda one: -one.exactness)[:SHOWN_MAX]


def with_words(answers: Sequence[Answer], alert_number: int | None, user_id: int) -> list[Answer]:
    """Each with what this person said of it after this alert."""
    said = dict(_SAID(alert_number, user_id)) if answers and alert_number else {}
    return [
        Answer(one.pk, one.name, one.title, one.url, one.is_public, one.exactness, said.get(one.pk, ""))
        for one in answers
    ]


def said_missing(alert_number: int | None, user_id: int) -> bool:
    """Did this person say that there is no runbook for it?"""
    return bool(alert_number) and any(runbook is None for runbook, _ in _SAID(alert_number, user_id))


def feedback_counts(runbook: Runbook) -> dict[str, int]:
    """Verdict -> how often it was said."""
    found = Feedback.objects.filter(runbook=runbook).values_list("verdict")
    return dict(found.annotate(count=Count("pk")).order_by("verdict"))


def pieces_of(pks: Sequence[int], labels: Mapping[str, str]) -> dict[int, list[Piece]]:
    """The texts of these runbooks, to be read: commands to copy hold the values that the alert's labels give."""
    bodies = Revision.objects.filter(pk__in=Runbook.objects.filter(pk__in=pks).values("current"))
    return {pk: _pieces(body, labels) for pk, body in bodies.values_list("runbook_id", "body")}


def _pieces(body: str, labels: Mapping[str, str]) -> list[Piece]:
    try:
        found = parse(body)
    except DocumentError:
        return [Piece(text=body)]
    values = rendering.Values(found.front.options, options.filled(found.front.options, labels))
    pieces = []
    for block in found.blocks:
        if isinstance(block, Prose):
            pieces.append(Piece(prose=block.text))
            continue
        text = block.body
        if block.kind in {"copy", "manual"}:
            try:
                text = rendering.rendered(block, values).body
            except rendering.RenderingError:
                text = block.body
        pieces.append(Piece("", block.title, block.kind, text))
    return pieces
