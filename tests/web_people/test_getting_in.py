"""Log-in, log-out, links, the first run: who gets in, who does not, and what they read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people import actions
from midwatch.people.models import Role, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("noon")]
BY = Actor("Test", "cli")
PASSWORD = "a-good-long-password"
OTHER = "another-long-password"


def person(name: str, role: str = Role.MEMBER, password: str = PASSWORD) -> User:
    profile = actions.Profile(name.title(), f"{name}@example.com", "Europe/Prague", role)
    return actions.create_user(name, profile, BY, password=password)


@pytest.fixture
def ana() -> User:
    return person("ana", Role.ADMINISTRATOR)


def log_in(client: Client, name: str = "ana", password: str = PASSWORD, **more: str):
    return client.post("/login", {"username": name, "password": password, **more})


@pytest.mark.parametrize("name", ["ana", "ANA", "ana@example.com", "Ana@Example.com"])
def test_by_name_or_e_mail(ana: User, name: str) -> None:
    client = Client()
    planted = client.session
    planted["x"] = 1
    planted.save()
    client.cookies["midwatch_session"] = planted.session_key
    answer = log_in(client, name)
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert client.cookies["midwatch_session"].value != planted.session_key, "a planted session key is worth nothing"
    assert client.get("/settings").status_code == 200
    assert AuditEntry.objects.filter(verb="log in", object_name="ana").exists()


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/alerts?view=all", "/alerts?view=all"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/" + "a" * 3_000, "/"),
    ],
)
def test_a_log_in_leads_to_own_pages_only(ana: User, wanted: str, lands: str) -> None:
    client = Client()
    assert "evil" not in client.get("/login", {"next": wanted}).content.decode().replace('placeholder="', "")
    assert log_in(client, next=wanted)["Location"] == lands
    assert client.get("/login", {"next": wanted})["Location"] == lands, "who is in already is sent on"


def test_a_page_asks_to_log_in_and_comes_back(ana: User) -> None:
    client = Client()
    answer = client.get("/settings/people?show=off")
    assert answer["Location"] == "/login?next=/settings/people%3Fshow%3Doff"
    assert 'value="/settings/people?show=off"' in client.get(answer["Location"]).content.decode()


def test_wrong_passwords_wait_longer_and_longer_but_only_from_there(ana: User) -> None:
    client = Client()
    for _ in range(4):
        answer = log_in(client, password="wrong")
        assert answer.status_code == 422
        assert "is not right" in answer.content.decode()
    assert "30 seconds" in log_in(client, password="wrong").content.decode()
    answer = log_in(client)
    assert answer.status_code == 429
    assert answer["Retry-After"] == "30"
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert log_in(elsewhere).status_code == 302, "somebody who guesses does not lock the person out"
    clock.forward(timedelta(seconds=31))
    assert log_in(client).status_code == 302
    client.post("/logout")
    assert log_in(client, password="wrong").status_code == 422, "a good log-in forgets the failures"


def test_an_unknown_name_reads_the_same_as_a_wrong_password(ana: User) -> None:
    pages = [log_in(Client(), name, "wrong").content.decode() for name in ("ana", "nobody-here", "admin-token")]
    said = {
        page.partition('role="alert"')[2].partition("</form>")[0].replace(name, "")
        for page, name in zip(pages, ("ana", "nobody-here", "admin-token"), strict=True)
    }
    assert all("The name or the password is not right." in one for one in said)


@pytest.mark.parametrize(
    "data",
    [{}, {"username": "ana"}, {"username": "a\0b", "password": "x"}, {"username": "a" * 999, "password": "x" * 5_000}],
)
def test_hostile_log_ins_are_answered(ana: User, data: dict[str, str]) -> None:
    assert Client().post("/login", data).status_code == 422


def test_log_out_needs_a_post_and_ends_the_session(ana: User) -> None:
    client = Client()
    log_in(client)
    assert client.get("/logout").status_code == 405
    key = client.cookies["midwatch_session"].value
    assert client.post("/logout").status_code == 302
    client.cookies["midwatch_session"] = key
    assert client.get("/settings").status_code == 302, "the old cookie is worth nothing"


def test_log_in_needs_the_csrf_token(ana: User) -> None:
    assert log_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_the_device_s_zone_is_offered_never_taken(ana: User) -> None:
    client = Client()
    log_in(client, zone="America/New_York")
    page = client.get("/settings").content.decode()
    assert "Your device is in America/New_York; times are shown in Europe/Prague." in page
    ana.refresh_from_db()
    assert ana.time_zone == "Europe/Prague"
    other = Client()
    log_in(other, zone="<script>")
    assert "Your device" not in other.get("/settings").content.decode()


def test_an_invitation_works_once_and_leads_to_the_first_steps(ana: User) -> None:
    bo = person("bo", password="")
    token = actions.invite(bo, BY)
    client = Client()
    page = client.get(f"/link/{token}")
    assert page["Cache-Control"].startswith("max-age=0")
    assert "A password for Bo" in page.content.decode()
    weak = client.post(f"/link/{token}", {"new_password1": "short", "new_password2": "short"})
    assert weak.status_code == 422
    assert "at least 10" in weak.content.decode()
    differ = client.post(f"/link/{token}", {"new_password1": PASSWORD, "new_password2": OTHER})
    assert "The two differ." in differ.content.decode()
    good = client.post(f"/link/{token}", {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert good["Location"] == "/welcome"
    assert client.get("/welcome")["Location"] == "/welcome/reach"
    assert Client().get(f"/link/{token}").status_code == 404
    assert b"midwatch user reset NAME" in Client().get(f"/link/{token}").content


def test_a_new_password_by_link_ends_every_other_session(ana: User) -> None:
    bo = person("bo")
    before = Client()
    log_in(before, "bo")
    token = actions.reset_password(bo, BY)
    client = Client()
    assert client.post(f"/link/{token}", {"new_password1": OTHER, "new_password2": OTHER})["Location"] == "/"
    assert client.get("/settings").status_code == 200
    assert before.get("/settings").status_code == 302
    assert before.get("/settings").status_code == 302, "and its ending was written without a fault"


@pytest.mark.parametrize("token", ["x", "a" * 500, "%00", "..%2f"])
def test_unknown_links_are_a_404_with_words(token: str) -> None:
    answer = Client().get(f"/link/{token}")
    assert answer.status_code == 404


def test_first_run_from_code_to_wizard() -> None:
    code = actions.setup_code()
    assert code is not None
    client = Client()
    assert "Set Midwatch up" in client.get("/login").content.decode()
    assert client.get("/setup").status_code == 200
    wrong = client.post("/setup", {"code": "ABCD-EFGH"})
    assert wrong.status_code == 422
    assert "midwatch setup-code" in wrong.content.decode()
    page = client.post("/setup", {"code": code.lower().replace("-", " ")})
    assert page.status_code == 200
    assert "Your account" in page.content.decode()
    account = {"code": code, "display_name": "Ana Novak", "email": "ana@example.com", "time_zone": "Europe/Prague"}
    weak = client.post("/setup", {**account, "new_password1": "ana-novak", "new_password2": "ana-novak"})
    assert weak.status_code == 422
    assert User.objects.count() == 0
    made = client.post("/setup", {**account, "new_password1": PASSWORD, "new_password2": PASSWORD})
    assert made["Location"] == "/welcome", made.content.decode()
    ana = User.objects.get()
    assert (ana.name, ana.role, ana.time_zone) == ("ana", "administrator", "Europe/Prague")
    assert client.get("/settings/audit").status_code == 200
    assert Client().get("/setup")["Location"] == "/login", "it is set up: the page is closed"
    assert Client().post("/setup", {**account, "new_password1": PASSWORD, "new_password2": PASSWORD}).status_code == 302
    assert User.objects.count() == 1


def test_without_the_code_nothing_opens_and_guessing_waits() -> None:
    code = actions.setup_code()
    assert code is not None
    client = Client()
    account = {"display_name": "Eve", "time_zone": "UTC", "new_password1": PASSWORD, "new_password2": PASSWORD}
    for _ in range(5):
        assert client.post("/setup", {**account, "code": "ABCD-EFGH-JKLM-NPQR-STUV"}).status_code == 422
    answer = client.post("/setup", {**account, "code": code})
    assert answer.status_code == 429
    assert User.objects.count() == 0
