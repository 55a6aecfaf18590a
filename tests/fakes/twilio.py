"""A Twilio account: takes messages and calls, checks credentials, and calls back with a right signature.

with FakeTwilio() as twilio:
    ... MIDWATCH_TWILIO_BASE_URL=twilio.url ...
    call = twilio.wait_for(lambda t: t.calls and t.calls[-1])
    twilio.answers(call)            # -> the TwiML that is spoken
    twilio.presses(call, "4")       # -> the TwiML after the key
    twilio.ends(call, "completed")
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from .server import FakeServer, Recorded, Reply, json_reply

E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass
class Sent:
    """A message or a call. `form`: what was asked for; `status`: Twilio's word for it."""

    kind: str  # "message" or "call"
    sid: str
    form: dict[str, str]
    status: str = "queued"
    error_code: int | None = None
    answered_by: str | None = None
    twiml: str = ""
    heard: list[str] = field(default_factory=list)

    @property
    def to(self) -> str:
        return self.form["To"]

    @property
    def body(self) -> str:
        return self.form.get("Body", "")


class FakeTwilio(FakeServer):
    """`rewrite=(public, actual)`: callbacks are signed for the public address and posted to the actual one."""

    def __init__(
        self,
        account_sid: str = "AC00000000000000000000000000000001",
        auth_token: str = "twilio-token-of-the-tests",
        sender: str = "+15005550006",
        rewrite: tuple[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.sender = sender
        self.rewrite = rewrite
        self.messages: list[Sent] = []
        self.calls: list[Sent] = []
        self.refused: dict[str, tuple[int, str]] = {}
        super().__init__(port)

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a Midwatch that uses this account."""
        return {
            "MIDWATCH_TWILIO_ACCOUNT_SID": self.account_sid,
            "MIDWATCH_TWILIO_AUTH_TOKEN": self.auth_token,
            "MIDWATCH_TWILIO_FROM": self.sender,
            "MIDWATCH_TWILIO_BASE_URL": self.url,
        }

    # --- the REST API

    def respond(self, request: Recorded) -> Reply:
        wanted = "Basic " + base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if not hmac.compare_digest(wanted, request.headers.get("authorization", "")):
            return self._error(401, 20003, "Authenticate")
        root = f"/2010-04-01/Accounts/{self.account_sid}/"
        if not request.path.startswith(root):
            return self._error(404, 20404, "The requested resource was not found")
        resource = request.path.removeprefix(root)
        if request.method == "POST" and resource in {"Messages.json", "Calls.json"}:
            return self._create(resource, request)
        found = re.fullmatch(r"(Messages|Calls)/(\w+)\.json", resource)
        sent = self._find(found[2]) if found else None
        if request.method == "GET" and sent is not None:
            return json_reply(200, self._shown(sent))
        return self._error(404, 20404, "The requested resource was not found")

    def _create(self, resource: str, request: Recorded) -> Reply:
        form = request.form
        to = form.get("To", "")
        if to in self.refused:
            code, words = self.refused[to]
            return self._error(400, code, words)
        if not E164.fullmatch(to):
            return self._error(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if form.get("From") != self.sender and not form.get("MessagingServiceSid", "").startswith("MG"):
            return self._error(400, 21606, "The 'From' phone number is not a valid, SMS-capable phone number.")
        if resource == "Messages.json":
            if not form.get("Body"):
                return self._error(400, 21602, "Message body is required.")
            sent = Sent("message", f"SM{len(self.messages) + 1:032d}", form)
            self.messages.append(sent)
        else:
            if not form.get("Url") and not form.get("Twiml"):
                return self._error(400, 21205, "Url parameter is required.")
            sent = Sent("call", f"CA{len(self.calls) + 1:032d}", form, twiml=form.get("Twiml", ""))
            self.calls.append(sent)
        return json_reply(201, self._shown(sent))

    def _shown(self, sent: Sent) -> dict[str, Any]:
        shown: dict[str, Any] = {"sid": sent.sid, "status": sent.status, "to": sent.to, "account_sid": self.account_sid}
        if sent.kind == "message":
            return shown | {"error_code": sent.error_code, "body": sent.body, "num_segments": "1"}
        return shown | {"answered_by": sent.answered_by}

    def _error(self, status: int, code: int, words: str) -> Reply:
        about = f"https://www.twilio.com/docs/errors/{code}"
        return json_reply(status, {"code": code, "message": words, "more_info": about, "status": status})

    def _find(self, sid: str) -> Sent | None:
        return next((sent for sent in [*self.messages, *self.calls] if sent.sid == sid), None)

    def refuse(self, number: str, code: int = 21211, words: str = "no") -> None:
        """Answers 400 with this code whenever the number is used."""
        with self.changed:
            self.refused[number] = (code, words)

    # --- what people and carriers do

    def delivers(self, message: Sent, status: str = "delivered", error_code: int | None = None) -> None:
        """The carrier's report: delivered, undelivered, failed, read."""
        message.status, message.error_code = status, error_code
        if "StatusCallback" in message.form:
            fields = {"MessageSid": message.sid, "MessageStatus": status, "To": message.to, "From": self.sender}
            if error_code is not None:
                fields["ErrorCode"] = str(error_code)
            self.call_back(message.form["StatusCallback"], fields)

    def replies(self, number: str, words: str, to_url: str) -> str:
        """Somebody texts back. `to_url`: the webhook as set in the console. Returns the texts of the answer."""
        fields = {"MessageSid": f"SM{len(self.requests):032x}", "From": number, "To": self.sender, "Body": words}
        _, twiml = self.call_back(to_url, fields)
        return "\n".join(spoken(twiml, "Message"))

    def answers(self, call: Sent, by: str = "human") -> str:
        """The call is picked up: by human, machine_start, fax or unknown. Returns what is spoken."""
        call.status, call.answered_by = "in-progress", by
        if "Url" in call.form:
            _, call.twiml = self.call_back(call.form["Url"], self._call_fields(call) | {"AnsweredBy": by})
        call.heard += spoken(call.twiml, "Say")
        return " ".join(spoken(call.twiml, "Say"))

    def presses(self, call: Sent, key: str) -> str:
        """Returns what is spoken then. The call must have been asked for keys."""
        gather = ElementTree.fromstring(call.twiml).find(".//Gather")
        assert gather is not None, f"nobody waits for keys: {call.twiml}"
        _, call.twiml = self.call_back(gather.attrib["action"], self._call_fields(call) | {"Digits": key})
        call.heard += spoken(call.twiml, "Say")
        return " ".join(spoken(call.twiml, "Say"))

    def ends(self, call: Sent, status: str = "completed") -> None:
        """completed, busy, no-answer, failed, canceled."""
        call.status = status
        if "StatusCallback" in call.form:
            fields = self._call_fields(call) | {"CallDuration": "20"}
            if call.answered_by:
                fields["AnsweredBy"] = call.answered_by
            self.call_back(call.form["StatusCallback"], fields)

    def _call_fields(self, call: Sent) -> dict[str, str]:
        return {
            "CallSid": call.sid,
            "AccountSid": self.account_sid,
            "From": self.sender,
            "To": call.to,
            "CallStatus": call.status,
            "Direction": "outbound-api",
        }

    def call_back(self, url: str, fields: dict[str, str], token: str = "") -> tuple[int, str]:
        """A signed POST as Twilio makes it: (status, body). `token`: sign with another one, for tests of refusal."""
        signed = url + "".join(f"{name}{value}" for name, value in sorted(fields.items()))
        digest = hmac.new((token or self.auth_token).encode(), signed.encode(), hashlib.sha1).digest()
        if self.rewrite and url.startswith(self.rewrite[0]):
            url = self.rewrite[1] + url.removeprefix(self.rewrite[0])
        request = urllib.request.Request(
            url,
            data=urllib.parse.urlencode(fields).encode(),
            headers={"X-Twilio-Signature": base64.b64encode(digest).decode()},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return int(error.code), error.read().decode()


def spoken(twiml: str, verb: str) -> list[str]:
    """The texts of one verb, in order."""
    if not twiml:
        return []
    return [(element.text or "").strip() for element in ElementTree.fromstring(twiml).iter(verb)]
