"""Grafana's webhook contact point (unified alerting): Alertmanager's shape, with values and links of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from midwatch.core import payload as read
from midwatch.core.integration import DESCRIPTION_MAX, Event, Refused, Rejected, Status
from midwatch.core.text import clean

TYPE = "grafana"
TITLE = "Grafana alerting"
BODY_MAX = 16 * 1024 * 1024
EXAMPLE = """{
  "receiver": "midwatch", "status": "firing", "groupKey": "{}:{alertname=\\"High latency\\"}",
  "alerts": [{
    "status": "firing",
    "labels": {"alertname": "High latency", "grafana_folder": "Checkout", "severity": "critical"},
    "annotations": {"summary": "Checkout answers in 2.1 s"},
    "values": {"B": 2.1}
  }]
}"""

STATUSES: Mapping[str, Status] = {"firing": "firing", "alerting": "firing", "resolved": "resolved", "ok": "resolved"}
WHERE = ("instance", "pod", "host", "service", "job")
LINKED_ANNOTATIONS = {"runbook_url": "Runbook"}
LINKED = {
    "dashboardURL": "Dashboard",
    "panelURL": "Panel",
    "generatorURL": "Rule",
    "imageURL": "Picture",
    "silenceURL": "Silence",
}
TOLD_ELSEWHERE = {"summary", "description", "message", *LINKED_ANNOTATIONS}
VALUES_MAX = 20


def parse(payload: object) -> list[Event | Refused]:
    try:
        message = read.wanted_object(payload, "Grafana's webhook")
    except read.FieldError as error:
        raise Rejected(str(error)) from None
    alerts = message.get("alerts")
    if not isinstance(alerts, list):
        if "ruleName" in message or "evalMatches" in message:
            raise Rejected(
                "this is Grafana's legacy alerting (before version 9): use a webhook contact point of unified alerting"
            )
        raise Rejected(
            f"alerts: expected a list, got {read.kind_of(alerts)}; is this a webhook contact point of Grafana?"
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
    return [*found, Refused(f"truncatedAlerts: {truncated} alerts were left out by the sender: raise its maxAlerts")]


def _event(alert: object, position: int, group: str) -> Event | Refused:
    where = f"alerts[{position}]"
    try:
        if not isinstance(alert, Mapping):
            raise read.FieldError(f"{where}: expected an object, got {read.kind_of(alert)}")
        status = STATUSES.get(read.text(alert.get("status"), f"{where}.status").lower())
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
        description=_description(annotations, alert),
        labels=labels,
        links=read.links(
            [
                *(read.link(annotations.get(name), text) for name, text in LINKED_ANNOTATIONS.items()),
                *(read.link(alert.get(name), text) for name, text in LINKED.items()),
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
    # For "no data" and "error" the alert's name is Grafana's own and the rule's stands in `rulename`.
    name = f"{labels.get('alertname', '')} {labels.get('rulename', '')}".strip()
    where = next((labels[label] for label in WHERE if labels.get(label)), "")
    named = f"{name} {where}".strip()
    return (
        read.title(named or ", ".join(f"{label}={value}" for label, value in list(labels.items())[:5])) or "(no name)"
    )


def _description(annotations: Mapping[str, Any], alert: Mapping[str, Any]) -> str:
    """The description, what was measured, every other annotation but Grafana's internal ones (`__dashboardUid__`)."""
    parts = [
        read.shown(annotations[name], DESCRIPTION_MAX) for name in ("description", "message") if annotations.get(name)
    ]
    values = alert.get("values")
    if isinstance(values, Mapping) and values:
        measured = sorted(values.items(), key=lambda item: str(item[0]))[:VALUES_MAX]
        parts.append(
            ", ".join(f"{clean(name, 100, is_one_line=True)} = {read.shown(value, 100)}" for name, value in measured)
        )
    elif isinstance(alert.get("valueString"), str) and alert["valueString"]:
        parts.append(read.shown(alert["valueString"], 2_000))
    parts += [
        f"{clean(name, 200, is_one_line=True)}: {read.shown(annotations[name], 2_000)}"
        for name in sorted(annotations, key=str)
        if name not in TOLD_ELSEWHERE and not str(name).startswith("__")
    ]
    return clean("\n".join(parts), DESCRIPTION_MAX)
