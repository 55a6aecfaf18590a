"""Every verb: what it does, with --json one document and nothing else, and exit codes."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest

from api_world import BY, World
from cli_run import Run
from midwatch.cli.parser import VERBS
from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.people import actions as people
from midwatch.people.models import User
from midwatch.respond.notify.models import Delivery
from midwatch.respond.oncall.models import Override

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
ASK = "midwatch.cli"


def test_alerts_paged_listed_shown_and_acted_on(world: World, run: Run) -> None:
    paged = run("page", "team:payments", "Checkout is down", "--priority", "p2", "--as", "bo", "--json")
    assert paged.code == 0, paged.err
    assert paged.json["number"] == 1
    assert paged.json["priority"] == "P2"
    assert [one["title"] for one in run("alerts", "--json").json] == ["Checkout is down"]
    assert "Checkout is down" in run("alerts").out
    taken = run("ack", "1", "--as", "bo")
    assert (taken.code, taken.out) == (0, "Bo has #1. Escalation stopped.\n")
    again = run("ack", "1", "--as", "cy", "--json")
    assert again.code == 0
    assert again.json[0]["is_changed"] is False
    assert again.json[0]["sentence"].startswith("Bo has #1 since")
    assert run("note", "1", "restarted db3").code == 0
    assert run("snooze", "#1", "--for", "2h").out.startswith("#1 is snoozed until 14:00")
    assert run("unack", "1").code == 0
    assert run("assign", "1", "cy").code == 0
    assert run("escalate", "1").code == 0
    assert run("resolve", "1").out == "#1 is resolved.\n"
    shown = run("show", "1", "--json").json
    assert {"note", "snoozed", "reassigned", "resolved"} <= {entry["kind"] for entry in shown["timeline"]}
    assert "restarted db3" in run("show", "1").out
    assert run("alerts").out == "No such alert.\n"
    assert [one["status"] for one in run("alerts", "--status", "all", "--json").json] == ["resolved"]
    assert AuditEntry.objects.filter(via="cli", user_id=world.bo.pk, verb="acknowledge").exists()


def test_an_incident_is_declared_written_led_and_closed(world: World, run: Run) -> None:
    made = run(
        "incident", "declare", "checkout is down", "--severity", "sev3", "--service", "checkout", "--as", "cy", "--json"
    )
    assert made.code == 0, made.err
    assert (made.json["number"], made.json["roles"]["ic"]["person"]) == (1, "cy")
    assert run("incident", "note", "1", "restarted db3", "--kind", "decision", "--as", "bo").code == 0
    assert run("incident", "role", "1", "cm", "bo", "--as", "cy").out == "Bo is Communication Manager of incident 1.\n"
    refused = run("incident", "role", "1", "dc", "bo", "--as", "bo")
    assert (refused.code, "Incident Commander's" in refused.err) == (1, True)
    assert "holds it until they accept" in run("incident", "role", "1", "ic", "bo", "--as", "cy").out
    assert "pages user Bo into incident 1" in run("incident", "page", "1", "user:bo", "--as", "cy").out
    assert run("incident", "phase", "1", "resolved", "--as", "cy").out == "incident 1 is resolved.\n"
    assert [one["number"] for one in run("incident", "list", "--json").json] == [1]
    assert "CM Bo, DC Cy (as IC)" in run("incident", "show", "1").out
    assert run("incident", "close", "1", "--as", "cy").out == "incident 1 is closed.\n"
    assert run("incident", "list").out == "No such incident.\n"
    assert run("incident", "show", "7").code == 1


def test_one_that_cannot_be_does_not_stop_the_others(world: World, run: Run) -> None:
    world.alerts(2)
    said = run("ack", "2", "77", "1", "--json")
    assert said.code == 1
    assert [one["number"] for one in said.json] == [2, 1]
    assert said.err.startswith("midwatch: #77: there is no alert #77")
    assert said.err.count("\n") == 1


def test_without_as_it_is_the_administrator(world: World, run: Run) -> None:
    world.alert()
    assert run("ack", "1", "--json").json[0]["acknowledged_by"]["name"] == "ana"


@pytest.mark.parametrize("who", ["vi", "nobody-here"])
def test_who_may_not_act(world: World, run: Run, who: str) -> None:
    alert = world.alert()
    said = run("ack", "1", "--as", who)
    assert said.code == 1
    assert who in said.err
    alert.refresh_from_db()
    assert alert.status == "firing"


@pytest.mark.parametrize(
    "target", ["cy", "user:cy", "checkout", "service:checkout", "payments-primary", "team:payments"]
)
def test_whom_to_page(world: World, run: Run, target: str) -> None:
    assert run("page", target, "help").code == 0


def test_a_target_that_is_nothing_or_two_things(world: World, run: Run) -> None:
    people.create_user("checkout", people.Profile("Checkout"), BY)
    assert "user:checkout or service:checkout" in run("page", "checkout", "help").err
    assert run("page", "service:checkout", "help").code == 0
    assert "no person, team, service or schedule" in run("page", "nothing", "help").err
    assert "user:NAME" in run("page", "group:x", "help").err
    assert run("page", "cy", "   ").code == 1


def test_a_list_narrowed(world: World, run: Run) -> None:
    world.alerts(5)
    run("resolve", "2")
    assert [one["number"] for one in run("alerts", "--limit", "2", "--json").json] == [5, 4]
    assert [one["number"] for one in run("alerts", "--before", "4", "--json").json] == [3, 1]
    assert [one["number"] for one in run("alerts", "--status", "resolved", "--json").json] == [2]
    assert [one["number"] for one in run("alerts", "--query", "alert 3", "--json").json] == [4]
    assert run("alerts", "--team", "payments", "--service", "checkout", "--priority", "P1", "--json").json
    assert run("alerts", "--team", "nothing").code == 1
    assert run("alerts", "--status", "broken").code == 2


def test_who_is_on_call(world: World, run: Run) -> None:
    said = run("who", "payments", "--json").json
    assert said[0]["users"][0]["name"] == "bo"
    assert re.search(r"payments-primary\s+Bo\s+2026-01-19 08:00Z\s+Cy", run("who").out)
    assert run("who", "--at", "2026-01-06", "--json").json[0]["users"][0]["name"] == "cy"
    assert "no team" in run("who", "nothing").err
    assert "no moment" in run("who", "--at", "soon").err


def test_schedules_shifts_and_covering(world: World, run: Run) -> None:
    assert run("schedule", "list", "--json").json[0]["name"] == "payments-primary"
    shifts = run("schedule", "shifts", "payments-primary", "--from", "2026-01-05T09:00+01:00", "--to", "2026-01-20")
    assert [line.split()[4] for line in shifts.out.splitlines()[1:]] == ["Cy", "Bo", "Cy"]
    assert run("schedule", "shifts", "nothing").code == 1
    assert run("schedule", "shifts", "payments-primary", "--to", "2020-01-01").code == 1
    said = run("override", "payments-primary", "cy", "--for", "4h", "--reason", "dentist", "--json")
    assert said.json["user"] == "cy"
    assert Override.objects.get().ends_at == clock.now() + timedelta(hours=4)
    assert run("who", "--json").json[0]["users"][0]["name"] == "cy"
    assert run("cover", "payments-primary", "bo", "--to", "2026-01-15T09:00Z").code == 0
    for wrong in ((), ("--for", "4h", "--to", "2026-01-15"), ("--for", "soon"), ("--to", "2020-01-01")):
        assert run("override", "payments-primary", "cy", *wrong).code == 1


def test_a_dry_run(world: World, run: Run) -> None:
    said = run("dry-run", "payments", "--priority", "P1", "--service", "checkout")
    assert said.code == 0
    assert "level 1: Bo by hook" in said.out
    assert said.out.endswith("All reachable.\n")
    world.bo.contact_methods.all().delete()
    found = run("dry-run", "payments", "--json").json
    assert found["is_all_reachable"] is False
    assert run("dry-run", "nothing").code == 1
    assert run("dry-run", "payments", "--service", "nothing").code == 1


def test_people(world: World, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run("user", "create", "dora", "--display-name", "Dora K", "--email", "dora@example.com", "--json").json
    assert made["name"] == "dora"
    assert made["invitation"].startswith("http://midwatch.example/")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert run("user", "create", "emil", "--password-stdin").code == 0
    assert User.objects.get(name="emil").check_password("correct horse battery")
    assert "\ndora " in run("user", "list").out
    assert {"name": "dora", "display_name": "Dora K", "role": "member"}.items() <= next(
        one for one in run("user", "list", "--json").json if one["name"] == "dora"
    ).items()
    token = run("user", "token", "dora", "--days", "2")
    assert people.authenticate_token(token.out.strip()) == User.objects.get(name="dora")
    assert run("user", "reset", "dora", "--json").json["link"].startswith("http://midwatch.example/")
    assert run("user", "deactivate", "dora").code == 0
    assert people.authenticate_token(token.out.strip()) is None


@pytest.mark.parametrize(
    "argv",
    [
        ("user", "create", "ana"),
        ("user", "create", "Not A Slug"),
        ("user", "create", "x", "--time-zone", "Mars/Base"),
        ("user", "create", "x", "--email", "no address"),
        ("user", "token", "nobody-here"),
        ("user", "reset", "nobody-here"),
        ("user", "deactivate", "nobody-here"),
    ],
)
def test_people_that_cannot_be(world: World, run: Run, argv: tuple[str, ...]) -> None:
    said = run(*argv)
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("midwatch: ")
    assert said.err.count("\n") == 1


def test_a_weak_password_is_refused_before_anybody_is_made(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in ("short\n", "\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        assert run("user", "create", "emil", "--password-stdin").code == 1
    assert not User.objects.filter(name="emil").exists()


def test_turning_somebody_off_who_is_needed(world: World, run: Run) -> None:
    said = run("user", "deactivate", "bo")
    assert said.code == 1
    assert "--force" in said.err
    assert run("user", "deactivate", "bo", "--force").code == 0


def test_a_test_page(world: World, run: Run) -> None:
    assert run("test-page", "cy", "--method", "hook", "--json").json["deliveries"][0]["method"] == "hook"
    assert Delivery.objects.filter(user=world.cy, kind="test").count() == 1
    assert "there are: hook" in run("test-page", "cy", "--method", "fax").err


def test_sources(world: World, run: Run) -> None:
    (found,) = run("source", "list", "--json").json
    assert (found["name"], found["key"], found["problems"]) == ("prometheus", "****cdef", 0)
    assert "prometheus" in run("source", "list").out
    assert run("source", "test", "prometheus").code == 0
    assert run("source", "test", "nothing").code == 1


def test_the_set_up_code(world: World, run: Run) -> None:
    code = run("setup-code").out.strip()
    assert people.is_setup_code(code)
    world.ana.set_password("correct horse battery")
    world.ana.save(update_fields=["password"])
    assert "administrator already" in run("setup-code").err


def test_version(run: Run) -> None:
    assert run("version", "--json").json["midwatch"] == "0.1.0"
    assert run("version").out.startswith("midwatch 0.1.0\n")
    assert run("--version").out == "midwatch 0.1.0\n"


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("explode",),
        ("ack",),
        ("ack", "x"),
        ("ack", "0"),
        ("ack", "9" * 30),
        ("page", "cy"),
        ("page", "cy", "x", "--priority", "P9"),
        ("user",),
        ("user", "token", "ana", "--days", "0"),
        ("serve", "--port", "port"),
        ("serve", "--port", "70000"),
        ("alerts", "--limit", "0"),
        ("backup",),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, argv: tuple[str, ...]) -> None:
    said = run(*argv)
    assert said.code == 2
    assert said.out == ""
    assert "usage: midwatch" in said.err


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_explains_itself_and_stands_in_the_manual(run: Run, verb: str) -> None:
    said = run(*verb.split(), "--help")
    assert said.code == 0
    assert f"usage: midwatch {verb}" in said.out
    assert f"`midwatch {verb}" in DOCS.read_text("utf-8")


def test_a_directory_without_midwatch_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    said = run("alerts", "--data", str(tmp_path / "nothing"))
    assert said.code == 1
    assert "midwatch serve" in said.err
    assert not (tmp_path / "nothing").exists()


def test_a_wrong_setting_names_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_INTAKE_QUEUE_MAX", "many")
    said = run("alerts", "--data", "/nowhere")
    assert said.code == 1
    assert "MIDWATCH_INTAKE_QUEUE_MAX='many': give whole events" in said.err


def test_a_test_page_to_a_rotation(world: World, run: Run) -> None:
    said = run("test-page", "--schedule", "payments-primary", "--json").json
    everybody = {one["user"] for one in said["deliveries"]} | {text.partition(" ")[0] for text in said["refused"]}
    assert everybody, said
    assert Delivery.objects.filter(kind="test").count() == len(said["deliveries"])
    assert "there is no schedule" in run("test-page", "--schedule", "none").err
    assert "say whom" in run("test-page").err
    assert "say whom" in run("test-page", "cy", "--schedule", "payments-primary").err
