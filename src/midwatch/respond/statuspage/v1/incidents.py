"""Incidents and maintenance by the management API. Posting an update is changing the incident with a status or a body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpResponse

from midwatch.core import clock, zones
from midwatch.respond.statuspage import actions, queries
from midwatch.respond.statuspage.actions import NewNotice, NewUpdate, NoticeChange, Schedule
from midwatch.respond.statuspage.models import Component, Notice, NoticeUpdate, Page
from midwatch.respond.statuspage.v1 import shapes
from midwatch.respond.statuspage.v1.door import Asked, Refused, answered, flag, listed, text, whole
from midwatch.respond.statuspage.wire import Wire

LIMIT, LIMIT_MAX = 100, 100
_SCHEDULED = {"scheduled_for", "scheduled_until"}


def index(asked: Asked, page: Page) -> HttpResponse:
    limit, offset = _window(asked)
    found = queries.all_notices(page, limit=limit, offset=offset, words=asked.query.get("q", "")[:200])
    return _listed(page, found)


def unresolved(asked: Asked, page: Page) -> HttpResponse:
    return _listed(page, queries.incidents(queries.open_notices(page)))


def scheduled(asked: Asked, page: Page) -> HttpResponse:
    return _listed(page, queries.maintenances(queries.open_notices(page)))


def upcoming(asked: Asked, page: Page) -> HttpResponse:
    return _listed(page, queries.maintenances(queries.open_notices(page), is_planned=True))


def active_maintenance(asked: Asked, page: Page) -> HttpResponse:
    return _listed(page, queries.maintenances(queries.open_notices(page), is_planned=False))


def create(asked: Asked, page: Page) -> HttpResponse:
    given = asked.about("incident")
    backfilled = flag(given, "backfilled", False)
    schedule = _schedule(given, None, page)
    new = NewNotice(
        name=text(given, "name"),
        body=text(given, "body"),
        status=text(given, "status"),
        components=_components(page, given),
        schedule=schedule,
        impact_override=text(given, "impact_override") or None,
        is_told=flag(given, "deliver_notifications", True),
        backfilled_at=_moment(given, "backfill_date", page) or clock.now() if backfilled else None,
        metadata=_metadata(given) or {},
        reminder_intervals=text(given, "reminder_intervals")[:200] or None,
    )
    return _one(actions.open_notice(page, new, asked.by), page, 201)


def show(asked: Asked, page: Page) -> HttpResponse:
    return _one(notice_of(asked, page), page)


def change(asked: Asked, page: Page) -> HttpResponse:
    given = asked.about("incident")
    with transaction.atomic():
        notice = notice_of(asked, page)
        schedule = _schedule(given, notice, page) if given.keys() & (_SCHEDULED | _FLAGS.keys()) else None
        changed = NoticeChange(
            name=text(given, "name") or None,
            impact_override=text(given, "impact_override") if "impact_override" in given else None,
            schedule=schedule,
            metadata=_metadata(given),
        )
        notice = actions.change_notice(notice, changed, asked.by)
        components = _components(page, given)
        said = NewUpdate(
            text(given, "status"), text(given, "body"), components, is_told=flag(given, "deliver_notifications", True)
        )
        if said.status or said.body:
            actions.post_update(notice, said, asked.by)
        elif components:
            notice.components.add(*components)
            for component, status in components.items():
                if status is not None:
                    actions.set_status(component, status, asked.by)
    return _one(notice, page)


def delete(asked: Asked, page: Page) -> HttpResponse:
    notice = notice_of(asked, page)
    answer = _one(notice, page)
    actions.delete_notice(notice, asked.by)
    return answer


def amend(asked: Asked, page: Page) -> HttpResponse:
    notice = notice_of(asked, page)
    update = NoticeUpdate.objects.filter(notice=notice, wire_id=asked.rest[3][:12]).first()
    if update is None:
        raise Refused(404, "there is no such update")
    given = asked.about("incident_update")
    body = text(given, "body") if "body" in given else None
    changed = actions.amend_update(update, asked.by, body=body, display_at=_moment(given, "display_at", page))
    return answered(shapes.update(changed, notice, Wire(page)))


def postmortem(asked: Asked, page: Page) -> HttpResponse:
    return answered(shapes.postmortem(notice_of(asked, page), Wire(page)))


def draft_postmortem(asked: Asked, page: Page) -> HttpResponse:
    body = text(asked.about("postmortem"), "body_draft")
    return answered(shapes.postmortem(actions.draft_postmortem(notice_of(asked, page), body, asked.by), Wire(page)))


def publish_postmortem(asked: Asked, page: Page) -> HttpResponse:
    given = asked.given.get("postmortem")
    is_told = flag(given if isinstance(given, dict) else {}, "notify_subscribers", False)
    found = actions.publish_postmortem(notice_of(asked, page), asked.by, is_told=is_told)
    return answered(shapes.postmortem(found, Wire(page)))


def revert_postmortem(asked: Asked, page: Page) -> HttpResponse:
    return answered(shapes.postmortem(actions.revert_postmortem(notice_of(asked, page), asked.by), Wire(page)))


def delete_postmortem(asked: Asked, page: Page) -> HttpResponse:
    notice = actions.revert_postmortem(notice_of(asked, page), asked.by)
    actions.draft_postmortem(notice, "", asked.by)
    return HttpResponse(status=204)


def notice_of(asked: Asked, page: Page) -> Notice:
    found = queries.notice_by_wire_id(page, asked.rest[1])
    if found is None:
        raise Refused(404, "there is no such incident")
    return found


def _one(notice: Notice, page: Page, status: int = 200) -> HttpResponse:
    fresh = queries.notice_by_wire_id(page, notice.wire_id)
    assert fresh is not None, "it was written in this request"
    return answered(shapes.incident(fresh, Wire(page)), status)


def _listed(page: Page, found: list[Notice]) -> HttpResponse:
    on = Wire(page)
    return answered([shapes.incident(one, on) for one in found])


def _window(asked: Asked) -> tuple[int, int]:
    limit = whole(asked.query.dict(), "limit", LIMIT, least=1, most=LIMIT_MAX)
    page = whole(asked.query.dict(), "page", 1, least=1, most=10_000)
    return limit, (page - 1) * limit


def _components(page: Page, given: Mapping[str, Any]) -> dict[Component, str | None]:
    """`components`: {id: status}; `component_ids`: those it is about, as they are."""
    statuses = given.get("components")
    ids = listed(given, "component_ids")
    if isinstance(statuses, list):
        ids, statuses = [*(ids or ()), *(one for one in statuses if isinstance(one, str))], None
    if statuses is not None and not isinstance(statuses, dict):
        raise Refused(422, "components is an object: the status of each id")
    wanted: dict[str, Any] = {**dict.fromkeys(ids or ()), **(statuses or {})}
    found = {one.wire_id: one for one in page.components.filter(wire_id__in=list(wanted)[:1_000])}
    unknown = sorted(set(wanted) - found.keys())
    if unknown:
        raise Refused(422, f"this page has no component {unknown[0][:40]}")
    return {found[key]: str(status) if status else None for key, status in wanted.items()}


def _metadata(given: Mapping[str, Any]) -> dict[str, Any] | None:
    found = given.get("metadata")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise Refused(422, "metadata is an object")
    return found


_FLAGS = {
    "scheduled_remind_prior": "reminds_before",
    "scheduled_auto_in_progress": "starts_by_itself",
    "scheduled_auto_completed": "ends_by_itself",
    "auto_transition_to_maintenance_state": "sets_maintenance",
    "auto_transition_to_operational_state": "sets_operational",
    "auto_transition_deliver_notifications_at_start": "tells_at_start",
    "auto_transition_deliver_notifications_at_end": "tells_at_end",
}
_BY_THEMSELVES = {"sets_maintenance", "sets_operational", "tells_at_start", "tells_at_end"}


def _schedule(given: Mapping[str, Any], notice: Notice | None, page: Page) -> Schedule | None:
    """What is not said stays; of a new one: nothing happens by itself unless asked for, as there."""
    starts = _moment(given, "scheduled_for", page) or (notice.scheduled_for if notice is not None else None)
    ends = _moment(given, "scheduled_until", page) or (notice.scheduled_until if notice is not None else None)
    if starts is None and ends is None:
        return None
    if starts is None or ends is None:
        raise Refused(422, "a maintenance has scheduled_for and scheduled_until")
    flags = {
        ours: flag(given, theirs, bool(getattr(notice, ours)) if notice is not None else ours in _BY_THEMSELVES)
        for theirs, ours in _FLAGS.items()
    }
    return Schedule(starts, ends, **flags)


def _moment(given: Mapping[str, Any], key: str, page: Page) -> datetime | None:
    value = text(given, key)
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value.strip()[:40])
    except ValueError:
        raise Refused(422, f"{key} is a moment such as 2026-01-05T09:00:00Z") from None
    return found if found.tzinfo is not None else zones.comes_at(found, page.time_zone)
