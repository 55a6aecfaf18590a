"""What `deploy/observability/` gives people to copy: the rules hold in promtool, and no metric is named that is not there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import prometheus_client
import pytest
import yaml

from midwatch.core import leases
from midwatch.engine import canary_metrics, metrics
from midwatch.intake import metrics as intake_metrics
from midwatch.respond.notify import metrics as notify_metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
EXPORTING = (leases, canary_metrics, metrics, intake_metrics, notify_metrics)
SUFFIXES = ("_bucket", "_sum", "_count")
METRIC = re.compile(r"\bmidwatch_[a-z_]+[a-z]\b")


def expressions() -> list[str]:
    rules = yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))["groups"][0]["rules"]
    panels = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]
    return [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]


def named() -> set[str]:
    """Every metric of the rules and the dashboard, as the exposition names its family."""
    found = {name for text in expressions() for name in METRIC.findall(text)}
    stripped = set()
    for name in found:
        suffix = next((one for one in SUFFIXES if name.endswith(one)), "")
        stripped.add(name.removesuffix(suffix))
    return stripped


def test_every_metric_named_is_exported() -> None:
    exported = set()
    for family in prometheus_client.REGISTRY.collect():
        exported.add(f"{family.name}_total" if family.type == "counter" else family.name)
    assert named() <= exported
    assert len(named()) > 20


def test_every_rule_says_what_to_do_and_has_a_test() -> None:
    rules = yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))["groups"][0]["rules"]
    tests = yaml.safe_load((FOLDER / "rules.test.yml").read_text("utf-8"))["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["description"].endswith((".", "?"))
    assert {rule["alert"] for rule in rules} == fired


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    assert (dashboard["title"], dashboard["uid"]) == ("Midwatch", "midwatch")
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 15
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(panel["title"] and panel["targets"] for panel in panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}


@pytest.mark.interop
def test_promtool_checks_and_tests_the_rules(tmp_path: Path) -> None:
    for command in (
        ["check", "rules", "rules.yml"],
        ["test", "rules", "rules.test.yml"],
        ["check", "config", "prometheus.yml"],
    ):
        done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.interop
def test_promtool_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    command = ["promtool", "check", "rules", "--lint=none", "rules.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
