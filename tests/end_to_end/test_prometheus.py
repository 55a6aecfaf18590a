"""The main job with real parts: a Prometheus rule fires, Alertmanager sends it, Midwatch pages by webhook and e-mail,
somebody acknowledges on a phone's landing page, the rule stops, the alert resolves.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from end_to_end.running import Midwatch, Program, free_port, request, wait_until
from fakes.server import FakeServer, Recorded, Reply
from fakes.smtp import FakeSmtp
from fakes.webhook import FakeWebhook

pytestmark = pytest.mark.interop

KEY = "0123456789abcdef0123456789abcdef"


class Exporter(FakeServer):
    """An application whose disk fills when told."""

    disk_full = 0

    def respond(self, request: Recorded) -> Reply:
        return Reply(
            200,
            f'demo_disk_full{{service="checkout"}} {self.disk_full}\n'.encode(),
            {"Content-Type": "text/plain; version=0.0.4"},
        )


def documents(hook_url: str) -> str:
    return f"""
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: ana}}
spec:
  displayName: Ana Novak
  email: ana@example.com
  contactMethods:
    - {{name: hook, type: webhook, address: "{hook_url}/ana"}}
    - {{name: mail, type: email, address: ana@example.com}}
  notificationRules:
    high: [{{after: 0s, contact: hook}}, {{after: 0s, contact: mail}}]
    low: [{{after: 0s, contact: mail}}]
---
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: bo}}
spec:
  displayName: Bo
  contactMethods: [{{name: hook, type: webhook, address: "{hook_url}/bo"}}]
  notificationRules: {{high: [{{after: 0s, contact: hook}}], low: [{{after: 0s, contact: hook}}]}}
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {{name: payments}}
spec: {{displayName: Payments, members: [{{user: ana, role: manager}}, {{user: bo}}], escalationPolicy: payments}}
---
apiVersion: midwatch.dev/v1
kind: Schedule
metadata: {{name: payments-primary}}
spec:
  team: payments
  timeZone: Europe/Prague
  layers: [{{name: weekly, start: 2026-01-05T09:00, every: 1w, participants: [ana]}}]
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: payments}}
spec:
  team: payments
  steps:
    - {{name: level 1, targets: [{{schedule: payments-primary}}], after: 0s}}
    - {{name: level 2, targets: [{{user: bo}}], after: 3s}}
    - {{name: whole team, targets: [{{team: payments, notify: all}}], after: 15m}}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: checkout}}
spec: {{displayName: Checkout, team: payments, escalationPolicy: payments, tier: 1}}
---
apiVersion: midwatch.dev/v1
kind: Source
metadata: {{name: prometheus}}
spec: {{type: alertmanager, key: "{KEY}", service: checkout, serviceLabel: service}}
"""


def prometheus(directory: Path, exporter: Exporter, alertmanager_port: int) -> Program:
    port = free_port()
    (directory / "rules.yml").write_text(
        """groups:
- name: demo
  interval: 1s
  rules:
  - alert: DiskFull
    expr: demo_disk_full == 1
    labels: {severity: critical}
    annotations: {summary: "Disk is full on db3", runbook_url: "https://runbooks.example.com/disk"}
"""
    )
    (directory / "prometheus.yml").write_text(
        f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager_port}"]}}]}}]}}
scrape_configs: [{{job_name: demo, static_configs: [{{targets: ["127.0.0.1:{exporter.port}"]}}]}}]
"""
    )
    command = [
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=2s",
    ]
    return Program(command, directory, "prometheus")


def alertmanager(directory: Path, url: str) -> tuple[Program, int]:
    port = free_port()
    (directory / "alertmanager.yml").write_text(
        f"""route:
  {{receiver: midwatch, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: midwatch, webhook_configs: [{{url: "{url}", send_resolved: true}}]}}]
"""
    )
    command = [
        "prometheus-alertmanager",
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return Program(command, directory, "alertmanager"), port


def test_a_real_rule_pages_until_somebody_has_it_and_resolves(tmp_path: Path, chromium: Browser) -> None:
    with Exporter() as exporter, FakeWebhook() as phones, FakeSmtp() as relay:
        config = documents(phones.url)
        with Midwatch(
            tmp_path, config, MIDWATCH_EMAIL_URL=relay.url, MIDWATCH_EMAIL_FROM="midwatch@example.com"
        ) as midwatch:
            manager, manager_port = alertmanager(tmp_path, f"{midwatch.url}/in/{KEY}")
            with manager, prometheus(tmp_path, exporter, manager_port):
                exporter.disk_full = 1
                _page_and_escalation(midwatch, phones, relay)
                _acknowledged_on_a_phone(chromium, midwatch, phones)
                exporter.disk_full = 0
                resolved = wait_until(lambda: midwatch.alerts(status="resolved"), seconds=90, what="the resolve")
                assert resolved[0]["title"] == "Disk is full on db3"
                phones.wait_for(lambda fake: [m for m in fake.messages if m["kind"] == "resolved"], timeout=30)
                timeline = [entry["kind"] for entry in midwatch.alert(resolved[0]["number"])["timeline"]]
                assert timeline[0] == "opened"
                assert {"paged", "delivery", "acknowledged", "resolved"} <= set(timeline)


def _page_and_escalation(midwatch: Midwatch, phones: FakeWebhook, relay: FakeSmtp) -> None:
    phones.wait_for(lambda fake: [m for m in fake.messages if m["to"] == "ana" and m["kind"] == "page"], timeout=90)
    page = next(m for m in phones.messages if m["to"] == "ana")
    assert page["alert"]["title"] == "Disk is full on db3"
    assert page["alert"]["priority"] == "P1"
    assert page["step"] == "level 1"
    relay.wait_for(lambda fake: fake.mails, timeout=30)
    mail = relay.mails[0]
    assert mail.subject.startswith("[P1] Checkout: Disk is full on db3 (#")
    assert mail.message["Auto-Submitted"] == "auto-generated"
    phones.wait_for(lambda fake: [m for m in fake.messages if m["to"] == "bo" and m["kind"] == "page"], timeout=30)
    assert midwatch.alerts(status="firing"), "it is unanswered"


def _acknowledged_on_a_phone(chromium: Browser, midwatch: Midwatch, phones: FakeWebhook) -> None:
    link = next(m for m in phones.messages if m["to"] == "bo")["ack_url"]
    assert request("GET", link).status == 200
    assert midwatch.alerts(status="firing"), "looking acts on nothing"
    context = chromium.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Acknowledge").first.click()
    page.wait_for_load_state()
    assert "Bo" in page.content()
    context.close()
    acknowledged = wait_until(lambda: midwatch.alerts(status="acknowledged"), what="the acknowledgement")
    assert acknowledged[0]["title"] == "Disk is full on db3"
    phones.wait_for(lambda fake: [m for m in fake.messages if m["to"] == "ana" and m["kind"] == "update"], timeout=30)
