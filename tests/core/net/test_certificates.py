"""Certificates that are not right: what is said, and that it is tried again. Stated in docs/reference/failures.md."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from fakes.message import a_message
from fakes.server import FakeServer
from fakes.smtp import FakeSmtp
from midwatch.core import net
from midwatch.core.integration import ChannelConfig, DeliveryError
from midwatch.core.net import addresses
from midwatch.integrations.webhook import channel

CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = {name}
basicConstraints = CA:true
"""
Made = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A self-made certificate with its key beside it: `name` as openssl writes it, `end` as YYYYMMDD."""

    def make(name: str, end: str = "20991231") -> Path:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(CONFIG.format(folder=folder, name=name))
        key, asked, certificate = folder / "key.pem", folder / "asked.pem", folder / "cert.pem"
        new = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        sign = ["openssl", "ca", "-batch", "-selfsign", "-config", str(folder / "config"), "-keyfile", str(key)]
        for command in (
            [*new, "-subj", "/CN=test", "-keyout", str(key), "-out", str(asked)],
            [*sign, "-in", str(asked), "-out", str(certificate), "-notext",
             "-startdate", "20200101000000Z", "-enddate", f"{end}000000Z"],
        ):  # fmt: skip
            subprocess.run(command, check=True, capture_output=True)
        return certificate

    return make


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")
    return context


CASES = [
    pytest.param("IP:127.0.0.1", "20991231", False, "self-signed certificate", id="self-signed"),
    pytest.param("IP:127.0.0.1", "20200201", True, "certificate has expired", id="expired"),
    pytest.param("DNS:other.example", "20991231", True, "IP address mismatch", id="for another host"),
]


@pytest.mark.parametrize(("name", "end", "is_known", "said"), CASES)
def test_a_webhook_whose_certificate_is_not_right(
    made: Made, monkeypatch: pytest.MonkeyPatch, name: str, end: str, is_known: bool, said: str
) -> None:
    """Not for ever: whoever runs that server mends it. The page is tried again, and after 60 s the next method goes out."""
    certificate = made(name, end)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeSmtp(tls=server_side(certificate), tls_from_start=True) as server:  # nothing is said before the handshake
        address = server.url.replace("smtps://", "https://")
        with pytest.raises(DeliveryError, match=f"certificate is not accepted .*{said}") as caught:
            channel.send("webhook", a_message(address), ChannelConfig({}))
        assert not caught.value.permanent


@pytest.mark.parametrize(("name", "end", "is_known", "said"), CASES)
def test_a_relay_with_a_password_whose_certificate_is_not_right(
    made: Made, monkeypatch: pytest.MonkeyPatch, name: str, end: str, is_known: bool, said: str
) -> None:
    """Over STARTTLS, to a public address: the password does not go there; and it is tried again."""
    certificate = made(name, end)
    monkeypatch.setattr(addresses, "is_public", lambda ip: True)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeSmtp({"midwatch": "sesame"}, tls=server_side(certificate)) as relay:
        with pytest.raises(net.NetError, match=f"certificate is not accepted .*{said}") as caught:
            net.smtp(
                relay.url_for("midwatch"), "midwatch@example.com", "ana@example.com", a_mail(), timeout_seconds=5.0
            )
        assert not caught.value.permanent
        assert not relay.mails


def test_a_relay_without_a_password_takes_mail_whatever_its_certificate(made: Made) -> None:
    """As between mail servers (RFC 7435): there is nothing to steal, and a page that arrives is worth more."""
    with FakeSmtp(tls=server_side(made("DNS:other.example", "20200201"))) as relay:
        net.smtp(relay.url, "midwatch@example.com", "ana@example.com", a_mail(), timeout_seconds=5.0)
        assert relay.mails[0].is_tls


def test_an_authority_of_its_own_is_believed_and_no_other(made: Made) -> None:
    """As a cluster has one: `ca_pem` is believed instead of the usual ones, for that request alone."""
    certificate, other = made("IP:127.0.0.1"), made("IP:127.0.0.1")
    with FakeServer() as server:
        server._server.socket = server_side(certificate).wrap_socket(server._server.socket, server_side=True)
        url = server.url.replace("http://", "https://")
        answer = net.http("GET", url, is_trusted=True, ca_pem=certificate.read_text(), timeout_seconds=5.0)
        assert answer.status == 200
        for pem in (other.read_text(), ""):
            with pytest.raises(net.NetError, match="certificate is not accepted"):
                net.http("GET", url, is_trusted=True, ca_pem=pem, timeout_seconds=5.0)
        for pem in ("no certificate", "é"):
            with pytest.raises(net.NetError, match="is no certificate: give it as PEM"):
                net.http("GET", url, is_trusted=True, ca_pem=pem, timeout_seconds=5.0)


def a_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "midwatch@example.com", "ana@example.com", "page"
    mail.set_content("words")
    return mail
