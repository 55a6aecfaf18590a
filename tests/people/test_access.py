"""Getting in: the set-up code, links, passwords, tokens, and slowing down who guesses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import authenticate

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people import actions, passwords, queries, tokens
from midwatch.people.models import ApiToken, Role, User
from midwatch.settings import api_token

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
BY = Actor("Test", "cli")
PASSWORD = "a-good-long-password"


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    clock.freeze(datetime(2026, 3, 2, 12, tzinfo=UTC))
    yield
    clock.thaw()


def person(name: str = "ana", *, password: str = "", role: str = Role.MEMBER, email: str = "") -> User:
    return actions.create_user(name, actions.Profile(name.title(), email, role=role), BY, password=password)


def test_the_set_up_code_makes_the_first_administrator_once() -> None:
    code = actions.setup_code()
    assert code is not None
    assert actions.is_setup_code(code.lower().replace("-", " "))
    ana = actions.use_setup_code(code, "ana", actions.Profile("Ana Novak", "ana@example.com"), PASSWORD)
    assert ana.is_administrator
    assert authenticate(username="ana", password=PASSWORD) == ana
    assert actions.setup_code() is None
    with pytest.raises(ValueError, match="not valid any more"):
        actions.use_setup_code(code, "bo", actions.Profile("Bo"), PASSWORD)


def test_a_new_set_up_code_ends_the_one_before_and_all_run_out() -> None:
    first, second = actions.setup_code(), actions.setup_code()
    assert first
    assert second
    assert not actions.is_setup_code(first)
    assert actions.is_setup_code(second)
    clock.forward(actions.access.SETUP_CODE_LIFE)
    assert not actions.is_setup_code(second)


def test_the_scripts_identity_is_no_administrator_who_could_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_API_TOKEN", "t" * 40)
    assert actions.authenticate_token("") is None
    script = actions.authenticate_token(api_token())
    assert script is not None
    assert script.is_administrator
    assert actions.setup_code() is not None
    assert script not in queries.people()
    assert authenticate(username=script.name, password="!") is None


def test_an_administrator_from_code_claims_the_account_by_the_set_up_code() -> None:
    person("ana", role=Role.ADMINISTRATOR)
    code = actions.setup_code()
    assert code is not None, "nobody can log in yet"
    ana = actions.use_setup_code(code, "ana", actions.Profile("Ana"), PASSWORD)
    assert User.objects.filter(name="ana").count() == 1
    assert authenticate(username="ana", password=PASSWORD) == ana


def test_a_set_up_code_never_takes_over_somebody_with_a_password() -> None:
    person("bo", password=PASSWORD)
    code = actions.setup_code()
    assert code is not None
    with pytest.raises(ValueError, match="called bo already"):
        actions.use_setup_code(code, "bo", actions.Profile("Bo"), "another-long-password")
    assert actions.is_setup_code(code), "a refused attempt does not use the code up"


def test_weak_passwords_are_refused_with_what_is_wrong() -> None:
    code = actions.setup_code()
    assert code
    with pytest.raises(ValueError, match="at least 10 characters"):
        actions.use_setup_code(code, "ana", actions.Profile("Ana"), "short")


def test_log_in_by_name_or_e_mail() -> None:
    ana = person("ana", password=PASSWORD, email="Ana@Example.com")
    assert authenticate(username="ANA", password=PASSWORD) == ana
    assert authenticate(username="ana@example.com", password=PASSWORD) == ana
    assert authenticate(username="ana", password="wrong") is None
    assert authenticate(username="nobody-here", password=PASSWORD) is None
    assert authenticate(username="x\0y", password=PASSWORD) is None


def test_an_e_mail_of_two_people_logs_nobody_in() -> None:
    person("ana", password=PASSWORD, email="ops@example.com")
    person("bo", password=PASSWORD, email="ops@example.com")
    assert authenticate(username="ops@example.com", password=PASSWORD) is None


def test_an_unknown_name_costs_as_much_as_a_wrong_password() -> None:
    person("ana", password=PASSWORD)

    def cost(name: str) -> float:
        started = time.process_time()
        for _ in range(5):
            authenticate(username=name, password="wrong")
        return time.process_time() - started

    cost("ana")
    known, unknown = cost("ana"), cost("zoe")
    assert 0.5 < unknown / known < 2


def test_argon2_has_owasps_figures_and_two_at_a_time() -> None:
    ana = person("ana", password=PASSWORD)
    assert ana.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()
    hasher = passwords.Argon2id()
    original = passwords.hashers.Argon2PasswordHasher.encode

    def slow(self: object, password: str, salt: str) -> str:
        with lock:
            running.append(1)
            most.append(len(running))
        time.sleep(0.02)
        with lock:
            running.pop()
        return "x"

    passwords.hashers.Argon2PasswordHasher.encode = slow
    try:
        threads = [threading.Thread(target=hasher.encode, args=("p", "s")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        passwords.hashers.Argon2PasswordHasher.encode = original
    assert max(most) == passwords.HASHES_AT_ONCE


def test_an_invitation_sets_the_password_once_and_ends_sessions() -> None:
    ana = person("ana")
    token = actions.invite(ana, BY)
    assert queries.access_link(token) is not None
    before = ana.get_session_auth_hash()
    with pytest.raises(ValueError, match="at least 10"):
        actions.use_link(token, "short")
    actions.use_link(token, PASSWORD)
    ana.refresh_from_db()
    assert ana.get_session_auth_hash() != before
    assert authenticate(username="ana", password=PASSWORD) == ana
    with pytest.raises(ValueError, match="not valid any more"):
        actions.use_link(token, PASSWORD)


def test_a_reset_link_runs_out_and_replaces_older_ones() -> None:
    ana = person("ana")
    old, new = actions.invite(ana, BY), actions.reset_password(ana, BY)
    assert queries.access_link(old) is None
    clock.forward(actions.access.RESET_LIFE)
    with pytest.raises(ValueError, match="ask an administrator"):
        actions.use_link(new, PASSWORD)


def test_changing_the_password_needs_the_old_one() -> None:
    ana = person("ana", password=PASSWORD)
    with pytest.raises(ValueError, match="old password"):
        actions.change_password(ana, "wrong", "another-long-one", BY)
    actions.change_password(ana, PASSWORD, "another-long-one", BY)
    assert authenticate(username="ana", password="another-long-one") is not None


def test_tokens_are_kept_as_digests_and_can_run_out_or_be_revoked() -> None:
    ana = person("ana")
    text = actions.create_token(ana, "deploys", BY, expires_at=clock.now() + timedelta(days=1))
    row = ApiToken.objects.get()
    assert row.digest == tokens.digest(text)
    assert text not in str(AuditEntry.objects.values_list("detail", flat=True))
    assert actions.authenticate_token(text) == ana
    row.refresh_from_db()
    assert row.last_used_at == clock.now()
    clock.forward(timedelta(days=1))
    assert actions.authenticate_token(text) is None
    other = actions.create_token(ana, "other", BY)
    assert actions.revoke_token(ApiToken.objects.get(name="other"), BY)
    assert actions.authenticate_token(other) is None
    assert actions.authenticate_token("\ud800") is None


def test_turning_somebody_off_ends_everything() -> None:
    ana = person("ana", password=PASSWORD)
    person("root", password=PASSWORD, role=Role.ADMINISTRATOR)
    token, link = actions.create_token(ana, "x", BY), actions.reset_password(ana, BY)
    session = ana.get_session_auth_hash()
    actions.deactivate_user(ana, BY)
    ana.refresh_from_db()
    assert not ana.is_active
    assert ana.get_session_auth_hash() != session
    assert actions.authenticate_token(token) is None
    assert queries.access_link(link) is None
    with pytest.raises(ValueError, match="not valid"):
        actions.use_link(link, PASSWORD)
    assert authenticate(username="ana", password=PASSWORD) is None


def test_the_last_administrator_stays() -> None:
    root = person("root", password=PASSWORD, role=Role.ADMINISTRATOR)
    with pytest.raises(ValueError, match="only administrator"):
        actions.deactivate_user(root, BY)
    with pytest.raises(ValueError, match="only administrator"):
        actions.change_user(root, actions.Profile("Root", role=Role.MEMBER), BY)


def test_five_failures_are_free_then_the_wait_grows_and_is_bounded() -> None:
    waits = [actions.note_login_failure("Ana", "192.0.2.1") for _ in range(4)]
    assert waits == [timedelta(0)] * 4
    fifth = actions.note_login_failure("ana ", "192.0.2.1")
    assert fifth == timedelta(seconds=30) == actions.login_wait("ana", "192.0.2.1")
    assert actions.login_wait("ana", "192.0.2.2") == timedelta(0), "another address is not slowed down"
    assert actions.login_wait("bo", "192.0.2.1") == timedelta(0)
    clock.forward(fifth)
    assert actions.login_wait("ana", "192.0.2.1") == timedelta(0)
    longer = [actions.note_login_failure("ana", "192.0.2.1") for _ in range(12)]
    assert longer[0] == timedelta(seconds=60)
    assert longer == sorted(longer)
    assert longer[-1] == timedelta(minutes=15)
    actions.forget_login_failures("ana", "192.0.2.1")
    assert actions.login_wait("ana", "192.0.2.1") == timedelta(0)


def test_slow_failures_are_forgotten() -> None:
    for _ in range(20):
        assert actions.note_login_failure("ana", "192.0.2.1") == timedelta(0)
        clock.forward(timedelta(seconds=61))


def test_typed_codes_are_forgiving() -> None:
    code = tokens.new_code()
    assert tokens.typed_code(f"  {code.lower().replace('-', '')} ") == code
    assert tokens.typed_code("\u2460") == ""
