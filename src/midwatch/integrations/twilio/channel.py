"""SMS and calls by Twilio's REST API (2010-04-01).

With a public callback address a call asks us what to say when it is answered, so it tells the state of that moment and
takes keys; without one it speaks its words and takes none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from midwatch.core import net
from midwatch.core.integration import ChannelConfig, DeliveryError, Message, Receipt, StatusReport
from midwatch.core.text import clean
from midwatch.core.text_sms import to_gsm7

TYPES: Sequence[str] = ("sms", "voice")
TITLE = "Twilio"
NAMES: Mapping[str, str] = {"sms": "Text message", "voice": "Phone call"}
EXAMPLES: Mapping[str, str] = {"sms": "+420601000001", "voice": "+420601000001"}
SETTINGS: Sequence[str] = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM", "TWILIO_BASE_URL")
RINGS: Mapping[str, bool] = {"sms": True, "voice": True}
PROVIDER = "twilio"

NO_XML = re.compile("[\ufffe\uffff]")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
SMS_CHARACTERS_MAX = 1_600  # Twilio's own limit; the words are made to fit one segment
SPOKEN_CHARACTERS_MAX = 350  # Twiml= takes 4,000; said twice, and & becomes &amp;
RING_SECONDS = 25  # most voicemail answers after 30
TRANSIENT = frozenset({408, 425, 429})
# https://www.twilio.com/docs/api/errors: what the person or the administrator can do about it.
SENTENCES: Mapping[int, str] = {
    20003: "Twilio does not accept the account: check MIDWATCH_TWILIO_ACCOUNT_SID and MIDWATCH_TWILIO_AUTH_TOKEN",
    20404: "Twilio does not know the account: check MIDWATCH_TWILIO_ACCOUNT_SID and MIDWATCH_TWILIO_BASE_URL",
    21211: "the number is not valid: write it as +420601000001",
    21212: "the sender's number is not valid: check MIDWATCH_TWILIO_FROM",
    21214: "the number cannot be called",
    21215: "calls to this country are not switched on in Twilio's geographic permissions",
    21408: "messages to this country are not switched on in Twilio's geographic permissions",
    21606: "MIDWATCH_TWILIO_FROM is not a number of this account that can send to this one",
    21608: "Twilio's trial account sends to verified numbers only",
    21610: "the person replied STOP to this number; START switches it on again",
    21612: "Twilio has no way to this number from MIDWATCH_TWILIO_FROM",
    21614: "the number is not a mobile one",
    30003: "the phone is off or out of reach",
    30004: "the message was blocked",
    30005: "the number is unknown",
    30006: "the number is a landline or unreachable",
    30007: "the carrier filtered the message",
    30008: "the carrier gave no reason",
}
ENDED_WELL = {"sms": {"delivered": "delivered", "read": "opened"}, "voice": {"completed": "delivered"}}
FAILED = frozenset({"undelivered", "failed", "canceled", "busy", "no-answer"})


def check_address(type: str, address: str) -> str:
    number = re.sub(r"[\s().\u00a0-]", "", address)
    if number.startswith("00"):
        number = "+" + number[2:]
    if not E164.fullmatch(number):
        raise ValueError(f"give the number with + and country code, for example {EXAMPLES[type]}")
    return number


def missing_settings(type: str, config: ChannelConfig) -> str:
    missing = [f"MIDWATCH_{name}" for name in SETTINGS[:3] if not config.values.get(name)]
    if not missing:
        return ""
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set: see Twilio's console"


def send(type: str, message: Message, config: ChannelConfig) -> Receipt:
    missing = missing_settings(type, config)
    if missing:
        raise DeliveryError(missing, permanent=True)
    sender = config.values["TWILIO_FROM"]
    form: list[tuple[str, str]] = [("To", message.address)]
    # "MG..." is a messaging service, which picks one of its numbers; calls cannot come from one.
    form.append(("MessagingServiceSid" if type == "sms" and sender.startswith("MG") else "From", sender))
    form += _sms(message) if type == "sms" else _call(message)
    answer = _request("POST", "Messages.json" if type == "sms" else "Calls.json", config, form)
    told = answer.json()
    identity = told.get("sid") if isinstance(told, Mapping) else None
    return Receipt(
        "handed over", "Twilio took it", clean(identity, 64, is_one_line=True) if isinstance(identity, str) else ""
    )


def poll(type: str, provider_id: str, config: ChannelConfig) -> StatusReport | None:
    """What became of a message, for installations that Twilio cannot call back."""
    resource = "Messages" if type == "sms" else "Calls"
    told = _request("GET", f"{resource}/{quote(provider_id, safe='')}.json", config).json()
    if not isinstance(told, Mapping):
        return None
    return status_report(type, provider_id, told.get("status"), told.get("error_code"), told.get("answered_by"))


def status_report(
    type: str, provider_id: str, status: object, code: object, answered_by: object
) -> StatusReport | None:
    """Twilio's status of a message or call in honest words; None while it is under way."""
    if not isinstance(status, str):
        return None
    if type == "voice" and isinstance(answered_by, str) and answered_by.startswith(("machine", "fax")):
        return StatusReport(provider_id, Receipt("failed", "voicemail picked up", provider_id), is_failure=True)
    if status in FAILED:
        return StatusReport(provider_id, Receipt("failed", _failure(status, code), provider_id), is_failure=True)
    match ENDED_WELL[type].get(status):
        case "delivered" if type == "voice":
            return StatusReport(provider_id, Receipt("delivered", "the call was answered", provider_id))
        case "delivered":
            return StatusReport(provider_id, Receipt("delivered", "the carrier delivered it", provider_id))
        case "opened":
            return StatusReport(provider_id, Receipt("opened", "it was read", provider_id))
        case _:
            return None


def _failure(status: str, code: object) -> str:
    words = {"busy": "the line was busy", "no-answer": "nobody answered", "canceled": "the call was cancelled"}
    number = int(code) if isinstance(code, int | str) and str(code).isdecimal() and len(str(code)) < 9 else 0
    if number:
        return f"{SENTENCES.get(number, 'Twilio could not deliver it')} (Twilio {number})"
    return words.get(status, "Twilio could not deliver it")


def _sms(message: Message) -> list[tuple[str, str]]:
    text = to_gsm7(clean(message.short or message.subject, SMS_CHARACTERS_MAX))[:SMS_CHARACTERS_MAX]
    form = [("Body", text)]
    if message.callback_url:
        form.append(("StatusCallback", f"{message.callback_url}/sms-status"))
    return form


def _call(message: Message) -> list[tuple[str, str]]:
    form = [("Timeout", str(RING_SECONDS)), ("MachineDetection", "Enable")]
    if not message.callback_url:
        return [*form, ("Twiml", _spoken_twice(message.spoken or message.subject))]
    return [
        *form,
        ("Url", f"{message.callback_url}/voice"),
        ("Method", "POST"),
        ("StatusCallback", f"{message.callback_url}/voice-status"),
        ("StatusCallbackMethod", "POST"),
        ("StatusCallbackEvent", "completed"),  # also sent for busy, no-answer and failed
    ]


def _spoken_twice(words: str) -> str:
    spoken = say(words, SPOKEN_CHARACTERS_MAX)
    return f'<Response>{spoken}<Pause length="1"/>{spoken}</Response>'


def say(words: str, at_most: int) -> str:
    """TwiML's verb. U+FFFE and U+FFFF are text and no XML."""
    return f"<Say>{escape(NO_XML.sub('', clean(words, at_most, is_one_line=True)))}</Say>"


def _request(method: str, resource: str, config: ChannelConfig, form: Sequence[tuple[str, str]] = ()) -> net.HttpAnswer:
    account = config.values["TWILIO_ACCOUNT_SID"]
    base = config.values.get("TWILIO_BASE_URL") or "https://api.twilio.com"
    try:
        answer = net.http(
            method,
            f"{base.rstrip('/')}/2010-04-01/Accounts/{quote(account, safe='')}/{resource}",
            headers={"Content-Type": "application/x-www-form-urlencoded"} if form else {},
            body=urlencode(form, errors="replace").encode("ascii"),
            timeout_seconds=config.timeout_seconds,
            is_trusted=True,  # the address is a setting
            basic_auth=(account, config.values["TWILIO_AUTH_TOKEN"]),
        )
    except net.NetError as error:
        raise DeliveryError(str(error), permanent=error.permanent) from None
    if answer.is_ok:
        return answer
    raise _problem(answer)


def _problem(answer: net.HttpAnswer) -> DeliveryError:
    """Permanent for 4xx but "too many" and "too slow"; Twilio's own number stands in the sentence, to be looked up."""
    status = answer.status
    is_permanent = 300 <= status < 500 and status not in TRANSIENT
    told = answer.json()
    code = told.get("code") if isinstance(told, Mapping) else None
    code = code if isinstance(code, int) and not isinstance(code, bool) and 0 < code < 1_000_000 else 0
    if not code and status in {401, 403}:
        code = 20003
    sentence = SENTENCES.get(code, "")
    if not sentence:
        words = told.get("message") if isinstance(told, Mapping) else None
        said = clean(words, 200, is_one_line=True) if isinstance(words, str) else ""
        sentence = f"Twilio answered {status}{': ' + said if said else ''}"
    return DeliveryError(f"{sentence} (Twilio {code})" if code else sentence, permanent=is_permanent)
