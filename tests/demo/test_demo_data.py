"""The demo's week, built once as `midwatch demo` builds it, and looked at with nothing but SQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest

from midwatch import demo, supervisor

PHONES = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MIDWATCH_", "DJANGO_"))}
    environment = {
        **kept,
        "MIDWATCH_DATA_DIR": str(made),
        "MIDWATCH_BASE_URL": "http://127.0.0.1:8000",
        "MIDWATCH_EMAIL_URL": "smtp://127.0.0.1:9",
        "MIDWATCH_TWILIO_ACCOUNT_SID": "ACdemo",
        "MIDWATCH_TWILIO_AUTH_TOKEN": "token",
        "MIDWATCH_TWILIO_FROM": "+15005550006",
        "MIDWATCH_TWILIO_BASE_URL": PHONES,
        "MIDWATCH_OUTBOUND_ALLOW": "127.0.0.1",
    }
    subprocess.run(
        [sys.executable, "-m", "midwatch.demo.build"],
        input=json.dumps({"password": "correct horse battery", "phones": PHONES}),
        text=True,
        env=environment,
        check=True,
        timeout=180,
    )
    return made


@pytest.fixture
def ask(directory: Path) -> Iterator[Any]:
    connection = sqlite.connect(directory / "midwatch.sqlite3")
    yield lambda query: [row if len(row) > 1 else row[0] for row in connection.execute(query)]
    connection.close()


def test_a_week_was_lived(ask: Any) -> None:
    assert ask("SELECT count(*) FROM people_team") == [3]
    assert ask("SELECT count(*) FROM people_user WHERE name <> 'admin-token'") == [11]
    assert ask("SELECT count(*) FROM catalog_service") == [8]
    assert set(ask("SELECT DISTINCT type FROM alerts_source")) == {"alertmanager", "generic", "grafana", "pagerduty"}
    assert ask("SELECT count(*) FROM alerts_alert WHERE status = 'resolved'")[0] >= 50
    assert ask("SELECT count(DISTINCT acknowledged_by_id) FROM alerts_alert")[0] >= 6
    assert ask("SELECT count(*) FROM alerts_timelineentry WHERE kind = 'note'")[0] >= 25
    assert {"handed over", "delivered", "answered"} <= set(ask("SELECT DISTINCT receipt FROM notify_delivery"))
    assert {"email", "ntfy", "sms", "voice", "webhook"} <= set(ask("SELECT DISTINCT channel FROM notify_delivery"))
    assert ask("SELECT count(*) FROM core_auditentry WHERE verb = 'acknowledge'")[0] >= 30


def test_all_that_happened_was_answered_or_over(ask: Any) -> None:
    assert ask("SELECT count(*) FROM escalation_escalation WHERE state = 'exhausted'") == [0]
    assert ask("SELECT count(*) FROM core_outboxevent WHERE quarantined_at IS NOT NULL") == [0]
    assert ask("SELECT count(*) FROM notify_delivery WHERE state IN ('failed', 'sending')") == [0]


def test_what_is_open_now(ask: Any) -> None:
    """One to take, one that somebody has, one asleep, one in maintenance, a storm that pages once."""
    found = ask(
        "SELECT a.title, a.status, e.state, e.joined_count FROM escalation_escalation e"
        " JOIN alerts_alert a ON a.id = e.alert_id WHERE a.status <> 'resolved' AND e.state <> 'joined' ORDER BY a.id"
    )
    assert [row[2] for row in found] == ["snoozed", "held", "acknowledged", "paging", "paging"]
    assert found[3][3] == 5
    assert found[4][1] == "firing"
    due = ask(
        "SELECT (julianday(due_at) - julianday('now')) * 1440 FROM escalation_escalation e"
        " JOIN alerts_alert a ON a.id = e.alert_id WHERE a.title = '7.3% of requests end with 5xx'"
        " AND a.status = 'firing'"
    )
    assert -3 < due[0] < 5, "level 2 is paged within minutes"


def test_ana_is_on_call_and_being_called(ask: Any) -> None:
    called = ask(
        "SELECT u.name FROM notify_page p JOIN people_user u ON u.id = p.user_id JOIN alerts_alert a"
        " ON a.id = p.alert_id WHERE p.state = 'running' AND a.priority = 'P1'"
    )
    assert called == ["ana"]


def test_nobody_outside_can_be_reached(ask: Any) -> None:
    for type_, address in ask("SELECT type, address FROM people_contactmethod"):
        match type_:
            case "email":
                assert address.endswith("@shop.example")
            case "sms" | "voice":
                assert address.startswith("+42060100000")  # goes to the demo's own Twilio
            case _:
                assert address.startswith(PHONES)


def test_the_events_are_in_the_log_and_read(directory: Path, ask: Any) -> None:
    with sqlite.connect(directory / "events.sqlite3") as log:
        last = log.execute("SELECT max(id) FROM event").fetchone()[0]
    assert last > 100
    assert ask("SELECT offset FROM intake_offset") == [last]


@pytest.fixture
def _environment_stays() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("_environment_stays")
def test_the_demo_takes_no_setting_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIDWATCH_TWILIO_AUTH_TOKEN", "a real one")
    monkeypatch.setenv("MIDWATCH_DATABASE_URL", "postgresql://somewhere/real")
    monkeypatch.setenv("MIDWATCH_WATCHDOG_URL", "https://somewhere.example")
    with demo.Phones(lambda text: None) as phones:
        settings = demo.environment(tmp_path, phones, "0.0.0.0", 8123)
        assert not [name for name in os.environ if name.startswith("MIDWATCH_") and name != "MIDWATCH_LOG_LEVEL"]
        assert settings["MIDWATCH_TWILIO_BASE_URL"] == phones.url
    assert settings["MIDWATCH_BASE_URL"] == "http://127.0.0.1:8123"
    assert "MIDWATCH_DATABASE_URL" not in settings
    assert "a real one" not in settings.values()


@pytest.mark.usefixtures("_environment_stays")
def test_run_serves_what_it_built_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}

    def serve(args: Namespace) -> int:
        seen.update(port=args.port, directory=Path(os.environ["MIDWATCH_DATA_DIR"]))
        assert seen["directory"].is_dir()
        return 0

    monkeypatch.setattr(demo, "build", lambda password: seen.update(password=password) or "http://link/p/x")
    monkeypatch.setattr(demo.signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(supervisor, "serve", serve)
    assert demo.run(Namespace(host="127.0.0.1", port=8124)) == 0
    said = capsys.readouterr().out
    assert "http://127.0.0.1:8124" in said
    assert "name      ana" in said
    assert f"password  {seen['password']}" in said
    assert "http://link/p/x" in said
    assert not seen["directory"].exists()


@pytest.mark.usefixtures("_environment_stays")
def test_what_cannot_be_built_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "build", lambda password: None)
    monkeypatch.setattr(demo.signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(supervisor, "serve", lambda args: pytest.fail("served"))
    assert demo.run(Namespace(host="127.0.0.1", port=8124)) == 1


def test_a_postmortem_is_half_written(ask: Any) -> None:
    found = ask("SELECT state, facilitator_state, meeting_at IS NOT NULL FROM postmortems_postmortem ORDER BY id")
    assert found[1:] == [("draft", "accepted", 1)]
    assert set(ask("SELECT key FROM postmortems_sectiontext WHERE text <> ''")) >= {"summary", "factors", "well"}
    assert ask("SELECT count(*) FROM postmortems_timelinerow")[0] >= 1


def test_a_finished_incident_has_its_lesson_and_an_item_that_is_late(ask: Any) -> None:
    assert ask(
        "SELECT i.phase, i.lesson, p.state, p.published_at < i.closed_at FROM postmortems_postmortem p"
        " JOIN incidents_incident i ON i.id = p.incident_id ORDER BY p.id LIMIT 1"
    ) == [("closed", "published", "published", 1)]
    late = ask("SELECT count(*) FROM actions_actionitem WHERE state = 'open' AND due_on < date('now')")
    assert late[0] >= 1
    assert ask("SELECT count(*) FROM incidents_incident WHERE resolved_at IS NULL") == [1]


def test_runbooks_were_carried_out_and_one_waits_for_a_yes(ask: Any) -> None:
    assert ask("SELECT count(*) FROM runbooks_runbook") == [4]
    assert ask("SELECT count(*) FROM runbooks_execution WHERE state = 'ok'") == [3]
    of = "runbooks_execution e JOIN runbooks_runbook r ON r.id = e.runbook_id"
    assert ask(f"SELECT r.name, e.state FROM {of} WHERE e.state <> 'ok'") == [("slow-payments", "waiting")]
    assert ask("SELECT count(*) FROM runbooks_feedback") == [3]
