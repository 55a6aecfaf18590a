"""The wire of a story: every request and e-mail that leaves is caught here, and can be made to fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlsplit

from midwatch.core import clock, net

PUBLIC = "http://midwatch.example"
TWILIO = "twilio.example"


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that reached a phone. `channel`: webhook, sms, voice, ntfy, email. `sid`: Twilio's name for it."""

    channel: str
    who: str
    text: str
    body: Mapping[str, Any]
    at: datetime
    sid: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def everything(self) -> str:
        return f"{self.text} {json.dumps(self.body)}"

    @property
    def link(self) -> str:
        found = re.search(rf"{PUBLIC}/p/[a-z0-9]+", self.text + json.dumps(self.body))
        return found[0] if found else ""

    @property
    def token(self) -> str:
        """Of the landing page; a call carries it in the address it asks."""
        return self.link.rsplit("/", 1)[-1] or self.reference

    @property
    def reference(self) -> str:
        found = re.search(rf"{PUBLIC}/hooks/twilio/([a-z0-9]+)/", " ".join(str(value) for value in self.body.values()))
        return found[1] if found else ""


@dataclass
class PhonesNetwork:
    """Addresses are http://phones.example/NAME, http://ntfy.example/NAME, NAME@example.com, +420...

    `broken` maps a person, a channel, or person/channel to what happens instead. `told`: what Twilio says of a message
    when it is asked (by sid).
    """

    heard: list[Heard] = field(default_factory=list)
    broken: dict[str, Callable[[], net.HttpAnswer]] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    count: int = 0
    on_ring: Callable[[], None] = lambda: None  # called in the sender's thread
    answers: dict[str, Callable[[net.HttpRequest], net.HttpAnswer]] = field(default_factory=dict)  # other hosts

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        parts = urlsplit(request.url)
        if parts.hostname in self.answers:
            return self.answers[parts.hostname](request)
        match parts.hostname:
            case "twilio.example" if request.method == "GET":
                sid = parts.path.rsplit("/", 1)[-1].removesuffix(".json")
                return net.HttpAnswer(200, {}, json.dumps(self.told.get(sid, {"status": "queued"})).encode())
            case "twilio.example":
                form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
                channel = "sms" if parts.path.endswith("Messages.json") else "voice"
                text = form.get("Body") or form.get("Twiml", "")
                return self._ring(channel, self.numbers.get(form["To"], form["To"]), text, form)
            case "ntfy.example":
                body = json.loads(request.body)
                return self._ring(
                    "ntfy", str(body["topic"]), f"{body.get('title', '')}\n{body.get('message', '')}", body
                )
            case "phones.example":
                body = json.loads(request.body)
                return self._ring("webhook", parts.path.strip("/"), str(body.get("subject", "")), body, request.headers)
        return net.HttpAnswer(200, {}, b"ok")

    def _ring(
        self, channel: str, who: str, text: str, body: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> net.HttpAnswer:
        for key in (who, channel, f"{who}/{channel}"):
            if key in self.broken:
                return self.broken[key]()
        self.count += 1
        sid = f"{'CA' if channel == 'voice' else 'SM'}{self.count:06d}"
        self.heard.append(Heard(channel, who, text, body, clock.now(), sid, dict(headers or {})))
        self.on_ring()
        return net.HttpAnswer(201, {}, json.dumps({"sid": sid, "id": sid}).encode())

    def smtp(self, request: net.SmtpRequest) -> None:
        who = request.recipient.split("@")[0]
        for key in (who, "email", f"{who}/email"):
            if key in self.broken:
                self.broken[key]()
        message: EmailMessage = request.message
        plain = message.get_body(preferencelist=("plain",))
        text = f"{message['Subject']}\n{plain.get_content() if plain else ''}"
        self.heard.append(Heard("email", who, text, {}, clock.now(), headers=dict(message.items())))


def refuses(status: int = 400) -> Callable[[], net.HttpAnswer]:
    return lambda: net.HttpAnswer(status, {}, b"{}")


def unreachable() -> net.HttpAnswer:
    raise net.NetError("connection refused")


def bounces() -> net.HttpAnswer:
    raise net.SmtpRefused("550 no such mailbox", permanent=True, code=550)
