"""The simulation's own account of a run: what was sent in, what was done, when nodes were up. Never asked of Midwatch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from midwatch.core import clock
from midwatch.simulation.tally import Tally
from midwatch.simulation.world import PolicySpec, World


@dataclass(frozen=True, slots=True)
class Accepted:
    """One request that was answered 202 (or refused with a 4xx and kept as such).

    `items`: (key, status) of each alert it holds. `fate`: alerts, quarantined, not-understood, refused, truncated.
    """

    token: str
    source: str
    at: datetime
    items: tuple[tuple[str, str], ...]
    fate: str = "alerts"


@dataclass(frozen=True, slots=True)
class Edit:
    """A policy, a rota or a person changed, between these moments; what was is kept until `since`, what is from `until`."""

    what: str
    since: datetime
    until: datetime


@dataclass
class Record:
    world: World
    accepted: list[Accepted] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    policies: dict[str, PolicySpec] = field(default_factory=dict)
    acts: list[tuple[datetime, str]] = field(default_factory=list)
    lines: list[tuple[datetime, str]] = field(default_factory=list)  # the story, in order
    happened: list[str] = field(default_factory=list)  # ids
    tally: Tally = field(default_factory=Tally)
    has_jumped: bool = False  # the clock was set
    up_seconds: float = 0.0  # for so long some node was up
    _up_at: datetime | None = None

    def __post_init__(self) -> None:
        self.policies = {policy.name: policy for policy in self.world.policies}

    def say(self, line: str) -> None:
        self.lines.append((clock.now(), line))

    def note(self, id: str, line: str) -> None:
        self.happened.append(id)
        self.say(f"[{id}] {line}")

    def passes(self, until: datetime, *, is_up: bool) -> None:
        """Time went by, from the last call to `until`, with or without a node that was up."""
        if self._up_at is not None and is_up and until > self._up_at:
            self.up_seconds += (until - self._up_at).total_seconds()
        self._up_at = until

    def edited(self, what: Iterable[str], since: datetime, until: datetime, within: timedelta) -> bool:
        """Whether one of these changed in or near that time."""
        names = set(what)
        return any(e.what in names and e.since - within <= until and e.until + within >= since for e in self.edits)
