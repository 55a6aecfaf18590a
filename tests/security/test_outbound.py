"""Addresses that people type lead to public places only, unless an administrator says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import transaction
from doors import Doors

from api_world import BY
from midwatch.core import clock, net
from midwatch.core.integration import ChannelConfig, DeliveryError, Message, channels
from midwatch.people.models import ContactMethod
from midwatch.respond.alerts.models import Alert, TimelineEntry
from midwatch.respond.notify.actions import send_test_page
from midwatch.respond.notify.actions.claiming import DELIVERY_LEASE
from midwatch.respond.notify.actions.deliveries import prepare, send_claimed, transport
from midwatch.respond.notify.models import Delivery
from midwatch.settings import settings

PRIVATE = [
    "http://127.0.0.1:9/hook", "http://localhost:8000/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.7/", "https://192.168.1.1/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://[fd00::1]/",
]  # fmt: skip


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MIDWATCH_OUTBOUND_ALLOW", "127.0.0.0/8 localhost")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize("address", PRIVATE)
def test_a_form_says_so_at_once(doors: Doors, address: str) -> None:
    answer = doors.clients["cy"].post("/settings/people/cy/contacts", {"type": "webhook", "address": address})
    assert answer.status_code == 422
    assert "is not a public address" in answer.content.decode()
    answer = doors.clients["cy"].post("/settings/people/cy/contacts/hook", {"address": address})
    assert answer.status_code == 422
    answer = doors.clients["cy"].post("/welcome/reach", {"type": "ntfy", "address": f"{address.rstrip('/')}"})
    assert answer.status_code == 422
    assert ContactMethod.objects.get(user=doors.world.cy).address == "https://example.com/cy"


def test_what_is_permitted_is_taken(doors: Doors, allowed: None) -> None:
    answer = doors.clients["cy"].post(
        "/settings/people/cy/contacts", {"type": "webhook", "address": "http://127.0.0.1:9/x", "name": "own"}
    )
    assert answer.status_code == 302
    assert ContactMethod.objects.get(user=doors.world.cy, name="own").address == "http://127.0.0.1:9/x"


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "http://2130706433:9/", "http://0177.0.0.1:9/"])
def test_whatever_way_it_came_in_nothing_is_sent_there(doors: Doors, address: str) -> None:
    """The door itself looks, at the numbers and not at how they were written; only code's own addresses may be private."""
    cy = doors.world.cy
    with transaction.atomic():
        ContactMethod.objects.filter(user=cy).update(address=address, is_from_code=False)
        [delivery] = send_test_page(cy, BY)
    parcel = prepare(Delivery.objects.get(pk=delivery.pk))
    sent = transport(parcel)
    assert sent.error is not None
    assert sent.error.permanent
    assert "not a public address" in str(sent.error)


def test_ntfy_asks_the_same_door() -> None:
    assert {"webhook", "ntfy"} <= set(channels())
    with pytest.raises(DeliveryError, match="not a public address"):
        _send_ntfy()


def _send_ntfy() -> None:
    message = Message(
        delivery="1", kind="page", to="cy", address="http://127.0.0.1:9/topic", subject="s", text="t", short="s",
        spoken="s", sent_at=datetime(2026, 1, 8, tzinfo=UTC), secret="token",
    )  # fmt: skip
    channels()["ntfy"].send("ntfy", message, ChannelConfig(values={}))


class Relay:
    """Repeats whom it does not know."""

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        raise AssertionError("no HTTP here")

    def smtp(self, request: net.SmtpRequest) -> None:
        raise net.SmtpRefused(f"the relay refuses: 550 <{request.recipient}> unknown", permanent=True, code=550)


def test_an_alert_s_timeline_names_nobody_s_address(doors: Doors) -> None:
    """Everybody reads it; whose number and mailbox it is, only some may see."""
    cy, alert, now = doors.world.cy, Alert.objects.get(), clock.now()
    with transaction.atomic():
        ContactMethod.objects.filter(user=cy).update(type="email", address="cy.private@example.com")
        delivery = Delivery.objects.create(
            idempotency_key="private", kind="page", user=cy, contact=cy.contact_methods.get(), channel="email",
            method_name="mail", alert=alert, context={}, created_at=now, due_at=now, wanted_at=now, state="sending",
            attempts=1, claimed_until=now + DELIVERY_LEASE, token_digest="private",
        )  # fmt: skip
    with net.installed(Relay()):
        assert send_claimed(Delivery.objects.get(pk=delivery.pk)) is None
    told = [entry.text for entry in TimelineEntry.objects.filter(alert=alert, kind="delivery_failed")]
    assert told == ["Page to Cy by mail (email): failed: the relay refuses: 550 <(address)> unknown"]
    assert "private@" not in ContactMethod.objects.get(user=cy).problem
    for path in (f"/alerts/{alert.number}", "/settings/people/cy", "/settings/people", "/settings/teams/payments"):
        assert "private@" not in doors.clients["stranger"].get(path).content.decode(), path
