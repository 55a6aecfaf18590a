"""Alertmanager's webhook v4: every alert of the message by its own fingerprint.

The group (`groupKey`) says whose pages join; it is no identity: instances come and go in a group while each alert keeps
its fingerprint, so a resolve finds what the firing opened whatever else changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from midwatch.core import payload as read
from midwatch.core.integration import DESCRIPTION_MAX, Event, Refused, Rejected, Status
from midwatch.core.text import clean

TYPE = "alertmanager"
TITLE = "Prometheus Alertmanager"
BODY_MAX = 16 * 1024 * 1024
EXAMPLE = """{
  "version": "4", "groupKey": "{}:{alertname=\\"DiskFull\\"}", "status": "firing",
  "alerts": [{
    "status": "firing",
    "labels": {"alertname": "DiskFull", "instance": "db3", "severity": "critical"},
    "annotations": {"summary": "Disk of db3 is 97% full"}
  }]
}"""

STATUSES: Mapping[str, Status] = {"firing": "firing", "resolved": "resolved"}
WHERE = ("instance", "pod", "node", "host", "service", "job", "namespace")
LINKED = {"runbook_url": "Runbook", "dashboard_url": "Dashboard"}
TOLD_ELSEWHERE = {"summary", "description", "message", *LINKED}


def parse(payload: object) -> list[Event | Refused]:
    try:
        message = read.wanted_object(payload, "Alertmanager's webhook")
    except read.FieldError as error:
        raise Rejected(str(error)) from None
    alerts = message.get("alerts")
    if not isinstance(alerts, list):
        raise Rejected(
            f"alerts: expected a list, got {read.kind_of(alerts)}; is this Alertmanager's webhook_configs, version 4?"
        )
    group_key = message.get("groupKey")
    group = read.key(group_key) if isinstance(group_key, str) else ""
    found = [_event(alert, position, group) for position, alert in enumerate(alerts)]
    return _with_truncated(found, read.count(message.get("truncatedAlerts")))


def _with_truncated(found: list[Event | Refused], truncated: int) -> list[Event | Refused]:
    if not truncated:
        return found
    for position, item in enumerate(found):
        if isinstance(item, Event):
            found[position] = replace(item, truncated=truncated)
            return found
    return [*found, Refused(f"truncatedAlerts: {truncated} alerts were left out by the sender: raise its max_alerts")]


def _event(alert: object, position: int, group: str) -> Event | Refused:
    where = f"alerts[{position}]"
    try:
        if not isinstance(alert, Mapping):
            raise read.FieldError(f"{where}: expected an object, got {read.kind_of(alert)}")
        status = STATUSES.get(read.text(alert.get("status"), f"{where}.status"))
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
        title=_title(labels, annotations),
        priority_word=labels.get("severity", ""),
        description=_description(annotations),
        labels=labels,
        links=read.links(
            [
                *(read.link(annotations.get(name), text) for name, text in LINKED.items()),
                read.link(alert.get("generatorURL"), "Query"),
            ]
        ),
        group_key=group,
        starts_at=read.moment(alert.get("startsAt")),
        labels_dropped=dropped,
    )


def _title(labels: Mapping[str, str], annotations: Mapping[str, Any]) -> str:
    summary = annotations.get("summary")
    if isinstance(summary, str) and read.title(summary):
        return read.title(summary)
    where = next((labels[name] for name in WHERE if labels.get(name)), "")
    named = f"{labels.get('alertname', '')} {where}".strip()
    return read.title(named or ", ".join(f"{name}={value}" for name, value in list(labels.items())[:5])) or "(no name)"


def _description(annotations: Mapping[str, Any]) -> str:
    """The description, and every other annotation by name: whoever wrote it, wrote it for the person who is woken."""
    parts = [
        read.shown(annotations[name], DESCRIPTION_MAX) for name in ("description", "message") if annotations.get(name)
    ]
    parts += [
        f"{clean(name, 200, is_one_line=True)}: {read.shown(annotations[name], 2_000)}"
        for name in sorted(annotations, key=str)
        if name not in TOLD_ELSEWHERE
    ]
    return clean("\n".join(parts), DESCRIPTION_MAX)
