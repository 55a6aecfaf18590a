"""Secrets: kept encrypted, given to the step that names them, each read written down; never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people import actions as people
from midwatch.people.models import Role, Team, User
from midwatch.prepare.runbooks.actions import secrets
from midwatch.prepare.runbooks.actions.secrets import Place, Reader, SecretError, set_secret, values_of
from midwatch.prepare.runbooks.models import Execution, Revision, Runbook, Secret, SecretSource, StepRun
from midwatch.prepare.runbooks.queries.secrets import may_set_secret, missing_secrets, secrets_visible_to

pytestmark = pytest.mark.django_db

BY = Actor("Ana Novak", "web")
VALUE = "hunter22-the-value"
READER = Reader("a test", execution=7, step="restart", attempt=1, place="node-a")


@pytest.fixture
def payments() -> Team:
    return people.create_team("payments", "Payments", BY)


@pytest.fixture
def storage() -> Team:
    return people.create_team("storage", "Storage", BY)


def test_a_value_is_kept_encrypted_and_every_read_is_written_down(payments: Team) -> None:
    made = set_secret("db", payments, VALUE, BY)
    assert VALUE not in json.dumps([made.ciphertext, made.key_id])
    assert values_of(["db"], payments, READER) == {"db": VALUE}
    read = AuditEntry.objects.get(verb="read")
    assert (read.object_kind, read.object_name, read.who) == ("secret", "db", "execution 7")
    assert read.detail == {"step": "restart", "attempt": 1, "place": "node-a", "team": "payments", "version": 1}
    assert VALUE not in json.dumps(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_the_team_s_own_goes_before_the_one_for_all_and_another_team_s_is_not_there(
    payments: Team, storage: Team
) -> None:
    set_secret("db", None, "for all of us", BY)
    set_secret("db", payments, "for payments", BY)
    set_secret("disk", storage, "for storage", BY)
    assert values_of(["db"], payments, READER) == {"db": "for payments"}
    assert values_of(["db"], storage, READER) == {"db": "for all of us"}
    assert missing_secrets(["db", "disk"], payments) == ["disk"]
    with pytest.raises(SecretError, match="no secret disk of team payments"):
        values_of(["disk"], payments, READER)


def test_a_step_gets_what_it_names_and_nothing_else(payments: Team) -> None:
    set_secret("db", payments, VALUE, BY)
    set_secret("other", payments, "not for this step", BY)
    step = step_of(payments, {"secrets": {"DB_PASSWORD": "db", "PGPASSWORD": "db"}})
    assert secrets.secrets_of(step) == {"DB_PASSWORD": VALUE, "PGPASSWORD": VALUE}
    assert [entry.object_name for entry in AuditEntry.objects.filter(verb="read")] == ["db"]
    assert secrets.secrets_of(step_of(payments, {}, number=2)) == {}


def step_of(team: Team, rendered: dict[str, object], number: int = 1) -> StepRun:
    now = clock.now()
    runbook = Runbook.objects.create(name=f"book-{number}", title="Book", team=team, created_at=now, updated_at=now)
    revision = Revision.objects.create(runbook=runbook, number=1, body="", digest="", who="x", created_at=now)
    execution = Execution.objects.create(
        number=number, runbook=runbook, revision=revision, who="Ana", via="web", created_at=now
    )
    return StepRun.objects.create(execution=execution, position=0, step="restart", kind="run", rendered=rendered)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [("abc", "at least 4"), ("  a  ", "at least 4"), ("x" * 16_001, "at most 16000"), ("ab\0cd", "NUL")],
)
def test_what_cannot_be_hidden_or_passed_on_is_refused(value: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        set_secret("db", None, value, BY)
    assert len(value.strip()) < 2 or value.strip() not in str(refused.value)


def test_the_environment_and_files_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("-----BEGIN-----\nabc\n-----END-----\n")
    set_secret("env", None, Place(SecretSource.ENV, "MIDWATCH_REF_DB"), BY)
    set_secret("key", None, Place(SecretSource.FILE, "key", str(tmp_path)), BY)
    with pytest.raises(SecretError, match="env cannot be read: MIDWATCH_REF_DB is not set"):
        values_of(["env"], None, READER)
    monkeypatch.setenv("MIDWATCH_REF_DB", VALUE)
    read = values_of(["env", "key"], None, READER)
    assert read == {"env": VALUE, "key": "-----BEGIN-----\nabc\n-----END-----\n"}
    monkeypatch.setenv("MIDWATCH_REF_DB", "abc")
    with pytest.raises(SecretError, match="at least 4 characters"):
        values_of(["env"], None, READER)
    (tmp_path / "key").unlink()
    (tmp_path / "key").symlink_to("/etc/hostname")
    with pytest.raises(SecretError, match="leaves the configuration directory"):
        values_of(["key"], None, READER)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (Place(SecretSource.ENV, "MIDWATCH_SECRET_KEY"), "begin with MIDWATCH_REF_"),
        (Place(SecretSource.FILE, "../etc/passwd", "/srv"), "stays inside"),
        (Place(SecretSource.FILE, "/etc/passwd", "/srv"), "relative"),
        (Place(SecretSource.FILE, "key"), "--config"),
        (Place(SecretSource.ENV, ""), "say where"),
    ],
)
def test_references_stay_where_they_may_look(place: Place, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        set_secret("db", None, place, BY)


def test_a_new_value_is_a_new_version_under_the_same_name(payments: Team) -> None:
    set_secret("db", payments, VALUE, BY)
    set_secret("db", payments, Place(SecretSource.ENV, "MIDWATCH_REF_DB"), BY)
    changed = set_secret("db", payments, "another value", BY)
    assert (Secret.objects.count(), changed.version, changed.reference) == (1, 3, "")
    assert values_of(["db"], payments, READER) == {"db": "another value"}


@pytest.fixture
def new_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The installation has another secret key from now on."""
    old = secrets.secret_key()
    monkeypatch.setenv("MIDWATCH_SECRET_KEY", "a-new-key-" + "z" * 40)
    return old


def test_a_new_key_the_old_one_beside_it_and_then_without_it(
    payments: Team, new_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDWATCH_SECRET_KEY", new_key)
    for number in range(3):
        set_secret(f"db-{number}", payments, f"{VALUE}-{number}", BY)
    before = set(Secret.objects.values_list("ciphertext", flat=True))
    monkeypatch.setenv("MIDWATCH_SECRET_KEY", "a-new-key-" + "z" * 40)
    with pytest.raises(SecretError, match="MIDWATCH_SECRET_KEY_PREVIOUS"):
        values_of(["db-0"], payments, READER)
    assert secrets.rotate_secrets(BY).unreadable == ("db-0 of payments", "db-1 of payments", "db-2 of payments")
    monkeypatch.setenv("MIDWATCH_SECRET_KEY_PREVIOUS", f"something-else {new_key}")
    assert values_of(["db-0"], payments, READER) == {"db-0": f"{VALUE}-0"}
    assert secrets.rotate_secrets(BY) == secrets.Rotated(3, ())
    assert before.isdisjoint(Secret.objects.values_list("ciphertext", flat=True))
    monkeypatch.delenv("MIDWATCH_SECRET_KEY_PREVIOUS")
    assert values_of(["db-0", "db-2"], payments, READER) == {"db-0": f"{VALUE}-0", "db-2": f"{VALUE}-2"}


def test_a_ciphertext_moved_to_another_row_does_not_open(payments: Team, storage: Team) -> None:
    stolen = set_secret("db", payments, VALUE, BY)
    set_secret("db", storage, "storage's own", BY)
    Secret.objects.filter(team=storage).update(ciphertext=stolen.ciphertext, key_id=stolen.key_id)
    with pytest.raises(SecretError, match="belongs to another secret"):
        values_of(["db"], storage, READER)


def test_who_sees_and_who_sets(payments: Team, storage: Team) -> None:
    ana = user("ana", Role.ADMINISTRATOR)
    bo, cy = user("bo"), user("cy")
    people.set_members(payments, [people.Member(bo, "manager"), people.Member(cy)], BY)
    for team in (None, payments, storage):
        set_secret("db", team, VALUE, BY)
    assert [may_set_secret(one, payments) for one in (ana, bo, cy)] == [True, True, False]
    assert [may_set_secret(one, None) for one in (ana, bo, cy)] == [True, False, False]
    assert [secrets_visible_to(one).count() for one in (ana, bo, user("dan"))] == [3, 2, 1]


def user(name: str, role: Role = Role.MEMBER) -> User:
    return people.create_user(name, people.check_profile(people.Profile(name, f"{name}@example.com", "UTC", role)), BY)


def test_no_table_holds_a_value_in_clear(payments: Team) -> None:
    set_secret("db", payments, VALUE, BY)
    secrets.secrets_of(step_of(payments, {"secrets": {"DB": "db"}}))
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            assert VALUE not in repr(cursor.fetchall()), table
