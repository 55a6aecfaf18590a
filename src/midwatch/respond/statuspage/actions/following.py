"""What an incident's composer published for status pages becomes the notices there."""

from __future__ import annotations

from django.db import transaction

from midwatch.core.actor import Actor
from midwatch.core.text import slug
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import Update, UpdateState
from midwatch.respond.statuspage.actions.publishing import Publication, publish_update
from midwatch.respond.statuspage.models import Component, Notice, NoticeUpdate, Page

TARGET = "statuspage:"


def incident_said(update_id: int) -> None:
    """Reaction to "incident.update_published". A page that cannot take it is named on the incident's timeline; drills
    are told nowhere."""
    update = (
        Update.objects.select_related("incident", "author").filter(pk=update_id, state=UpdateState.PUBLISHED).first()
    )
    if update is None or update.incident.is_drill:
        return
    by = Actor(update.author_name, "engine", update.author_id)
    for target in update.targets:
        if target.startswith(TARGET):
            name = target.removeprefix(TARGET)
            try:
                with transaction.atomic():
                    _publish(name, update, by)
            except ValueError as refusal:
                note(update.incident, "update", f"the status page {name} did not take the update: {refusal}", by)


def _publish(name: str, update: Update, by: Actor) -> NoticeUpdate:
    page = Page.objects.filter(name=name).first()
    if page is None:
        raise ValueError("there is no such page")
    incident = update.incident
    first = Notice.objects.filter(page=page, incident_number=incident.number).order_by("-started_at", "-pk").first()
    title = update.title or (first.name if first is not None else "")
    if not title:
        raise ValueError("the first update needs a title for visitors")
    said = Publication(
        incident_number=incident.number,
        title=title,
        body=update.external_text,
        status=update.stage,
        components=_components(page, update.components),
    )
    return publish_update(page, said, by)


def _components(page: Page, given: dict[str, str]) -> dict[Component, str]:
    """`{"PAGE/COMPONENT": status}`: a component by its id, its name, or its name as it would stand in an address."""
    mine = {key.partition("/")[2]: status for key, status in given.items() if key.partition("/")[0] == page.name}
    found: dict[Component, str] = {}
    for component in page.components.filter(is_group=False):
        for word in (component.wire_id, component.name, slug(component.name)):
            if word in mine:
                found[component] = mine[word]
                break
    return found
