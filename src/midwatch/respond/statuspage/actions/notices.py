"""What is said about one incident or one maintenance: begun, updated, corrected, taken back, and what was learned.

An update and the wish to tell subscribers are committed together (the event "statuspage.update.published"); the engine
writes one message a subscriber, and a leased worker sends them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from midwatch.core import clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.respond.alerts.actions import start_maintenance
from midwatch.respond.statuspage import standing
from midwatch.respond.statuspage.actions import outward
from midwatch.respond.statuspage.actions.common import note, touch
from midwatch.respond.statuspage.actions.components import set_status
from midwatch.respond.statuspage.models import (
    Component,
    ComponentStatus,
    Notice,
    NoticeKind,
    NoticeStatus,
    NoticeUpdate,
    Page,
)

NAME_MAX = 255
BODY_MAX = 25_000
UPDATES_MAX = 1_000
OPEN_MAX = 200
METADATA_CHARACTERS_MAX = 10_000
AHEAD_MAX = timedelta(days=366)
LENGTH_MAX = timedelta(days=90)
BACK_MAX = timedelta(days=3_650)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a maintenance is, and what happens by itself."""

    starts_at: datetime
    ends_at: datetime
    reminds_before: bool = False
    starts_by_itself: bool = True
    ends_by_itself: bool = True
    sets_maintenance: bool = True
    sets_operational: bool = True
    tells_at_start: bool = True
    tells_at_end: bool = True
    stops_paging: bool = False  # of the services that its components stand for


@dataclass(frozen=True, slots=True)
class NewNotice:
    """`components`: how each that is touched is now; None for "touched, stays as it is"."""

    name: str
    body: str = ""
    status: str = ""  # "": investigating, or scheduled
    components: Mapping[Component, str | None] = field(default_factory=dict)
    schedule: Schedule | None = None  # then it is a maintenance
    impact_override: str | None = None
    incident_number: int | None = None
    is_told: bool = True
    backfilled_at: datetime | None = None  # it was then, is over, and touches no component
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reminder_intervals: str | None = None


def open_notice(page: Page, new: NewNotice, by: Actor) -> Notice:
    """Raises `ValueError`."""
    name = _name(new.name)
    kind = NoticeKind.INCIDENT if new.schedule is None else NoticeKind.MAINTENANCE
    now = clock.now()
    status = new.status or _first_status(new)
    _check_status(kind, status)
    _check_override(new.impact_override)
    if new.schedule is not None:
        _check_schedule(new.schedule, now)
    if new.backfilled_at is not None:
        _check_backfill(new, now)
    with transaction.atomic():
        Page.objects.select_for_update().get(pk=page.pk)
        if page.notices.exclude(status__in=("resolved", "postmortem", "completed")).count() >= OPEN_MAX:
            raise ValueError(f"{OPEN_MAX} notices are open on this page: resolve some first")
        notice = Notice.objects.create(
            page=page,
            kind=kind,
            name=name,
            status=status,
            impact_override=new.impact_override,
            incident_number=new.incident_number,
            is_backfilled=new.backfilled_at is not None,
            created_at=now,
            updated_at=now,
            started_at=_started_at(new, now),
            metadata=_metadata(new.metadata),
            reminder_intervals=new.reminder_intervals,
            **_schedule_values(new.schedule),
        )
        notice.components.set(new.components)
        note(by, "open notice", page, {"notice": notice.wire_id, "name": name, "kind": str(kind)})
        _write_update(notice, by, status=status, body=new.body, components=new.components, is_told=new.is_told)
        if new.schedule is not None and new.schedule.stops_paging:
            _stop_paging(notice, new.schedule, by)
    return notice


@dataclass(frozen=True, slots=True)
class NewUpdate:
    """`status`: "" for as before. `body`: "" for the template of that status. `components`: how each is now."""

    status: str = ""
    body: str = ""
    components: Mapping[Component, str | None] = field(default_factory=dict)
    is_told: bool = True
    at: datetime | None = None


def post_update(notice: Notice, new: NewUpdate, by: Actor) -> NoticeUpdate:
    """Say how it goes. What is resolved or completed sets its components operational again, unless another open notice
    holds them or the update says otherwise. Raises `ValueError`."""
    with transaction.atomic():
        current = Notice.objects.select_for_update().select_related("page").get(pk=notice.pk)
        status = new.status or current.status
        _check_status(current.kind, status)
        if current.updates.count() >= UPDATES_MAX:
            raise ValueError(f"a notice has at most {UPDATES_MAX} updates: open a new one")
        components = dict(new.components)
        if components:
            current.components.add(*components)
        releases = not current.is_maintenance or current.sets_operational
        if status in {"resolved", "completed"} and not current.is_over and releases:
            components = {**dict.fromkeys(_released(current), ComponentStatus.OPERATIONAL), **components}
        if status == "in_progress" and current.status == "scheduled" and current.sets_maintenance:
            touched = dict.fromkeys(current.components.filter(is_group=False), ComponentStatus.MAINTENANCE)
            components = {**touched, **components}
        return _write_update(
            current, by, status=status, body=new.body, components=components, is_told=new.is_told, at=new.at
        )


def amend_update(
    update: NoticeUpdate, by: Actor, *, body: str | None = None, display_at: datetime | None = None
) -> NoticeUpdate:
    """Correct what was said; nobody is told again. The audit log keeps what stood there. Raises `ValueError`."""
    with transaction.atomic():
        current = NoticeUpdate.objects.select_for_update().get(pk=update.pk)
        before = {"body": current.body, "display_at": current.display_at.isoformat()}
        now = clock.now()
        if body is not None:
            current.body = _body(body)
        if display_at is not None:
            if not now - BACK_MAX <= display_at <= now:
                raise ValueError("an update is shown at a time that has been")
            current.display_at = display_at
        current.updated_at = now
        current.save(update_fields=["body", "display_at", "updated_at"])
        page = current.notice.page
        note(by, "amend update", page, {"update": current.wire_id, "before": before})
        touch(page.pk, now)
    return current


@dataclass(frozen=True, slots=True)
class NoticeChange:
    """What is to be another of a notice as a whole; None stays. `impact_override`: "" takes it away."""

    name: str | None = None
    impact_override: str | None = None
    schedule: Schedule | None = None
    metadata: Mapping[str, Any] | None = None


def change_notice(notice: Notice, change: NoticeChange, by: Actor) -> Notice:
    """Raises `ValueError`."""
    values: dict[str, Any] = {}
    now = clock.now()
    if change.name is not None:
        values["name"] = _name(change.name)
    if change.impact_override is not None:
        _check_override(change.impact_override or None)
        values["impact_override"] = change.impact_override or None
    if change.metadata is not None:
        values["metadata"] = _metadata(change.metadata)
    if change.schedule is not None:
        if not notice.is_maintenance:
            raise ValueError("an incident has no schedule: only a maintenance is planned")
        _check_schedule(change.schedule, now)
        values |= _schedule_values(change.schedule)
    with transaction.atomic():
        current = Notice.objects.select_for_update().select_related("page").get(pk=notice.pk)
        changed = [key for key, new in values.items() if getattr(current, key) != new]
        if not changed:
            return current
        for key in changed:
            setattr(current, key, values[key])
        current.updated_at = now
        if change.schedule is not None and current.is_planned:
            current.started_at = change.schedule.starts_at
            current.reminded_at = None
        current.impact = _impact(current)
        current.due_at = due_at(current)
        current.save(update_fields=[*changed, "impact", "due_at", "started_at", "reminded_at", "updated_at"])
        note(by, "change notice", current.page, {"notice": current.wire_id, "fields": changed})
        touch(current.page_id, now)
    return current


def delete_notice(notice: Notice, by: Actor) -> None:
    """It should never have been there. Its components stay as they are; the audit log keeps its name."""
    with transaction.atomic():
        note(by, "delete notice", notice.page, {"notice": notice.wire_id, "name": notice.name})
        page_id = notice.page_id
        notice.delete()
        touch(page_id, clock.now())


def draft_postmortem(notice: Notice, body: str, by: Actor) -> Notice:
    """What will be published as the lesson. Raises `ValueError`."""
    with transaction.atomic():
        current = _lock(notice)
        current.postmortem_draft, current.postmortem_draft_at = _body(body), clock.now()
        current.save(update_fields=["postmortem_draft", "postmortem_draft_at"])
        note(by, "draft post-mortem", current.page, {"notice": current.wire_id})
    return current


def publish_postmortem(notice: Notice, by: Actor, *, is_told: bool = True) -> Notice:
    """The draft is public now. Raises `ValueError`."""
    now = clock.now()
    with transaction.atomic():
        current = _lock(notice)
        if not current.postmortem_draft:
            raise ValueError("there is no draft of a post-mortem: write one first")
        if current.status not in {NoticeStatus.RESOLVED, NoticeStatus.POSTMORTEM}:
            raise ValueError("a post-mortem is published of an incident that is resolved")
        current.postmortem_body, current.postmortem_body_at = current.postmortem_draft, now
        current.postmortem_published_at, current.postmortem_is_told = now, is_told
        current.status, current.updated_at = NoticeStatus.POSTMORTEM, now
        current.save(
            update_fields=[
                "postmortem_body", "postmortem_body_at", "postmortem_published_at", "postmortem_is_told", "status",
                "updated_at",
            ]
        )  # fmt: skip
        note(by, "publish post-mortem", current.page, {"notice": current.wire_id})
        if is_told:
            outbox.emit("statuspage.postmortem.published", {"notice": current.pk, "after": 0})
        touch(current.page_id, now)
    return current


def revert_postmortem(notice: Notice, by: Actor) -> Notice:
    """Public no more; the draft stays."""
    now = clock.now()
    with transaction.atomic():
        current = _lock(notice)
        current.postmortem_body = current.postmortem_body_at = current.postmortem_published_at = None
        if current.status == NoticeStatus.POSTMORTEM:
            current.status = NoticeStatus.RESOLVED
        current.updated_at = now
        fields = ["postmortem_body", "postmortem_body_at", "postmortem_published_at", "status", "updated_at"]
        current.save(update_fields=fields)
        note(by, "revert post-mortem", current.page, {"notice": current.wire_id})
        touch(current.page_id, now)
    return current


def due_at(notice: Notice) -> datetime | None:
    """When the engine looks at it next."""
    return standing.next_move(
        notice.status,
        scheduled_for=notice.scheduled_for,
        scheduled_until=notice.scheduled_until,
        starts_by_itself=notice.starts_by_itself,
        ends_by_itself=notice.ends_by_itself,
        is_reminder_due=notice.reminds_before and notice.reminded_at is None,
    )


def _write_update(
    notice: Notice,
    by: Actor,
    *,
    status: str,
    body: str,
    components: Mapping[Component, str | None],
    is_told: bool,
    at: datetime | None = None,
) -> NoticeUpdate:
    now = clock.now()
    moment = at or notice.started_at if notice.is_backfilled else at or now
    origin = f"incident/{notice.incident_number}" if notice.incident_number is not None else ""
    affected = _affect(components, by, moment, origin)
    update = NoticeUpdate.objects.create(
        notice=notice,
        status=status,
        body=_body(body) or standing.TEMPLATES.get(status, ""),
        affected=affected or None,
        is_delivered=is_told and not notice.is_backfilled,
        created_by=str(by)[:200],
        created_at=now,
        updated_at=now,
        display_at=moment,
    )
    was_over = notice.is_over and notice.resolved_at is not None
    notice.status = NoticeStatus(status)
    notice.updated_at = now
    if status == "monitoring":
        notice.monitoring_at = moment
    notice.resolved_at = (notice.resolved_at if was_over else moment) if notice.is_over else None
    if status == "in_progress":
        notice.started_at = min(moment, notice.scheduled_for or moment)
    notice.impact = _impact(notice)
    notice.due_at = due_at(notice)
    notice.claimed_until = None
    notice.save(
        update_fields=[
            "status", "updated_at", "monitoring_at", "resolved_at", "started_at", "impact", "due_at", "claimed_until",
        ]
    )  # fmt: skip
    note(by, "post update", notice.page, {"notice": notice.wire_id, "status": status, "update": update.wire_id})
    outward.wish(notice)
    if update.is_delivered:
        outbox.emit("statuspage.update.published", {"update": update.pk, "after": 0})
    touch(notice.page_id, now)
    return update


def _affect(
    components: Mapping[Component, str | None], by: Actor, moment: datetime, origin: str
) -> list[dict[str, str]]:
    """Sets each, and says what it was before."""
    affected = []
    for component, wanted in sorted(components.items(), key=lambda pair: (pair[0].position, pair[0].pk)):
        if component.is_group:
            continue
        old = component.status
        if wanted is not None:
            set_status(component, wanted, by, at=moment, origin=origin)
        affected.append(
            {"code": component.wire_id, "name": component.name, "old_status": old, "new_status": component.status}
        )
    return affected


def _impact(notice: Notice) -> str:
    """The worst that its components have been by it; what is over keeps it."""
    if notice.impact_override:
        return notice.impact_override
    if notice.is_maintenance:
        return "maintenance"
    said = [one["new_status"] for found in notice.updates.values_list("affected", flat=True) for one in found or ()]
    return standing.impact_of([one for one in said if one != ComponentStatus.MAINTENANCE])


def _released(notice: Notice) -> Sequence[Component]:
    """Its components that no other open notice of the page holds."""
    others = Notice.objects.filter(page_id=notice.page_id).exclude(pk=notice.pk)
    others = others.exclude(status__in=("resolved", "postmortem", "completed", "scheduled"))
    held = set(others.values_list("components", flat=True))
    return [one for one in notice.components.filter(is_group=False) if one.pk not in held]


def _stop_paging(notice: Notice, schedule: Schedule, by: Actor) -> None:
    """Alerts of the services it is about are kept, and wake nobody meanwhile."""
    seen: set[int] = set()
    for component in notice.components.select_related("service").exclude(service=None):
        if component.service is not None and component.service.pk not in seen:
            seen.add(component.service.pk)
            starts_at = max(schedule.starts_at, clock.now())
            start_maintenance(
                component.service, by, starts_at=starts_at, ends_at=schedule.ends_at, reason=notice.name[:300]
            )


def _lock(notice: Notice) -> Notice:
    return Notice.objects.select_for_update().select_related("page").get(pk=notice.pk)


def _name(given: str) -> str:
    name = clean(given, NAME_MAX, is_one_line=True)
    if not name:
        raise ValueError("a notice needs a name: say in a few words what visitors see")
    return name


def _body(given: str) -> str:
    if len(given) > BODY_MAX:
        raise ValueError(f"the text has {len(given)} characters: give at most {BODY_MAX}")
    return clean(given, BODY_MAX).strip()


def _metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    if not all(isinstance(value, dict) for value in given.values()):
        raise ValueError("metadata: the values of the first level are objects")
    if len(repr(given)) > METADATA_CHARACTERS_MAX:
        raise ValueError(f"metadata: at most {METADATA_CHARACTERS_MAX} characters")
    return dict(given)


def _first_status(new: NewNotice) -> str:
    if new.backfilled_at is not None:
        return NoticeStatus.RESOLVED if new.schedule is None else NoticeStatus.COMPLETED
    return NoticeStatus.INVESTIGATING if new.schedule is None else NoticeStatus.SCHEDULED


def _started_at(new: NewNotice, now: datetime) -> datetime:
    if new.backfilled_at is not None:
        return new.backfilled_at
    return new.schedule.starts_at if new.schedule is not None else now


def _schedule_values(schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {}
    return {
        "scheduled_for": schedule.starts_at,
        "scheduled_until": schedule.ends_at,
        "reminds_before": schedule.reminds_before,
        "starts_by_itself": schedule.starts_by_itself,
        "ends_by_itself": schedule.ends_by_itself,
        "sets_maintenance": schedule.sets_maintenance,
        "sets_operational": schedule.sets_operational,
        "tells_at_start": schedule.tells_at_start,
        "tells_at_end": schedule.tells_at_end,
    }


def _check_status(kind: str, status: str) -> None:
    words = standing.INCIDENT_STATUSES[:4] if kind == NoticeKind.INCIDENT else standing.MAINTENANCE_STATUSES
    if status not in words:
        what = "an incident" if kind == NoticeKind.INCIDENT else "a maintenance"
        raise ValueError(f"{clean(status, 40)!r} is no status of {what}: give {', '.join(words)}")


def _check_override(impact: str | None) -> None:
    if impact is not None and impact not in standing.IMPACTS:
        raise ValueError(f"{clean(impact, 40)!r} is no impact: give {', '.join(standing.IMPACTS)}")


def _check_schedule(schedule: Schedule, now: datetime) -> None:
    if schedule.ends_at <= schedule.starts_at:
        raise ValueError("a maintenance ends after it begins: give a later end")
    if schedule.ends_at - schedule.starts_at > LENGTH_MAX:
        raise ValueError(f"a maintenance lasts at most {LENGTH_MAX.days} days")
    if not now - BACK_MAX < schedule.starts_at < now + AHEAD_MAX:
        raise ValueError("a maintenance is planned for the next year: is the date right?")


def _check_backfill(new: NewNotice, now: datetime) -> None:
    if new.components:
        raise ValueError("what is filled in later touches no components: correct the outages of their services")
    assert new.backfilled_at is not None, "asked for what is filled in later"
    if not now - BACK_MAX < new.backfilled_at <= now:
        raise ValueError("what is filled in later has been: give a time in the past")
