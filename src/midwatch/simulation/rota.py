"""Who is on call, worked out a second time and in another way: a list of hand-offs, and the last one that has come.

The rule (design, "hand-off and people"): a hand-off hour that daylight saving removes happens at the jump; an hour that
it doubles counts once, the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

UNITS = {"hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Rota:
    """One layer: `turns` of people take over every so many units of wall clock, from `start` (naive, in `zone`)."""

    name: str
    zone: str
    start: datetime
    every: int
    unit: str
    turns: tuple[tuple[str, ...], ...]

    def on_call(self, at: datetime) -> tuple[str, ...]:
        turn = self._turn(at)
        return self.turns[turn % len(self.turns)] if turn >= 0 else ()

    def next_on_call(self, at: datetime) -> tuple[str, ...]:
        """The turn to come that has somebody who is not on call now."""
        turn, now = self._turn(at), set(self.on_call(at))
        coming = (self.turns[one % len(self.turns)] for one in range(max(turn, -1) + 1, turn + 1 + len(self.turns)))
        return next((people for people in coming if set(people) - now), ())

    def _turn(self, at: datetime) -> int:
        step = UNITS[self.unit] * self.every
        zone = ZoneInfo(self.zone)
        wall = at.astimezone(zone).replace(tzinfo=None)
        turn = (wall - self.start) // step + 2  # near enough; then walk back to the last hand-off that has come
        while turn >= 0 and instant(self.start + turn * step, zone) > at:
            turn -= 1
        return turn


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment a clock on the wall shows this: the first of two, and the jump when it never shows it."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    low, high = first - timedelta(hours=3), first + timedelta(hours=3)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
