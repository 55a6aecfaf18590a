"""Subscribing: asked for, confirmed by a button, told, left with one click, put into quarantine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from status_shop import BY, Shop, settle

from midwatch.core import clock, net
from midwatch.core.net import HttpAnswer, HttpRequest, SmtpRefused, SmtpRequest
from midwatch.respond.statuspage import actions
from midwatch.respond.statuspage.actions import (
    NewNotice,
    NewUpdate,
    PageFields,
    Schedule,
    Wish,
    sending,
    subscribers,
)
from midwatch.respond.statuspage.checks import pages_elsewhere_are_told, subscribers_are_reached
from midwatch.respond.statuspage.models import Subscriber, SubscriberMessage

pytestmark = pytest.mark.postgresql
MINUTE = timedelta(minutes=1)
HOOK = "https://hooks.example.com/x7"


class Post:
    """A network that keeps what leaves. `refusal`: what the relay says; `status`: what hooks answer."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.posts: list[HttpRequest] = []
        self.refusal: SmtpRefused | None = None
        self.status = 200

    def http(self, request: HttpRequest) -> HttpAnswer:
        assert not request.is_trusted, "visitors type these addresses"
        self.posts.append(request)
        return HttpAnswer(self.status)

    def smtp(self, request: SmtpRequest) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.mails.append(request.message)


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    with net.installed(made):
        yield made


def send() -> None:
    settle()
    while rows := sending.claim(50):
        for row in rows:
            sending.deliver(row)


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link(mail: EmailMessage, word: str) -> str:
    found = re.search(rf"http://midwatch\.example(/status/shop/{word}/\S+)", text_of(mail))
    assert found is not None
    return found[1]


def ask(shop: Shop, **fields: Any) -> Any:
    return Client().post("/status/shop/subscribe", {"kind": "email", "address": "vera@example.org", **fields})


def subscribed(shop: Shop, **fields: Any) -> Subscriber:
    return actions.subscribe(shop.page, Wish("email", "vera@example.org", is_confirmed=True, **fields))


def test_a_visitor_subscribes_confirms_is_told_and_leaves(shop: Shop, post: Post) -> None:
    answer = ask(shop)
    assert answer.status_code == 200
    assert not answer.cookies
    send()
    (asked,) = post.mails
    assert asked["To"] == "vera@example.org"
    path = link(asked, "confirm")
    actions.open_notice(shop.page, NewNotice("Before"), BY)
    send()
    assert len(post.mails) == 1, "who has not confirmed is told nothing"
    assert Client().get(path).status_code == 200
    assert Subscriber.objects.get().state == "unconfirmed", "opening the link changes nothing: scanners open links"
    assert "Done" in Client().post(path).content.decode()
    notice = actions.open_notice(
        shop.page, NewNotice("Cards <b>fail</b>", "We **look**.", components={shop.checkout: "major_outage"}), BY
    )
    send()
    (_, told) = post.mails
    assert told["Subject"] == "[Example Shop] Investigating: Cards <b>fail</b>"
    assert told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "Checkout: Major outage" in text_of(told)
    assert "<b>fail" not in told.get_body(("html",)).get_content()  # type: ignore[union-attr]
    actions.post_update(notice, NewUpdate("identified", is_told=False), BY)
    send()
    assert len(post.mails) == 2, "not told on purpose"
    leave = told["List-Unsubscribe"].strip("<>").removeprefix("http://midwatch.example")
    assert "Unsubscribe" in Client().get(leave).content.decode()
    assert Subscriber.objects.get().state == "active"
    Client().post(leave, {"List-Unsubscribe": "One-Click"})
    actions.post_update(notice, NewUpdate("resolved"), BY)
    send()
    assert len(post.mails) == 2


def test_nobody_learns_who_subscribed_and_nobody_is_flooded(shop: Shop, post: Post) -> None:
    subscribed(shop)
    first = ask(shop)
    other = ask(shop, address="never@example.org")
    assert first.content == other.content
    for _ in range(3):
        ask(shop, address="never@example.org")
    send()
    assert [mail["To"] for mail in post.mails] == ["never@example.org"], "asked once an hour at most"
    for _ in range(8):
        answer = ask(shop, address="another@example.org")
    assert answer.status_code == 429


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("email", "no address"),
        ("email", "a@b.example\r\nBcc: c@d.example"),
        ("webhook", "ftp://example.com/x"),
        ("webhook", "http://127.0.0.1:8000/admin"),
        ("webhook", "http://169.254.169.254/latest/meta-data"),
        ("webhook", "http://[::1]/"),
    ],
)
def test_addresses_that_are_refused(shop: Shop, kind: str, address: str) -> None:
    assert ask(shop, kind=kind, address=address).status_code == 422
    assert not Subscriber.objects.exists()


def test_only_about_chosen_components(shop: Shop, post: Post) -> None:
    subscribed(shop, components=[shop.search])
    actions.open_notice(shop.page, NewNotice("Cards", components={shop.checkout: "major_outage"}), BY)
    send()
    assert not post.mails
    actions.open_notice(shop.page, NewNotice("Search is slow", components={shop.search: "degraded_performance"}), BY)
    send()
    assert ["Search is slow" in mail["Subject"] for mail in post.mails] == [True]


def test_when_the_only_chosen_component_goes_nothing_is_told_rather_than_all(shop: Shop, post: Post) -> None:
    subscribed(shop, components=[shop.search])
    actions.remove_component(shop.search, BY)
    actions.open_notice(shop.page, NewNotice("Cards", components={shop.checkout: "major_outage"}), BY)
    send()
    assert not post.mails


def test_a_webhook_gets_statuspages_shapes(shop: Shop, post: Post) -> None:
    Client().post("/status/shop/subscribe", {"kind": "webhook", "address": HOOK})
    send()
    body = json.loads(post.posts[0].body)
    assert set(body) == {"meta", "page"}
    Client().post(body["meta"]["confirm"].removeprefix("http://midwatch.example"))
    actions.open_notice(shop.page, NewNotice("Cards", "x", components={shop.checkout: "major_outage"}), BY)
    send()
    bodies = [json.loads(one.body) for one in post.posts[1:]]
    (incident,) = [one for one in bodies if "incident" in one]
    (component,) = [one for one in bodies if "component" in one]
    assert set(incident) == {"meta", "page", "incident"}
    assert set(incident["meta"]) == {"unsubscribe", "documentation", "generated_at"}
    assert incident["page"] == {
        "id": shop.page.wire_id, "status_indicator": "critical", "status_description": "Major Service Outage",
    }  # fmt: skip
    assert {"backfilled", "impact_override", "postmortem_body", "scheduled_auto_completed"} <= set(incident["incident"])
    assert set(component) == {"meta", "page", "component", "component_update"}
    change = component["component_update"]
    assert (change["old_status"], change["new_status"]) == ("operational", "major_outage")
    assert change["component_type"] == "Component"


def test_a_webhook_never_gets_the_draft_of_a_post_mortem(shop: Shop, post: Post) -> None:
    actions.subscribe(shop.page, Wish("webhook", HOOK, is_confirmed=True))
    notice = actions.open_notice(shop.page, NewNotice("Cards"), BY)
    actions.post_update(notice, NewUpdate("resolved"), BY)
    actions.draft_postmortem(notice, "It was the supplier's key, says legal", BY)
    send()
    assert post.posts
    assert not any(b"says legal" in one.body for one in post.posts if one.body)
    actions.publish_postmortem(notice, BY, is_told=True)
    send()
    assert json.loads(post.posts[-1].body)["incident"]["postmortem_body"] == "It was the supplier's key, says legal"


def test_dead_addresses_are_put_aside_and_gone_ones_leave(shop: Shop, post: Post) -> None:
    dead = subscribed(shop)
    hook = actions.subscribe(shop.page, Wish("webhook", HOOK, is_confirmed=True))
    post.refusal = SmtpRefused("550 no such mailbox", permanent=True, code=550)
    post.status = 410
    notice = actions.open_notice(shop.page, NewNotice("One"), BY)
    for _ in range(3):
        send()
        actions.post_update(notice, NewUpdate("identified"), BY)
    dead.refresh_from_db()
    hook.refresh_from_db()
    assert (dead.state, hook.state) == ("quarantined", "unsubscribed")
    assert "550" in dead.problem
    post.refusal = None
    send()
    assert not post.mails
    subscribers.reactivate(dead, BY)
    actions.post_update(notice, NewUpdate("resolved"), BY)
    send()
    assert len(post.mails) == 1


def test_a_relay_that_is_away_is_tried_again_and_each_message_leaves_once(shop: Shop, post: Post) -> None:
    subscribed(shop)
    post.refusal = SmtpRefused("451 later", permanent=False, code=451)
    actions.open_notice(shop.page, NewNotice("One"), BY)
    send()
    assert SubscriberMessage.objects.get().state == "waiting"
    post.refusal = None
    clock.forward(MINUTE)
    send()
    clock.forward(60 * MINUTE)
    send()
    assert len(post.mails) == 1
    assert SubscriberMessage.objects.get().state == "sent"


def test_many_subscribers_are_written_a_few_hundred_a_turn(
    shop: Shop, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ROWS_AT_ONCE", 3)
    for number in range(8):
        actions.subscribe(shop.page, Wish("email", f"p{number}@example.org", is_confirmed=True))
    actions.open_notice(shop.page, NewNotice("One"), BY)
    send()
    assert len({mail["To"] for mail in post.mails}) == len(post.mails) == 8


def test_reminders_and_postmortems_are_told(shop: Shop, post: Post) -> None:
    subscribed(shop)
    hour = timedelta(hours=1)
    schedule = Schedule(clock.now() + 3 * hour, clock.now() + 4 * hour, reminds_before=True)
    actions.open_notice(shop.page, NewNotice("Upgrade", schedule=schedule, is_told=False), BY)
    clock.forward(2 * hour)
    send()
    assert ["Reminder: Upgrade" in mail["Subject"] for mail in post.mails] == [True]
    notice = actions.open_notice(shop.page, NewNotice("Cards", is_told=False), BY)
    actions.post_update(notice, NewUpdate("resolved", is_told=False), BY)
    actions.draft_postmortem(notice, "A disk filled up.", BY)
    actions.publish_postmortem(notice, BY)
    send()
    assert "Post-mortem: Cards" in post.mails[-1]["Subject"]


def test_who_never_confirms_is_forgotten(shop: Shop, post: Post) -> None:
    ask(shop)
    assert subscribers.forget(100) == 0
    clock.forward(timedelta(days=8))
    assert subscribers.forget(100) == 1


def test_a_token_is_for_one_purpose_and_one_page(shop: Shop, post: Post) -> None:
    ask(shop)
    send()
    path = link(post.mails[0], "confirm")
    assert Client().post(path.replace("/confirm/", "/unsubscribe/")).status_code == 200
    assert Subscriber.objects.get().state == "unconfirmed"
    assert Client().post(path[:-1] + "x").status_code == 404


def test_a_wrong_link_does_not_say_that_a_page_exists(shop: Shop, post: Post) -> None:
    ask(shop)
    send()
    path = link(post.mails[0], "confirm")
    fields = PageFields(shop.world.team, "Shop", access="token")
    actions.change_page(shop.page, fields, BY)
    for wrong in ("confirm", "unsubscribe"):
        answer = Client().get(f"/status/shop/{wrong}/abc")
        assert (answer.status_code, "Shop" in answer.content.decode()) == (404, False)
    assert Client().post(path).status_code == 200, "who has a letter may act on it"


def test_the_doctor_says_when_many_addresses_of_a_page_are_dead(shop: Shop) -> None:
    assert [one.state for one in (subscribers_are_reached(), pages_elsewhere_are_told())] == ["ok", "ok"]
    with transaction.atomic():
        for number in range(6):
            Subscriber.objects.create(
                page=shop.page,
                kind="email",
                address=f"{number}@example.com",
                state="quarantined",
                created_at=clock.now(),
            )
    found = subscribers_are_reached()
    assert (found.state, found.sentence) == ("warning", "shop: 6 of 6 in quarantine")
