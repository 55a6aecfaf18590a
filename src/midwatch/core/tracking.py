"""Issues elsewhere: what an action item looks like in a team's own tracker. The protocol of `integrations/<vendor>/tracker.py`.

Comes after `core.integration`, which finds the folders; comes before the action items, which say what is wished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, cast

from midwatch.core.integration import ChannelConfig, modules


@dataclass(frozen=True, slots=True)
class IssueWish:
    """`place`: a repository or a project. `mark`: words that stand in the issue and in no other, so that a try before this
    one is found again. `body`: Markdown."""

    place: str
    title: str
    body: str
    mark: str
    may_exist: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    """As it is there. `external`: kept and given back. `title`: as people there call it, "acme/shop#12"."""

    external: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    title: str = ""
    is_closed: bool = False


class TrackerError(Exception):
    """`permanent`: trying again is no use. `retry_after_seconds`: no try before that, the tracker says. No secrets."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds


class Tracker(Protocol):
    """`integrations/<vendor>/tracker.py`, as a module. Each raises `TrackerError`."""

    PROVIDER: str
    TITLE: str  # "GitHub"
    PLACE_HELP: str
    SETTINGS: Sequence[str]

    def missing_settings(self, config: ChannelConfig) -> str:
        """ "" when it is set up, else a sentence naming what is missing."""

    def place_of(self, given: str) -> str:
        """What was typed, as the tracker wants it. Raises ValueError with a sentence."""

    def create(self, wish: IssueWish, config: ChannelConfig) -> Issue: ...

    def look(self, external: Mapping[str, Any], config: ChannelConfig) -> Issue: ...

    def set_closed(
        self, external: Mapping[str, Any], is_closed: bool, config: ChannelConfig, *, is_dropped: bool = False
    ) -> Issue:
        """Close or open it. `is_dropped`: closed because nobody will do it."""


@cache
def trackers() -> Mapping[str, Tracker]:
    """Modules by provider."""
    return {module.PROVIDER: cast(Tracker, module) for module in modules("tracker")}
