"""How people are reached: seen by the right eyes, added, tested, confirmed, turned off, removed; and the rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import BY, World, asked
from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.people import actions
from midwatch.people.models import ContactMethod, Membership, Team, User
from midwatch.respond.notify.models import Delivery

As = Callable[[User], Client]
pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content.decode()[:2_000]
    return str(answer.content.decode())


def said(answer: Any, client: Client) -> str:
    """What the page says after an act."""
    assert answer.status_code == 302, answer.content.decode()[:2_000]
    return text(client.get(answer["Location"]))


def test_everybody_in_one_table(world: World, as_: As) -> None:
    ContactMethod.objects.filter(user=world.cy).update(type="email", address="cy@example.com")
    page = text(as_(world.ana).get("/settings/people"))
    assert "https://example.com/bo" in page
    assert page.count("Can be woken<") == 3
    assert "e-mail alone wakes nobody" in page
    narrow = text(as_(world.ana).get("/settings/people?show=unreachable"))
    assert "cy@example.com" in narrow
    assert "https://example.com/bo" not in narrow
    assert "cy@example.com" in text(as_(world.ana).get("/settings/people?q=CY"))
    assert "Nobody here." in text(as_(world.ana).get(f"/settings/people?q={HOSTILE}&team=none"))


def test_numbers_are_for_the_person_managers_and_administrators(world: World, as_: As) -> None:
    other = ContactMethod.objects.create(
        user=world.vi, name="phone", type="sms", address="+420601000009", confirmed_at=clock.now()
    )
    seen = {
        name: "+420601000009" in text(as_(getattr(world, name)).get("/settings/people"))
        for name in ("ana", "bo", "cy", "vi")
    }
    assert seen == {"ana": True, "bo": False, "cy": False, "vi": True}
    Membership.objects.create(team=world.team, user=world.vi, role="observer")
    assert other.address in text(as_(world.bo).get("/settings/people/vi")), "bo manages a team of vi's now"
    assert "vi@example.com" in text(as_(world.bo).get("/settings/people/vi"))
    for name in ("/settings/people", "/settings/people/vi"):
        page = text(as_(world.cy).get(name))
        assert other.address not in page
        assert "vi@example.com" not in page
        assert "Text message" in page


def test_the_table_asks_the_same_few_questions_however_many_people(world: World, as_: As) -> None:
    client = as_(world.ana)
    counts = []
    for more in (0, 12):
        for index in range(more):
            user = actions.create_user(f"p{index}", actions.Profile(f"P {index}"), BY)
            ContactMethod.objects.create(user=user, name="hook", type="webhook", address=f"https://x.example/{index}")
            Membership.objects.create(team=world.team, user=user)
        for path in ("/settings/people", "/settings/teams", "/settings/teams/payments", "/settings"):
            with CaptureQueriesContext(connection) as queries:
                text(client.get(path))
            counts.append(asked(queries))
    assert counts[:4] == counts[4:]


def test_a_way_is_added_tested_and_confirmed_by_its_answer(world: World, as_: As) -> None:
    client = as_(world.cy)
    page = said(
        client.post("/settings/people/cy/contacts", {"type": "ntfy", "address": "https://ntfy.example.com/cy-x7"}),
        client,
    )
    assert "Added." in page
    contact = ContactMethod.objects.get(user=world.cy, type="ntfy")
    assert contact.name == "ntfy"
    assert contact.confirmed_at is None
    assert "Not confirmed" in page
    assert "It came" not in page
    assert "Test pages go out" in said(client.post("/settings/people/cy/test"), client)
    clock.forward(timedelta(seconds=1))
    assert "A test page goes out by ntfy" in said(client.post("/settings/people/cy/contacts/ntfy/test"), client)
    Delivery.objects.filter(contact=contact).update(state="handed over", receipt="handed over")
    part = client.get("/profile", headers={"HX-Request-Type": "partial"})
    assert "Handed to provider" in text(part)
    assert "It came" in text(part)
    assert "<html" not in text(part)
    again = client.get("/profile", headers={"HX-Request-Type": "partial", "HX-PTag": part["HX-PTag"]})
    assert again.status_code == 304
    assert "reaches you" in said(client.post("/settings/people/cy/contacts/ntfy/confirm"), client)
    contact.refresh_from_db()
    assert contact.confirmed_at is not None


def test_nobody_confirms_for_somebody_else_or_without_a_test(world: World, as_: As) -> None:
    ContactMethod.objects.create(user=world.cy, name="push", type="ntfy", address="https://ntfy.example.com/x")
    for who in (world.cy, world.ana):
        client = as_(who)
        assert "first" in said(client.post("/settings/people/cy/contacts/push/confirm"), client)
    assert as_(world.bo).post("/settings/people/cy/contacts/push/confirm").status_code == 403
    assert ContactMethod.objects.get(name="push").confirmed_at is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"type": "sms", "address": "601000001"}, "country code"),
        ({"type": "email", "address": HOSTILE}, "give one e-mail address"),
        ({"type": "pigeon", "address": "x"}, "Select a valid choice"),
        ({"type": "webhook", "address": "ftp://x"}, "https://"),
        ({"type": "sms", "address": "+420601000009", "name": "No Slug!"}, "is no name"),
        ({"type": "sms", "address": "+420601000009", "name": "hook"}, "already"),
        ({}, "required"),
    ],
)
def test_a_refused_way_says_what_to_write(world: World, as_: As, data: dict[str, str], words: str) -> None:
    page = text(as_(world.cy).post("/settings/people/cy/contacts", data), 422)
    assert words in page
    assert "<script>alert" not in page
    assert world.cy.contact_methods.count() == 1


def test_one_phone_number_belongs_to_one_person(world: World, as_: As) -> None:
    ContactMethod.objects.create(user=world.bo, name="phone", type="sms", address="+420601000009")
    page = text(as_(world.cy).post("/settings/people/cy/contacts", {"type": "voice", "address": "+420601000009"}), 422)
    assert "belongs to Bo already" in page


def test_untouched_rules_take_a_new_way_in_and_own_rules_stay(world: World, as_: As) -> None:
    client = as_(world.cy)
    client.post("/settings/people/cy/contacts", {"type": "sms", "address": "+420601000009"})
    rules = world.cy.notification_rules.filter(urgency="high").values_list("after_seconds", "contact__name")
    assert list(rules) == [(0, "hook"), (60, "sms")]
    actions.set_rules(world.cy, [actions.Rule("high", 0, "sms")], BY)
    client.post("/settings/people/cy/contacts", {"type": "voice", "address": "+420601000009"})
    assert [rule.contact.name for rule in world.cy.notification_rules.all()] == ["sms"]
    client.post("/settings/people/cy/rules/usual")
    assert world.cy.notification_rules.filter(urgency="high").count() == 3


def test_another_address_has_to_be_confirmed_again_and_secrets_never_show(world: World, as_: As) -> None:
    client = as_(world.cy)
    client.post("/settings/people/cy/contacts/hook", {"address": "https://example.com/cy", "secret": "topsecret-1"})
    contact = world.cy.contact_methods.get()
    assert contact.secret == "topsecret-1"
    assert contact.confirmed_at is not None
    for path in ("/profile", "/settings/people/cy/contacts/hook"):
        assert "topsecret" not in text(client.get(path))
    assert "confirm it" in said(
        client.post("/settings/people/cy/contacts/hook", {"address": "https://example.com/other"}), client
    )
    contact.refresh_from_db()
    assert contact.confirmed_at is None
    assert contact.secret == "topsecret-1"
    client.post("/settings/people/cy/contacts/hook", {"address": "https://example.com/other", "forget_secret": "on"})
    contact.refresh_from_db()
    assert contact.secret == ""
    assert not any("topsecret" in str(entry.detail) for entry in AuditEntry.objects.all())


def test_the_last_way_of_the_only_one_is_kept_unless_forced(world: World, as_: As) -> None:
    with transaction.atomic():
        Membership.objects.filter(user=world.bo).update(is_paged=False)
    client = as_(world.cy)
    for act in ("turn", "remove"):
        page = text(client.post(f"/settings/people/cy/contacts/hook/{act}"), 422)
        assert "policy payments, level 1" in page
        assert world.cy.contact_methods.get().disabled_at is None
    client.post("/settings/people/cy/contacts/hook/turn", {"force": "1"})
    assert world.cy.contact_methods.get().disabled_at is not None
    client.post("/settings/people/cy/contacts/hook/turn")
    assert world.cy.contact_methods.get().disabled_at is None
    client.post("/settings/people/cy/contacts/hook/remove", {"force": "1"})
    assert not world.cy.contact_methods.exists()


def test_who_may_change_whose_ways(world: World, as_: As) -> None:
    data = {"type": "email", "address": "x@example.com"}
    for who, status in ((world.bo, 403), (world.vi, 403), (world.ana, 302)):
        assert as_(who).post("/settings/people/cy/contacts", data).status_code == status
    assert as_(world.vi).post("/settings/people/vi/contacts", data).status_code == 302, "one's own always"
    assert as_(world.vi).post("/settings/people/cy/test").status_code == 403
    assert as_(world.cy).post("/settings/people/bo/test").status_code == 403
    assert as_(world.bo).post("/settings/people/cy/test").status_code == 302
    assert as_(world.bo).get("/settings/people/cy/rules").status_code == 403
    assert Client().post("/settings/people/cy/contacts", data)["Location"].startswith("/login")


def test_tests_to_others_never_come_at_night(world: World, as_: As) -> None:
    clock.freeze(datetime(2026, 1, 8, 23, 30, tzinfo=UTC))
    client = as_(world.bo)
    assert "between 07:00 and 22:00" in said(client.post("/settings/people/cy/test"), client)
    assert not Delivery.objects.exists()
    own = as_(world.cy)
    assert "goes out" in said(own.post("/settings/people/cy/test"), own)
    page = said(client.post("/settings/teams/payments/test"), client)
    assert "A test page goes out to 1 person." in page, "bo himself"
    assert "where Cy is" in page


def test_what_comes_from_code_is_read_only(world: World, as_: As) -> None:
    with transaction.atomic():
        User.objects.filter(pk=world.cy.pk).update(
            code_owner="config", code_file="people.yaml:12", are_contacts_from_code=True, are_rules_from_code=True
        )
    client = as_(world.cy)
    page = text(client.get("/profile"))
    assert "people.yaml:12" in page
    assert "Add a way" not in page
    assert "Change the rules" not in page
    assert "from configuration" in text(
        client.post("/settings/people/cy/contacts", {"type": "email", "address": "x@example.com"}), 422
    )
    assert "from configuration" in said(client.post("/settings/people/cy/contacts/hook/remove"), client)
    about = client.post("/settings/people/cy/about", {"display_name": "X", "time_zone": "UTC"})
    assert "from configuration" in text(about, 422)
    assert User.objects.get(pk=world.cy.pk).display_name == "Cy"
    assert world.cy.contact_methods.count() == 1


RULES = {
    "high-TOTAL_FORMS": "2",
    "high-INITIAL_FORMS": "0",
    "high-0-after": "90s",
    "high-0-contact": "hook",
    "high-1-after": "",
    "high-1-contact": "",
    "low-TOTAL_FORMS": "1",
    "low-INITIAL_FORMS": "0",
    "low-0-after": "0s",
    "low-0-contact": "hook",
    "low-0-opens": "08:00",
    "low-0-closes": "22:00",
    "repeat_after": "10m",
}


def test_rules_are_edited_without_scripts(world: World, as_: As) -> None:
    client = as_(world.cy)
    more = text(client.post("/settings/people/cy/rules", {**RULES, "do": "add-high"}))
    assert 'name="high-2-after"' in more
    assert 'value="90s"' in more
    assert not world.cy.notification_rules.exists()
    assert "Saved." in said(client.post("/settings/people/cy/rules", {**RULES, "do": "save"}), client)
    high, low = world.cy.notification_rules.order_by("urgency")
    assert (high.after_seconds, high.contact.name) == (90, "hook")
    assert (low.opens_at, low.closes_at) == (time(8), time(22))
    world.cy.refresh_from_db()
    assert world.cy.repeat_after_seconds == 600
    page = text(client.get("/profile"))
    assert "After 1 min" in page
    assert "held until it is between 08:00 and 22:00" in page
    client.post("/settings/people/cy/rules", {**RULES, "high-0-remove": "on"})
    assert world.cy.notification_rules.filter(urgency="high").count() == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"high-0-after": "soon"}, "is no length of time"),
        ({"high-0-after": "3d"}, "Give 1d at most"),
        ({"low-0-closes": ""}, "Give both times, or neither"),
        ({"high-0-contact": "pigeon"}, "Select a valid choice"),
        ({"repeat_after": ""}, "required"),
        ({"high-TOTAL_FORMS": "x"}, "Nothing was saved"),
        ({"high-TOTAL_FORMS": "99999"}, ""),
    ],
)
def test_wrong_rules_are_told_and_nothing_is_saved(world: World, as_: As, wrong: dict[str, str], words: str) -> None:
    page = text(as_(world.cy).post("/settings/people/cy/rules", {**RULES, **wrong}), 422)
    assert words in page
    assert not world.cy.notification_rules.exists()


def test_besides_pages(world: World, as_: As) -> None:
    client = as_(world.cy)
    User.objects.filter(pk=world.cy.pk).update(notify_on={"shiftStart": ["2h", "24h"]})
    client.post("/settings/people/cy/notify-on", {"resolved": "hook", "at_start": "on"})
    world.cy.refresh_from_db()
    assert world.cy.notify_on == {"shiftStart": ["0s", "2h"], "resolved": "hook"}, "what the form does not show is kept"
    client.post("/settings/people/cy/notify-on", {"resolved": "pigeon"})
    world.cy.refresh_from_db()
    assert world.cy.notify_on["resolved"] == "hook"


def test_about_oneself(world: World, as_: As) -> None:
    client = as_(world.cy)
    data = {"display_name": "Cy Brown", "email": "cy@example.org", "time_zone": "Asia/Tokyo", "role": "administrator"}
    assert client.post("/settings/people/cy/about", data).status_code == 302
    world.cy.refresh_from_db()
    assert (world.cy.display_name, world.cy.time_zone, world.cy.role) == ("Cy Brown", "Asia/Tokyo", "member")
    assert "already" in text(client.post("/settings/people/cy/about", {**data, "email": "BO@example.com"}), 422)
    assert text(client.post("/settings/people/cy/about", {**data, "time_zone": "Mars/Base"}), 422)
    as_(world.ana).post("/settings/people/cy/about", data)
    world.cy.refresh_from_db()
    assert world.cy.role == "administrator"
    client.post("/settings/people/cy/shortcuts", {})
    world.cy.refresh_from_db()
    assert world.cy.has_shortcuts is False


def test_shifts_stand_on_the_page(world: World, as_: As) -> None:
    page = text(as_(world.vi).get("/settings/people/cy"))
    assert "payments-primary" in page
    assert "On call" in page


def test_hostile_words_are_shown_escaped(world: World, as_: As) -> None:
    User.objects.filter(pk=world.cy.pk).update(display_name=HOSTILE, email=HOSTILE)
    ContactMethod.objects.filter(user=world.cy).update(address=HOSTILE, problem=HOSTILE, failing_since=clock.now())
    Team.objects.update(display_name=HOSTILE)
    for path in (
        "/settings/people",
        "/settings/people/cy",
        "/settings/teams",
        "/settings/teams/payments",
        "/settings/people/cy/about",
    ):
        assert "<script>alert" not in text(as_(world.ana).get(path))


def test_nobody_by_this_name(world: World, as_: As) -> None:
    for name in ("nobody-here", "admin-token", "a" * 100):
        assert as_(world.ana).get(f"/settings/people/{name}").status_code == 404
    assert as_(world.ana).get("/settings/people/cy/contacts/none").status_code == 404
