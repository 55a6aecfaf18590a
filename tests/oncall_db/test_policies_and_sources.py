"""Escalation policies and sources as they are edited by hand, and whom a policy cannot do without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from midwatch.catalog import actions as catalog
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people import actions as people
from midwatch.people.models import Team, User
from midwatch.respond.alerts.actions import sources
from midwatch.respond.alerts.actions.sources import SourceFields
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.escalation.actions import policies
from midwatch.respond.escalation.actions.policies import PolicyFields, StepFields, TargetFields
from midwatch.respond.escalation.coverage import sole_target_of
from midwatch.respond.escalation.models import EscalationPolicy, ServicePolicy, TeamPolicy
from midwatch.respond.oncall import actions as oncall
from midwatch.respond.oncall.models import Schedule

pytestmark = pytest.mark.django_db
BY = Actor("Test", "web")
NOON = datetime(2026, 1, 6, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon() -> None:
    clock.freeze(NOON)


@pytest.fixture
def ana() -> User:
    return people.create_user("ana", people.Profile("Ana"), BY)


@pytest.fixture
def bo() -> User:
    return people.create_user("bo", people.Profile("Bo"), BY)


@pytest.fixture
def team(ana: User) -> Team:
    made = people.create_team("ops", "Ops", BY)
    people.set_members(made, [people.Member(ana)], BY)
    return made


@pytest.fixture
def service(team: Team) -> Service:
    return catalog.create_service("shop", catalog.ServiceFields(team), BY)


def rotation(team: Team, *turns: list[User], name: str = "primary") -> Schedule:
    layer = oncall.LayerFields("a", datetime(2026, 1, 5, 9), 1, "weeks", turns)
    return oncall.create_schedule(name, team, "UTC", BY, layers=[layer])


def policy(team: Team, *targets: TargetFields, name: str = "p") -> EscalationPolicy:
    return policies.create_policy(name, PolicyFields(team, [StepFields("level 1", targets)]), BY)


# --- policies ---


def test_the_template_is_level_1_level_2_whole_team(team: Team, ana: User, bo: User) -> None:
    made = policies.create_from_template("ops", team, BY, level_1=rotation(team, [ana]), level_2=bo, wait_seconds=600)
    steps = [(step.name, step.after_seconds, step.targets.get().notify) for step in made.steps.all()]
    assert steps == [("level 1", 0, "current"), ("level 2", 600, "current"), ("whole team", 1800, "all")]
    assert TeamPolicy.objects.get(team=team).policy == made
    short = policies.create_from_template("short", team, BY, level_1=ana)
    assert [step.after_seconds for step in short.steps.all()] == [0, 600]
    assert TeamPolicy.objects.get(team=team).policy == made, "a team keeps the policy it has"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"steps": []}, "pages nobody"),
        ({"repeat": 21}, "0 to 20"),
        ({"repeat_after_seconds": 0}, "1 second to 24 hours"),
        ({"ack_timeout_seconds": -1}, "0 for never"),
        ({"steps": [StepFields("a", [])]}, "1 to 50 targets"),
        ({"steps": [StepFields("a", [TargetFields()])]}, "one schedule, one team or one user"),
    ],
)
def test_wrong_policies_are_refused(team: Team, ana: User, fields: dict[str, object], says: str) -> None:
    given = {"steps": [StepFields("a", [TargetFields(user=ana)])], **fields}
    with pytest.raises(ValueError, match=says):
        policies.create_policy("p", PolicyFields(team, **given), BY)
    assert not EscalationPolicy.objects.exists()


def test_steps_are_in_the_order_of_their_delay(team: Team, ana: User) -> None:
    target = [TargetFields(user=ana)]
    steps = [StepFields("first", target, 600), StepFields("second", target, 300)]
    with pytest.raises(ValueError, match="second would go out before the step above"):
        policies.create_policy("p", PolicyFields(team, steps), BY)
    with pytest.raises(ValueError, match="of a team notify all, managers"):
        policy(team, TargetFields(team=team, notify="next"))


def test_a_changed_policy_has_its_new_steps(team: Team, ana: User, bo: User) -> None:
    made = policy(team, TargetFields(user=ana))
    fields = PolicyFields(team, [StepFields("", [TargetFields(user=bo), TargetFields(team=team)])], repeat=3)
    policies.change_policy(made, fields, BY)
    step = EscalationPolicy.objects.get().steps.get()
    assert (step.name, [target.notify for target in step.targets.all()]) == ("level 1", ["current", "all"])


def test_what_is_from_code_keeps_its_policy(team: Team, service: Service, ana: User) -> None:
    made = policy(team, TargetFields(user=ana))
    policies.bind_service(service, made, BY)
    assert ServicePolicy.objects.get().policy == made
    policies.bind_service(service, None, BY)
    assert not ServicePolicy.objects.exists()
    Service.objects.update(code_owner="config", code_file="a.yaml:1")
    service.refresh_from_db()
    with pytest.raises(people.FromCodeError, match=r"a\.yaml:1"):
        policies.bind_service(service, made, BY)


# --- whom a policy cannot do without ---


def test_a_direct_target_alone_is_needed(team: Team, ana: User, bo: User) -> None:
    policy(team, TargetFields(user=ana))
    policy(team, TargetFields(user=ana), TargetFields(user=bo), name="both")
    assert sole_target_of(ana) == ["policy p, level 1"]
    assert sole_target_of(bo) == []


def test_somebody_who_is_off_does_not_help(team: Team, ana: User, bo: User) -> None:
    policy(team, TargetFields(user=ana), TargetFields(user=bo))
    people.deactivate_user(bo, BY)
    assert sole_target_of(ana) == ["policy p, level 1"]


def test_a_rotation_needs_whoever_has_a_turn_within_30_days(team: Team, ana: User, bo: User) -> None:
    policy(team, TargetFields(schedule=rotation(team, [ana], [bo])))
    assert sole_target_of(ana) == ["policy p, level 1"]
    assert sole_target_of(bo) == ["policy p, level 1 from 2026-01-12 09:00 UTC"]


def test_a_team_beside_a_rotation_takes_the_load_off(team: Team, ana: User, bo: User) -> None:
    policy(team, TargetFields(schedule=rotation(team, [bo])), TargetFields(team=team))
    assert sole_target_of(bo) == []
    people.set_members(team, [people.Member(bo), people.Member(ana, is_paged=False)], BY)
    assert sole_target_of(bo) == ["policy p, level 1"]


def test_next_and_managers_are_understood(team: Team, ana: User, bo: User) -> None:
    policy(team, TargetFields(schedule=rotation(team, [ana], [bo]), notify="next"))
    assert sole_target_of(bo) == ["policy p, level 1"]
    assert sole_target_of(ana) == ["policy p, level 1 from 2026-01-12 09:00 UTC"]
    policy(team, TargetFields(team=team, notify="managers"), name="m")
    people.set_members(team, [people.Member(ana, "manager"), people.Member(bo)], BY)
    assert "policy m, level 1" in sole_target_of(ana)


def test_far_turns_do_not_count(team: Team, ana: User, bo: User) -> None:
    cy = people.create_user("cy", people.Profile("Cy"), BY)
    policy(team, TargetFields(schedule=rotation(team, [ana], [bo], [ana], [bo], [ana], [bo], [cy])))
    assert sole_target_of(cy) == []
    clock.forward(timedelta(days=14))
    assert sole_target_of(cy) == ["policy p, level 1 from 2026-02-16 09:00 UTC"]


# --- sources ---


def test_a_key_is_made_and_rotated(service: Service) -> None:
    source = sources.create_source("web", SourceFields("generic", service), BY)
    first = source.key
    assert len(first) == 32
    source = sources.rotate_key(source, BY)
    assert (source.previous_key, len(source.key)) == (first, 32)
    assert source.key != first
    source = sources.end_rotation(source, BY)
    assert source.previous_key is None
    assert first not in str(list(AuditEntry.objects.values_list("detail", flat=True)))
    assert source.key not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("short", "has 32 characters, this one 5"),
        ("a" * 31 + "/", "an address cannot carry"),
        ("a" * 31 + " ", "an address cannot carry"),
        ("\u00e9" * 32, "an address cannot carry"),
    ],
)
def test_wrong_keys_are_refused_without_showing_them(service: Service, key: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        sources.create_source("web", SourceFields("generic", service), BY, key=key)
    assert key not in str(refused.value)


def test_any_32_characters_of_an_address_are_a_key(service: Service) -> None:
    for number, key in enumerate(("0" * 32, "a.b_c-d~e+f=g:h@i!j$k&l'm(n)o*p,", "ABCDEFGHIJKLMNOPQRSTUVWXYZ;;;;;;")):
        assert sources.create_source(f"s{number}", SourceFields("generic", service), BY, key=key).key == key


def test_a_key_is_of_one_source_old_or_new(service: Service) -> None:
    sources.create_source("a", SourceFields("generic", service), BY, key="a" * 32, previous_key="b" * 32)
    for keys in ({"key": "a" * 32}, {"key": "b" * 32}, {"key": "c" * 32, "previous_key": "a" * 32}):
        with pytest.raises(ValueError, match="source a has this key"):
            sources.create_source("x", SourceFields("generic", service), BY, **keys)


def test_expecting_begins_now_and_ends_with_the_setting(service: Service) -> None:
    source = sources.create_source("web", SourceFields("generic", service, expect_every_seconds=300), BY)
    assert source.expected_at == NOON + timedelta(minutes=5)
    clock.forward(timedelta(minutes=1))
    source = sources.change_source(
        source, SourceFields("generic", service, expect_every_seconds=300, priority_label="s"), BY
    )
    assert source.expected_at == NOON + timedelta(minutes=5)
    source = sources.change_source(source, SourceFields("generic", service), BY)
    assert source.expected_at is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"type": "nagios"}, "no type of source: give alertmanager"),
        ({"priorities": {"page": "high"}}, "give P1, P2"),
        ({"resolve_after_seconds": 0}, "resolve after: give 1 second"),
    ],
)
def test_wrong_sources_are_refused(service: Service, fields: dict[str, object], says: str) -> None:
    given = {"type": "generic", "service": service, **fields}
    with pytest.raises(ValueError, match=says):
        sources.create_source("web", SourceFields(**given), BY)


def test_a_source_with_open_alerts_stays(service: Service) -> None:
    source = sources.create_source("web", SourceFields("generic", service, priorities={"Page": "P1"}), BY)
    assert source.priorities == {"page": "P1"}
    alert = Alert.objects.create(source=source, dedup_key="k", title="t", created_at=NOON, last_seen_at=NOON, number=1)
    with pytest.raises(ValueError, match="open alerts: resolve them first"):
        sources.delete_source(source, BY)
    Alert.objects.update(status="resolved")
    sources.delete_source(source, BY)
    alert.refresh_from_db()
    assert alert.source is None
    assert not Source.objects.exists()
