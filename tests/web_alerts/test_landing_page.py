from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, World
from midwatch.core import clock
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert, add_note, resolve_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import start
from midwatch.respond.notify.actions import send_test_page
from midwatch.respond.notify.models import CoveredAlert, Delivery, DeliveryKind, Page
from midwatch.respond.notify.tokens import digest_of, token_of

JSON = {"Accept": "application/json"}
HOSTILE = '"><script>alert(1)</script>'
PAGE_BYTES_MAX = 30 * 1024


def opened(world: World, title: str = "disk full") -> Alert:
    alert = world.alert(title)
    with transaction.atomic():
        start([(alert, None)])
    return alert


def link_of(alert: Alert, user: User, *, kind: str = DeliveryKind.PAGE, covers: list[Alert] | None = None) -> str:
    """The address in a message that went to somebody."""
    key = f"test/{kind}/{alert.pk}/{user.pk}"
    now = clock.now()
    with transaction.atomic():
        delivery = Delivery.objects.create(
            idempotency_key=key,
            kind=kind,
            user=user,
            contact=user.contact_methods.first(),
            channel="webhook",
            method_name="hook",
            alert=None if kind == DeliveryKind.BUNDLE else alert,
            context={"step": "level 1"},
            created_at=now,
            due_at=now,
            wanted_at=now,
            state="handed over",
            handed_over_at=now,
            token_digest=digest_of(token_of(key)),
        )
        CoveredAlert.objects.bulk_create([CoveredAlert(delivery=delivery, alert=one) for one in covers or []])
    return f"/p/{token_of(key)}"


def now_of(alert: Alert) -> Alert:
    return Alert.objects.get(pk=alert.pk)


@pytest.fixture
def phone() -> Client:
    """No log-in, no cookies, and the CSRF check is on."""
    return Client(enforce_csrf_checks=True)


def test_get_never_acts_and_post_takes_it(world: World, phone: Client) -> None:
    alert = opened(world)
    link = link_of(alert, world.cy)
    for method in ("GET", "HEAD"):
        assert phone.generic(method, link).status_code == 200
    assert phone.get(f"{link}?action=acknowledge").status_code == 200
    assert now_of(alert).status == "firing", "link previews and mail scanners fetch by GET"
    answer = phone.post(link, {"action": "acknowledge"}, headers={"Origin": "null"})
    text = answer.content.decode()
    assert f"You have #{alert.number} since" in text
    assert "Escalation stopped." in text
    assert now_of(alert).acknowledged_by == world.cy


def test_headers_and_size(world: World, phone: Client) -> None:
    answer = phone.get(link_of(opened(world, HOSTILE + "x" * 900), world.cy))
    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert not answer.cookies
    assert len(answer.content) < PAGE_BYTES_MAX / 3, "the style sheet and the script come on top"
    assert b"<script>alert" not in answer.content


def test_cookies_change_nothing(world: World, phone: Client) -> None:
    alert = opened(world)
    link = link_of(alert, world.cy)
    phone.force_login(world.vi)
    page = phone.get(link)
    assert "Vi" not in page.content.decode()
    phone.post(link, {"action": "acknowledge"})
    assert now_of(alert).acknowledged_by == world.cy, "the link says who acts, not the session"


def test_the_second_reads_who_was_first(world: World, phone: Client) -> None:
    alert = opened(world)
    bos, cys = link_of(alert, world.bo), link_of(alert, world.cy)
    phone.post(bos, {"action": "acknowledge"})
    answer = phone.post(cys, {"action": "acknowledge"})
    assert answer.status_code == 200
    assert f"Bo has #{alert.number} since" in answer.content.decode()
    assert now_of(alert).acknowledged_by == world.bo


def test_programs_get_json(world: World, phone: Client) -> None:
    alert = opened(world)
    link = link_of(alert, world.cy)
    assert json.loads(phone.get(link, headers=JSON).content)["status"] == "firing"
    answer = phone.post(link, json.dumps({"action": "acknowledge"}), content_type="application/json", headers=JSON)
    said = json.loads(answer.content)
    assert said["status"] == "acknowledged"
    assert said["sentence"].startswith(f"You have #{alert.number} since")
    refused = phone.post(link, b"{not json", content_type="application/json")
    assert refused.status_code == 400
    assert "action=acknowledge|resolve|escalate|decline" in json.loads(refused.content)["sentence"]
    unknown = phone.get("/p/nobodys", headers=JSON)
    assert (unknown.status_code, json.loads(unknown.content)["status"]) == (404, "unknown")


def test_the_plainest_client_puts_the_act_in_the_address(world: World, phone: Client) -> None:
    alert = opened(world)
    phone.post(link_of(alert, world.cy) + "?action=resolve")
    assert now_of(alert).status == "resolved"


@pytest.mark.parametrize("token", ["nobodys", "x" * 5_000, "%00", "..%2f"])
def test_an_unknown_link_helps(world: World, phone: Client, token: str) -> None:
    answer = phone.get(f"/p/{token}")
    assert answer.status_code == 404


def test_an_unknown_act_does_nothing(world: World, phone: Client) -> None:
    alert = opened(world)
    link = link_of(alert, world.cy)
    for data in ({}, {"action": "delete"}, {"action": HOSTILE}):
        assert phone.post(link, data).status_code == 400
    assert phone.put(link).status_code == 405
    assert now_of(alert).status == "firing"


def test_decline_passes_it_on(world: World, phone: Client) -> None:
    alert = opened(world)
    answer = phone.post(link_of(alert, world.cy), {"action": "decline"})
    assert "Passed on" in answer.content.decode()
    assert Page.objects.filter(alert=alert, user=world.cy, state="declined").exists()
    assert Page.objects.filter(alert=alert, user=world.bo, state="running").exists(), "the next step went out at once"


def test_it_acts_until_an_hour_after_the_resolve(world: World, phone: Client) -> None:
    alert = opened(world)
    link = link_of(alert, world.cy)
    clock.freeze(clock.now())
    with transaction.atomic():
        resolve_alert(alert, actor_of(world.bo, "web"))
    assert f"Bo resolved #{alert.number} at" in phone.get(link).content.decode()
    clock.forward(timedelta(minutes=61))
    text = phone.get(link).content.decode()
    assert "This link has ended" in text
    assert f"Bo resolved #{alert.number}" in text
    assert "<form" not in text
    assert phone.post(link, {"action": "resolve"}).status_code == 200
    assert json.loads(phone.get(link, headers=JSON).content)["status"] == "expired"


def test_all_shown_or_only_this_one(world: World, phone: Client) -> None:
    found = world.alerts(4)
    link = link_of(found[0], world.cy, covers=found[1:3])
    text = phone.get(link).content.decode()
    assert "Acknowledge all 3 shown" in text
    assert f"Only #{found[0].number}" in text
    phone.post(link, {"action": "acknowledge", "scope": "this"})
    assert [now_of(alert).status for alert in found] == ["acknowledged", "firing", "firing", "firing"]
    answer = phone.post(link, {"action": "acknowledge", "scope": "all"})
    assert answer.status_code == 200
    assert [now_of(alert).status for alert in found] == ["acknowledged", "acknowledged", "acknowledged", "firing"], (
        "never one that came later"
    )


def test_a_bundle_covers_exactly_what_it_listed(world: World, phone: Client) -> None:
    found = world.alerts(3)
    link = link_of(found[0], world.cy, kind=DeliveryKind.BUNDLE, covers=found[:2])
    assert "Only #" not in phone.get(link).content.decode()
    phone.post(link, {"action": "acknowledge"})
    assert [now_of(alert).status for alert in found] == ["acknowledged", "acknowledged", "firing"]


def test_what_helps_at_night_stands_on_it(world: World, phone: Client) -> None:
    last = world.alert()
    with transaction.atomic():
        add_note(last, BY, "deleted old segments")
        resolve_alert(last, BY)
    alert = opened(world)
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(
            labels={"runbook_url": "https://wiki.example/run"},
            links=[{"href": "https://prom.example/q", "text": "Query"}, {"href": "javascript:x", "text": "bad"}],
        )
    text = phone.get(link_of(alert, world.cy)).content.decode()
    assert 'href="https://wiki.example/run" rel="noopener noreferrer">Runbook' in text
    assert "https://prom.example/q" in text
    assert "javascript:" not in text
    assert "deleted old segments" in text
    assert "whole team" in text, "the next step, and when"


def test_lateness_is_said(world: World, phone: Client) -> None:
    alert = opened(world)
    link = link_of(alert, world.cy)
    wanted = clock.now() - timedelta(minutes=40)
    with transaction.atomic():
        Delivery.objects.filter(kind="page", user=world.cy, state="handed over").update(
            context={"step": "level 1", "wanted_at": wanted.isoformat()}
        )
    assert "LATE 40 min" in phone.get(link).content.decode()


def test_a_viewers_link_only_shows(world: World, phone: Client) -> None:
    alert = opened(world)
    link = link_of(alert, world.vi)
    assert "<form" not in phone.get(link).content.decode()
    phone.post(link, {"action": "acknowledge"})
    assert now_of(alert).status == "firing"


def test_somebody_who_left_has_no_link(world: World, phone: Client) -> None:
    link = link_of(opened(world), world.cy)
    with transaction.atomic():
        User.objects.filter(pk=world.cy.pk).update(is_active=False)
    assert phone.get(link).status_code == 404


def test_a_test_page_confirms_the_method(world: World, phone: Client) -> None:
    with transaction.atomic():
        ContactMethod.objects.filter(user=world.cy).update(confirmed_at=None)
    [delivery] = send_test_page(world.cy, actor_of(world.cy, "web"))
    link = f"/p/{token_of(delivery.idempotency_key)}"
    text = phone.get(link).content.decode()
    assert "TEST, no action needed" in text
    assert "It reached me" in text
    assert ContactMethod.objects.get(user=world.cy).confirmed_at is None
    assert "Thank you" in phone.post(link, {"action": "acknowledge"}).content.decode()
    assert ContactMethod.objects.get(user=world.cy).confirmed_at is not None
    assert json.loads(phone.get(link, headers=JSON).content)["status"] == "confirmed"


def test_times_are_the_readers(world: World, phone: Client) -> None:
    alert = opened(world)
    with transaction.atomic():
        acknowledge_alert(alert, actor_of(world.bo, "web"))
        User.objects.filter(pk=world.cy.pk).update(time_zone="Asia/Kathmandu")
    taken = now_of(alert).acknowledged_at
    assert taken is not None
    local = taken + timedelta(hours=5, minutes=45)
    assert f"Bo has #{alert.number} since {local:%H:%M}" in phone.get(link_of(alert, world.cy)).content.decode()
