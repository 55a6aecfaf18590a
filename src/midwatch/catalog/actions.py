"""Every write of the catalog, by intent. A refusal is a `ValueError` whose text says what to do instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from midwatch.catalog.dependencies import cycle_in
from midwatch.catalog.models import ChangeEvent, Service, ServiceUrgency
from midwatch.catalog.queries import dependency_edges
from midwatch.core import audit, clock, zones
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import Team, Urgency

DISPLAY_NAME_MAX = 200
DESCRIPTION_MAX = 10_000
LINKS_MAX = 30
LINK_TITLE_MAX = 200
LINK_URL_MAX = 2_000
TIER_MAX = 9
PAGE_AFTER_SECONDS_MAX = 24 * 3600
AUTO_RESOLVE_SECONDS_MIN, AUTO_RESOLVE_SECONDS_MAX = 1, 90 * 24 * 3600
DEPENDENCIES_MAX = 200
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CHANGE_DETAILS_MAX = 50


@dataclass(frozen=True, slots=True)
class ServiceFields:
    """What is said about a service. `support_hours` and `links` as in configuration."""

    team: Team
    display_name: str = ""
    description: str = ""
    tier: int = 3
    urgency: str = ServiceUrgency.BY_PRIORITY
    support_hours: Mapping[str, Any] | None = None
    page_after_seconds: int = 0
    auto_resolve_after_seconds: int | None = None
    links: Sequence[Mapping[str, str]] = ()


def create_service(name: str, fields: ServiceFields, by: Actor, *, mark: Mark | None = None) -> Service:
    """Raises `ValueError`."""
    check_name(name)
    values = _values(name, fields)
    try:
        with transaction.atomic():
            service = Service.objects.create(name=name, created_at=clock.now(), **values, **mark_values(mark))
            audit.record(by, "create", "service", name, {"team": fields.team.name})
    except IntegrityError as error:
        raise ValueError(f"there is a service called {name} already: give another name") from error
    return service


def change_service(service: Service, fields: ServiceFields, by: Actor, *, mark: Mark | None = None) -> Service:
    """Raises `ValueError`; a `FromCodeError` when it comes from code."""
    guard(service, mark)
    values = _values(service.name, fields)
    with transaction.atomic():
        current = Service.objects.select_for_update().get(pk=service.pk)
        changed = [key for key, new in values.items() if getattr(current, key) != new]
        if changed:
            for key in changed:
                setattr(current, key, values[key])
            current.save(update_fields=changed)
            audit.record(by, "change", "service", service.name, {"fields": changed})
    return current


def set_dependencies(service: Service, depends_on: Sequence[Service], by: Actor, *, mark: Mark | None = None) -> None:
    """The whole list. Refused with `ValueError` when services would depend on each other in a circle."""
    set_dependency_lists({service: depends_on}, by, mark=mark)


def set_dependency_lists(wanted: Mapping[Service, Sequence[Service]], by: Actor, *, mark: Mark | None = None) -> None:
    """The lists of several services at once: only the result must be without circles."""
    for service, depends_on in wanted.items():
        guard(service, mark)
        if len(depends_on) > DEPENDENCIES_MAX:
            raise ValueError(f"a service depends on at most {DEPENDENCIES_MAX} others")
    with transaction.atomic():
        list(Service.objects.select_for_update().order_by("pk").values_list("pk", flat=True))  # one writer of the graph
        lists = {service.pk: {other.pk for other in depends_on} for service, depends_on in wanted.items()}
        check_no_cycle({**dependency_edges(), **lists})
        for service, depends_on in wanted.items():
            service.depends_on.set(depends_on)
            names = sorted(other.name for other in depends_on)
            audit.record(by, "set dependencies", "service", service.name, {"depends_on": names})


def check_no_cycle(edges: Mapping[int, set[int]]) -> None:
    """By service id. Raises `ValueError` naming the circle."""
    cycle = cycle_in(edges)
    if cycle:
        names = dict(Service.objects.filter(pk__in=cycle).values_list("pk", "name"))
        circle = " -> ".join(names[pk] for pk in cycle)
        raise ValueError(f"services would depend on each other in a circle ({circle}): leave one of them out")


def delete_service(service: Service, by: Actor, *, mark: Mark | None = None) -> None:
    """The database refuses while something refers to it (`ProtectedError`)."""
    guard(service, mark)
    with transaction.atomic():
        audit.record(by, "delete", "service", service.name)
        service.delete()


def record_change(
    service: Service,
    summary: str,
    *,
    at: datetime | None = None,
    origin: str = "",
    links: Sequence[Mapping[str, str]] = (),
    details: Mapping[str, Any] | None = None,
) -> ChangeEvent:
    """A deployment or another change, as a pipeline reported it. What is too long is cut: a report is never refused."""
    now = clock.now()
    shown = {clean(key, 100): clean(value, 1_000) for key, value in list((details or {}).items())[:CHANGE_DETAILS_MAX]}
    with transaction.atomic():
        return ChangeEvent.objects.create(
            service=service,
            at=at or now,
            received_at=now,
            summary=clean(summary, 1_000, is_one_line=True) or "change",
            origin=clean(origin, 255, is_one_line=True),
            links=[
                {"title": clean(link.get("title", ""), LINK_TITLE_MAX), "url": clean(link.get("url", ""), LINK_URL_MAX)}
                for link in links[:LINKS_MAX]
            ],
            details=shown,
        )


def check_link(title: str, url: str) -> dict[str, str]:
    """Raises `ValueError`."""
    address = url.strip()
    if (
        not address.startswith(("https://", "http://"))
        or len(address) > LINK_URL_MAX
        or any(c.isspace() for c in address)
    ):
        raise ValueError(f"{clean(address, 80)!r} is no link: give an address that begins with https:// or http://")
    return {"title": clean(title, LINK_TITLE_MAX, is_one_line=True) or address[:LINK_TITLE_MAX], "url": address}


def check_support_hours(hours: Mapping[str, Any]) -> dict[str, Any]:
    """`{timeZone, days, from, to, outside}`, checked. Raises `ValueError`."""
    zones.zone(str(hours.get("timeZone", "UTC")))
    days = [day for day in DAYS if day in hours.get("days", ())]
    if not days:
        raise ValueError(f"support hours need days: give some of {', '.join(DAYS)}")
    outside = hours.get("outside", Urgency.LOW)
    if outside not in Urgency.values:
        raise ValueError(f"{outside!r} is no urgency: give high or low for outside the support hours")
    if hours["from"] == hours["to"]:
        raise ValueError("support hours that end when they begin: give different times, or leave support hours out")
    return {
        "timeZone": hours.get("timeZone", "UTC"),
        "days": days,
        "from": hours["from"],
        "to": "00:00" if hours["to"] == "24:00" else hours["to"],
        "outside": outside,
    }


def _values(name: str, fields: ServiceFields) -> dict[str, Any]:
    if not 0 <= fields.tier <= TIER_MAX:
        raise ValueError(f"tier: give a whole number from 0 (most important) to {TIER_MAX}")
    if fields.urgency not in ServiceUrgency.values:
        raise ValueError(f"{fields.urgency!r} is no urgency of a service: give {', '.join(ServiceUrgency.values)}")
    if not 0 <= fields.page_after_seconds <= PAGE_AFTER_SECONDS_MAX:
        raise ValueError("page after: give 0 seconds to 24 hours")
    resolve = fields.auto_resolve_after_seconds
    if resolve is not None and not AUTO_RESOLVE_SECONDS_MIN <= resolve <= AUTO_RESOLVE_SECONDS_MAX:
        raise ValueError("auto-resolve after: give 1 second to 90 days, or nothing for never")
    if len(fields.links) > LINKS_MAX:
        raise ValueError(f"at most {LINKS_MAX} links")
    return {
        "team": fields.team,
        "display_name": clean(fields.display_name, DISPLAY_NAME_MAX, is_one_line=True) or name,
        "description": clean(fields.description, DESCRIPTION_MAX),
        "tier": fields.tier,
        "urgency": fields.urgency,
        "support_hours": None if fields.support_hours is None else check_support_hours(fields.support_hours),
        "page_after_seconds": fields.page_after_seconds,
        "auto_resolve_after_seconds": resolve,
        "links": [check_link(link.get("title", ""), link["url"]) for link in fields.links],
    }


def forget_changes(before: datetime, limit: int) -> int:
    """Changes that were reported before, the oldest first. How many went."""
    with transaction.atomic():
        oldest = ChangeEvent.objects.order_by("pk").values_list("pk", "received_at")[:limit]
        count, _ = ChangeEvent.objects.filter(pk__in=[pk for pk, at in oldest if at < before]).delete()
    return count
