"""One JSON object is one event; only `title` is required."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midwatch.core import payload as read
from midwatch.core.integration import DESCRIPTION_MAX, Event, Link, Refused, Rejected, Status
from midwatch.core.text import clean

TYPE = "generic"
TITLE = "Generic JSON"
BODY_MAX = 1024 * 1024
EXAMPLE = """{
  "key": "db3/disk", "status": "firing", "title": "Disk of db3 is 97% full", "priority": "P1",
  "labels": {"host": "db3"}, "links": [{"href": "https://wiki.example.com/disk", "text": "Runbook"}]
}"""

STATUSES: Mapping[str, Status] = {"firing": "firing", "resolved": "resolved"}


def parse(payload: object) -> list[Event | Refused]:
    try:
        message = read.wanted_object(payload, "an event")
    except read.FieldError as error:
        raise Rejected(str(error)) from None
    try:
        return [_event(message)]
    except read.FieldError as error:
        return [error.refused()]


def _event(message: Mapping[str, Any]) -> Event:
    raw_title = read.text(message.get("title"), "title")
    title = read.title(raw_title)
    if not title:
        raise read.FieldError("title: is empty, say in a few words what is wrong")
    status = STATUSES.get(read.text(message.get("status"), "status", otherwise="firing").strip().lower())
    if status is None:
        raise read.FieldError('status: expected "firing" or "resolved"')
    labels, dropped = read.labels(_labels(message))
    return Event(
        key=read.key(read.text(message.get("key"), "key", otherwise="") or raw_title),
        status=status,
        title=title,
        priority_word=clean(read.text(message.get("priority"), "priority", otherwise=""), 100, is_one_line=True),
        description=clean(read.text(message.get("description"), "description", otherwise=""), DESCRIPTION_MAX),
        labels=labels,
        links=read.links(_links(message)),
        labels_dropped=dropped,
    )


def _labels(message: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = read.mapping(message.get("labels"), "labels")
    for name, value in labels.items():
        if isinstance(value, Mapping | list):
            raise read.FieldError(
                f"labels.{clean(name, 100, is_one_line=True)}: expected text, got {read.kind_of(value)}"
            )
    return labels


def _links(message: Mapping[str, Any]) -> list[Link | None]:
    found: list[Link | None] = []
    for position, item in enumerate(read.items(message.get("links"), "links")):
        where = f"links[{position}]"
        if not isinstance(item, Mapping):
            raise read.FieldError(
                f'{where}: expected {{"href": "https://...", "text": "..."}}, got {read.kind_of(item)}'
            )
        href = read.text(item.get("href"), f"{where}.href")
        found.append(read.link(href, read.text(item.get("text"), f"{where}.text", otherwise="")))
    return found
