"""The demo's phones: what Midwatch's channels send is taken, and said in a line with its link."""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from midwatch.demo.phones import Phones

LINK = "http://127.0.0.1:8000/p/abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def phones(said: list[str]) -> Iterator[Phones]:
    with Phones(said.append) as made:
        yield made


def post(url: str, body: bytes) -> dict[str, object]:
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
        told: dict[str, object] = json.load(answer)
    return told


def test_a_text_message_and_a_call(phones: Phones, said: list[str]) -> None:
    account = f"{phones.url}/2010-04-01/Accounts/ACdemo"
    form = urllib.parse.urlencode({"To": "+420601000000", "Body": f"Midwatch P1 #7 {LINK}"}).encode()
    assert str(post(f"{account}/Messages.json", form)["sid"]).startswith("SM")
    assert str(post(f"{account}/Calls.json", form)["sid"]).startswith("CA")
    assert "sms" in said[0]
    assert said[0].endswith(LINK)
    assert "call" in said[1]


def test_a_push(phones: Phones, said: list[str]) -> None:
    body = {"topic": "ana-1", "title": "[P1] Checkout: disk full", "click": LINK}
    assert post(f"{phones.url}/", json.dumps(body).encode())["topic"] == "ana-1"
    assert "[P1] Checkout: disk full" in said[0]
    assert said[0].endswith(LINK)


def test_a_webhook(phones: Phones, said: list[str]) -> None:
    post(f"{phones.url}/gateway/eli", json.dumps({"to": "eli", "subject": "disk full", "ack_url": LINK}).encode())
    assert "eli" in said[0]


def test_an_e_mail(phones: Phones, said: list[str]) -> None:
    mail = EmailMessage()
    mail["Subject"] = "[P3] Reports: late"
    mail.set_content(f"Since 02:10.\n.\nI have it: {LINK}\n")
    with smtplib.SMTP("127.0.0.1", phones.smtp_port, timeout=10) as relay:
        relay.send_message(mail, "midwatch@shop.example", ["ivo@shop.example"])
    assert "ivo@shop.example" in said[0]
    assert "[P3] Reports: late" in said[0]
    assert said[0].endswith(LINK)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe"])
def test_nonsense_is_refused(phones: Phones, said: list[str], body: bytes) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"{phones.url}/", body)
    assert refused.value.code == 400
    assert not said
