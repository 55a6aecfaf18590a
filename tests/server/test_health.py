"""`/readyz` and `/metrics`: about taking traffic, and one exposition for all of `serve`."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.test import RequestFactory
from prometheus_client.parser import text_string_to_metric_families

from midwatch.core import clock
from midwatch.engine.models import Node
from midwatch.intake import state
from midwatch.settings import settings
from midwatch.web import health


def ready() -> tuple[int, dict[str, object]]:
    response = health.readyz(RequestFactory().get("/readyz"))
    body = json.loads(response.content)
    assert body.pop("canary", None) in (
        {"state": "none yet", "age_seconds": None, "took_seconds": None, "problem": ""},
        None,
    )
    return response.status_code, body


def node(**fields: object) -> None:
    with transaction.atomic():
        Node.objects.all().delete()
        Node.objects.create(**{"name": "here:1", "version": "1", "started_at": clock.now(), **fields})


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "is_supervised", True)


@pytest.mark.django_db
def test_alone_no_engine_is_waited_for() -> None:
    assert ready() == (200, {"ready": True, "problems": [], "engine": "has not ticked yet"})


@pytest.mark.django_db
def test_at_the_first_start_of_serve_the_engine_must_have_ticked(supervised: None) -> None:
    status, body = ready()
    assert status == 503
    assert body["problems"] == ["the engine has not ticked yet"]
    node(ticked_at=None)
    assert ready()[0] == 503
    node(ticked_at=clock.now())
    assert ready() == (200, {"ready": True, "problems": [], "engine": "ticking"})


@pytest.mark.django_db
def test_an_engine_that_stands_still_is_named_and_takes_nothing_out_of_the_balancer(supervised: None) -> None:
    node(ticked_at=clock.now() - timedelta(seconds=90))
    status, body = ready()
    assert status == 200
    assert str(body["engine"]).startswith("standing still for 9")
    node(ticked_at=clock.now() - timedelta(seconds=90), stopped_at=clock.now() - timedelta(seconds=80))
    assert str(ready()[1]["engine"]).startswith("stopped 9")


@pytest.mark.django_db
def test_a_lane_that_takes_no_events_takes_no_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "problem", lambda: "the event log does not answer")
    status, body = ready()
    assert status == 503
    assert body["problems"] == ["the event log does not answer"]


@pytest.mark.django_db
def test_pending_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrations_are_applied", lambda: False)
    status, body = ready()
    assert status == 503
    assert "midwatch upgrade" in str(body["problems"])


WEB = """# HELP process_cpu_seconds_total CPU.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.5
# HELP midwatch_events_received_total Events.
# TYPE midwatch_events_received_total counter
midwatch_events_received_total 7.0
# HELP python_info Python.
# TYPE python_info gauge
python_info{version="3.11"} 1.0
"""
ENGINE = """# HELP process_cpu_seconds_total CPU.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 2.5
# HELP midwatch_deliveries_total Deliveries.
# TYPE midwatch_deliveries_total counter
midwatch_deliveries_total{channel="sms",outcome="failed"} 3.0
# HELP python_info Python.
# TYPE python_info gauge
python_info{version="3.11"} 1.0
"""


def test_what_both_processes_have_says_whose_it_is() -> None:
    joined = health.join({"web": WEB, "engine": ENGINE})
    samples = {
        (sample.name, sample.labels.get("process", "")): sample.value
        for family in text_string_to_metric_families(joined)
        for sample in family.samples
    }
    assert samples == {
        ("process_cpu_seconds_total", "web"): 1.5,
        ("process_cpu_seconds_total", "engine"): 2.5,
        ("midwatch_events_received_total", ""): 7.0,
        ("midwatch_deliveries_total", ""): 3.0,
        ("python_info", "web"): 1.0,
        ("python_info", "engine"): 1.0,
    }
    assert 'python_info{process="web",version="3.11"} 1.0' in joined
    heads = [line for line in joined.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads)) == 4
    assert "# TYPE midwatch_new_total counter" in health.join(
        {"web": WEB, "engine": "# TYPE midwatch_new_total counter\n"}
    )


@pytest.mark.django_db
def test_metrics_of_a_dead_engine_are_left_out(supervised: None) -> None:
    path: Path = settings().data_dir / health.ENGINE_METRICS
    path.write_text("# HELP midwatch_x X.\n# TYPE midwatch_x gauge\nmidwatch_x 1.0\n")
    try:
        text = health.metrics(RequestFactory().get("/metrics")).content.decode()
        assert "midwatch_x 1.0" in text
        assert "midwatch_intake_backlog 0.0" in text
        old = time.time() - 120
        os.utime(path, (old, old))
        assert "midwatch_x" not in health.metrics(RequestFactory().get("/metrics")).content.decode()
    finally:
        path.unlink()
