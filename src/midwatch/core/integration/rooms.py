"""Where an incident is talked about and told: the protocols of `chat.py` and `publisher.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from midwatch.core.integration.messages import ChannelConfig


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
