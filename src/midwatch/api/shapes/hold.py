"""Whether paging is on hold, and what would be paged on release."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema

from midwatch.engine.hold import Summary


class HeldAlertOut(Schema):
    """`would_page`: as what; `people`: whom, twenty at most."""

    number: int
    title: str
    priority: str
    status: str
    created_at: datetime
    would_page: str
    people: list[str]


class HoldOut(Schema):
    """`alerts_count` and `messages_count` are of everything; `items` are the 200 most urgent alerts.

    `backup_at`: the moment whose state was restored. `is_dropped`: the restore was a drill and never pages.
    """

    on_hold: bool
    since: datetime | None
    reason: str
    backup_at: datetime | None
    is_dropped: bool
    alerts_count: int
    messages_count: int
    items: list[HeldAlertOut]

    @classmethod
    def of(cls, found: Summary) -> HoldOut:
        return cls(**hold_values(found))


def hold_values(found: Summary) -> dict[str, Any]:
    held = found.held
    return {
        "on_hold": held is not None,
        "since": held.since if held else None,
        "reason": held.reason if held else "",
        "backup_at": held.backup_at if held else None,
        "is_dropped": held.is_dropped if held else False,
        "alerts_count": found.alerts_count if held else 0,
        "messages_count": found.messages_count if held else 0,
        "items": [
            {
                "number": one.alert.number or 0,
                "title": one.alert.title,
                "priority": one.alert.priority,
                "status": one.alert.status,
                "created_at": one.alert.created_at,
                "would_page": one.what,
                "people": list(one.people),
            }
            for one in (found.waiting if held else ())
        ],
    }
