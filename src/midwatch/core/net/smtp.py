"""SMTP to one relay within one deadline.

TLS is taken when it is offered. Its certificate counts where a password is at stake and the line is not our own:
`smtps://` always, `smtp://` with a password to a public address. A relay on a private or loopback address may have a
self-made certificate or none, and a relay without a password gains nothing from a check, as between mail servers
(RFC 7435): a page that arrives is worth more.
"""

from __future__ import annotations

import contextlib
import ipaddress
import smtplib
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from midwatch.core.net import addresses
from midwatch.core.net.deadline import Deadline, DeadlineTlsSocket, connect, tls_context
from midwatch.core.net.errors import NetError, SmtpRefused
from midwatch.core.net.shapes import SmtpRequest
from midwatch.core.text import clean

PORTS = {"smtp": 25, "smtps": 465}
SAID_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Relay:
    host: str
    port: int
    ips: tuple[str, ...]
    user: str
    password: str
    is_tls_from_start: bool
    is_public: bool

    @property
    def name(self) -> str:
        return f"the relay {self.host}:{self.port}"


class _Session(smtplib.SMTP):
    """smtplib on a socket with a total time-out, connected to the numbers we resolved."""

    def __init__(self, relay: Relay, deadline: Deadline) -> None:
        # A name of our own: the default asks the name server for one, which may take longer than the mail.
        super().__init__(local_hostname="localhost", timeout=deadline.left())
        self.relay = relay
        self.deadline = deadline
        self._host = relay.host  # what STARTTLS checks the certificate against

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = connect(self.relay.ips, port, self.deadline)
        ip = sock.getsockname()[0]
        self.local_hostname = f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"
        if not self.relay.is_tls_from_start:
            return sock
        sock.settimeout(self.deadline.left())
        return self._guarded(tls_context().wrap_socket(sock, server_hostname=host))

    def secure(self, context: ssl.SSLContext) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.deadline.left())
        self.starttls(context=context)
        if self.sock is not None:
            self._guarded(self.sock)

    def _guarded(self, sock: socket.socket) -> socket.socket:
        if isinstance(sock, DeadlineTlsSocket):
            sock.deadline = self.deadline
        return sock


def send_smtp(request: SmtpRequest) -> None:
    deadline = Deadline(request.timeout_seconds)
    relay = _relay(request.relay_url, deadline)
    try:
        session = _Session(relay, deadline)
        try:
            _hand_over(session, relay, request)
        finally:
            session.close()
    except TimeoutError:
        raise NetError(f"{relay.name} did not answer within {request.timeout_seconds:g} s") from None
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _refused(relay, "refuses the recipient", code, said) from None
    except smtplib.SMTPAuthenticationError as error:
        # Not permanent, and without the relay's words: the mistake is in a setting or in the relay, not in the address.
        raise SmtpRefused(
            f"{relay.name} refuses the user name or password of MIDWATCH_EMAIL_URL ({error.smtp_code})",
            permanent=False,
            code=error.smtp_code,
        ) from None
    except smtplib.SMTPResponseException as error:
        what = "refuses the sender" if isinstance(error, smtplib.SMTPSenderRefused) else "refuses the message"
        raise _refused(relay, what, error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError:
        raise SmtpRefused(f"{relay.name} cannot carry an address with accents", permanent=True) from None
    except smtplib.SMTPServerDisconnected:
        if deadline.is_over:  # smtplib calls a time-out a disconnection
            raise NetError(f"{relay.name} did not answer within {request.timeout_seconds:g} s") from None
        raise NetError(f"{relay.name} cut the connection") from None
    except smtplib.SMTPException:
        raise NetError(f"{relay.name} does not speak SMTP as we do") from None
    except ssl.SSLCertVerificationError as error:
        raise NetError(f"{relay.name}: its certificate is not accepted ({error.verify_message})") from None
    except ssl.SSLError:
        raise NetError(f"{relay.name}: TLS failed (smtps:// is TLS from the start, smtp:// is not)") from None
    except ConnectionRefusedError:
        raise NetError(f"{relay.name}: connection refused, nothing listens there") from None
    except OSError as error:
        raise NetError(f"{relay.name}: {(error.strerror or 'the connection failed').lower()}") from None
    except (ValueError, UnicodeError):
        raise SmtpRefused(f"{relay.name}: the message cannot be written as an e-mail", permanent=True) from None


def _hand_over(session: _Session, relay: Relay, request: SmtpRequest) -> None:
    code, said = session.connect(relay.host, relay.port)
    if code != 220:
        raise smtplib.SMTPResponseException(421 if code < 0 else code, said)
    session.ehlo_or_helo_if_needed()
    if not relay.is_tls_from_start and session.has_extn("starttls"):
        session.secure(tls_context(is_verified=bool(relay.user) and relay.is_public))
        session.ehlo_or_helo_if_needed()
    if relay.user and session.has_extn("auth"):
        is_open_line = not isinstance(session.sock, ssl.SSLSocket)
        if is_open_line and relay.is_public:
            raise SmtpRefused(
                f"{relay.name} offers no TLS, and the password does not go over an open line: use smtps://",
                permanent=False,
            )
        session.login(relay.user, relay.password)
    session.send_message(request.message, request.sender, [request.recipient])
    # The relay has the message; how it says good bye changes nothing.
    with contextlib.suppress(OSError, smtplib.SMTPException):
        session.quit()


def _relay(url: str, deadline: Deadline) -> Relay:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in PORTS or not host:
        raise SmtpRefused(
            "the relay's address is not smtp://host:port or smtps://host:port: see MIDWATCH_EMAIL_URL", permanent=False
        )
    port = port or PORTS[parts.scheme]
    ips = addresses.resolve(host, port, deadline.left())
    return Relay(
        host=host,
        port=port,
        ips=tuple(str(ip) for ip in ips[: addresses.ADDRESSES_TRIED_MAX]),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls_from_start=parts.scheme == "smtps",
        is_public=any(addresses.is_public(ipaddress.ip_address(ip)) for ip in ips),
    )


def _refused(relay: Relay, what: str, code: int, said: bytes | str) -> SmtpRefused:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    told = clean(words, SAID_CHARACTERS_MAX, is_one_line=True)
    if relay.password:
        told = told.replace(relay.password, "...")
    return SmtpRefused(f"{relay.name} {what}: {code} {told}".rstrip(), permanent=500 <= code < 600, code=code)
