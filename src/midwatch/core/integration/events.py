"""What machines send us: events, and the protocol of `source.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

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
