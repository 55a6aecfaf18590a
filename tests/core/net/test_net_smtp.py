from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from fakes.smtp import FakeSmtp
from midwatch.core import net
from midwatch.core.net import addresses


@pytest.fixture
def mail() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Žluťoučký kůň"
    message["To"] = "ana@example.com"
    message["From"] = "midwatch@example.com"
    message.set_content("a line\n.\nanother\n")
    return message


def send(url: str, mail: EmailMessage, seconds: float = 5.0) -> None:
    net.smtp(url, "midwatch@example.com", "ana@example.com", mail, seconds)


def test_plain_relay_without_tls_or_password(mail: EmailMessage) -> None:
    with FakeSmtp() as relay:
        send(relay.url, mail)
        (got,) = relay.mails
        assert (got.sender, got.recipients, got.subject) == (
            "midwatch@example.com",
            ["ana@example.com"],
            "Žluťoučký kůň",
        )
        assert got.message.get_content() == "a line\n.\nanother\n"
        assert not got.is_tls


def test_password_over_our_own_line_and_over_starttls(mail: EmailMessage, server_tls: ssl.SSLContext) -> None:
    users = {"midwatch": "se cret"}
    with FakeSmtp(users) as open_line, FakeSmtp(users, tls=server_tls) as secured:
        for relay in (open_line, secured):
            send(relay.url.replace("://", "://midwatch:se%20cret@"), mail)
            assert relay.mails[0].user == "midwatch"
        assert (open_line.mails[0].is_tls, secured.mails[0].is_tls) == (False, True)


def test_wrong_password_is_named_and_not_told(mail: EmailMessage) -> None:
    with FakeSmtp({"midwatch": "right"}) as relay, pytest.raises(net.SmtpRefused) as caught:
        send(relay.url.replace("://", "://midwatch:sesame@"), mail)
    assert not caught.value.permanent
    assert "password of MIDWATCH_EMAIL_URL" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_smtps_checks_the_certificate(
    mail: EmailMessage, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeSmtp(tls=server_tls, tls_from_start=True) as relay:
        with pytest.raises(net.NetError, match="certificate is not accepted"):
            send(relay.url, mail)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        send(relay.url, mail)
        assert relay.mails[0].is_tls


def test_a_password_does_not_cross_an_open_public_line(mail: EmailMessage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda ip: True)
    with FakeSmtp({"midwatch": "sesame"}) as relay:
        with pytest.raises(net.SmtpRefused, match="smtps://"):
            send(relay.url_for("midwatch"), mail)
        assert not relay.mails


@pytest.mark.parametrize(
    ("attribute", "answer", "is_permanent"),
    [
        ("refuse_recipient", "550 5.1.1 no such user", True),
        ("refuse_recipient", "451 4.7.1 greylisted, come back", False),
        ("refuse_sender", "553 5.7.1 not yours", True),
        ("refuse_data", "554 5.7.1 spam", True),
        ("refuse_data", "452 4.3.1 full", False),
    ],
)
def test_what_a_relay_says_decides_whether_to_try_again(
    mail: EmailMessage, attribute: str, answer: str, is_permanent: bool
) -> None:
    with FakeSmtp() as relay:
        setattr(relay, attribute, answer)
        with pytest.raises(net.SmtpRefused) as caught:
            send(relay.url, mail)
    assert caught.value.permanent is is_permanent
    assert caught.value.code == int(answer[:3])
    assert answer.split(" ", 2)[2] in str(caught.value)


def test_down_is_transient(mail: EmailMessage) -> None:
    with FakeSmtp() as relay:
        relay.down()
        with pytest.raises(net.NetError, match="refused") as caught:
            send(relay.url.replace("://", "://midwatch:sesame@"), mail)
        assert not caught.value.permanent
        assert "sesame" not in str(caught.value)
        relay.up()
        send(relay.url, mail)
        assert len(relay.mails) == 1


@pytest.fixture
def dripping_relay() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            sock, _ = listener.accept()
            for _ in range(1000):
                sock.sendall(b"2")
                time.sleep(0.02)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_the_time_out_is_a_total(mail: EmailMessage, dripping_relay: int) -> None:
    began = time.monotonic()
    with pytest.raises(net.NetError, match=r"within 0\.4 s"):
        send(f"smtp://127.0.0.1:{dripping_relay}", mail, 0.4)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("url", ["", "http://x", "smtp://", "smtp://x:y:z", "smtp://[::1"])
def test_an_unusable_relay_is_an_error_with_words(mail: EmailMessage, url: str) -> None:
    with pytest.raises(net.NetError, match="MIDWATCH_EMAIL_URL"):
        send(url, mail)
