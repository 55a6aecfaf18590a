"""What stands on a page: components, groups of them, and how each is.

The status of one that stands for a service is written to the outages too, so that there is one truth about up and down;
unless the incident that the notice belongs to keeps that service's outage itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Max

from midwatch.catalog.models import Service
from midwatch.core import clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, guard
from midwatch.respond.availability.actions import close_outage, open_outage
from midwatch.respond.availability.models import Outage
from midwatch.respond.availability.queries import outages_from
from midwatch.respond.statuspage.actions.common import note, touch
from midwatch.respond.statuspage.models import (
    Component,
    ComponentChange,
    ComponentStatus,
    Page,
    Subscriber,
    SubscriberState,
)
from midwatch.respond.statuspage.standing import LEVEL_OF

NAME_MAX = 200
DESCRIPTION_MAX = 2_000
COMPONENTS_MAX = 500


@dataclass(frozen=True, slots=True)
class ComponentFields:
    name: str
    description: str = ""
    is_group: bool = False
    parent: Component | None = None
    service: Service | None = None
    position: int | None = None  # None: the last
    is_automatic: bool = False
    is_showcased: bool = True
    is_shown_only_when_degraded: bool = False
    started_on: date | None = None  # None: today


def add_component(page: Page, fields: ComponentFields, by: Actor, *, mark: Mark | None = None) -> Component:
    """Raises `ValueError`."""
    guard(page, mark)
    values = _values(page, fields)
    now = clock.now()
    with transaction.atomic():
        Page.objects.select_for_update().get(pk=page.pk)
        mine = Component.objects.filter(page=page)
        if mine.count() >= COMPONENTS_MAX:
            raise ValueError(f"a page has at most {COMPONENTS_MAX} components")
        last = mine.aggregate(last=Max("position"))["last"] or 0
        component = Component.objects.create(
            page=page,
            **values,
            position=fields.position if fields.position is not None else last + 1,
            started_on=fields.started_on or now.date(),
            created_at=now,
            updated_at=now,
        )
        note(by, "add component", page, {"component": component.name})
        touch(page.pk, now)
    return component


def change_component(
    component: Component, fields: ComponentFields, by: Actor, *, mark: Mark | None = None
) -> Component:
    """Raises `ValueError`."""
    guard(component.page, mark)
    values = _values(component.page, fields)
    if fields.is_group != component.is_group:
        raise ValueError("a component does not become a group, nor a group a component: make a new one")
    if fields.parent is not None and fields.parent.pk == component.pk:
        raise ValueError("a component cannot stand in itself")
    if fields.position is not None:
        values["position"] = fields.position
    if fields.started_on is not None:
        values["started_on"] = fields.started_on
    now = clock.now()
    with transaction.atomic():
        current = Component.objects.select_for_update().get(pk=component.pk)
        changed = [key for key, new in values.items() if getattr(current, key) != new]
        if changed:
            for key in changed:
                setattr(current, key, values[key])
            current.updated_at = now
            current.save(update_fields=[*changed, "updated_at"])
            note(by, "change component", component.page, {"component": current.name, "fields": changed})
            touch(component.page_id, now)
    return current


def remove_component(component: Component, by: Actor, *, mark: Mark | None = None) -> None:
    """What stands in a group stays, without it. Who subscribed to this alone has nothing left to hear of: not to all."""
    guard(component.page, mark)
    with transaction.atomic():
        _write_outage(component, ComponentStatus.OPERATIONAL, by, clock.now(), "")
        note(by, "remove component", component.page, {"component": component.name})
        _release_subscribers(component)
        page_id = component.page_id
        component.delete()
        touch(page_id, clock.now())


def _release_subscribers(component: Component) -> None:
    chosen = Subscriber.objects.filter(components=component).values("pk")
    alone = Subscriber.objects.filter(pk__in=chosen).annotate(count=Count("components")).filter(count=1)
    Subscriber.objects.filter(pk__in=list(alone.values_list("pk", flat=True))).update(
        state=SubscriberState.UNSUBSCRIBED, purge_at=clock.now()
    )


def set_status(
    component: Component, status: str, by: Actor, *, at: datetime | None = None, origin: str = ""
) -> ComponentChange | None:
    """How it is from now on. `origin`: of the incident that says so, "incident/42". None: it was so already.

    Raises `ValueError`.
    """
    if status not in ComponentStatus.values:
        raise ValueError(f"{clean(status, 40)!r} is no status of a component: give {', '.join(ComponentStatus.values)}")
    if component.is_group:
        raise ValueError(f"{component} is a group: its status follows from what stands in it")
    now = clock.now()
    moment = at or now
    with transaction.atomic():
        current = Component.objects.select_for_update().get(pk=component.pk)
        if current.status == status:
            return None
        change = ComponentChange.objects.create(
            component=current, at=moment, old_status=current.status, new_status=status
        )
        current.status = status
        current.updated_at = now
        current.save(update_fields=["status", "updated_at"])
        _write_outage(current, status, by, moment, origin)
        note(by, "set status", current.page, {"component": current.name, "from": change.old_status, "to": status})
        outbox.emit("statuspage.component.changed", {"change": change.pk, "after": 0})
        touch(current.page_id, now)
    component.status = current.status
    return change


def _write_outage(component: Component, status: str, by: Actor, at: datetime, origin: str) -> None:
    """Of the component's service, by the component's own origin: the one before ends, a new one begins."""
    if component.service_id is None:
        return
    mine = f"statuspage/{component.wire_id}"
    for outage in outages_from(mine).filter(ends_at=None):
        close_outage(outage, by, ends_at=max(at, outage.starts_at))
    level = LEVEL_OF.get(status)
    is_kept_by_the_incident = bool(origin) and (
        outages_from(origin).filter(service_id=component.service_id, ends_at=None).exists()
    )
    if level is not None and not is_kept_by_the_incident:
        service = Service.objects.get(pk=component.service_id)
        open_outage(service, by, level=level, starts_at=at, origin=mine, note=f"said on {component.page}")


def outage_changed(outage_id: int) -> None:
    """An outage was opened or corrected: pages that show its service are rendered anew."""
    outage = Outage.objects.filter(pk=outage_id).first()
    if outage is None:
        return
    pages: Sequence[int] = list(
        Component.objects.filter(service_id=outage.service_id).values_list("page_id", flat=True).distinct()
    )
    with transaction.atomic():
        for page_id in pages:
            touch(page_id, clock.now())


def _values(page: Page, fields: ComponentFields) -> dict[str, Any]:
    name = clean(fields.name, NAME_MAX, is_one_line=True)
    if not name:
        raise ValueError("a component needs a name")
    if fields.is_group and (fields.parent is not None or fields.service is not None):
        raise ValueError("a group stands in no other group and for no service")
    if fields.parent is not None and (fields.parent.page_id != page.pk or not fields.parent.is_group):
        raise ValueError("a component stands in a group of its own page, or in none")
    return {
        "name": name,
        "description": clean(fields.description, DESCRIPTION_MAX),
        "is_group": fields.is_group,
        "parent": fields.parent,
        "service": fields.service,
        "is_automatic": fields.is_automatic and fields.service is not None,
        "is_showcased": fields.is_showcased,
        "is_shown_only_when_degraded": fields.is_shown_only_when_degraded,
    }
