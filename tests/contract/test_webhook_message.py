"""The webhook channel's message, field by field, as home-made gateways read it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import transaction

from api_world import NOW, World, make_world
from midwatch.core import clock, net
from midwatch.people.models import ContactMethod
from midwatch.respond.notify.actions.deliveries import prepare, transport
from midwatch.respond.notify.models import CoveredAlert, Delivery
from midwatch.respond.notify.tokens import digest_of, token_of

SECRET = "between the two of us"


class Wire:
    """Keeps what was sent, and takes it."""

    def __init__(self) -> None:
        self.requests: list[net.HttpRequest] = []

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        self.requests.append(request)
        return net.HttpAnswer(204)

    def smtp(self, request: net.SmtpRequest) -> None:
        raise AssertionError("no e-mail here")


@pytest.fixture
def world(db: None) -> Iterator[World]:
    clock.freeze(NOW)
    yield make_world()
    clock.thaw()


def sent(world: World, kind: str, *, covers: int = 0, secret: str = "") -> net.HttpRequest:
    alerts = world.alerts(covers) if covers else [world.alert("Disk of db3 is full")]
    now, key = clock.now(), f"contract/{kind}"
    with transaction.atomic():
        ContactMethod.objects.filter(user=world.cy).update(is_from_code=True, secret=secret)
        delivery = Delivery.objects.create(
            idempotency_key=key, kind=kind, user=world.cy, contact=world.cy.contact_methods.get(), channel="webhook",
            method_name="hook", alert=None if covers else alerts[0], context={"step": "level 1"}, created_at=now,
            due_at=now, wanted_at=now, token_digest=digest_of(token_of(key)),
        )  # fmt: skip
        CoveredAlert.objects.bulk_create([CoveredAlert(delivery=delivery, alert=one) for one in alerts if covers])
    wire = Wire()
    with net.installed(wire):
        assert transport(prepare(Delivery.objects.get(pk=delivery.pk))).error is None
    [request] = wire.requests
    return request


def test_a_page(world: World) -> None:
    request = sent(world, "page")
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert request.method == "POST"
    assert headers["content-type"] == "application/json"
    assert headers["x-midwatch-delivery"] == "contract/page"
    assert not any("signature" in name or "timestamp" in name for name in headers), "only with a secret"
    body = json.loads(request.body)
    assert body["delivery"] == "contract/page"
    assert (body["kind"], body["to"], body["step"]) == ("page", "cy", "level 1")
    alert = body["alert"]
    assert set(alert) == {"id", "number", "title", "priority", "status", "service", "url"}
    assert isinstance(alert["number"], int)
    assert alert["service"] == "checkout", "its name as configuration and the API have it, not the one people read"
    assert (alert["title"], alert["priority"], alert["status"]) == ("Disk of db3 is full", "P1", "firing")
    assert alert["url"] == f"http://midwatch.example/alerts/{alert['number']}"
    assert body["ack_url"] == f"http://midwatch.example/p/{token_of('contract/page')}"
    assert datetime.fromisoformat(body["sent_at"]) == NOW.astimezone(UTC)


def test_a_signed_page(world: World) -> None:
    request = sent(world, "page", secret=SECRET)
    headers = {name.lower(): value for name, value in request.headers.items()}
    said = headers["x-midwatch-timestamp"].encode() + b"." + request.body
    assert headers["x-midwatch-signature"] == f"sha256={hmac.new(SECRET.encode(), said, hashlib.sha256).hexdigest()}"
    assert SECRET.encode() not in request.body


def test_a_bundle(world: World) -> None:
    body = json.loads(sent(world, "bundle", covers=3).body)
    assert (body["kind"], body["count"]) == ("bundle", 3)
    assert len(body["alerts"]) == 3
    assert all(set(alert) == set(body["alert"]) for alert in body["alerts"])
