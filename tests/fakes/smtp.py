# ruff: noqa: N802 - aiosmtpd finds its handlers by these names
"""A mail relay: aiosmtpd, real SMTP on loopback, which can refuse, hesitate or be down."""

from __future__ import annotations

import email.policy
import socket
import ssl
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as AioSmtp  # noqa: N811
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from .server import Heard


@dataclass(frozen=True)
class Mail:
    sender: str
    recipients: list[str]
    content: bytes
    is_tls: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content.replace(b"\r\n", b"\n"), policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())


class FakeSmtp(Heard):
    """`users`: who may log in, {} for nobody need. `tls`: a server context; with `tls_from_start` it is smtps.

    `refuse_recipient`, `refuse_data`, `refuse_sender`: an answer such as "550 5.1.1 no such user" for everybody.
    """

    def __init__(
        self,
        users: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        tls_from_start: bool = False,
        port: int = 0,
    ) -> None:
        super().__init__()
        self.requests: list[Mail] = []
        self.users = users or {}
        self.tls = tls
        self.tls_from_start = tls_from_start
        self.refuse_recipient = ""
        self.refuse_sender = ""
        self.refuse_data = ""
        self.port = port or _free_port()
        self._controller: Controller | None = None
        self.up()

    @property
    def url(self) -> str:
        return f"{'smtps' if self.tls_from_start else 'smtp'}://127.0.0.1:{self.port}"

    @property
    def mails(self) -> list[Mail]:
        return list(self.requests)

    def url_for(self, user: str) -> str:
        return self.url.replace("://", f"://{user}:{self.users.get(user, 'wrong')}@")

    def up(self) -> None:
        self._controller = _Controller(self)
        self._controller.start()

    def down(self) -> None:
        """Nothing listens; the port stays ours by convention only."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def heard(self) -> object:
        return [(mail.recipients, mail.subject) for mail in self.requests]

    def close(self) -> None:
        self.down()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Controller(Controller):
    def __init__(self, fake: FakeSmtp) -> None:
        self.fake = fake
        super().__init__(
            _Handler(fake),
            hostname="127.0.0.1",
            port=fake.port,
            ready_timeout=10,
            ssl_context=fake.tls if fake.tls_from_start else None,
        )

    def factory(self) -> AioSmtp:
        extra: dict[str, Any] = {}
        if self.fake.users:
            extra = {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": False}
        starttls = self.fake.tls if not self.fake.tls_from_start else None
        return AioSmtp(self.handler, tls_context=starttls, enable_SMTPUTF8=True, hostname="fake.example", **extra)

    def _authenticate(self, server: object, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = self.fake.users.get(data.login.decode())
        is_right = given is not None and given == data.password.decode()
        return AuthResult(success=is_right, handled=False, auth_data=data if is_right else None)


class _Handler:
    def __init__(self, fake: FakeSmtp) -> None:
        self.fake = fake

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.fake.refuse_sender:
            return self.fake.refuse_sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.fake.refuse_recipient:
            return self.fake.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.fake.refuse_data:
            return self.fake.refuse_data
        content = envelope.content or b""
        assert isinstance(content, bytes)
        login = session.auth_data
        mail = Mail(
            sender=str(envelope.mail_from),
            recipients=[str(address) for address in envelope.rcpt_tos],
            content=content,
            is_tls=session.ssl is not None or self.fake.tls_from_start,
            user=login.login.decode() if isinstance(login, LoginPassword) else "",
        )
        with self.fake.changed:
            self.fake.requests.append(mail)
            self.fake.changed.notify_all()
        return "250 taken"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
