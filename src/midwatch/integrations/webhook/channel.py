"""POST of the message as JSON. 2xx is handed over, 410 is for ever, everything else is tried again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC

from midwatch.core import net
from midwatch.core.integration import (
    DESCRIPTION_MAX,
    TITLE_MAX,
    ChannelConfig,
    DeliveryError,
    Message,
    MessageAlert,
    Receipt,
)
from midwatch.core.text import clean

TYPES: Sequence[str] = ("webhook",)
TITLE = "Webhook"
NAMES: Mapping[str, str] = {"webhook": "Webhook"}
EXAMPLES: Mapping[str, str] = {"webhook": "https://gateway.example.com/pages"}
SETTINGS: Sequence[str] = ()
RINGS: Mapping[str, bool] = {"webhook": True}
ADDRESS_CHARACTERS_MAX = 2_000
NAME_CHARACTERS_MAX = 200


def check_address(type: str, address: str) -> str:
    address = address.strip()
    if len(address) > ADDRESS_CHARACTERS_MAX:
        raise ValueError(f"give an address of at most {ADDRESS_CHARACTERS_MAX} characters")
    try:
        net.check_written(address)
    except net.NetError as error:
        raise ValueError(f"{error}, for example {EXAMPLES[type]}") from None
    return address


def missing_settings(type: str, config: ChannelConfig) -> str:
    return ""


def send(type: str, message: Message, config: ChannelConfig) -> Receipt:
    body = json.dumps(payload(message), separators=(",", ":")).encode("ascii")
    headers = {"Content-Type": "application/json", "X-Midwatch-Delivery": _ascii(message.delivery)}
    if message.secret:
        timestamp = str(int(message.sent_at.timestamp()))
        headers["X-Midwatch-Timestamp"] = timestamp
        headers["X-Midwatch-Signature"] = signature(message.secret, timestamp, body)
    try:
        answer = net.http(
            "POST",
            message.address,
            headers=headers,
            body=body,
            timeout_seconds=config.timeout_seconds,
            is_trusted=message.is_address_trusted,
            keeps_connection=True,
            is_repeatable=True,  # by X-Midwatch-Delivery
        )
    except net.NetError as error:
        raise DeliveryError(str(error), permanent=error.permanent) from None
    if answer.is_ok:
        return Receipt("handed over", f"answered {answer.status}")
    if answer.status == 410:
        raise DeliveryError("the receiver answered 410: it is gone for good, change the address", permanent=True)
    if 300 <= answer.status < 400:
        raise DeliveryError(f"the receiver answered {answer.status}, a redirect: give the final address")
    raise DeliveryError(f"the receiver answered {answer.status}")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    digest = hmac.new(secret.encode("utf-8", "surrogatepass"), timestamp.encode("ascii") + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def payload(message: Message) -> dict[str, object]:
    """The fields that contract.md promises, and `subject` and `text` for gateways that only pass words on."""
    content: dict[str, object] = {
        "delivery": message.delivery,
        "kind": message.kind,
        "to": message.to,
        "alert": _alert(message.alerts[0]) if message.alerts else None,
        "step": clean(message.step, NAME_CHARACTERS_MAX, is_one_line=True),
        "ack_url": message.ack_url,
        "sent_at": message.sent_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "subject": clean(message.subject, TITLE_MAX, is_one_line=True),
        "text": clean(message.text, DESCRIPTION_MAX),
    }
    if message.kind == "bundle":
        content["count"] = message.count
        content["alerts"] = [_alert(alert) for alert in message.alerts]
    return content


def _alert(alert: MessageAlert) -> dict[str, object]:
    return {
        "id": alert.id,
        "number": alert.number,
        "title": clean(alert.title, TITLE_MAX, is_one_line=True),
        "priority": alert.priority,
        "status": alert.status,
        "service": clean(alert.service_name or alert.service, NAME_CHARACTERS_MAX, is_one_line=True),
        "url": alert.url,
    }


def _ascii(value: str) -> str:
    """A header's value; idempotency keys are ASCII, whatever else comes must not break the request."""
    return "".join(character if " " <= character <= "~" else "?" for character in value)
