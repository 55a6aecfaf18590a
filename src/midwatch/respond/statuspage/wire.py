"""Statuspage's public API v2, its top-level keys and fields exactly: nulls are nulls, and nothing is left out or added.

Sources: answers of public pages, and the fact that `affected_components` is null when there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from midwatch.core import markdown, zones
from midwatch.respond.statuspage import queries
from midwatch.respond.statuspage.links import public_url
from midwatch.respond.statuspage.models import Component, Notice, NoticeUpdate, Page
from midwatch.respond.statuspage.standing import Standing

Json = dict[str, Any]
LISTED_MAX = 50


def moment(at: datetime | None, zone: ZoneInfo) -> str | None:
    """ISO 8601 with milliseconds, in the page's zone; UTC as Z."""
    if at is None:
        return None
    text = at.astimezone(zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def body_of(text: str) -> str:
    """As visitors' programs get it: text for HTML, lines broken with <br />."""
    return escape(markdown.plain(text), quote=False).replace("\n", "<br />")


class Wire:
    """One page, read once, in the words of the wire."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.zone = zones.zone(page.time_zone)
        self.components = list(page.components.order_by("position", "id"))
        self.statuses = queries.shown_statuses(self.components)
        self._by_id = {one.pk: one for one in self.components}

    def head(self) -> Json:
        page = self.page
        return {
            "id": page.wire_id,
            "name": page.title,
            "url": public_url(page),
            "time_zone": {"UTC": "Etc/UTC"}.get(page.time_zone, page.time_zone),
            "updated_at": moment(page.updated_at, self.zone),
        }

    def component(self, one: Component) -> Json:
        parent = self._by_id.get(one.parent_id) if one.parent_id is not None else None
        found: Json = {
            "id": one.wire_id,
            "name": one.name,
            "status": self.statuses.get(one.pk, one.status),
            "created_at": moment(one.created_at, self.zone),
            "updated_at": moment(one.updated_at, self.zone),
            "position": one.position,
            "description": one.description or None,
            "showcase": one.is_showcased and not one.is_group,
            "start_date": None if one.is_group else one.started_on.isoformat(),
            "group_id": parent.wire_id if parent is not None else None,
            "page_id": self.page.wire_id,
            "group": one.is_group,
            "only_show_if_degraded": one.is_shown_only_when_degraded,
        }
        if one.is_group:
            found["components"] = [child.wire_id for child in self.components if child.parent_id == one.pk]
        return found

    def update(self, one: NoticeUpdate, notice: Notice) -> Json:
        return {
            "id": one.wire_id,
            "status": one.status,
            "body": body_of(one.body),
            "incident_id": notice.wire_id,
            "created_at": moment(one.created_at, self.zone),
            "updated_at": moment(one.updated_at, self.zone),
            "display_at": moment(one.display_at, self.zone),
            "affected_components": one.affected or None,
            "deliver_notifications": one.is_delivered,
            "custom_tweet": None,
            "tweet_id": None,
        }

    def notice(self, one: Notice) -> Json:
        found: Json = {
            "id": one.wire_id,
            "name": one.name,
            "status": one.status,
            "created_at": moment(one.created_at, self.zone),
            "updated_at": moment(one.updated_at, self.zone),
            "monitoring_at": moment(one.monitoring_at, self.zone),
            "resolved_at": moment(one.resolved_at, self.zone),
            "impact": one.impact,
            "shortlink": f"{public_url(self.page)}/incidents/{one.wire_id}",
            "started_at": moment(one.started_at, self.zone),
            "page_id": self.page.wire_id,
            "incident_updates": [self.update(update, one) for update in one.updates.all()],
            "components": [self.component(component) for component in one.components.all()],
            "reminder_intervals": one.reminder_intervals,
        }
        if one.is_maintenance:
            found["scheduled_for"] = moment(one.scheduled_for, self.zone)
            found["scheduled_until"] = moment(one.scheduled_until, self.zone)
        return found

    def shown_components(self) -> list[Json]:
        return [self.component(one) for one in self.components if queries.is_shown(one, self.statuses)]

    def standing(self, notices: Sequence[Notice]) -> Json:
        found: Standing = queries.standing_of(self.statuses, notices)
        return {"indicator": found.indicator, "description": found.description}

    def listed(self, key: str, notices: Sequence[Notice]) -> Json:
        return {"page": self.head(), key: [self.notice(one) for one in notices]}


def summary(page: Page) -> Json:
    wire = Wire(page)
    notices = queries.open_notices(page)
    return {
        "page": wire.head(),
        "components": wire.shown_components(),
        "incidents": [wire.notice(one) for one in queries.incidents(notices)],
        "scheduled_maintenances": [wire.notice(one) for one in queries.maintenances(notices)],
        "status": wire.standing(notices),
    }


def status(page: Page) -> Json:
    wire = Wire(page)
    return {"page": wire.head(), "status": wire.standing(queries.open_notices(page))}


def components(page: Page) -> Json:
    wire = Wire(page)
    return {"page": wire.head(), "components": wire.shown_components()}


def _planned(page: Page, *, is_planned: bool) -> Json:
    found = queries.maintenances(queries.open_notices(page), is_planned=is_planned)
    return Wire(page).listed("scheduled_maintenances", found)


ANSWERS: Mapping[str, Callable[[Page], Json]] = {
    "summary": summary,
    "status": status,
    "components": components,
    "incidents": lambda page: Wire(page).listed("incidents", queries.all_incidents(page, limit=LISTED_MAX)),
    "incidents/unresolved": lambda page: Wire(page).listed("incidents", queries.incidents(queries.open_notices(page))),
    "scheduled-maintenances": lambda page: Wire(page).listed(
        "scheduled_maintenances", queries.all_maintenances(page, limit=LISTED_MAX)
    ),
    "scheduled-maintenances/upcoming": lambda page: _planned(page, is_planned=True),
    "scheduled-maintenances/active": lambda page: _planned(page, is_planned=False),
}
