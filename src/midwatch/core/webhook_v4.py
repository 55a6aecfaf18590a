"""Version 4 of the webhook message that Alertmanager made: Grafana and others speak it too, each with words of its own.

Every alert of the message goes by its own fingerprint. The group (`groupKey`) says whose pages join; it is no identity:
instances come and go in a group while each alert keeps its fingerprint, so a resolve finds what the firing opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from midwatch.core import payload as read
from midwatch.core.integration import DESCRIPTION_MAX, Event, Refused, Rejected, Status
from midwatch.core.text import clean

Labels = Mapping[str, str]


def _alertname(labels: Labels) -> str:
    return labels.get("alertname", "")


def _nothing_more(alert: Mapping[str, Any]) -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one sender says differently.

    `where`: labels that say where it is, the first that an alert has stands in its title. `linked_annotations`,
    `linked_fields`: name -> text of the link. `named`: what an alert without a summary is called. `measured`: lines for
    the description from the alert itself. `is_internal`: annotations which are not for people. `fewer`: how the sender
    is told to leave none out.
    """

    statuses: Mapping[str, Status]
    where: tuple[str, ...]
    linked_annotations: Mapping[str, str]
    linked_fields: Mapping[str, str]
    fewer: str
    named: Callable[[Labels], str] = _alertname
    measured: Callable[[Mapping[str, Any]], list[str]] = _nothing_more
    is_internal: Callable[[str], bool] = field(default=lambda name: False)


def parse(
    payload: object, dialect: Dialect, *, sender: str, advise: Callable[[Mapping[str, Any]], str]
) -> list[Event | Refused]:
    """The message's alerts, one by one. Raises `Rejected` with `advise(message)` when there is no list of them."""
    try:
        message = read.wanted_object(payload, sender)
    except read.FieldError as error:
        raise Rejected(str(error)) from None
    alerts = message.get("alerts")
    if not isinstance(alerts, list):
        raise Rejected(advise(message))
    group_key = message.get("groupKey")
    group = read.key(group_key) if isinstance(group_key, str) else ""
    found = [_event(alert, position, group, dialect) for position, alert in enumerate(alerts)]
    return _with_truncated(found, read.count(message.get("truncatedAlerts")), dialect.fewer)


def _with_truncated(found: list[Event | Refused], truncated: int, fewer: str) -> list[Event | Refused]:
    if not truncated:
        return found
    for position, item in enumerate(found):
        if isinstance(item, Event):
            found[position] = replace(item, truncated=truncated)
            return found
    return [*found, Refused(f"truncatedAlerts: {truncated} alerts were left out by the sender: {fewer}")]


def _event(alert: object, position: int, group: str, dialect: Dialect) -> Event | Refused:
    where = f"alerts[{position}]"
    try:
        if not isinstance(alert, Mapping):
            raise read.FieldError(f"{where}: expected an object, got {read.kind_of(alert)}")
        status = dialect.statuses.get(read.text(alert.get("status"), f"{where}.status").lower())
        if status is None:
            raise read.FieldError(f'{where}.status: expected "firing" or "resolved"')
        raw_labels = read.mapping(alert.get("labels"), f"{where}.labels")
        annotations = read.mapping(alert.get("annotations"), f"{where}.annotations")
        fingerprint = read.text(alert.get("fingerprint"), f"{where}.fingerprint", otherwise="")
        if not fingerprint and not raw_labels:
            raise read.FieldError(f"{where}: has neither fingerprint nor labels, so nothing says which alert it is")
    except read.FieldError as error:
        return error.refused()
    labels, dropped = read.labels(raw_labels)
    return Event(
        key=read.key(fingerprint or read.fingerprint(raw_labels)),
        status=status,
        title=_title(labels, annotations, dialect),
        priority_word=labels.get("severity", ""),
        description=_description(annotations, alert, dialect),
        labels=labels,
        links=read.links(
            [
                *(read.link(annotations.get(name), text) for name, text in dialect.linked_annotations.items()),
                *(read.link(alert.get(name), text) for name, text in dialect.linked_fields.items()),
            ]
        ),
        group_key=group,
        starts_at=read.moment(alert.get("startsAt")),
        labels_dropped=dropped,
    )


def _title(labels: Labels, annotations: Mapping[str, Any], dialect: Dialect) -> str:
    summary = annotations.get("summary")
    if isinstance(summary, str) and read.title(summary):
        return read.title(summary)
    where = next((labels[name] for name in dialect.where if labels.get(name)), "")
    named = f"{dialect.named(labels)} {where}".strip()
    return read.title(named or ", ".join(f"{name}={value}" for name, value in list(labels.items())[:5])) or "(no name)"


def _description(annotations: Mapping[str, Any], alert: Mapping[str, Any], dialect: Dialect) -> str:
    """The description, what was measured, and every other annotation by name: whoever wrote it, wrote it for the person
    who is woken."""
    told: Iterable[str] = ("summary", "description", "message", *dialect.linked_annotations)
    parts = [
        read.shown(annotations[name], DESCRIPTION_MAX) for name in ("description", "message") if annotations.get(name)
    ]
    parts += dialect.measured(alert)
    parts += [
        f"{clean(name, 200, is_one_line=True)}: {read.shown(annotations[name], 2_000)}"
        for name in sorted(annotations, key=str)
        if name not in told and not dialect.is_internal(str(name))
    ]
    return clean("\n".join(parts), DESCRIPTION_MAX)
