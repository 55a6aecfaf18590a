"""Action items and figures as the API shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Schema

from midwatch.learn.actions.models import ActionItem
from midwatch.learn.insights.queries import Figure, Report


class ActionOut(Schema):
    """`state`: draft (nobody has it), open, done, dropped. `proof`: how Midwatch sees by itself that it is done, {} if not."""

    number: int
    title: str
    type: str
    priority: str
    state: str
    owner: str | None
    due_on: date | None
    is_overdue: bool
    team: str | None
    service: str | None
    incident: int | None
    origin: str
    created_at: datetime
    done_at: datetime | None
    done_by: str
    outcome: str
    proof: dict[str, Any]
    is_proven: bool
    description: str

    @classmethod
    def of(cls, item: ActionItem, today: date) -> ActionOut:
        names = ("number", "title", "type", "priority", "state", "due_on", "origin", "created_at", "done_at", "done_by",
                 "outcome", "proof", "is_proven", "description")  # fmt: skip
        return cls(
            **{name: getattr(item, name) for name in names},
            owner=item.owner.name if item.owner else None,
            team=item.team.name if item.team else None,
            service=item.service.name if item.service else None,
            incident=item.incident.number if item.incident else None,
            is_overdue=item.state == "open" and item.due_on is not None and item.due_on < today,
        )


class FigureOut(Schema):
    """`value`: seconds, a share from 0 to 1, or a count; null when there is nothing to say. `meaning`: its definition."""

    key: str
    title: str
    value: float | None
    shown: str
    detail: str
    before: float | None
    trend: str
    meaning: str

    @classmethod
    def of(cls, figure: Figure) -> FigureOut:
        return cls(
            key=figure.definition.key,
            title=figure.definition.title,
            value=figure.value,
            shown=figure.shown,
            detail=figure.detail,
            before=figure.before,
            trend=figure.trend,
            meaning=figure.definition.meaning,
        )


class InsightsOut(Schema):
    scope: str
    start: datetime
    end: datetime
    figures: list[FigureOut]

    @classmethod
    def of(cls, report: Report) -> InsightsOut:
        return cls(
            scope=report.scope.words,
            start=report.start,
            end=report.end,
            figures=[FigureOut.of(figure) for figure in report.figures],
        )
