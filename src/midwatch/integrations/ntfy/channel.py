"""Publishes as JSON to the root of the topic's server (docs.ntfy.sh/publish, "Publish as JSON").

The address is the topic's, as the app shows it: https://ntfy.example.com/ana-x7. JSON publishing wants the root, and is
the only form in which titles and buttons may hold any character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from midwatch.core import net
from midwatch.core.integration import ChannelConfig, DeliveryError, Message, Receipt
from midwatch.core.text import clean

TYPES: Sequence[str] = ("ntfy",)
TITLE = "ntfy"
NAMES: Mapping[str, str] = {"ntfy": "Push (ntfy)"}
EXAMPLES: Mapping[str, str] = {"ntfy": "https://ntfy.example.com/ana-x7"}
SETTINGS: Sequence[str] = ()
RINGS: Mapping[str, bool] = {"ntfy": True}

TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
MESSAGE_BYTES_MAX = 3_800  # ntfy turns more than 4,096 into an attachment, which is no longer read at a glance
TITLE_CHARACTERS_MAX = 250
PRIORITY_RINGS, PRIORITY_NORMAL, PRIORITY_SILENT = 5, 3, 2
TRANSIENT = frozenset({408, 425, 429})


def check_address(type: str, address: str) -> str:
    address = address.strip().rstrip("/")
    try:
        net.check_written(address)
        parts = urlsplit(address)
    except (net.NetError, ValueError) as error:
        raise ValueError(f"{error}, for example {EXAMPLES[type]}") from None
    if parts.query or parts.fragment or parts.username or not TOPIC.fullmatch(parts.path.removeprefix("/")):
        raise ValueError(
            f"give the topic's address as the app shows it, for example {EXAMPLES[type]}: server, then one topic of "
            "letters, digits, - and _; a token goes into its own field"
        )
    return address


def missing_settings(type: str, config: ChannelConfig) -> str:
    return ""


def send(type: str, message: Message, config: ChannelConfig) -> Receipt:
    parts = urlsplit(message.address)
    topic = parts.path.strip("/")
    headers = {"Content-Type": "application/json"}
    user, has_password, password = message.secret.partition(":")
    if message.secret and not has_password:
        headers["Authorization"] = f"Bearer {message.secret}"
    try:
        answer = net.http(
            "POST",
            f"{parts.scheme}://{parts.netloc}/",
            headers=headers,
            body=json.dumps(payload(topic, message)).encode("ascii"),
            timeout_seconds=config.timeout_seconds,
            is_trusted=message.is_address_trusted,
            basic_auth=(user, password) if has_password else None,
            keeps_connection=True,
        )
    except net.NetError as error:
        raise DeliveryError(str(error), permanent=error.permanent) from None
    if answer.is_ok:
        told = answer.json()
        return Receipt("handed over", "the ntfy server took it", _id(told))
    raise _problem(answer)


def payload(topic: str, message: Message) -> dict[str, object]:
    content: dict[str, object] = {
        "topic": topic,
        "title": clean(message.subject, TITLE_CHARACTERS_MAX, is_one_line=True),
        "message": _cut(message.text or message.subject),
        "priority": _priority(message),
    }
    link = message.ack_url or (message.alerts[0].url if message.alerts else "")
    if link:
        content["click"] = link
    actions: list[dict[str, object]] = []
    if message.ack_url and message.kind in {"page", "bundle", "test"}:
        actions += [
            _button("Acknowledge", "acknowledge", message.ack_url),
            _button("Pass on", "decline", message.ack_url),
        ]
    if link:
        actions.append({"action": "view", "label": "Open", "url": link})
    if actions:
        content["actions"] = actions
    return content


def _button(label: str, act: str, url: str) -> dict[str, object]:
    return {
        "action": "http",
        "label": label,
        "url": url,
        "method": "POST",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "body": f"action={act}",
        "clear": True,  # the notification goes when the answer arrived, so a failed one stays in sight
    }


def _priority(message: Message) -> int:
    """5 rings through "do not disturb" where the phone lets it; "go back to sleep" must not make a sound."""
    if message.kind in {"update", "resolved"}:
        return PRIORITY_SILENT
    return PRIORITY_RINGS if message.urgency == "high" and message.kind != "handoff" else PRIORITY_NORMAL


def _cut(text: str) -> str:
    encoded = clean(text, MESSAGE_BYTES_MAX).encode()
    if len(encoded) <= MESSAGE_BYTES_MAX:
        return encoded.decode()
    return encoded[:MESSAGE_BYTES_MAX].decode("utf-8", "ignore") + "\u2026"


def _id(told: object) -> str:
    identity = told.get("id") if isinstance(told, Mapping) else None
    return clean(identity, 100, is_one_line=True) if isinstance(identity, str) else ""


def _problem(answer: net.HttpAnswer) -> DeliveryError:
    status = answer.status
    is_permanent = 300 <= status < 500 and status not in TRANSIENT
    if status in {401, 403}:
        return DeliveryError(
            f"the ntfy server answered {status}: the token may not write to this topic", permanent=True
        )
    if 300 <= status < 400:
        return DeliveryError(f"the ntfy server answered {status}, a redirect: give the final address", permanent=True)
    return DeliveryError(f"the ntfy server answered {status}", permanent=is_permanent)
