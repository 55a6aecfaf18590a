"""How a person is reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry, OutboxEvent
from midwatch.people import actions, queries
from midwatch.people.models import ContactMethod, User

pytestmark = pytest.mark.django_db
BY = Actor("Test", "cli")


def person(name: str = "ana") -> User:
    return actions.create_user(name, actions.Profile(name.title()), BY)


def test_a_method_has_to_be_confirmed() -> None:
    ana = person()
    phone = actions.add_contact(ana, actions.Contact("phone", "sms", "+420 601 000 001"), BY)
    assert phone.address == "+420601000001"
    assert not phone.is_usable
    assert actions.confirm_contact(phone, BY)
    assert not actions.confirm_contact(phone, BY)
    phone.refresh_from_db()
    assert phone.is_usable
    changed = actions.change_contact(phone, "+420601000002", BY)
    assert not changed.is_usable, "another number has to prove itself"


@pytest.mark.parametrize(
    ("contact", "says"),
    [
        (actions.Contact("phone", "telegram", "x"), "no type of contact method: give email"),
        (actions.Contact("phone", "sms", "601"), r"\+"),
        (actions.Contact("My Phone", "sms", "+420601000001"), "is no name"),
        (actions.Contact("mail", "email", "nobody"), "ana@example.com"),
    ],
)
def test_wrong_methods_are_refused_in_words(contact: actions.Contact, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        actions.add_contact(person(), contact, BY)
    assert not ContactMethod.objects.exists()


def test_a_number_belongs_to_one_person_whatever_the_method() -> None:
    ana, bo = person("ana"), person("bo")
    actions.add_contact(ana, actions.Contact("phone", "sms", "+420601000001"), BY)
    actions.add_contact(ana, actions.Contact("call", "voice", "+420601000001"), BY)
    with pytest.raises(ValueError, match="belongs to Ana already"):
        actions.add_contact(bo, actions.Contact("call", "voice", "+420601000001"), BY)
    assert queries.users_by_phone("+420601000001") == [ana]


def test_the_last_method_of_the_only_target_is_kept_unless_forced() -> None:
    ana = person()
    phone = actions.add_contact(ana, actions.Contact("phone", "sms", "+420601000001"), BY)
    reasons = ["policy payments, level 1"]
    with pytest.raises(actions.NeededError, match="last way to reach Ana") as refused:
        actions.remove_contact(phone, BY, needed_by=reasons)
    assert refused.value.reasons == tuple(reasons)
    mail = actions.add_contact(ana, actions.Contact("mail", "email", "ana@example.com"), BY)
    actions.remove_contact(mail, BY, needed_by=reasons)
    actions.remove_contact(phone, BY, needed_by=reasons, is_forced=True)
    event = OutboxEvent.objects.get(name="person.missing")
    assert event.payload["needed_by"] == reasons
    assert "Ana lost the last contact method" in event.payload["sentence"]


def test_turning_off_who_is_needed_is_refused_unless_forced() -> None:
    ana = person()
    with pytest.raises(actions.NeededError, match="only one who would be paged: policy x"):
        actions.deactivate_user(ana, BY, needed_by=["policy x"])
    actions.deactivate_user(ana, BY, needed_by=["policy x"], is_forced=True)
    assert OutboxEvent.objects.filter(name="person.missing").count() == 1


def test_a_stop_disables_and_says_why() -> None:
    ana = person()
    phone = actions.add_contact(ana, actions.Contact("phone", "sms", "+420601000001"), BY)
    assert actions.disable_contact(phone, "answered STOP", BY)
    assert not actions.disable_contact(phone, "again", BY)
    phone.refresh_from_db()
    assert phone.problem == "answered STOP"
    assert actions.enable_contact(phone, BY)


def test_secrets_stay_out_of_the_audit_log() -> None:
    actions.add_contact(person(), actions.Contact("hook", "webhook", "https://a.example.com/x", secret="hush-hush"), BY)
    assert "hush" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))
    assert "hush" not in repr(actions.Contact("hook", "webhook", "x", secret="hush"))


def test_default_rules_ring_first_and_whisper_when_it_can_wait() -> None:
    ana = person()
    for name, type_, address in (
        ("mail", "email", "ana@example.com"),
        ("call", "voice", "+420601000001"),
        ("phone", "sms", "+420601000001"),
    ):
        actions.add_contact(ana, actions.Contact(name, type_, address), BY)
    assert actions.ensure_default_rules(ana, BY)
    assert not actions.ensure_default_rules(ana, BY)
    rules = [(rule.urgency, rule.after_seconds, rule.contact.name) for rule in ana.notification_rules.all()]
    assert rules == [("high", 0, "phone"), ("high", 60, "call"), ("high", 120, "mail"), ("low", 0, "mail")]


def test_rules_name_methods_that_exist() -> None:
    ana = person()
    with pytest.raises(ValueError, match="no contact method called 'phone'"):
        actions.set_rules(ana, [actions.Rule("high", 0, "phone")], BY)


def test_what_comes_from_code_is_read_only() -> None:
    ana = person()
    actions.set_contacts_from_code(ana, [actions.Contact("mail", "email", "ana@example.com")], BY)
    ana.refresh_from_db()
    mail = ana.contact_methods.get()
    assert mail.is_usable, "from code: counts as confirmed"
    for change in (
        lambda: actions.add_contact(ana, actions.Contact("b", "email", "b@example.com"), BY),
        lambda: actions.change_contact(mail, "c@example.com", BY),
        lambda: actions.remove_contact(mail, BY),
    ):
        with pytest.raises(actions.FromCodeError, match="from configuration as code"):
            change()
    actions.set_rules(ana, [actions.Rule("low", 0, "mail")], BY, is_from_code=True)
    ana.refresh_from_db()
    with pytest.raises(actions.FromCodeError):
        actions.set_rules(ana, [], BY)
    code = actions.Mark("config", "people.yaml:3")
    bo = actions.create_user("bo", actions.Profile("Bo"), BY, mark=code)
    with pytest.raises(actions.FromCodeError, match=r"people\.yaml:3"):
        actions.change_user(bo, actions.Profile("Bob"), BY)


def test_secret_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "ana.secret").write_text("from-file\n")
    (tmp_path / "outside").write_text("leak")
    (config / "link").symlink_to(tmp_path / "outside")
    monkeypatch.setenv("MIDWATCH_REF_NTFY", "from-env")
    assert queries.resolve_reference({"file": "ana.secret"}, config) == "from-file"
    assert queries.resolve_reference({"env": "MIDWATCH_REF_NTFY"}, config) == "from-env"
    for wrong, says in (
        ({"file": "../outside"}, "leaves the configuration directory"),
        ({"file": str(config / "ana.secret")}, "leaves the configuration directory"),
        ({"file": "link"}, "leaves the configuration directory"),
        ({"file": "missing"}, "cannot be read"),
        ({"file": "a\0b"}, "cannot be read"),
        ({"env": "MIDWATCH_SECRET_KEY"}, "begin with MIDWATCH_REF_"),
        ({"env": "PATH"}, "begin with MIDWATCH_REF_"),
        ({"env": "MIDWATCH_REF_MISSING"}, "is not set"),
        ({"other": "x"}, "write"),
    ):
        with pytest.raises(queries.SecretUnreadableError, match=says) as refused:
            queries.resolve_reference(wrong, config)
        assert "leak" not in str(refused.value)
        assert os.environ["PATH"] not in str(refused.value)


def test_teams_keep_the_order_of_their_members() -> None:
    ana, bo, cy = person("ana"), person("bo"), person("cy")
    team = actions.create_team("payments", "Payments", BY)
    actions.set_members(
        team, [actions.Member(bo), actions.Member(ana, "manager"), actions.Member(cy, "observer", False)], BY
    )
    assert [member.user.name for member in actions.members_of(team)] == ["bo", "ana", "cy"]
    assert queries.managers_of(team) == [ana]
    assert queries.may_edit_team(bo, team)
    assert not queries.may_edit_team(cy, team)
    actions.add_member(team, actions.Member(bo, "manager"), BY)
    actions.remove_member(team, cy, BY)
    assert [(m.user.name, m.role) for m in actions.members_of(team)] == [("ana", "manager"), ("bo", "manager")]
    with pytest.raises(ValueError, match="twice"):
        actions.set_members(team, [actions.Member(ana), actions.Member(ana)], BY)
