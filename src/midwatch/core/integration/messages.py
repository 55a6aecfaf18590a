"""How people are reached, and what comes back: the protocols of `channel.py` and `inbound.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class MessageAlert:
    """An alert as a message shows it; texts are cleaned of control characters, not escaped.

    `service`: as people read it; `service_name`: as configuration and the API name it.
    """

    id: int
    number: int
    title: str
    priority: str
    status: str
    service: str
    url: str
    description: str = ""
    since: datetime | None = None
    service_name: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person by one method, rendered by `respond/notify/words.py`; a channel only transports it.

    `delivery`: the idempotency key. `kind`: page, update, resolved, test, bundle, handoff. `to`: person's slug.
    `address`: where (e-mail address, +420..., URL). `subject`, `text`: long form. `short`: one GSM-7 segment.
    `spoken`: for a voice. `lines`: facts for an e-mail body, first line first. `thread`: id that keeps messages of one
    alert together. `ack_url`: landing page or "".
    `sent_at`: aware UTC. `secret`: the contact method's own secret or "".
    """

    delivery: str
    kind: str
    to: str
    address: str
    subject: str
    text: str
    short: str
    spoken: str
    sent_at: datetime
    lines: Sequence[str] = ()
    alerts: Sequence[MessageAlert] = ()
    count: int = 1
    step: str = ""
    ack_url: str = ""
    thread: str = ""
    urgency: str = "high"
    secret: str = ""
    is_address_trusted: bool = False  # from configuration as code: may name any address; otherwise public ones only
    # {public}/hooks/PROVIDER/REFERENCE; "" when callbacks cannot reach us. The channel appends "/voice" and so on; the
    # same provider's inbound gives REFERENCE back as `delivery`. Any text of [A-Za-z0-9_.~-] will do.
    callback_url: str = ""


ReceiptWord = Literal["handed over", "delivered", "opened", "answered", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of a delivery, in honest words. A provider's 2xx is "handed over", never "delivered"."""

    word: ReceiptWord
    detail: str = ""
    provider_id: str = ""


class DeliveryError(Exception):
    """A channel could not deliver. `permanent`: do not try again, tell a human."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """The installation's settings of one channel, by name: `values["ACCOUNT_SID"]` is MIDWATCH_TWILIO_ACCOUNT_SID."""

    values: Mapping[str, str]
    timeout_seconds: float = 10.0


NULL_CHANNEL = "null"  # takes messages and leads nowhere: the canary's


class Channel(Protocol):
    """`integrations/<vendor>/channel.py`, as a module. One module may serve several types (twilio: sms and voice)."""

    TYPES: Sequence[str]  # contact method types it serves
    TITLE: str
    NAMES: Mapping[str, str]  # type -> what people call it: "Text message"
    EXAMPLES: Mapping[str, str]  # type -> an address as one writes it, for forms and the kit
    SETTINGS: Sequence[str]  # names of MIDWATCH_ settings it reads, e.g. "TWILIO_ACCOUNT_SID"
    RINGS: Mapping[str, bool]  # type -> does it wake somebody (usable for high urgency)?

    def check_address(self, type: str, address: str) -> str:
        """The normalised address. Raises `ValueError` with a sentence that says what to write."""

    def missing_settings(self, type: str, config: ChannelConfig) -> str:
        """ "" when this channel can send, else a sentence naming the setting that is missing."""

    def send(self, type: str, message: Message, config: ChannelConfig) -> Receipt:
        """Transport one message. Raises `DeliveryError`. The network goes through `midwatch.core.net`."""

    # Optional: PROVIDER: str    (the word in /hooks/PROVIDER/; a channel without one gets no callback_url)
    # Optional: poll(type: str, provider_id: str, config: ChannelConfig) -> StatusReport | None
    #           (what became of a message, asked where callbacks cannot reach us; None while it is still under way.
    #           Raises `DeliveryError` when the provider cannot be asked.)


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A provider's callback as the web received it. `url` is the full public URL that the provider called."""

    path: str  # below /hooks/<provider>/
    url: str
    method: str
    headers: Mapping[str, str]  # names in lower case
    form: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody answered. `verb`: acknowledge, resolve, escalate, decline, repeat, list, stop, start.

    `number`: the alert's, or None (a bare `ack`). `delivery`: the REFERENCE of `Message.callback_url` when the answer
    came to that address (a key pressed in a call), or "" (an SMS is known by its `from_address` alone).
    """

    verb: str
    number: int | None = None
    from_address: str = ""
    delivery: str = ""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A provider tells what became of a message. `is_failure`: the person's next method goes out at once.

    Reports come more than once and out of order: one that says less than what is known already changes nothing.
    """

    provider_id: str
    receipt: Receipt
    delivery: str = ""
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """The provider asks what to say now (a call was answered). The web replies with the state at this moment.

    It may stand beside a `StatusReport`: a machine picked up, which is a failure, and is spoken to all the same.
    """

    delivery: str
    from_address: str = ""


@dataclass(frozen=True, slots=True)
class InboundReply:
    """What the callback meant, in order. `again_url`: where the answer to the words said next is posted."""

    said: Sequence[Act | StatusReport | Question]
    again_url: str = ""


class Inbound(Protocol):
    """`integrations/<vendor>/inbound.py`, as a module."""

    PROVIDER: str  # the word in /hooks/PROVIDER/...
    SETTINGS: Sequence[str]

    def receive(self, request: InboundRequest, config: ChannelConfig) -> InboundReply:
        """Checks the signature and reads the callback. Raises `PermissionError` (answered 403) or `Rejected` (400)."""

    def answer(self, reply: InboundReply, words: str, *, again_url: str = "") -> tuple[str, bytes]:
        """(content type, body) that makes the provider say or send `words`; "" says nothing.

        After a `Question` or a `repeat` the words are asked, keys wanted, and go to `again_url` or the reply's own;
        after anything else they are said and the call ends.
        """
