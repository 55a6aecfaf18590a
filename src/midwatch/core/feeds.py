"""Where a team reads along: one message for each alert, edited as it goes on. The protocol of `integrations/<vendor>/feed.py`.

Comes after `core.integration`, which finds the folders; comes before the rooms that say what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, cast

from midwatch.core.integration import ChannelConfig, modules

ACKNOWLEDGE, RESOLVE = "acknowledge", "resolve"


@dataclass(frozen=True, slots=True)
class FeedPost:
    """How a message should read now. `place`: the channel, as a person named it. `key`: stable, one message each.
    `acts`: what its buttons do with alert `number`, as whoever presses. `tone`: danger, warn, ok or "". `external`: what
    the provider gave back last. `may_exist`: a try before this one may have posted it and not written that down."""

    place: str
    key: str
    title: str
    lines: Sequence[str]
    url: str
    number: int | None = None
    acts: Sequence[str] = ()
    tone: str = ""
    external: Mapping[str, Any] = field(default_factory=dict)
    may_exist: bool = False


class Feed(Protocol):
    """`integrations/<vendor>/feed.py`, as a module."""

    PROVIDER: str
    TITLE: str  # "Slack channel"
    PLACE_HELP: str  # what to type as a place
    SETTINGS: Sequence[str]

    def missing_settings(self, config: ChannelConfig) -> str:
        """ "" when it is set up, else a sentence naming what is missing."""

    def place_of(self, given: str) -> str:
        """What was typed, as the provider wants it. Raises ValueError with a sentence."""

    def show(self, post: FeedPost, config: ChannelConfig) -> Mapping[str, Any]:
        """Post it, or edit what was posted. Returns `external`. Raises `ChatError` (`midwatch.core.integration`)."""


@cache
def feeds() -> Mapping[str, Feed]:
    """Modules by provider."""
    return {module.PROVIDER: cast(Feed, module) for module in modules("feed")}
