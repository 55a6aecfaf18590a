"""What people say to Midwatch in a chat, and how they are answered: the protocol of `integrations/<vendor>/talk.py`.

Comes after `core.integration`, which finds the folders; comes before `api.chat`, which does what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Literal, Protocol, cast

from midwatch.core.integration import ChannelConfig, InboundRequest, modules


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody said or pressed something in a chat. `who`: the provider's id of the person, to be looked up; nobody acts
    before that. `place`: the provider's id of the channel. `trigger`: what lets a form open, "" where none can.

    `verb`: command (`text` as typed), acknowledge and resolve (`number`: an alert's), take, hand over (`number`: an
    incident's), star (`text`: a message of the channel), declare and offer (a form that was sent: `values`), or ""
    (nothing is wanted). challenge: the provider asks whether this address is ours (`text` is said back).
    """

    verb: str
    who: str = ""
    text: str = ""
    number: int | None = None
    place: str = ""
    trigger: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FormField:
    """`kind`: text, choice, or person (its value is the provider's id of somebody). `choices`: value -> words."""

    name: str
    label: str
    kind: Literal["text", "choice", "person"] = "text"
    choices: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked for in a window of the chat. `verb`, `number`: come back with its values."""

    verb: str
    title: str  # at most 24 characters
    submit: str
    fields: Sequence[FormField]
    number: int | None = None


class TalkError(Exception):
    """The provider could not be asked who somebody is, or told what to show. A sentence without secrets."""


class Talk(Protocol):
    """`integrations/<vendor>/talk.py`, as a module: what people say to Midwatch in a chat, at /hooks/PROVIDER/chat. The
    provider waits 3 s for the answer, so what asks it anything does so briefly."""

    PROVIDER: str
    SETTINGS: Sequence[str]

    def receive(self, request: InboundRequest, now: datetime, config: ChannelConfig) -> Asked:
        """Checks the signature and its age, and reads. Raises `PermissionError` (answered 403) or `Rejected` (400)."""

    def email_of(self, who: str, config: ChannelConfig) -> str:
        """The e-mail address of a full member of the workspace, confirmed; "" of anybody else. Raises `TalkError`."""

    def open_form(self, asked: Asked, form: Form, config: ChannelConfig) -> None:
        """Raises `TalkError`."""

    def answer(self, asked: Asked, words: str, config: ChannelConfig, *, is_refused: bool = False) -> tuple[str, bytes]:
        """(content type, body) of the reply; who asked alone reads the words. Where a reply shows nothing they are sent.
        `is_refused`: a form stays open, with the words in it. Raises `TalkError`."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A frame of a provider's socket. `kind`: hello, asked, closing (open another one), disabled, or other. `id`: to be
    acknowledged, "" where nothing is. `takes_answer`: the acknowledgement may hold the words."""

    kind: str
    id: str = ""
    asked: Asked | None = None
    takes_answer: bool = False


class Stream(Protocol):
    """`integrations/<vendor>/stream.py`, as a module: the same conversation over a socket that we open, for an installation
    that the provider cannot reach."""

    PROVIDER: str
    SETTINGS: Sequence[str]

    def is_wanted(self, config: ChannelConfig) -> bool: ...

    def address(self, config: ChannelConfig) -> str:
        """Of a new socket, ws:// or wss://; it is a secret. Raises `TalkError`."""

    def read(self, text: str) -> Envelope:
        """Raises `Rejected`."""

    def acknowledgement(self, envelope: Envelope, body: bytes = b"") -> str:
        """`body`: what `Talk.answer` rendered; it is left out where the envelope takes none."""

    def words_of(self, body: bytes) -> str:
        """The words in it, for an answer that comes too late for the acknowledgement."""


def chore_of(provider: str) -> str:
    """The name of the lease on a provider's socket."""
    return f"socket of {provider}"[:40]


@cache
def streams() -> Mapping[str, Stream]:
    """Modules by provider."""
    return {module.PROVIDER: cast(Stream, module) for module in modules("stream")}


@cache
def talks() -> Mapping[str, Talk]:
    """Modules by provider."""
    return {module.PROVIDER: cast(Talk, module) for module in modules("talk")}
