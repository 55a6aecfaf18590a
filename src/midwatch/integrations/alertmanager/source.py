"""Alertmanager's webhook, version 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midwatch.core import payload as read
from midwatch.core import webhook_v4
from midwatch.core.integration import Event, Refused

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

DIALECT = webhook_v4.Dialect(
    statuses={"firing": "firing", "resolved": "resolved"},
    where=("instance", "pod", "node", "host", "service", "job", "namespace"),
    linked_annotations={"runbook_url": "Runbook", "dashboard_url": "Dashboard"},
    linked_fields={"generatorURL": "Query"},
    fewer="raise its max_alerts",
)


def parse(payload: object) -> list[Event | Refused]:
    return webhook_v4.parse(payload, DIALECT, sender="Alertmanager's webhook", advise=_advice)


def _advice(message: Mapping[str, Any]) -> str:
    got = read.kind_of(message.get("alerts"))
    return f"alerts: expected a list, got {got}; is this Alertmanager's webhook_configs, version 4?"
