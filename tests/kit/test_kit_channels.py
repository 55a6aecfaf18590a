from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.message import ALERT, a_message
from midwatch.core import net
from midwatch.core.integration import ChannelConfig, DeliveryError, Receipt, StatusReport, channels, inbounds
from midwatch.settings import BY_NAME

SECRET = "sesame-of-the-person"
VALUES = {
    "EMAIL_URL": "smtp://midwatch:sesame-of-the-relay@one.example:587,smtps://two.example",
    "EMAIL_FROM": "Midwatch <midwatch@example.com>",
    "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000001",
    "TWILIO_AUTH_TOKEN": "sesame-of-twilio",
    "TWILIO_FROM": "+15005550006",
    "TWILIO_BASE_URL": "https://user:sesame@twilio.example",
}
HOSTILE = "<b>\x00\x1b\ud800\u202e\r\nBcc: everybody@example.com\r\n\r\n\"'&]]>${x}{{7*7}}" + "ž€漢" * 20_000
TYPES = list(channels())


class Wire:
    """Answers everything the same way, and keeps what was asked."""

    def __init__(self, http: Callable[[], net.HttpAnswer], smtp: Callable[[], None]) -> None:
        self.answer, self.take = http, smtp
        self.http_requests: list[net.HttpRequest] = []
        self.smtp_requests: list[net.SmtpRequest] = []

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        self.http_requests.append(request)
        return self.answer()

    def smtp(self, request: net.SmtpRequest) -> None:
        self.smtp_requests.append(request)
        self.take()


def raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def answering(status: int, body: bytes = b"{}") -> Wire:
    def smtp() -> None:
        if status >= 400:
            raise net.SmtpRefused(f"the relay refuses: {status}", permanent=400 <= status < 500, code=status)

    return Wire(lambda: net.HttpAnswer(status, {}, body), smtp)


def config(type_: str, values: dict[str, str] = VALUES) -> ChannelConfig:
    return ChannelConfig({name: values.get(name, "") for name in channels()[type_].SETTINGS}, timeout_seconds=10)


def send(type_: str, wire: Wire, **changes: Any) -> Receipt:
    message = a_message(**{"address": channels()[type_].EXAMPLES[type_], "secret": SECRET, **changes})
    with net.installed(wire):
        return channels()[type_].send(type_, message, config(type_))


@pytest.mark.parametrize("type_", TYPES)
def test_a_channel_is_whole(type_: str) -> None:
    channel = channels()[type_]
    assert re.fullmatch(r"[a-z]{2,30}", type_)
    assert channel.TITLE
    assert channel.NAMES[type_]
    assert channel.RINGS[type_] in {True, False}
    example = channel.EXAMPLES[type_]
    assert channel.check_address(type_, f" {example} ") == example
    for name in channel.SETTINGS:
        assert name in BY_NAME
    assert channel.missing_settings(type_, config(type_)) == ""
    if channel.SETTINGS:
        assert "MIDWATCH_" in channel.missing_settings(type_, config(type_, {}))
        with pytest.raises(DeliveryError, match="MIDWATCH_") as caught:
            channel.send(type_, a_message(example), config(type_, {}))
        assert caught.value.permanent


@pytest.mark.parametrize("type_", TYPES)
@given(
    address=st.one_of(
        st.text(max_size=60), st.sampled_from(["", "a@b\r\nX: y", "\x00", "+" + "9" * 400, "http://[", "ž@ž.ž"])
    )
)
@settings(max_examples=100, deadline=None)
def test_an_address_is_normal_or_refused_with_words(type_: str, address: str) -> None:
    channel = channels()[type_]
    try:
        normal = channel.check_address(type_, address)
    except ValueError as error:
        words = str(error)
    else:
        words = "fine, and normal"
        assert channel.check_address(type_, normal) == normal
        assert normal.isprintable()
    assert len(words) > 10


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("kind", ["page", "update", "resolved", "test", "bundle", "handoff"])
def test_every_kind_is_handed_over_and_never_called_delivered(type_: str, kind: str) -> None:
    alerts = () if kind == "handoff" else (ALERT, ALERT)
    for changes in ({}, {"ack_url": "", "step": "", "lines": (), "secret": "", "callback_url": "", "thread": ""}):
        receipt = send(type_, answering(200), kind=kind, alerts=alerts, count=214, **changes)
        assert receipt.word == "handed over"
        assert len(receipt.detail) <= 500
        assert len(receipt.provider_id) <= 200


@pytest.mark.parametrize("type_", TYPES)
def test_the_same_delivery_is_the_same_message(type_: str) -> None:
    sent = []
    for _ in range(2):
        wire = answering(200)
        send(type_, wire, callback_url="https://m.example/hooks/x/reference")
        sent.append([(request.method, request.url, request.headers, request.body) for request in wire.http_requests])
        sent[-1] += [(str(request.message["Message-ID"]),) for request in wire.smtp_requests]  # type: ignore[arg-type]
    assert sent[0] == sent[1]
    assert len(sent[0]) == 1


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(
    ("error", "is_permanent"),
    [(net.NetError("x.example:443 did not answer"), False), (net.AddressRefused("x is not a public address"), True)],
)
def test_silence_is_tried_again_and_a_forbidden_address_is_not(
    type_: str, error: net.NetError, is_permanent: bool
) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(type_, Wire(raising(error), raising(error)))
    assert caught.value.permanent is is_permanent
    assert str(error) in str(caught.value)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_their_trouble_is_tried_again(type_: str, status: int) -> None:
    if type_ == "email" and status == 429:
        pytest.skip("no such answer in SMTP")
    with pytest.raises(DeliveryError) as caught:
        send(type_, answering(status, b"<html>oops</html>"))
    assert not caught.value.permanent


@pytest.mark.parametrize("type_", TYPES)
def test_gone_is_permanent(type_: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(type_, answering(410))
    assert caught.value.permanent


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"x"', b'{"sid": 5, "id": [], "code": "x", "message": {}}', b"\xff", b"[" * 99999]
)
def test_a_strange_answer_breaks_nothing(type_: str, body: bytes) -> None:
    assert send(type_, answering(201, body)).word == "handed over"
    for status in (400, 500):
        with pytest.raises(DeliveryError):
            send(type_, answering(status, body))


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
def test_hostile_words_travel_and_secrets_do_not_leak(type_: str, status: int) -> None:
    alert = type(ALERT)(
        **{**{name: getattr(ALERT, name) for name in ALERT.__slots__}, "title": HOSTILE, "service": HOSTILE}
    )
    wire = answering(status, json.dumps({"message": HOSTILE, "sid": HOSTILE, "id": HOSTILE}).encode())
    try:
        receipt = send(
            type_, wire, subject=HOSTILE, text=HOSTILE, short=HOSTILE, spoken=HOSTILE, lines=(HOSTILE, HOSTILE),
            step=HOSTILE, alerts=(alert,), kind="bundle", delivery=HOSTILE[:150], thread=HOSTILE[:50],
        )  # fmt: skip
        told = f"{receipt.word} {receipt.detail} {receipt.provider_id}"
    except DeliveryError as error:
        told = str(error)
    assert wire.http_requests or wire.smtp_requests
    assert "sesame" not in told
    assert not re.search("[\x00-\x1f\ud800-\udfff]", told)
    assert len(told) <= 700
    for request in wire.http_requests:
        request.body.decode("utf-8")
        assert len(request.body) < 2_000_000
        for value in request.headers.values():
            assert value.isascii()
            assert value.isprintable()
    for mail in wire.smtp_requests:
        written = mail.message.as_bytes()
        assert b"\nBcc:" not in written.split(b"\r\n\r\n", 1)[0]
        assert b"<b>" not in mail.message.get_body(("html",)).get_content().encode("utf-8", "replace")  # type: ignore[union-attr]


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if hasattr(channels()[type_], "poll")])
def test_polling(type_: str) -> None:
    channel: Any = channels()[type_]
    for body in (b"{}", b"null", b'{"status": 5}', b'{"status": "queued"}', b'{"status": "strange"}', b"\xff"):
        with net.installed(answering(200, body)):
            assert channel.poll(type_, "SM/../1", config(type_)) is None
    with net.installed(answering(200, b'{"status": "failed", "error_code": 30003}')):
        report = channel.poll(type_, "SM1", config(type_))
    assert isinstance(report, StatusReport)
    assert report.is_failure
    with net.installed(answering(500)), pytest.raises(DeliveryError):
        channel.poll(type_, "SM1", config(type_))


def test_providers_are_the_channels_own() -> None:
    """A callback's provider is the word that its channel says of itself."""
    providers = {getattr(channel, "PROVIDER", "") for channel in channels().values()} - {""}
    assert providers == set(inbounds())
