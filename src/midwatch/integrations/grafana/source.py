"""Grafana's webhook contact point (unified alerting): Alertmanager's shape, with values and links of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midwatch.core import payload as read
from midwatch.core import webhook_v4
from midwatch.core.integration import Event, Refused
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

VALUES_MAX = 20


def _named(labels: Mapping[str, str]) -> str:
    """For "no data" and "error" the alert's name is Grafana's own and the rule's stands in `rulename`."""
    return f"{labels.get('alertname', '')} {labels.get('rulename', '')}".strip()


def _measured(alert: Mapping[str, Any]) -> list[str]:
    values = alert.get("values")
    if isinstance(values, Mapping) and values:
        measured = sorted(values.items(), key=lambda item: str(item[0]))[:VALUES_MAX]
        return [
            ", ".join(f"{clean(name, 100, is_one_line=True)} = {read.shown(value, 100)}" for name, value in measured)
        ]
    if isinstance(alert.get("valueString"), str) and alert["valueString"]:
        return [read.shown(alert["valueString"], 2_000)]
    return []


DIALECT = webhook_v4.Dialect(
    statuses={"firing": "firing", "alerting": "firing", "resolved": "resolved", "ok": "resolved"},
    where=("instance", "pod", "host", "service", "job"),
    linked_annotations={"runbook_url": "Runbook"},
    linked_fields={
        "dashboardURL": "Dashboard",
        "panelURL": "Panel",
        "generatorURL": "Rule",
        "imageURL": "Picture",
        "silenceURL": "Silence",
    },
    fewer="raise its maxAlerts",
    named=_named,
    measured=_measured,
    is_internal=lambda name: name.startswith("__"),  # `__dashboardUid__` and the like
)


def parse(payload: object) -> list[Event | Refused]:
    return webhook_v4.parse(payload, DIALECT, sender="Grafana's webhook", advise=_advice)


def _advice(message: Mapping[str, Any]) -> str:
    if "ruleName" in message or "evalMatches" in message:
        return "this is Grafana's legacy alerting (before version 9): use a webhook contact point of unified alerting"
    got = read.kind_of(message.get("alerts"))
    return f"alerts: expected a list, got {got}; is this a webhook contact point of Grafana?"
