"""Doctor: every room answers, what is wrong is named with a remedy, and one broken check stops no other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db import transaction

from api_world import NOW, World
from cli_run import Run
from midwatch.core import clock, contribute
from midwatch.core.contribute import Check
from midwatch.core.models import OutboxEvent
from midwatch.engine.models import Node
from midwatch.gitops.models import Applied
from midwatch.people.models import ContactMethod, User
from midwatch.respond.alerts.models import Source, SourceProblem
from midwatch.respond.escalation.models import PolicyStep, ServicePolicy, TeamPolicy
from midwatch.respond.notify.models import Delivery
from midwatch.settings import settings


def answers() -> dict[str, Check]:
    return {check.name: check for check in contribute.checks()}


def test_a_well_installation(world: World, run: Run) -> None:
    with transaction.atomic():
        Node.objects.create(name="one:1", version="0.1.0", started_at=NOW, ticked_at=NOW)
        Source.objects.update(last_event_at=NOW)
        User.objects.filter(pk=world.ana.pk).update(password="argon2$something")
    said = run("doctor", "--json")
    found = said.json
    failed = [one for one in found["checks"] if one["state"] in {"failed", "unknown"}]
    assert failed == []
    assert said.code == 0
    assert found["counts"]["ok"] >= 20
    assert len({one["name"] for one in found["checks"]}) == len(found["checks"])
    for one in found["checks"]:
        assert one["question"].endswith("?")
        assert one["sentence"]
        assert one["remedy"] or one["state"] == "ok"


def test_what_failed_is_said_and_the_exit_code_is_1(world: World, run: Run) -> None:
    said = run("doctor")
    assert said.code == 1
    assert "FAILED  engine: none ever ticked, so nobody is paged" in said.out
    assert "-> start `midwatch serve`" in said.out
    assert said.out.splitlines()[-1].endswith("0 unknown")


def test_the_engine(world: World) -> None:
    node = Node.objects.create(name="one:1", version="0.1.0", started_at=NOW, ticked_at=NOW)
    assert answers()["engine"].state == "ok"
    clock.forward(timedelta(seconds=30))
    assert "not ticked for 30 s" in answers()["engine"].sentence
    Node.objects.filter(pk=node.pk).update(stopped_at=clock.now())
    assert "stopped 30 s ago" in answers()["engine"].sentence


def test_late_work_and_messages(world: World) -> None:
    Delivery.objects.create(
        idempotency_key="k", kind="page", user=world.bo, channel="webhook", created_at=NOW, due_at=NOW, wanted_at=NOW
    )
    assert answers()["deliveries"].state == "ok"
    clock.forward(timedelta(minutes=3))
    found = answers()
    assert found["deliveries.late"].state == "failed"
    assert "180 s late" in found["deliveries.late"].sentence
    assert found["engine.lateness"].state == "failed"
    Delivery.objects.update(state="failed")
    assert answers()["deliveries.failed"].state == "warning"


def test_who_cannot_be_woken(world: World) -> None:
    assert answers()["reachability.people"].state == "ok"
    ContactMethod.objects.filter(user=world.cy).update(type="email", address="cy@example.com")
    found = answers()["reachability.people"]
    assert found.state == "failed"
    assert found.sentence.startswith("cy: e-mail alone wakes nobody")
    ContactMethod.objects.all().delete()
    found = answers()
    assert "bo: no contact method; cy: no contact method" in found["reachability.people"].sentence
    assert "payments would reach nobody" in found["reachability.policies"].sentence
    assert found["channels"].state == "warning"


def test_policies_and_services(world: World) -> None:
    assert answers()["services.policies"].state == "ok"
    ServicePolicy.objects.all().delete()
    assert answers()["services.policies"].state == "ok"
    TeamPolicy.objects.all().delete()
    assert "checkout" in answers()["services.policies"].sentence
    PolicyStep.objects.all().delete()
    assert answers()["reachability.policies"].state == "failed"


def test_channels(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ContactMethod.objects.create(user=world.bo, name="fax", type="fax", address="1", confirmed_at=NOW)
    assert answers()["channels.fax"].state == "failed"
    assert answers()["channels.webhook"].state == "ok"
    ContactMethod.objects.filter(name="hook", user=world.bo).update(failing_since=NOW, problem="410 gone")
    assert "bo/hook" in answers()["channels.failing"].sentence
    assert "410 gone" in answers()["channels.failing"].sentence


def test_a_channel_whose_setting_is_missing(world: World) -> None:
    ContactMethod.objects.create(user=world.bo, name="phone", type="sms", address="+420601000001", confirmed_at=NOW)
    with mock.patch("midwatch.integrations.twilio.channel.missing_settings", return_value="MIDWATCH_TWILIO_FROM"):
        found = answers()["channels.sms"]
    assert found.state == "failed"
    assert "MIDWATCH_TWILIO_FROM" in found.sentence


def test_secrets_that_cannot_be_read(world: World) -> None:
    ContactMethod.objects.filter(user=world.bo).update(secret_reference={"env": "MIDWATCH_REF_NOT_THERE"})
    found = answers()["people.secrets"]
    assert found.state == "failed"
    assert "MIDWATCH_REF_NOT_THERE" in found.sentence


def test_gaps(world: World) -> None:
    assert answers()["oncall.gaps"].state == "ok"
    User.objects.filter(pk=world.cy.pk).update(is_active=False)
    found = answers()["oncall.gaps"]
    assert found.state == "warning"
    assert "payments-primary from 2026-01-19 08:00 UTC" in found.sentence


def test_sources(world: World) -> None:
    assert "prometheus" in answers()["sources.unheard"].sentence
    Source.objects.update(last_event_at=NOW, expected_at=NOW - timedelta(minutes=1), expect_every_seconds=60)
    assert answers()["sources.silent"].state == "failed"
    SourceProblem.objects.create(source=world.source, at=NOW, kind="parser", reason="labels: expected an object")
    assert answers()["sources.problems"].state == "warning"
    SourceProblem.objects.create(source=world.source, at=NOW, kind="refused", reason="3.2 MiB")
    found = answers()["sources.problems"]
    assert (found.state, "3.2 MiB" in found.sentence) == ("failed", True)
    Source.objects.update(type="pigeon")
    assert "pigeon" in answers()["sources.types"].sentence
    Source.objects.all().delete()
    assert answers()["sources"].state == "warning"


def test_what_was_put_aside_and_what_was_refused(world: World) -> None:
    OutboxEvent.objects.create(
        name="alert.opened", created_at=NOW, due_at=NOW, quarantined_at=NOW, problem="KeyError: 'x'"
    )
    assert "alert.opened: KeyError" in answers()["outbox"].sentence
    refused = "a.yaml:3: Team/x: ...\nmore"
    Applied.objects.create(owner="config", directory="/etc/midwatch", problem=refused, problem_at=NOW)
    found = answers()["configuration.config"]
    assert found.state == "failed"
    assert "a.yaml:3: Team/x" in found.sentence
    assert "midwatch plan /etc/midwatch" in found.remedy


def test_settings_that_nothing_reads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_EMIAL_URL", "smtp://x")
    monkeypatch.setenv("MIDWATCH_REF_ANY", "x")
    assert answers()["settings.names"].sentence == "nothing reads MIDWATCH_EMIAL_URL"


def test_a_full_disk_and_open_secrets(world: World) -> None:
    usage = mock.Mock(free=50_000_000)
    with mock.patch("shutil.disk_usage", return_value=usage):
        assert answers()["disk"].state == "failed"
    usage.free = 500_000_000
    with mock.patch("shutil.disk_usage", return_value=usage):
        assert answers()["disk"].state == "warning"
    directory = settings().data_dir
    mode = directory.stat().st_mode
    secret = directory / "admin-token"
    is_ours = not secret.exists()
    if is_ours:
        secret.write_text("x" * 40)
    try:
        directory.chmod(0o755)
        secret.chmod(0o644)
        assert "admin-token" in answers()["data.modes"].sentence
    finally:
        directory.chmod(mode)
        secret.chmod(0o600)
        if is_ours:
            secret.unlink()


def test_a_backlog(world: World) -> None:
    for waiting, state in ((0, "ok"), (5_000, "warning"), (200_000, "failed")):
        with mock.patch("midwatch.intake.checks.event_log") as log:
            log.return_value.backlog.return_value = waiting
            assert answers()["intake.backlog"].state == state


def test_a_damaged_event_log(world: World, tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite3"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    with mock.patch("midwatch.intake.checks.settings") as found:
        found.return_value.event_log = path
        found.return_value.is_sqlite = True
        assert answers()["intake.log"].state == "failed"


def test_a_check_that_breaks_stops_no_other(world: World) -> None:
    with mock.patch("midwatch.intake.checks.event_log", side_effect=RuntimeError("boom")):
        found = answers()
    assert found["intake.backlog"].state == "unknown"
    assert "boom" in found["intake.backlog"].sentence
    assert "engine" in found


def test_deep_looks_through_the_live_data(world: World, run: Run) -> None:
    with transaction.atomic():
        Node.objects.create(name="one:1", version="0.1.0", started_at=NOW, ticked_at=NOW)
    assert "ok      deep: 21 promises were looked at, none is broken" in run("doctor", "--deep").out
    assert "deep" not in run("doctor").out
    world.alert("left alone")  # an alert that nothing escalates
    said = run("doctor", "--deep", "--json")
    assert said.code == 1
    (found,) = [one for one in said.json["checks"] if one["name"].startswith("deep")]
    assert (found["name"], found["state"]) == ("deep.escalation.missing", "failed")
    assert found["sentence"].endswith(": #1")
    assert "report it" in found["remedy"]


def test_a_question_that_cannot_be_asked_stops_no_other(world: World, run: Run) -> None:
    with mock.patch("midwatch.engine.invariants.log") as log:
        log.event_log.side_effect = RuntimeError("boom")
        Node.objects.create(name="one:1", version="0.1.0", started_at=NOW, ticked_at=NOW)
        found = [one for one in run("doctor", "--deep", "--json").json["checks"] if one["name"].startswith("deep")]
    assert [(one["name"], one["state"]) for one in found] == [("deep.every_event_is_read", "unknown")]
