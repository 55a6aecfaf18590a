"""What an incident's composer publishes: the page's notice of that incident is begun, or goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from midwatch.core.actor import Actor
from midwatch.respond.statuspage.actions.notices import NewNotice, NewUpdate, open_notice, post_update
from midwatch.respond.statuspage.models import OVER, Component, Notice, NoticeUpdate, Page
from midwatch.respond.statuspage.standing import STATUS_OF_LEVEL, STATUSES


@dataclass(frozen=True, slots=True)
class Publication:
    """`services`: by the service's name, a component status (or an outage's level: degraded, partial, major)."""

    incident_number: int
    title: str  # as visitors read it
    body: str
    status: str = "investigating"  # investigating, identified, monitoring, resolved
    services: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[Component, str] = field(default_factory=dict)  # of the page, where services do not say it
    is_told: bool = True


def publish_update(page: Page, said: Publication, by: Actor) -> NoticeUpdate:
    """One update of the incident, on one page. The same incident has one open notice a page, whatever its title becomes;
    one that was resolved is opened anew by a later update. Raises `ValueError`."""
    with transaction.atomic():
        Page.objects.select_for_update().get(pk=page.pk)
        components = {**_of_services(page, said.services), **said.components}
        notice = (
            Notice.objects.filter(page=page, incident_number=said.incident_number)
            .order_by("-started_at", "-pk")
            .first()
        )
        if notice is None:
            new = NewNotice(
                said.title,
                said.body,
                said.status,
                components,
                incident_number=said.incident_number,
                is_told=said.is_told,
            )
            return open_notice(page, new, by).updates.get()
        is_new_title = bool(said.title) and said.title != notice.name and notice.status not in OVER
        if is_new_title:
            Notice.objects.filter(pk=notice.pk).update(name=said.title[:255])
        return post_update(notice, NewUpdate(said.status, said.body, components, is_told=said.is_told), by)


def pages_of(services: Sequence[str]) -> list[Page]:
    """The pages that show one of these services, for a composer to offer."""
    found = Page.objects.filter(components__service__name__in=services).distinct()
    return list(found.order_by("title", "name"))


def _of_services(page: Page, services: Mapping[str, str]) -> dict[Component, str | None]:
    found: dict[Component, str | None] = {}
    for component in page.components.filter(service__name__in=services, is_group=False).select_related("service"):
        assert component.service is not None, "asked for those with a service"
        wanted = services[component.service.name]
        status = STATUS_OF_LEVEL.get(wanted, wanted)
        if status not in STATUSES:
            raise ValueError(f"{wanted!r} is no status of a component: give {', '.join(STATUSES)}")
        found[component] = status
    return found
