"""What happens to a configuration over time: changed, adopted, left to its people, pruned, refused at a start."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import OutboxEvent
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops import cli
from midwatch.gitops.actions import apply, apply_text, plan, plan_text
from midwatch.gitops.exporting import export_text
from midwatch.gitops.models import Applied
from midwatch.gitops.startup import apply_at_start
from midwatch.people import actions as people
from midwatch.people import queries
from midwatch.people.models import Team, User
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.escalation.models import EscalationPolicy
from midwatch.respond.oncall import actions as oncall
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import users_on_call

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
BY = Actor("Test", "web")
NOON = datetime(2026, 1, 6, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    clock.freeze(NOON)
    yield
    clock.thaw()


def doc(kind: str, name: str, spec: str) -> str:
    return f"---\napiVersion: midwatch.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"


def user(name: str, spec: str = "") -> str:
    return doc("User", name, f"displayName: {name.title()}{', ' if spec else ''}{spec}")


TEAM = doc("Team", "ops", "displayName: Ops, members: [{user: ana}], escalationPolicy: ops")
SCHEDULE = doc(
    "Schedule", "primary", "team: ops, layers: [{name: a, start: 2026-01-05T00:00, every: 1w, participants: [ana, bo]}]"
)
POLICY = doc("EscalationPolicy", "ops", "team: ops, steps: [{targets: [{schedule: primary}]}]")
SERVICE = doc("Service", "shop", "team: ops, escalationPolicy: ops")
SOURCE = doc("Source", "web", "type: generic, service: shop")
ALL = user("ana") + user("bo") + TEAM + SCHEDULE + POLICY + SERVICE + SOURCE


def alert(**fields: object) -> Alert:
    return Alert.objects.create(dedup_key="k", title="t", created_at=NOON, last_seen_at=NOON, number=1, **fields)


def changes(text: str, **options: bool) -> list[tuple[str, str, list[str]]]:
    return [(c.action, f"{c.kind}/{c.name}", sorted(c.fields)) for c in plan_text(text, **options).changes]


def test_a_plan_says_which_fields_change_and_what_it_means() -> None:
    apply_text(ALL)
    turned = ALL.replace("participants: [ana, bo]", "participants: [bo, ana]").replace(
        "displayName: Ops", "displayName: Operations"
    )
    found = plan_text(turned)
    assert [change.as_json() for change in found.changes] == [
        {
            "action": "update",
            "kind": "Team",
            "name": "ops",
            "fields": {"displayName": {"from": "Ops", "to": "Operations"}},
        },
        {
            "action": "update",
            "kind": "Schedule",
            "name": "primary",
            "fields": {
                "layers": {
                    "from": [_layer(["ana", "bo"])],
                    "to": [_layer(["bo", "ana"])],
                }
            },
        },
    ]
    assert found.effects == ["on call now changes for primary: Ana -> Bo"]
    assert users_on_call(Schedule.objects.get(), NOON)[0].name == "ana", "a plan changes nothing"
    assert apply_text(turned).effects == found.effects
    assert users_on_call(Schedule.objects.get(), NOON)[0].name == "bo"


def _layer(participants: list[str]) -> dict[str, object]:
    return {
        "name": "a",
        "start": "2026-01-05T00:00",
        "end": None,
        "every": "1w",
        "participants": participants,
        "restrictions": [],
    }


def test_other_policy_for_a_service_is_told() -> None:
    apply_text(ALL)
    found = plan_text(ALL.replace("team: ops, escalationPolicy: ops", "team: ops"))
    assert found.effects == ["alerts of Service/shop go by the policy of its team instead of policy ops"]


def test_a_key_is_made_once_and_kept() -> None:
    first = apply_text(ALL)
    assert "a key is made for Source/web: its page shows it" in first.effects
    key = Source.objects.get().key
    assert len(key) == 32
    assert apply_text(ALL).changes == []
    assert apply_text(ALL.replace("type: generic", "type: generic, key: '****'")).changes == []
    assert Source.objects.get().key == key
    rotated = "f" * 32
    changed = ALL.replace("type: generic", f"type: generic, key: {rotated}, previousKey: {key}")
    assert changes(changed) == [("update", "Source/web", ["key", "previousKey"])]
    apply_text(changed)
    source = Source.objects.get()
    assert (source.key, source.previous_key) == (rotated, key)


def test_sources_may_exchange_keys() -> None:
    a, b = "a" * 32, "b" * 32
    base = ALL.replace(SOURCE, "")

    def sources(first: str, second: str) -> str:
        return (
            base
            + doc("Source", "s1", f"type: generic, service: shop, key: {first}")
            + doc("Source", "s2", f"type: generic, service: shop, key: {second}")
        )

    apply_text(sources(a, b))
    apply_text(sources(b, a))
    assert dict(Source.objects.values_list("name", "key")) == {"s1": b, "s2": a}
    assert apply_text(sources(b, a)).changes == []


def test_a_key_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "all.yaml").write_text(ALL.replace("type: generic", "type: generic, keyFrom: {file: web.key}"))
    (tmp_path / "web.key").write_text("c" * 32 + "\n")
    apply(tmp_path)
    assert Source.objects.get().key == "c" * 32
    assert plan(tmp_path).changes == []
    (tmp_path / "web.key").write_text("d" * 32 + "\n")
    assert [(c.name, sorted(c.fields)) for c in plan(tmp_path).changes] == [("web", ["key"])]


def test_what_is_left_out_is_the_persons_own() -> None:
    apply_text(user("ana"))
    ana = User.objects.get()
    mail = people.add_contact(ana, people.Contact("mail", "email", "ana@example.com"), BY)
    people.set_rules(ana, [people.Rule("low", 0, "mail")], BY)
    people.change_preferences(ana, BY, notify_on={"resolved": "mail"})
    assert apply_text(user("ana")).changes == []
    ana.refresh_from_db()
    assert list(ana.contact_methods.all()) == [mail]
    assert ana.notification_rules.count() == 1
    assert ana.notify_on == {"resolved": "mail"}
    assert "contactMethods" not in export_text()
    assert "ana@example.com" not in export_text()
    assert "ana@example.com" in export_text(with_contacts=True)
    assert plan_text(export_text(with_contacts=True)).changes == []


def test_methods_of_code_can_be_given_back_to_the_person() -> None:
    given = user("ana", 'contactMethods: [{name: mail, type: email, address: "ana@example.com"}]')
    apply_text(given)
    assert changes(user("ana")) == [("update", "User/ana", ["contactMethods"])]
    assert plan_text(user("ana")).changes[0].fields["contactMethods"]["to"] == "the person's own"
    apply_text(user("ana"))
    ana = User.objects.get()
    assert ana.contact_methods.get().address == "ana@example.com"
    people.add_contact(ana, people.Contact("phone", "sms", "+420601000001"), BY)
    assert apply_text(user("ana")).changes == []


def test_a_method_keeps_its_rules_and_its_confirmation_when_another_changes() -> None:
    both = (
        'contactMethods: [{name: mail, type: email, address: "a@example.com"}, {name: phone, type: sms, address: "%s"}]'
    )
    apply_text(user("ana", both % "+420601000001"))
    ana = User.objects.get()
    people.set_rules(ana, [people.Rule("low", 0, "mail"), people.Rule("high", 0, "phone")], BY)
    phone = ana.contact_methods.get(name="phone")
    people.disable_contact(phone, "answered STOP", BY)
    assert apply_text(user("ana", both % "+420601000001")).changes == []
    phone.refresh_from_db()
    assert phone.disabled_at is not None, "a STOP stays until the number changes"
    apply_text(user("ana", both % "+420601000002"))
    phone.refresh_from_db()
    assert phone.is_usable
    assert ana.notification_rules.count() == 2


def test_what_was_made_in_the_web_is_taken_over_without_a_change() -> None:
    people.create_user("ana", people.Profile("Ana"), BY)
    found = plan_text(user("ana"))
    assert found.changes == []
    assert found.effects == ["User/ana is read-only in the web from now on: it is in text:2"]
    apply_text(user("ana"))
    with pytest.raises(people.FromCodeError, match="text:2"):
        people.change_user(User.objects.get(), people.Profile("Eve"), BY)
    assert plan_text(user("ana")).effects == []


def test_a_moved_line_is_no_change_but_is_remembered() -> None:
    apply_text(user("ana"))
    assert apply_text("# moved\n\n" + user("ana")).changes == []
    assert User.objects.get().code_file == "text:4"


def test_data_stays_on_a_schedule_from_code() -> None:
    apply_text(ALL)
    schedule = Schedule.objects.get()
    bo = User.objects.get(name="bo")
    oncall.take_over(schedule, bo, BY, until=NOON + timedelta(hours=1))
    assert apply_text(ALL).changes == []
    assert users_on_call(schedule, NOON) == [bo]
    with pytest.raises(people.FromCodeError):
        oncall.set_layers(schedule, [], BY)


def test_what_is_gone_is_listed_and_kept_without_prune() -> None:
    apply_text(ALL)
    found = apply_text(ALL.replace(SOURCE, ""))
    assert found.changes == []
    assert [str(gone) for gone in found.gone] == ["Source/web: kept; --prune deletes it"]
    assert Source.objects.exists()


def test_prune_deletes_all_that_goes_together() -> None:
    apply_text(ALL)
    found = apply_text("", prune=True)
    assert {f"{change.action} {change.kind}/{change.name}" for change in found.changes} == {
        "delete User/ana",
        "delete User/bo",
        "delete Team/ops",
        "delete Schedule/primary",
        "delete EscalationPolicy/ops",
        "delete Service/shop",
        "delete Source/web",
    }
    assert found.gone == []
    assert not queries.people().exists()
    assert not Team.objects.exists()


def test_prune_keeps_what_has_open_alerts_and_what_that_needs() -> None:
    apply_text(ALL)
    open_alert = alert(source=Source.objects.get(), service=Source.objects.get().service)
    found = apply_text("", prune=True)
    assert [str(gone) for gone in found.gone] == [
        "Source/web: kept: open alerts (#1)",
        "Service/shop: kept: open alerts (#1); needed by Source/web",
        "EscalationPolicy/ops: kept: needed by Service/shop",
        "Schedule/primary: kept: needed by EscalationPolicy/ops",
        "Team/ops: kept: needed by Service/shop; needed by Schedule/primary; needed by EscalationPolicy/ops",
        "User/ana: kept: needed by Schedule/primary",
        "User/bo: kept: needed by Schedule/primary",
    ]
    Alert.objects.update(status="resolved")
    again = apply_text("", prune=True)
    assert again.gone == []
    assert len(again.changes) == 7
    open_alert.refresh_from_db()
    assert (open_alert.source, open_alert.service) == (None, None), "resolved alerts stay"


def test_prune_keeps_somebodys_target() -> None:
    apply_text(ALL)
    apply_text(doc("EscalationPolicy", "other", "team: ops, steps: [{targets: [{user: bo}, {team: ops}]}]"), "second")
    found = apply_text(user("ana"), prune=True)
    kept = {f"{gone.kind}/{gone.name}": gone.why_kept for gone in found.gone}
    assert kept == {
        "User/bo": "kept: needed by EscalationPolicy/other",
        "Team/ops": "kept: needed by EscalationPolicy/other",
    }


def test_prune_touches_only_its_owner() -> None:
    apply_text(user("ana"), "hr")
    people.create_user("bo", people.Profile("Bo"), BY)
    found = apply_text("", "config", prune=True)
    assert (found.changes, found.gone) == ([], [])
    assert queries.people().count() == 2


def test_what_one_owner_gave_up_another_may_have() -> None:
    apply_text(user("ana"), "hr")
    with pytest.raises(ConfigurationError, match="belongs to owner hr at text:2, take it away here, or there"):
        plan_text(user("ana"))
    gone = apply_text("", "hr").gone
    assert [str(one) for one in gone] == ["User/ana: kept; --prune deletes it"]
    found = apply_text(user("ana"))
    assert found.effects == ["User/ana belongs to config from now on, no more to hr"]
    assert apply_text("", "hr").gone == []
    assert User.objects.get().code_owner == "config"


def test_a_plan_shows_only_what_differs_however_deep() -> None:
    apply_text(ALL)
    changed = (
        ALL.replace("members: [{user: ana}]", "members: [{user: ana, role: manager}, {user: bo}]")
        .replace("targets: [{schedule: primary}]", "targets: [{team: ops}], after: 90s")
        .replace("type: generic", "type: generic, priorities: {page: P1}, isActive: false")
    )
    lines = [line.strip() for line in plan_text(changed).lines()]
    assert lines[:-1] == [
        "~ Team/ops",
        "members[ana].role: responder -> manager",
        "members[bo]: (nothing) -> {user: bo, role: responder, isPaged: true}",
        "~ EscalationPolicy/ops",
        "steps[level 1].targets: [{schedule: primary, notify: current}] -> [{team: ops, notify: all}]",
        "steps[level 1].after: 0s -> 90s",
        "~ Source/web",
        "priorities.page: (nothing) -> P1",
        "isActive: true -> false",
    ]


def test_somebody_with_a_history_is_turned_off_instead_of_deleted() -> None:
    apply_text(user("ana"))
    ana = User.objects.get()
    alert(acknowledged_by=ana, status="resolved")
    found = apply_text("", prune=True)
    assert found.effects == ["Ana is turned off, and stays in the history"]
    ana.refresh_from_db()
    assert (ana.is_active, ana.code_owner) == (False, "")
    assert apply_text("", prune=True).gone == []


def test_turning_somebody_off_tells_who_is_missed() -> None:
    apply_text(ALL)
    off = ALL.replace("displayName: Ana", "displayName: Ana, isActive: false")
    found = plan_text(off)
    assert found.effects == [
        "Ana is turned off: log-ins and tokens end, and is the only one paged by policy ops, level 1",
        "on call now changes for primary: Ana -> nobody",
    ]
    apply_text(off)
    assert OutboxEvent.objects.get(name="person.missing").payload["name"] == "ana"
    assert apply_text(off).changes == []
    apply_text(ALL)
    assert User.objects.get(name="ana").is_active


def test_references_to_what_the_web_made() -> None:
    people.create_user("eva", people.Profile("Eva"), BY)
    apply_text(doc("Team", "ops", "members: [{user: eva}]"))
    assert Team.objects.get().memberships.get().user.name == "eva"


def test_anchors_and_merge_keys() -> None:
    text = """
apiVersion: midwatch.dev/v1
kind: User
metadata: {name: ana}
spec: &defaults {timeZone: Europe/Prague, role: viewer}
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {name: ops}
spec:
  members: [&ana {user: ana}]
"""
    apply_text(text)
    assert User.objects.get().role == "viewer"
    assert User.objects.get().time_zone == "Europe/Prague"


def test_text_is_read_as_written() -> None:
    text = doc("Service", "no", "team: yes, displayName: 0x10, description: '10:00'") + doc(
        "Team", "yes", "displayName: 1_000"
    )
    apply_text(text)
    assert Team.objects.get(name="yes").display_name == "1_000"
    assert '"no"' in export_text() or "'no'" in export_text()
    assert plan_text(export_text()).changes == []


# --- the start --------------------------------------------------------------------------------------------------------


def test_the_very_first_start_with_errors_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(user("ana", "timeZone: Mars"))
    with pytest.raises(SystemExit) as ended:
        apply_at_start(tmp_path)
    assert ended.value.code == 1
    assert f"{tmp_path}/a.yaml:5: User/ana: timeZone: not a time zone (Mars)" in capsys.readouterr().err
    assert not Applied.objects.exists()


def test_a_later_start_with_errors_keeps_what_was_and_tells_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(user("ana"))
    assert apply_at_start(tmp_path) is not None
    file.write_text(user("ana", "timeZone: Mars"))
    assert apply_at_start(tmp_path) is None
    assert apply_at_start(tmp_path) is None
    assert "the configuration before stays in force" in capsys.readouterr().err
    assert User.objects.get().time_zone == "UTC"
    applied = Applied.objects.get()
    assert "not a time zone (Mars)" in applied.problem
    assert applied.problem_at == NOON
    event = OutboxEvent.objects.get(name="config.refused")
    assert event.payload["count"] == 1
    file.write_text(user("ana", "timeZone: UTC"))
    apply_at_start(tmp_path)
    applied.refresh_from_db()
    assert (applied.problem, applied.problem_at) == ("", None)


def test_an_installation_without_code_survives_a_first_bad_configuration(tmp_path: Path) -> None:
    people.create_user("root", people.Profile("Root"), BY)
    assert apply_at_start(tmp_path / "missing") is None
    assert "is no directory" in Applied.objects.get().problem


# --- the command line -------------------------------------------------------------------------------------------------


def args(directory: Path | None, **options: object) -> Namespace:
    return Namespace(
        **{
            "directory": directory,
            "owner": "config",
            "prune": False,
            "json": False,
            "with_contacts": False,
            "offline": False,
            **options,
        }
    )


def test_plan_and_apply_as_json_print_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(ALL)
    assert cli.run_plan(args(tmp_path, json=True)) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert set(found) == {"changes"}
    assert set(found["changes"][0]) == {"action", "kind", "name", "fields"}
    assert cli.run_apply(args(tmp_path, json=True)) == 0
    capsys.readouterr()
    assert cli.run_plan(args(tmp_path, json=True)) == 0
    assert json.loads(capsys.readouterr().out) == {"changes": []}
    (tmp_path / "a.yaml").write_text(ALL.replace(SOURCE, ""))
    assert cli.run_plan(args(tmp_path, json=True)) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"changes": []}
    assert "Source/web: kept; --prune deletes it" in printed.err
    assert cli.run_plan(args(tmp_path, json=True, prune=True)) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == [
        {"action": "delete", "kind": "Source", "name": "web", "fields": {}}
    ]


def test_plan_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(ALL)
    assert cli.run_apply(args(tmp_path)) == 0
    assert capsys.readouterr().out.endswith("7 created, 0 changed, 0 deleted.\n")
    (tmp_path / "a.yaml").write_text(ALL.replace("[ana, bo]", "[bo, ana]"))
    assert cli.run_plan(args(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "~ Schedule/primary\n    layers[a].participants: [ana, bo] -> [bo, ana]\n" in out
    assert "What it means:\n  on call now changes for primary: Ana -> Bo\n" in out
    assert out.endswith("0 to create, 1 to change, 0 to delete.\n")


def test_errors_go_to_standard_error_with_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(user("ana", "timeZone: Mars"))
    (tmp_path / "b.yaml").write_bytes(b"a: \xff\xfe\n")
    for run in (cli.run_plan, cli.run_apply):
        assert run(args(tmp_path, json=True)) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert f"{tmp_path}/a.yaml:5: User/ana: timeZone" in printed.err
        assert f"{tmp_path}/b.yaml:1: is no UTF-8 text here: save the file as UTF-8" in printed.err
    assert cli.run_plan(args(tmp_path / "none")) == 1
    assert "is no directory" in capsys.readouterr().err
    assert cli.run_plan(args(tmp_path, owner="Not A Name")) == 1
    assert "is no name" in capsys.readouterr().err


def test_export_to_standard_output_and_to_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply_text(ALL)
    assert cli.run_export(args(None)) == 0
    text = capsys.readouterr().out
    assert plan_text(text).changes == []
    assert cli.run_export(args(tmp_path / "out")) == 0
    assert plan(tmp_path / "out").changes == []
    assert cli.run_export(args(tmp_path / "out")) == 0
    assert EscalationPolicy.objects.exists()
