"""The network's one door out: every request and every e-mail of Midwatch leaves through this package.

Comes before every channel, probe and runner; comes after the settings, which say which private addresses may be named.

`http(...)` and `smtp(...)` keep three promises. The time-out is a total: a server that sends a byte a second does not
hold a worker longer than that, and neither does a slow name server. An address that somebody typed
(`is_trusted=False`) is resolved once, checked, and connected to at exactly the checked address, so that a name cannot
answer "public" to the check and "127.0.0.1" to the connection; the same at every redirect. An error's text never holds
user name, password, path or query of an address: tokens live there.

Tests and stories replace the wire: `with net.installed(my_transport): ...`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage

from midwatch.core.net import addresses
from midwatch.core.net.deadline import Deadline, connect
from midwatch.core.net.errors import AddressRefused, NetError, SmtpRefused
from midwatch.core.net.http import send_http
from midwatch.core.net.shapes import BODY_BYTES_MAX, HttpAnswer, HttpRequest, SmtpRequest, Transport
from midwatch.core.net.smtp import send_smtp

__all__ = [
    "BODY_BYTES_MAX",
    "AddressRefused",
    "HttpAnswer",
    "HttpRequest",
    "NetError",
    "RealTransport",
    "SmtpRefused",
    "SmtpRequest",
    "Transport",
    "check_address",
    "check_typed",
    "check_written",
    "http",
    "install",
    "installed",
    "smtp",
    "tcp",
]


class RealTransport:
    """Sockets."""

    def http(self, request: HttpRequest) -> HttpAnswer:
        return send_http(request)

    def smtp(self, request: SmtpRequest) -> None:
        send_smtp(request)


transport: Transport = RealTransport()


def install(other: Transport) -> Transport:
    """Send everything through `other` from now on, in all threads. Returns what was installed before."""
    global transport
    before, transport = transport, other
    return before


@contextmanager
def installed(other: Transport) -> Iterator[Transport]:
    before = install(other)
    try:
        yield other
    finally:
        install(before)


def http(
    method: str,
    url: str,
    *,
    is_trusted: bool,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout_seconds: float = 10.0,
    redirects_max: int = 0,
    basic_auth: tuple[str, str] | None = None,
    keeps_connection: bool = False,
    is_repeatable: bool = False,
    ca_pem: str = "",
) -> HttpAnswer:
    """One request and its answer, whatever its status. The body is cut at `BODY_BYTES_MAX`.

    `is_trusted`: the address comes from settings or configuration as code and may name anything; otherwise it must
    resolve to public addresses or to MIDWATCH_OUTBOUND_ALLOW. With `redirects_max=0` a redirect is the answer.
    `keeps_connection`: others to the same server follow soon. When the server has closed a kept one meanwhile, the request
    is repeated at once on a new one if nothing of it can have been understood, or if it may arrive twice: a GET, or
    `is_repeatable`, it carries a key by which the receiver knows it again.
    `ca_pem`: authorities that the certificate is checked against instead of the usual ones.
    Raises `NetError` (nobody answered) or `AddressRefused`.
    """
    return transport.http(
        HttpRequest(
            method=method.upper(),
            url=url,
            headers=dict(headers or {}),
            body=body,
            timeout_seconds=timeout_seconds,
            is_trusted=is_trusted,
            redirects_max=redirects_max,
            basic_auth=basic_auth,
            keeps_connection=keeps_connection,
            is_repeatable=is_repeatable,
            ca_pem=ca_pem,
        )
    )


def smtp(relay_url: str, sender: str, recipient: str, message: EmailMessage, timeout_seconds: float = 10.0) -> None:
    """Hand one e-mail to one relay (`smtp://user:password@host:587`, `smtps://host`).

    Returns when the relay took it. Raises `SmtpRefused` when it said no (`permanent` after a 5xx about this message or
    recipient), `NetError` when it could not be reached.
    """
    transport.smtp(
        SmtpRequest(
            relay_url=relay_url, sender=sender, recipient=recipient, message=message, timeout_seconds=timeout_seconds
        )
    )


def tcp(host: str, port: int, *, is_trusted: bool, timeout_seconds: float = 10.0) -> socket.socket:
    """A connection for what is neither HTTP nor e-mail (SSH), with the same checks of where it goes. It is the caller's.

    Raises `NetError` or `AddressRefused`.
    """
    deadline = Deadline(timeout_seconds)
    ips = addresses.resolve_host(host, port, is_trusted=is_trusted, timeout_seconds=timeout_seconds)
    try:
        connected = connect(ips, port, deadline)
    except TimeoutError:
        raise NetError(f"{host}:{port} did not answer within {timeout_seconds:g} s") from None
    except OSError as error:
        raise NetError(f"{host}:{port}: {(error.strerror or 'no answer').lower()}") from None
    plain = socket.socket(fileno=connected.detach())  # without the deadline: from here on it is a conversation
    plain.settimeout(None)
    return plain


def check_written(url: str) -> None:
    """Is it an http or https address at all? Asks nobody. Raises `AddressRefused` with a sentence for a form."""
    addresses.split_url(url)


def check_typed(url: str) -> None:
    """What somebody typed into a form: refused at once when it is private as it is written. Asks nobody; the check at
    sending is the one that counts. Raises `AddressRefused`."""
    addresses.check_typed(url)


def check_address(url: str, *, timeout_seconds: float = 3.0) -> None:
    """Would `http(..., is_trusted=False)` go there? Raises `NetError` or `AddressRefused`, in words for a form."""
    addresses.resolve_url(url, is_trusted=False, timeout_seconds=timeout_seconds)
