"""What goes wrong at the demo's shop, and how its monitoring says so. Pure: values in, payloads out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

WIKI = "https://wiki.shop.example/runbooks"
GRAFANA = "https://grafana.shop.example"
PROMETHEUS = "https://prometheus.shop.example/graph?g0.tab=1&g0.expr="
NEVER_ENDED = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Case:
    """`severity`: in the source's own words. `labels`: beside alertname, service and severity."""

    source: str
    service: str
    name: str
    severity: str
    title: str
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        said = f"{self.name} {self.service} {sorted(self.labels.items())}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def key(self) -> str:
        """What its source deduplicates by."""
        return self.fingerprint if self.source in {"prometheus", "grafana"} else f"{self.service}/{self.name}"


CASES: Mapping[str, Case] = {
    "disk": Case(
        "prometheus",
        "orders-db",
        "DiskFull",
        "critical",
        "Disk of db3 is 97% full",
        "At this rate it is full in 40 minutes.",
        {"instance": "db3:9100", "job": "node"},
    ),
    "lag": Case(
        "prometheus",
        "orders-db",
        "ReplicationLag",
        "error",
        "Replica db2 lags 94 s behind",
        "Reads of the shop may be stale.",
        {"instance": "db2:9187", "job": "postgres"},
    ),
    "connections": Case(
        "prometheus",
        "orders-db",
        "ConnectionsNearLimit",
        "warning",
        "db1 uses 180 of 200 connections",
        "",
        {"instance": "db1:9187", "job": "postgres"},
    ),
    "errors": Case(
        "prometheus",
        "checkout",
        "HighErrorRate",
        "page",
        "7.3% of requests end with 5xx",
        'More than 2% for 5 minutes. Customers see "something went wrong" after they pressed Pay.',
        {"job": "checkout", "region": "eu-central"},
    ),
    "slow": Case(
        "prometheus",
        "checkout",
        "SlowCart",
        "warning",
        "p99 of the cart page is 3.2 s",
        "",
        {"job": "checkout", "handler": "/cart"},
    ),
    "latency": Case(
        "prometheus",
        "payments-api",
        "HighLatency",
        "error",
        "p99 is 2.4 s",
        "The acquirers answer in 300 ms: it is us.",
        {"job": "payments-api"},
    ),
    "queue": Case(
        "grafana",
        "payments-api",
        "RefundQueue",
        "low",
        "Refund queue holds 1,200 messages",
        "It should be below 100.",
        {"queue": "refunds"},
    ),
    "declined": Case(
        "acquirer-monitor",
        "payments-api",
        "acquirer-north/declines",
        "critical",
        "Acquirer north declines 38% of cards",
        "",
        {"acquirer": "north"},
    ),
    "probe": Case(
        "shop-probe",
        "checkout",
        "gift-card",
        "P2",
        "Buying a gift card fails from Frankfurt",
        'Step 4 of 6, "pay": the button is never enabled.',
    ),
    "probe-slow": Case(
        "shop-probe",
        "checkout",
        "gift-card-slow",
        "P3",
        "Buying a gift card takes 14 s",
        "It should take less than 8 s.",
    ),
    "fraud": Case(
        "prometheus",
        "fraud-check",
        "ModelStale",
        "warning",
        "Fraud model is 26 h old",
        "It is trained each night at 01:00.",
        {"job": "fraud-check"},
    ),
    "fraud-down": Case(
        "prometheus",
        "fraud-check",
        "FraudCheckDown",
        "critical",
        "No answer for 2 minutes",
        "Orders above 200 EUR wait for a person.",
        {"job": "fraud-check"},
    ),
    "pod": Case(
        "prometheus",
        "kubernetes",
        "PodRestarts",
        "warning",
        "Pod search-indexer-0 restarts again and again",
        "",
        {"namespace": "search", "pod": "search-indexer-0"},
    ),
    "node": Case(
        "prometheus",
        "kubernetes",
        "NodeNotReady",
        "error",
        "Node worker-7 is not ready",
        "Its pods are being moved.",
        {"node": "worker-7"},
    ),
    "tls": Case(
        "prometheus",
        "edge",
        "SlowHandshakes",
        "error",
        "TLS handshakes take 800 ms",
        "",
        {"job": "haproxy", "instance": "lb2:9101"},
    ),
    "certificate": Case(
        "prometheus",
        "edge",
        "CertificateExpires",
        "ticket",
        "Certificate of shop.example runs out in 12 days",
        "",
        {"host": "shop.example"},
    ),
    "index": Case(
        "grafana",
        "search",
        "IndexStale",
        "warning",
        "Index of products is 3 h old",
        "New products cannot be found.",
        {"index": "products"},
    ),
    "search": Case("grafana", "search", "SearchSlow", "error", "p95 is 4.1 s", "", {"index": "products"}),
    "report": Case(
        "grafana", "reports", "ReportMissing", "info", "Sales report of yesterday is missing", "", {"report": "sales"}
    ),
}


def storm(count: int) -> list[Case]:
    """A rack lost its power: one group of the Alertmanager's."""
    return [
        Case(
            "prometheus",
            "kubernetes",
            "NodeDown",
            "error",
            f"Node worker-{number} is down",
            "No heartbeat for 2 minutes.",
            {"node": f"worker-{number}", "rack": "r12"},
        )
        for number in range(20, 20 + count)
    ]


def payload(
    cases: list[Case], status: str, started_at: datetime, ended_at: datetime | None, key: str
) -> dict[str, Any]:
    """As the sender writes it; `key`: the source's, which PagerDuty's senders repeat in the body. One source only."""
    case = cases[0]
    match case.source:
        case "prometheus":
            return _alertmanager(cases, status, started_at, ended_at)
        case "grafana":
            return _grafana(case, status, started_at, ended_at)
        case "acquirer-monitor":
            return _pagerduty(case, status, key)
        case _:
            return _generic(case, status)


def _times(started_at: datetime, ended_at: datetime | None) -> dict[str, str]:
    return {"startsAt": started_at.isoformat(), "endsAt": ended_at.isoformat() if ended_at else NEVER_ENDED}


def _labels(case: Case) -> dict[str, str]:
    return {"alertname": case.name, "service": case.service, "severity": case.severity, **case.labels}


def _webhook(alerts: list[dict[str, Any]], status: str, name: str, url: str) -> dict[str, Any]:
    """What Alertmanager's and Grafana's webhooks have in common."""
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "midwatch",
        "groupLabels": {"alertname": name},
        "commonLabels": {"alertname": name},
        "commonAnnotations": {},
        "externalURL": url,
        "alerts": alerts,
    }


def _alertmanager(cases: list[Case], status: str, started_at: datetime, ended_at: datetime | None) -> dict[str, Any]:
    alerts = [
        {
            "status": status,
            "labels": _labels(case),
            "annotations": {
                "summary": case.title,
                "description": case.description,
                "runbook_url": f"{WIKI}/{case.service}/{case.name.lower()}",
                "dashboard_url": f"{GRAFANA}/d/{case.service}",
            },
            **_times(started_at, ended_at),
            "generatorURL": f"{PROMETHEUS}{case.name.lower()}",
            "fingerprint": case.fingerprint,
        }
        for case in cases
    ]
    return _webhook(alerts, status, cases[0].name, "https://alertmanager.shop.example")


def _grafana(case: Case, status: str, started_at: datetime, ended_at: datetime | None) -> dict[str, Any]:
    alert = {
        "status": status,
        "labels": _labels(case),
        "annotations": {"summary": case.title, "description": case.description},
        **_times(started_at, ended_at),
        "generatorURL": f"{GRAFANA}/alerting/grafana/{case.fingerprint}/view",
        "fingerprint": case.fingerprint,
        "silenceURL": f"{GRAFANA}/alerting/silence/new",
        "dashboardURL": f"{GRAFANA}/d/{case.service}",
        "panelURL": f"{GRAFANA}/d/{case.service}?viewPanel=2",
        "values": {"A": 4.1},
    }
    return {**_webhook([alert], status, case.name, GRAFANA), "orgId": 1, "state": "alerting", "title": case.title}


def _pagerduty(case: Case, status: str, key: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "routing_key": key,
        "event_action": {"firing": "trigger", "acknowledged": "acknowledge"}.get(status, "resolve"),
        "dedup_key": case.key,
    }
    if status == "firing":
        message["payload"] = {
            "summary": case.title,
            "source": "acquirer-monitor",
            "severity": case.severity,
            "component": case.service,
            "custom_details": dict(case.labels),
        }
        message["links"] = [{"href": "https://status.acquirer-north.example", "text": "Their status page"}]
    return message


def _generic(case: Case, status: str) -> dict[str, Any]:
    return {
        "key": case.key,
        "status": status,
        "title": case.title,
        "priority": case.severity,
        "description": case.description,
        "labels": {"service": case.service, "probe": case.name},
        "links": [{"href": f"{WIKI}/{case.service}/{case.name}", "text": "Runbook"}],
    }
