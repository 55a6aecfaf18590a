"""One multipart e-mail, handed to the first relay that takes it. E-mail informs; it does not wake anybody."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape
from urllib.parse import urlsplit

from midwatch.core import net
from midwatch.core.integration import ChannelConfig, DeliveryError, Message, MessageAlert, Receipt
from midwatch.core.text import clean

TYPES: Sequence[str] = ("email",)
TITLE = "E-mail"
NAMES: Mapping[str, str] = {"email": "E-mail"}
EXAMPLES: Mapping[str, str] = {"email": "ana@example.com"}
SETTINGS: Sequence[str] = ("EMAIL_URL", "EMAIL_FROM")
RINGS: Mapping[str, bool] = {"email": False}

ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
SUBJECT_CHARACTERS_MAX = 300
BODY_CHARACTERS_MAX = 100_000
LINKED_MAX = 50
BUTTON = (
    "display:inline-block;padding:14px 28px;border-radius:6px;background:#0b5cad;color:#ffffff;"
    "font-size:18px;font-weight:bold;text-decoration:none"
)


def check_address(type: str, address: str) -> str:
    address = address.strip()
    name, at, domain = address.rpartition("@")
    if at and not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    address = f"{name}@{domain.lower()}"
    if len(address) > 254 or not address.isprintable() or not ADDRESS.fullmatch(address) or ".." in address:
        raise ValueError(f"give one e-mail address, for example {EXAMPLES[type]}")
    return address


def missing_settings(type: str, config: ChannelConfig) -> str:
    if not relays(config):
        return (
            "MIDWATCH_EMAIL_URL is not set: give the mail relay, for example smtp://user:password@mail.example.com:587"
        )
    return ""


def relays(config: ChannelConfig) -> list[str]:
    return [relay.strip() for relay in config.values.get("EMAIL_URL", "").split(",") if relay.strip()]


def send(type: str, message: Message, config: ChannelConfig) -> Receipt:
    """Tries the relays in order and shares the time between them. Permanent only when every relay said so."""
    missing = missing_settings(type, config)
    if missing:
        raise DeliveryError(missing, permanent=True)
    sender = config.values.get("EMAIL_FROM", "") or "midwatch@localhost"
    if not ADDRESS.fullmatch(message.address):
        raise DeliveryError("the e-mail address cannot be used: change it", permanent=True)
    if not ADDRESS.fullmatch(parseaddr(sender)[1]):
        raise DeliveryError("MIDWATCH_EMAIL_FROM is not an e-mail address: give midwatch@example.com", permanent=True)
    mail = compose(message, sender)
    urls = relays(config)
    problems: list[net.NetError] = []
    for url in urls:
        try:
            net.smtp(url, parseaddr(sender)[1], message.address, mail, config.timeout_seconds / len(urls))
        except net.NetError as error:
            problems.append(error)
        else:
            return Receipt("handed over", f"the relay {_relay_name(url)} took it", str(mail["Message-ID"]).strip("<>"))
    text = "; ".join(dict.fromkeys(str(problem) for problem in problems))
    raise DeliveryError(text, permanent=all(problem.permanent for problem in problems))


def compose(message: Message, sender: str) -> EmailMessage:
    """The same delivery gives the same Message-ID, so that a repeat after a crash is one mail in most clients."""
    domain = _domain(parseaddr(sender)[1])
    mail = EmailMessage(policy=SMTP.clone(max_line_length=998))
    mail["Subject"] = clean(message.subject, SUBJECT_CHARACTERS_MAX, is_one_line=True)
    mail["From"] = _address(sender)
    mail["To"] = _address(message.address)
    mail["Date"] = format_datetime(message.sent_at)
    mail["Message-ID"] = f"<{_digest(message.delivery)}@{domain}>"
    if message.thread:
        root = f"<thread-{_digest(message.thread)}@{domain}>"
        mail["In-Reply-To"] = root
        mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notices back
    mail["X-Auto-Response-Suppress"] = "All"
    if message.urgency == "high" and message.kind in {"page", "bundle"}:
        mail["Importance"] = "high"
        mail["X-Priority"] = "1"
    mail.set_content(_plain(message), cte="quoted-printable")
    mail.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    return mail


def _lines(message: Message) -> list[str]:
    """The facts, first line first; the long text when there are none."""
    return clean("\n".join(message.lines) or message.text, BODY_CHARACTERS_MAX).strip().splitlines()


def _plain(message: Message) -> str:
    lines = _lines(message)
    if message.ack_url:
        lines[1:1] = ["", f"{_button_text(message)}: {message.ack_url}", ""]
    lines += [f"#{alert.number}: {alert.url}" for alert in _alerts_to_link(message)]
    return "\n".join(lines) + "\n"


def _html(message: Message) -> str:
    first, *rest = _lines(message) or [""]
    button = ""
    if _is_link(message.ack_url):
        link = f'<a href="{escape(message.ack_url)}" style="{BUTTON}">{_button_text(message)}</a>'
        button = f'<p style="margin:20px 0">{link}</p>\n'
    listed = "".join(
        f'<li><a href="{escape(alert.url)}">#{alert.number}</a> {escape(clean(alert.title, 99, is_one_line=True))}</li>'
        for alert in _alerts_to_link(message)
    )
    subject = escape(clean(message.subject, SUBJECT_CHARACTERS_MAX, is_one_line=True))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{subject}</title></head>\n'
        f'<body style="font:15px/1.45 sans-serif">\n<p style="font-size:17px"><strong>{_shown(first)}</strong></p>\n'
        f"{button}<p>{'<br>'.join(_shown(line) for line in rest)}</p>\n"
        f"{f'<ul>{listed}</ul>' if listed else ''}</body></html>\n"
    )


def _shown(line: str) -> str:
    """A line that is an address is a link."""
    return f'<a href="{escape(line)}">{escape(line)}</a>' if _is_link(line) and " " not in line else escape(line)


def _alerts_to_link(message: Message) -> list[MessageAlert]:
    """Those whose page the lines do not name already."""
    told = set(_lines(message))
    return [alert for alert in message.alerts if alert.number and _is_link(alert.url) and alert.url not in told][
        :LINKED_MAX
    ]


def _button_text(message: Message) -> str:
    return "I have it" if message.kind in {"page", "bundle", "test"} else "Open"


def _is_link(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _address(written: str) -> Address:
    name, spec = parseaddr(written)
    user, _, domain = spec.rpartition("@")
    return Address(clean(name, 100, is_one_line=True), user, domain)


def _domain(spec: str) -> str:
    domain = spec.rpartition("@")[2]
    return domain if domain.isascii() and domain else "localhost"


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _relay_name(url: str) -> str:
    return urlsplit(url).hostname or "relay"
