"""Components, their groups and their uptime by the management API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.http import HttpResponse

from midwatch.core import clock
from midwatch.respond.availability import intervals
from midwatch.respond.statuspage import actions, queries
from midwatch.respond.statuspage.actions import ComponentFields
from midwatch.respond.statuspage.models import Component, Page
from midwatch.respond.statuspage.v1 import shapes
from midwatch.respond.statuspage.v1.door import Asked, Refused, answered, flag, listed, text
from midwatch.respond.statuspage.wire import Wire, moment

UPTIME_DAYS = 90


def index(asked: Asked, page: Page) -> HttpResponse:
    on = Wire(page)
    return answered([shapes.component(one, on) for one in on.components])


def show(asked: Asked, page: Page) -> HttpResponse:
    return _one(component_of(asked, page), page)


def create(asked: Asked, page: Page) -> HttpResponse:
    given = asked.about("component")
    with transaction.atomic():
        made = actions.add_component(page, _fields(page, given, None), asked.by)
        _set(made, given, asked)
    return _one(made, page, 201)


def change(asked: Asked, page: Page) -> HttpResponse:
    given = asked.about("component")
    with transaction.atomic():
        component = component_of(asked, page)
        if given.keys() - {"status"}:
            component = actions.change_component(component, _fields(page, given, component), asked.by)
        _set(component, given, asked)
    return _one(component, page)


def delete(asked: Asked, page: Page) -> HttpResponse:
    actions.remove_component(component_of(asked, page), asked.by)
    return HttpResponse(status=204)


def uptime(asked: Asked, page: Page) -> HttpResponse:
    component = component_of(asked, page)
    return answered(_uptime(asked, page, component, [component]))


def groups(asked: Asked, page: Page) -> HttpResponse:
    on = Wire(page)
    return answered([shapes.group(one, on) for one in on.components if one.is_group])


def show_group(asked: Asked, page: Page) -> HttpResponse:
    return _group(group_of(asked, page), page)


def create_group(asked: Asked, page: Page) -> HttpResponse:
    given = asked.about("component_group")
    with transaction.atomic():
        description = text(given, "description") or text(asked.given, "description")
        made = actions.add_component(page, ComponentFields(text(given, "name"), description, is_group=True), asked.by)
        _fill(page, made, listed(given, "components"))
    return _group(made, page, 201)


def change_group(asked: Asked, page: Page) -> HttpResponse:
    given = asked.about("component_group")
    with transaction.atomic():
        found = group_of(asked, page)
        description = text(given, "description") or text(asked.given, "description", found.description)
        name = text(given, "name", found.name)
        found = actions.change_component(found, ComponentFields(name, description, is_group=True), asked.by)
        _fill(page, found, listed(given, "components"))
    return _group(found, page)


def delete_group(asked: Asked, page: Page) -> HttpResponse:
    found = group_of(asked, page)
    answer = _group(found, page)
    actions.remove_component(found, asked.by)
    return answer


def group_uptime(asked: Asked, page: Page) -> HttpResponse:
    found = group_of(asked, page)
    children = list(page.components.filter(parent=found).select_related("service"))
    return answered(_uptime(asked, page, found, children))


def component_of(asked: Asked, page: Page) -> Component:
    found = Component.objects.select_related("page", "parent", "service").filter(page=page, wire_id=asked.rest[1][:12])
    component = found.first()
    if component is None:
        raise Refused(404, "there is no such component")
    return component


def group_of(asked: Asked, page: Page) -> Component:
    found = component_of(asked, page)
    if not found.is_group:
        raise Refused(404, "there is no such group")
    return found


def _one(component: Component, page: Page, status: int = 200) -> HttpResponse:
    on = Wire(page)
    (found,) = [one for one in on.components if one.pk == component.pk]
    return answered(shapes.component(found, on), status)


def _group(group: Component, page: Page, status: int = 200) -> HttpResponse:
    on = Wire(page)
    (found,) = [one for one in on.components if one.pk == group.pk]
    return answered(shapes.group(found, on), status)


def _fields(page: Page, given: Mapping[str, Any], now: Component | None) -> ComponentFields:
    """What is not said stays."""
    parent = now.parent if now is not None else None
    if "group_id" in given:
        wanted = text(given, "group_id")
        parent = page.components.filter(wire_id=wanted[:12], is_group=True).first() if wanted else None
        if wanted and parent is None:
            raise Refused(422, "group_id is the id of a group of this page")
    return ComponentFields(
        name=text(given, "name", now.name if now is not None else ""),
        description=text(given, "description", now.description if now is not None else ""),
        is_group=now.is_group if now is not None else False,
        parent=parent,
        service=now.service if now is not None else None,
        is_automatic=now.is_automatic if now is not None else False,
        is_showcased=flag(given, "showcase", now.is_showcased if now is not None else True),
        is_shown_only_when_degraded=flag(
            given, "only_show_if_degraded", now.is_shown_only_when_degraded if now is not None else False
        ),
        started_on=_day(given, "start_date"),
    )


def _set(component: Component, given: Mapping[str, Any], asked: Asked) -> None:
    status = text(given, "status")
    if status:
        actions.set_status(component, status, asked.by)


def _fill(page: Page, group: Component, wanted: list[str] | None) -> None:
    """These stand in it, and no others."""
    if wanted is None:
        return
    found = page.components.filter(wire_id__in=wanted, is_group=False)
    if found.count() != len(set(wanted)):
        raise Refused(422, "components are ids of components of this page")
    page.components.filter(parent=group).exclude(wire_id__in=wanted).update(parent=None)
    found.update(parent=group, updated_at=clock.now())


def _day(given: Mapping[str, Any], key: str) -> date | None:
    value = text(given, key)
    if not value:
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise Refused(422, f"{key} is a day such as 2026-01-05") from None


def _uptime(asked: Asked, page: Page, about: Component, components: list[Component]) -> dict[str, Any]:
    """Of several: the mean percentage, the sum of seconds."""
    on = Wire(page)
    now = clock.now()
    end = _bound(asked, "end", on) or now
    start = _bound(asked, "start", on) or end - timedelta(days=UPTIME_DAYS)
    if not timedelta(0) < end - start <= timedelta(days=370):
        raise Refused(422, "start lies before end, at most a year")
    sums = []
    for component, up in queries.uptimes(components, start, end).values():
        known = max(start, queries.known_since(component, on.zone))
        sums.append(intervals.sums(up.layers, known, min(end, now)))
    percents = [one for one in (each.uptime_percent() for each in sums) if one is not None]
    return {
        "id": about.wire_id,
        "name": about.name,
        "range_start": moment(start, on.zone),
        "range_end": moment(end, on.zone),
        "uptime_percentage": round(sum(percents) / len(percents), 5) if percents else None,
        "major_outage": round(sum(each.major for each in sums)),
        "partial_outage": round(sum(each.partial for each in sums)),
        "warnings": None if percents else ["nothing is known of this range"],
        "related_events": None,
    }


def _bound(asked: Asked, key: str, on: Wire) -> datetime | None:
    value = asked.query.get(key, "").strip()[:40].replace(" ", "+")
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise Refused(422, f"{key} is a day or a moment") from None
    if len(value) <= 10:
        found = datetime.combine(found.date(), time(0))
    return found if found.tzinfo is not None else found.replace(tzinfo=on.zone)
