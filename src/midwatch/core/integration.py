"""What a vendor folder may implement, and how it is found.

A vendor is one folder below `midwatch.integrations`, one file a capability:

* `source.py`: what machines send us. `parse(payload) -> list[Event | Refused]`, pure.
* `channel.py`: how we reach people. `send(message, config) -> Receipt`, raising `DeliveryError`.
* `inbound.py`: what a channel's provider calls back. `receive(request, config) -> InboundReply`, pure.
* `chat.py`: where people talk about an incident. `tend(wish, config) -> ChatRoom`, raising `ChatError`.
* `talk.py`: what people say to us there; its protocol is `midwatch.core.talking`, which it imports too.

There is no list to edit: `sources()` and `channels()` look at the folders. Of Midwatch, vendors import this module,
`midwatch.core.net`, `midwatch.core.payload`, `midwatch.core.text` and `midwatch.core.text_sms`, and nothing else; no
Django, no clock, no database. `tests/kit` tests every folder it finds; `docs/reference/integrations.md` is the manual.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, Protocol, cast

INTEGRATIONS_PACKAGE = "midwatch.integrations"

TITLE_MAX = 1_000
DESCRIPTION_MAX = 32_000
KEY_MAX = 512
LABELS_MAX = 100
LABEL_NAME_MAX = 200
LABEL_VALUE_MAX = 2_000
LINKS_MAX = 30
LINK_HREF_MAX = 2_000
LINK_TEXT_MAX = 200
REASON_MAX = 500

Status = Literal["firing", "acknowledged", "resolved"]
PRIORITY_WORDS: Mapping[str, str] = {
    "critical": "P1",
    "error": "P2",
    "high": "P2",
    "warning": "P3",
    "low": "P4",
    "info": "P5",
    "p1": "P1",
    "p2": "P2",
    "p3": "P3",
    "p4": "P4",
    "p5": "P5",
}
PRIORITY_DEFAULT = "P3"


class Rejected(Exception):  # noqa: N818 - what happened, in the words of this module
    """The payload as a whole is not what this source speaks. The message says what was expected, for its owner."""


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a source says about one condition, in Midwatch's words.

    `key`: dedup key within the source. `priority_word`: the vendor's own word ("critical", "page", "P2"); the
    source's table turns it into P1 to P5. `group_key`: what the vendor groups by; pages of a group join.
    `starts_at`: when the vendor says it began, aware UTC, or None. `truncated`: how many alerts the vendor left out of
    the payload; it stands on the payload's first event only, so a sum is right. `labels_dropped`: labels too many.
    """

    key: str
    status: Status
    title: str
    priority_word: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[Link] = ()
    group_key: str = ""
    starts_at: datetime | None = None
    truncated: int = 0
    labels_dropped: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """One item of a payload that could not be understood. `reason` names the field and says what to write instead."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accept:
    """The lane's answer for a source that answers in its own words. `minted` is stored with the event."""

    body: bytes
    minted: Mapping[str, str] = field(default_factory=dict)
    status: int = 202


@dataclass(frozen=True, slots=True)
class Refuse:
    status: int
    body: bytes


class Source(Protocol):
    """`integrations/<vendor>/source.py`, as a module."""

    TYPE: str  # the word in configuration: `alertmanager`
    TITLE: str  # for people: "Prometheus Alertmanager"
    BODY_MAX: int  # bytes

    def parse(self, payload: Mapping[str, Any]) -> list[Event | Refused]:
        """Pure. `payload` is the decoded JSON body with the lane's minted values under "_minted" (if any).
        Raises `Rejected`."""

    # Optional: reply(body: bytes) -> Accept | Refuse       (runs in the lane; what it mints is stored with the event)
    # Optional: EXAMPLE: str                               (a body for the source's page and "send a test alert")


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


@dataclass(frozen=True, slots=True)
class ChatWish:
    """How things stand, and so how the outside room should look. `roles`: role -> names. `emails`: of those who take part,
    to be invited. `external`: what the provider gave back last, {} at first. `is_closed`: it may be archived.
    `next_update_at`: when the next update is promised, aware UTC."""

    number: int
    title: str
    severity: str
    phase: str
    service: str
    url: str
    roles: Mapping[str, Sequence[str]]
    emails: Sequence[str]
    is_private: bool
    is_drill: bool
    is_closed: bool
    external: Mapping[str, Any] = field(default_factory=dict)
    next_update_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChatRoom:
    """The room as it is now. `external`: the provider's ids, kept and given back at the next call. `notes`: sentences for
    the timeline, each said once. `is_complete` False: there was more to do than fits one call, so call again at once."""

    url: str
    title: str = ""
    external: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    is_complete: bool = True


class ChatError(Exception):
    """The room could not be made or brought up to date. `permanent`: trying again is no use. `external`: what was achieved
    before it failed, so that the next try does not do it twice. `retry_after_seconds`: no try before that, the provider
    says."""

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        external: Mapping[str, Any] | None = None,
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.external = external or {}
        self.retry_after_seconds = retry_after_seconds


class Chat(Protocol):
    """`integrations/<vendor>/chat.py`, as a module."""

    PROVIDER: str  # the folder's name
    TITLE: str
    SETTINGS: Sequence[str]  # names of MIDWATCH_ settings it reads

    def missing_settings(self, config: ChannelConfig) -> str:
        """ "" when it is set up, else a sentence naming what is missing."""

    def tend(self, wish: ChatWish, config: ChannelConfig) -> ChatRoom:
        """Make the room, or bring it to the wish: topic, people, headline, archive. Calling it twice does it once. Raises
        `ChatError`."""


@dataclass(frozen=True, slots=True)
class PublishedUpdate:
    """One update of a public notice, to be said at a page elsewhere. `status`, `impact` and `components` (by name) in the
    words of Statuspage. `external_id`: the notice's there, "" for a new one. `scheduled_*`: of a maintenance."""

    name: str
    status: str
    body: str
    impact: str | None
    components: Mapping[str, str]
    is_told: bool
    scheduled_for: datetime | None = None
    scheduled_until: datetime | None = None
    external_id: str = ""


class PublishError(Exception):
    """The page elsewhere did not take it. `permanent`: trying again is no use."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class Publisher(Protocol):
    """`integrations/<vendor>/publisher.py`, as a module."""

    PROVIDER: str  # the folder's name
    TITLE: str
    SETTINGS: Sequence[str]  # names of MIDWATCH_ settings it reads

    def missing_settings(self, config: ChannelConfig) -> str:
        """ "" when it is set up, else a sentence naming what is missing."""

    def publish(self, page: str, update: PublishedUpdate, config: ChannelConfig) -> str:
        """Say it there. Returns the notice's id there. Raises `PublishError`."""


def vendors() -> list[str]:
    """The folders below `midwatch.integrations`, by name."""
    package = importlib.import_module(INTEGRATIONS_PACKAGE)
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg)


def modules(capability: str) -> list[Any]:
    """Every folder's file of this name."""
    found = []
    for vendor in vendors():
        name = f"{INTEGRATIONS_PACKAGE}.{vendor}.{capability}"
        if importlib.util.find_spec(name) is not None:
            found.append(importlib.import_module(name))
    return found


@cache
def sources() -> Mapping[str, Source]:
    """Source modules by type."""
    return {module.TYPE: cast(Source, module) for module in modules("source")}


@cache
def channels() -> Mapping[str, Channel]:
    """Channel modules by contact method type."""
    return {type_: cast(Channel, module) for module in modules("channel") for type_ in module.TYPES}


@cache
def senders() -> Mapping[str, Channel]:
    """What messages can go by: the channels people choose from, and the canary's, which leads nowhere."""
    return {**channels(), NULL_CHANNEL: cast(Channel, importlib.import_module("midwatch.core.null_channel"))}


@cache
def inbounds() -> Mapping[str, Inbound]:
    """Callback modules by provider."""
    return {module.PROVIDER: cast(Inbound, module) for module in modules("inbound")}


@cache
def chats() -> Mapping[str, Chat]:
    """Chat modules by provider."""
    return {module.PROVIDER: cast(Chat, module) for module in modules("chat")}


@cache
def publishers() -> Mapping[str, Publisher]:
    """Modules that publish at a page elsewhere, by provider."""
    return {module.PROVIDER: cast(Publisher, module) for module in modules("publisher")}
