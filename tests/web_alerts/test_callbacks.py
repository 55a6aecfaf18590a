"""What a phone answers, by way of Twilio's callbacks: signed, understood, confirmed in words."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.test import Client

from api_world import World
from midwatch.core import clock
from midwatch.integrations.twilio.inbound import signature
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import start
from midwatch.respond.notify.models import Delivery, DeliveryKind, DeliveryState, Page
from midwatch.respond.notify.tokens import digest_of, token_of

TOKEN = "twilio-token-of-the-tests"
NUMBER = "+420601000003"


@pytest.fixture
def phone(world: World) -> ContactMethod:
    """cy, on call now, has a phone."""
    with transaction.atomic():
        return ContactMethod.objects.create(
            user=world.cy, name="phone", type="sms", address=NUMBER, position=1, confirmed_at=clock.now()
        )


def opened(world: World, title: str = "disk full") -> Alert:
    alert = world.alert(title)
    with transaction.atomic():
        start([(alert, None)])
    return alert


def sent(alert: Alert, user: User, channel: str = "sms", *, minutes_ago: int = 1) -> str:
    """A page that went to that person's phone. Its reference."""
    key = f"{channel}/{alert.pk}/{user.pk}"
    at = clock.now() - timedelta(minutes=minutes_ago)
    page = Page.objects.filter(alert=alert, user=user, state="running").first()
    with transaction.atomic():
        Delivery.objects.create(
            idempotency_key=key, kind=DeliveryKind.PAGE, user=user, channel=channel, alert=alert, page=page,
            contact=user.contact_methods.filter(address=NUMBER).first(), context={"step": "level 1"},
            created_at=at, due_at=at, wanted_at=at, handed_over_at=at, state="handed over", provider_id=f"ID{alert.pk}",
            token_digest=digest_of(token_of(key)),
        )  # fmt: skip
    return token_of(key)


def called(path: str, fields: dict[str, str], *, token: str = TOKEN) -> tuple[int, str]:
    """Twilio calls back. The status and the text of the answer."""
    url = f"http://midwatch.example/hooks/twilio/{path}"
    signed = url + "".join(f"{name}{value}" for name, value in sorted(fields.items()))
    answer = Client(enforce_csrf_checks=True).post(
        f"/hooks/twilio/{path}",
        urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature(signed, token).decode()},
    )
    return answer.status_code, answer.content.decode()


def texted(words: str, sender: str = NUMBER) -> str:
    status, text = called("sms", {"From": sender, "To": "+15005550006", "Body": words, "MessageSid": "SM1"})
    assert status == 200, text
    return text


def now_of(alert: Alert) -> Alert:
    return Alert.objects.get(pk=alert.pk)


def test_an_unsigned_callback_is_refused(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    fields = {"From": NUMBER, "Body": f"ack {alert.number}"}
    assert called("sms", fields, token="a guess")[0] == 403
    assert Client().post("/hooks/twilio/sms", fields).status_code == 403
    assert now_of(alert).status == "firing"


def test_what_is_no_callback(world: World) -> None:
    assert called("nonsense", {"From": NUMBER})[0] == 400
    assert Client().post("/hooks/nobody/sms").status_code == 404
    assert Client().delete("/hooks/twilio/sms").status_code == 405
    large = Client().post("/hooks/twilio/sms", b"x" * 300_000, content_type="application/x-www-form-urlencoded")
    assert large.status_code == 413


def test_ack_by_number(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    assert f"You have #{alert.number}. Escalation stopped." in texted(f"ack {alert.number}")
    assert now_of(alert).acknowledged_by == world.cy


def test_a_bare_ack_with_one_page_waiting(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    sent(alert, world.cy)
    assert f"You have #{alert.number}." in texted("Ack")


def test_a_bare_ack_with_two_waiting_gets_the_list(world: World, phone: ContactMethod) -> None:
    first, second = opened(world, "one"), opened(world, "two")
    sent(first, world.cy)
    sent(second, world.cy)
    answer = texted("ack")
    assert "2 pages wait for you" in answer
    assert f"#{first.number}" in answer
    assert f"#{second.number}" in answer
    assert {now_of(first).status, now_of(second).status} == {"firing"}


def test_a_bare_ack_after_four_hours_acts_on_nothing(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    sent(alert, world.cy, minutes_ago=241)
    assert "No page waits for you." in texted("ack")
    assert now_of(alert).status == "firing"


def test_the_loser_learns_who_was_first(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    with transaction.atomic():
        acknowledge_alert(alert, actor_of(world.bo, "web"))
    assert f"Bo has #{alert.number} since" in texted(f"ack {alert.number}")


def test_no_and_resolve_and_several(world: World, phone: ContactMethod) -> None:
    first, second = opened(world, "one"), opened(world, "two")
    assert "Passed on" in texted(f"no {first.number}")
    assert "is resolved" in texted(f"resolve {first.number} {second.number}")
    assert {now_of(first).status, now_of(second).status} == {"resolved"}
    assert "There is no alert #99999" in texted("ack 99999")


def test_a_strangers_number_does_nothing(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    assert "belongs to nobody" in texted(f"ack {alert.number}", sender="+420999999999")
    assert now_of(alert).status == "firing"


def test_stop_turns_the_texts_off_and_tells(world: World, phone: ContactMethod) -> None:
    answer = texted("STOP")
    assert "<Message>" not in answer, "the carrier confirms it, and refuses whatever we send"
    phone.refresh_from_db()
    assert phone.disabled_at is not None
    told = Delivery.objects.filter(kind=DeliveryKind.HANDOFF, state=DeliveryState.WAITING)
    assert {delivery.user for delivery in told} == {world.cy, world.bo}, "the person and their manager"
    assert all(delivery.contact_id != phone.pk for delivery in told)
    texted("STOP")
    assert told.count() == 2
    assert "on again" in texted("START")
    phone.refresh_from_db()
    assert phone.disabled_at is None


def test_a_call_says_the_state_at_this_moment(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    reference = sent(alert, world.cy, "voice")
    path, fields = f"{reference}/voice", {"CallSid": "CA1", "To": NUMBER, "AnsweredBy": "human"}
    assert "Press 4 to acknowledge" in called(path, fields)[1]
    with transaction.atomic():
        acknowledge_alert(alert, actor_of(world.bo, "web"))
    answer = called(path, fields)[1]
    assert "Bo has it" in answer
    assert "Press 4" not in answer


def test_keys_act_on_what_the_call_was_about(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    reference = sent(alert, world.cy, "voice")
    keys = f"{reference}/keys"
    assert "Press 4" in called(keys, {"CallSid": "CA1", "To": NUMBER, "Digits": "9"})[1]
    assert now_of(alert).status == "firing"
    assert "Escalation stopped" in called(keys, {"CallSid": "CA1", "To": NUMBER, "Digits": "4"})[1]
    assert now_of(alert).acknowledged_by == world.cy
    assert "is resolved" in called(keys, {"CallSid": "CA1", "To": NUMBER, "Digits": "6"})[1]
    assert Delivery.objects.get(channel="voice").receipt == "answered"


def test_a_status_is_written_down(world: World, phone: ContactMethod) -> None:
    alert = opened(world)
    reference = sent(alert, world.cy)
    assert called(f"{reference}/sms-status", {"MessageSid": f"ID{alert.pk}", "MessageStatus": "delivered"})[0] == 200
    assert Delivery.objects.get(channel="sms", kind="page", provider_id=f"ID{alert.pk}").receipt == "delivered"


def test_a_viewers_answer_is_refused_in_words(world: World) -> None:
    alert = opened(world)
    with transaction.atomic():
        ContactMethod.objects.create(user=world.vi, name="phone", type="sms", address=NUMBER, confirmed_at=clock.now())
    assert "you may look, not act" in texted(f"ack {alert.number}")
    assert now_of(alert).status == "firing"


@pytest.fixture
def typed_number(phone: ContactMethod) -> ContactMethod:
    """Written into the profile, and perhaps a stranger's: nobody has answered from there yet."""
    with transaction.atomic():
        ContactMethod.objects.filter(pk=phone.pk).update(confirmed_at=None)
    return phone


def asked_to_confirm(user: User) -> None:
    at = clock.now() - timedelta(minutes=1)
    with transaction.atomic():
        Delivery.objects.create(
            idempotency_key=f"test/{user.pk}", kind=DeliveryKind.TEST, user=user, channel="sms", created_at=at, due_at=at,
            contact=user.contact_methods.get(address=NUMBER), wanted_at=at, handed_over_at=at, state="handed over",
            token_digest=digest_of(token_of(f"test/{user.pk}")),
        )  # fmt: skip


def test_a_number_that_never_answered_acts_on_nothing(world: World, typed_number: ContactMethod) -> None:
    alert = opened(world)
    for words in (f"ack {alert.number}", f"resolve {alert.number}", "list", "ack"):
        status, text = called("sms", {"From": NUMBER, "Body": words})
        assert status == 200
        assert "not confirmed yet" in text
        assert "disk full" not in text, "a stranger reads nothing either"
    assert Alert.objects.get(pk=alert.pk).status == "firing"
    assert ContactMethod.objects.get(pk=typed_number.pk).confirmed_at is None


def test_answering_a_test_page_by_text_confirms_the_number(world: World, typed_number: ContactMethod) -> None:
    asked_to_confirm(world.cy)
    alert = opened(world)
    assert "not confirmed yet" in called("sms", {"From": NUMBER, "Body": "who is this?"})[1]
    assert "This number is confirmed." in called("sms", {"From": NUMBER, "Body": "OK"})[1]
    assert ContactMethod.objects.get(pk=typed_number.pk).confirmed_at == clock.now()
    assert f"You have #{alert.number}" in called("sms", {"From": NUMBER, "Body": f"ack {alert.number}"})[1]


def test_a_test_page_to_a_known_number_is_answered_too(world: World, phone: ContactMethod) -> None:
    asked_to_confirm(world.cy)
    assert "This number is confirmed." in called("sms", {"From": NUMBER, "Body": "ok"})[1]
    assert "No page waits for you." in called("sms", {"From": NUMBER, "Body": "ok"})[1]
