"""What Twilio calls back, below /hooks/twilio/:

* `sms`: a reply from a phone; set as the number's messaging webhook in Twilio's console.
* `REFERENCE/voice`: a call was answered, what shall it say?
* `REFERENCE/keys`: keys pressed.
* `REFERENCE/sms-status`, `REFERENCE/voice-status`: what became of a message or call.

All are signed (X-Twilio-Signature, https://www.twilio.com/docs/usage/security); nothing is believed before that holds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit, urlunsplit
from xml.sax.saxutils import escape, quoteattr

from midwatch.core.integration import (
    Act,
    ChannelConfig,
    InboundReply,
    InboundRequest,
    Question,
    Receipt,
    Rejected,
    StatusReport,
)
from midwatch.core.text import clean
from midwatch.core.text_sms import to_gsm7
from midwatch.integrations.twilio.channel import say, status_report

PROVIDER = "twilio"
SETTINGS: Sequence[str] = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")

XML = "text/xml; charset=utf-8"
FIELDS_MAX = 200
NUMBERS_MAX = 20  # alerts in one reply
NUMBER_DIGITS_MAX = 15
SAID_CHARACTERS_MAX = 1_500
KEY_WAIT_SECONDS = 8
KEYS: Mapping[str, str] = {"4": "acknowledge", "5": "decline", "6": "resolve", "9": "repeat"}
WORDS: Mapping[str, str] = {
    **dict.fromkeys(("a", "ack", "acknowledge", "ok", "yes", "y"), "acknowledge"),
    **dict.fromkeys(("n", "no", "decline", "pass"), "decline"),
    **dict.fromkeys(("r", "resolve", "resolved", "close", "c", "done", "fixed"), "resolve"),
    **dict.fromkeys(("e", "escalate"), "escalate"),
    **dict.fromkeys(("l", "list", "help", "info", "status"), "list"),
}
# Carriers and Twilio act on these themselves, whole message only; we must know of it.
STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"})
START_WORDS = frozenset({"start", "unstop"})
_TOKENS = re.compile(r"[a-z]+|[0-9]+|[^a-z0-9\s]")


def receive(request: InboundRequest, config: ChannelConfig) -> InboundReply:
    form = _form(request)
    if not is_signed(request, form, config.values.get("TWILIO_AUTH_TOKEN", "")):
        raise PermissionError("the signature of the callback does not hold")
    if request.method != "POST":
        raise Rejected("expected a POST: set the webhook's method to HTTP POST")
    fields = dict(form)
    reference, _, what = request.path.strip("/").rpartition("/")
    match what:
        case "sms" if not reference:
            return InboundReply(read_sms(fields.get("Body", ""), fields.get("From", ""), fields.get("OptOutType", "")))
        case "voice" if reference:
            return _answered(request, fields, reference)
        case "keys" if reference:
            return _pressed(request, fields, reference)
        case "sms-status":
            return _status("sms", fields.get("MessageSid", ""), fields.get("MessageStatus"), fields, reference)
        case "voice-status":
            return _status("voice", fields.get("CallSid", ""), fields.get("CallStatus"), fields, reference)
        case _:
            raise Rejected("no such callback: expected sms, REFERENCE/voice, REFERENCE/keys or a status")


def answer(reply: InboundReply, words: str, *, again_url: str = "") -> tuple[str, bytes]:
    """TwiML. An answered call gets the words twice and waits for one key; a text message gets them as a reply."""
    calls = [item for item in reply.said if isinstance(item, Question) or (isinstance(item, Act) and item.delivery)]
    said = clean(words, SAID_CHARACTERS_MAX)
    if not said:
        verbs = ""
    elif not calls:
        verbs = f"<Message>{escape(to_gsm7(said))}</Message>"
    elif any(isinstance(item, Question) or item.verb == "repeat" for item in calls):
        spoken = say(said, SAID_CHARACTERS_MAX)
        action = quoteattr(again_url or reply.again_url)
        verbs = (
            f'<Gather action={action} method="POST" numDigits="1" timeout="{KEY_WAIT_SECONDS}">'
            f'{spoken}<Pause length="2"/>{spoken}</Gather><Say>No key was pressed. Good bye.</Say>'
        )
    else:
        verbs = f"{say(said, SAID_CHARACTERS_MAX)}<Hangup/>"
    return XML, f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>'.encode()


def read_sms(body: str, sender: str, opt_out: str = "") -> list[Act]:
    """`ack 1042`, `a 1042`, `no #1042`, `resolve 1042 1043`, `1042 ack`, a bare `ack`; everything else is `list`."""
    words = " ".join(clean(body, 500).lower().split()).strip("\"'`.!?*<>[]() ")
    if opt_out.upper() == "STOP" or words in STOP_WORDS:
        return [Act("stop", from_address=sender)]
    if opt_out.upper() == "START" or words in START_WORDS:
        return [Act("start", from_address=sender)]
    tokens = [token for token in _TOKENS.findall(words) if token not in {"#", ",", ";"}]
    verbs = [token for token in tokens if token.isalpha()]
    numbers = [token for token in tokens if token.isdecimal()]
    verb = WORDS.get(verbs[0]) if len(verbs) == 1 and len(verbs) + len(numbers) == len(tokens) else None
    if verb is None or verb == "list" or any(len(number) > NUMBER_DIGITS_MAX for number in numbers):
        return [Act("list", from_address=sender)]
    if not numbers:
        return [Act(verb, from_address=sender)]
    return [Act(verb, int(number), from_address=sender) for number in dict.fromkeys(numbers[:NUMBERS_MAX])]


def is_signed(request: InboundRequest, form: Sequence[tuple[str, str]], token: str) -> bool:
    given = request.headers.get("x-twilio-signature", "")
    if not token or not given:
        return False
    parameters = "".join(f"{name}{value}" for name, value in sorted(set(form))) if request.method == "POST" else ""
    wanted = [signature(url + parameters, token) for url in _spellings(request.url)]
    return any(hmac.compare_digest(one, given.encode("utf-8", "replace")) for one in wanted)


def signature(signed: str, token: str) -> bytes:
    key, text = token.encode("utf-8", "surrogatepass"), signed.encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.new(key, text, hashlib.sha1).digest())


def _spellings(url: str) -> list[str]:
    """With and without the scheme's own port: Twilio signs either, as its helper libraries know."""
    parts = urlsplit(url)
    own = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    if own and parts.netloc.endswith(own):
        other = parts.netloc.removesuffix(own)
    else:
        other = parts.netloc + own if ":" not in parts.netloc.rpartition("]")[2] else parts.netloc
    return list(dict.fromkeys([url, urlunsplit(parts._replace(netloc=other))]))


def _form(request: InboundRequest) -> list[tuple[str, str]]:
    """From the body as it came: the signature covers repeated fields, which a mapping loses."""
    if request.method == "POST" and request.body:
        try:
            return parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError:
            raise Rejected("the form cannot be read") from None
    return list(request.form.items())


def _answered(request: InboundRequest, fields: Mapping[str, str], reference: str) -> InboundReply:
    """Somebody or something picked up. A machine is a failure at once, and is spoken to: it may be a person yet."""
    by = fields.get("AnsweredBy", "")
    identity = clean(fields.get("CallSid", ""), 64, is_one_line=True)
    question = Question(reference, fields.get("To", ""))
    failed = StatusReport(identity, Receipt("failed", "voicemail picked up", identity), reference, is_failure=True)
    if by.startswith("fax"):
        return InboundReply([failed])
    again_url = _beside(request.url, "keys")
    return InboundReply([failed, question] if by.startswith("machine") else [question], again_url)


def _pressed(request: InboundRequest, fields: Mapping[str, str], reference: str) -> InboundReply:
    verb = KEYS.get(fields.get("Digits", "")[:1], "repeat")
    return InboundReply([Act(verb, None, fields.get("To", ""), reference)], _beside(request.url, "keys"))


def _status(type: str, identity: str, status: object, fields: Mapping[str, str], reference: str) -> InboundReply:
    report = status_report(
        type, clean(identity, 64, is_one_line=True), status, fields.get("ErrorCode"), fields.get("AnsweredBy")
    )
    return InboundReply([replace(report, delivery=reference)] if report is not None else [])


def _beside(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/").rpartition("/")[0] + "/" + name, query=""))
