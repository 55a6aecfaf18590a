"""All components of a page at once, as configuration as code writes them. Who keeps their name keeps their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.db import transaction

from midwatch.core.actor import Actor
from midwatch.people.managed import Mark
from midwatch.respond.statuspage.actions.components import (
    ComponentFields,
    add_component,
    change_component,
    remove_component,
)
from midwatch.respond.statuspage.models import Component, Page


@dataclass(frozen=True, slots=True)
class Laid:
    """A component, or a group with what stands in it."""

    fields: ComponentFields
    children: Sequence[Laid] = field(default_factory=tuple)


def lay_out(page: Page, wanted: Sequence[Laid], by: Actor, *, mark: Mark | None = None) -> None:
    """These, in this order, and no others. Raises `ValueError`."""
    with transaction.atomic():
        known = list(page.components.select_related("page", "parent").order_by("position", "id"))
        kept: set[int] = set()
        position = 0
        for one in wanted:
            position += 1
            parent = _lay(page, one.fields, position, None, known, kept, by, mark)
            for child in one.children:
                position += 1
                _lay(page, child.fields, position, parent, known, kept, by, mark)
        for gone in known:
            if gone.pk not in kept:
                remove_component(gone, by, mark=mark)


def _lay(
    page: Page,
    fields: ComponentFields,
    position: int,
    parent: Component | None,
    known: Sequence[Component],
    kept: set[int],
    by: Actor,
    mark: Mark | None,
) -> Component:
    """The one of that name at the same place if there is one; else one that stood elsewhere; else a new one."""
    placed = replace(fields, parent=parent, position=position)
    alike = [one for one in known if one.name == fields.name and one.is_group == fields.is_group and one.pk not in kept]
    alike.sort(key=lambda one: (one.parent.name if one.parent else "") != (parent.name if parent else ""))
    component = (
        change_component(alike[0], placed, by, mark=mark) if alike else add_component(page, placed, by, mark=mark)
    )
    kept.add(component.pk)
    return component
