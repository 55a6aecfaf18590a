"""From layers and overrides to pieces: (start, end, who), sorted, disjoint, in microseconds UTC.

Layers are cut on the wall clock, where turns and restrictions are plain arithmetic, and only then placed in time by
`WallClock.comes`, which never reorders; so no DST rule is repeated here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, reduce
from operator import itemgetter
from typing import Final

from midwatch.core.zones import DAY, WEEK, WallClock, instant_from, microseconds, wall_clock, wall_microseconds

from .values import Layer, Override, Restriction, Schedule, WeeklyRestriction

Entry = tuple[str, int, int]  # user, position of the layer or NONE, position of the override or NONE
Piece = tuple[int, int, tuple[Entry, ...]]
NONE: Final = -1
_MONDAY: Final = 4 * DAY  # 1970-01-05 was one
_ENDLESS: Final = 10**18
_start, _end = itemgetter(0), itemgetter(1)


@lru_cache(maxsize=4096)
def _windows(restrictions: tuple[Restriction | WeeklyRestriction, ...]) -> tuple[tuple[int, int], ...] | None:
    """What the restrictions leave open of a week, sorted and disjoint, from Monday 00:00; None: all of it."""
    if not restrictions:
        return None
    cut: list[tuple[int, int]] = []
    for restriction in restrictions:
        for start, end in restriction.windows():
            cut.append((start, min(end, WEEK)))
            if end > WEEK:
                cut.append((0, end - WEEK))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(cut):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return None if merged == [(0, WEEK)] else tuple(merged)


class Rotation:
    """A layer, ready for arithmetic on the wall clock."""

    __slots__ = ("end", "offset", "start", "step", "turns", "windows")

    def __init__(self, layer: Layer, position: int) -> None:
        self.start = wall_microseconds(layer.start)
        self.end = _ENDLESS if layer.end is None else wall_microseconds(layer.end)
        self.turns = [tuple((user, position, NONE) for user in dict.fromkeys(turn)) for turn in layer.participants]
        # one turn for ever instead of thousands of equal ones: the answer is the same
        self.step = layer.step if len(set(self.turns)) > 1 else _ENDLESS
        self.offset = layer.turn_offset
        self.windows = _windows(layer.restrictions)

    def at(self, reached: int) -> tuple[Entry, ...]:
        """Who this layer has when the wall clock has reached this."""
        if not self.turns or not self.start <= reached < self.end:
            return ()
        if self.windows is not None:
            of_week = (reached - _MONDAY) % WEEK
            if not any(start <= of_week < end for start, end in self.windows):
                return ()
        return self.turns[((reached - self.start) // self.step + self.offset) % len(self.turns)]

    def _open(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """The stretches of wall clock that the restrictions leave open."""
        if self.windows is None:
            yield first, stop
            return
        week = first - (first - _MONDAY) % WEEK
        while week < stop:
            for start, end in self.windows:
                opens, closes = max(week + start, first), min(week + end, stop)
                if opens < closes:
                    yield opens, closes
            week += WEEK

    def pieces(self, clock: WallClock, low: int, high: int) -> list[Piece]:
        """From the instant `low` to the instant `high`. Turns that DST leaves no time are left out."""
        found: list[Piece] = []
        first, stop = max(clock.reached(low), self.start), min(clock.reached(high) + 1, self.end)
        if not self.turns or first >= stop:
            return found
        for opens, closes in self._open(first, stop):
            number = (opens - self.start) // self.step
            start, begins = opens, max(clock.comes(opens), low)
            while start < closes:
                end = min(self.start + (number + 1) * self.step, closes)
                ends = min(clock.comes(end), high)
                turn = self.turns[(number + self.offset) % len(self.turns)]
                if turn and begins < ends:
                    if found and found[-1][1] == begins and found[-1][2] == turn:
                        found[-1] = (found[-1][0], ends, turn)
                    else:
                        found.append((begins, ends, turn))
                start, begins, number = end, ends, number + 1
        return found


def _cover(below: list[Piece], above: list[Piece]) -> list[Piece]:
    """The upper pieces, and of the lower ones what they leave free."""
    result: list[Piece] = []
    rest = iter(below)
    current = next(rest, None)
    for piece in above:
        start, end, _ = piece
        while current is not None and current[1] <= start:
            result.append(current)
            current = next(rest, None)
        if current is not None and current[0] < start:
            result.append((current[0], start, current[2]))
        result.append(piece)
        while current is not None and current[1] <= end:
            current = next(rest, None)
        if current is not None and current[0] < end:
            current = (end, current[1], current[2])
    if current is not None:
        result.append(current)
        result.extend(rest)
    return result


def _together(layers: Sequence[list[Piece]]) -> list[Piece]:
    """Everyone of every layer, in the order of the layers."""
    changes: list[tuple[int, bool, int, tuple[Entry, ...]]] = []
    for position, pieces in enumerate(layers):
        for start, end, entries in pieces:
            changes.append((start, True, position, entries))
            changes.append((end, False, position, ()))
    changes.sort(key=lambda change: change[:2])  # at one instant the ends come before the starts
    result: list[Piece] = []
    active: dict[int, tuple[Entry, ...]] = {}
    since = 0
    for at, is_start, position, entries in changes:
        if active and since < at:
            result.append((since, at, tuple(entry for layer in sorted(active) for entry in active[layer])))
        since = at
        if is_start:
            active[position] = entries
        else:
            del active[position]
    return result


def overridden(entries: tuple[Entry, ...], override: Override, position: int) -> tuple[Entry, ...]:
    """Who is left or added where an override applies. Whoever is on call anyway keeps their own entry."""
    if override.user is None:
        return tuple(entry for entry in entries if override.replaces not in {None, entry[0]})
    covers = (override.user, NONE, position)
    is_on_call = any(entry[0] == override.user for entry in entries)
    if override.kind == "add":
        return entries if is_on_call else (*entries, covers)
    if override.replaces is None:
        return tuple(entry for entry in entries if entry[0] == override.user) or (covers,)
    if override.replaces == override.user:
        return entries
    instead = () if is_on_call else (covers,)
    result: list[Entry] = []
    for entry in entries:
        if entry[0] == override.replaces:
            result.extend(instead)
            instead = ()
        else:
            result.append(entry)
    return tuple(result)


def _apply(pieces: list[Piece], override: Override, position: int, low: int, high: int) -> None:
    """Cut the override's time out of the pieces, in place, and put in what it makes of it."""
    start, end = max(low, microseconds(override.start)), min(high, microseconds(override.end))
    if start >= end:
        return
    first, behind = bisect_right(pieces, start, key=_end), bisect_left(pieces, end, key=_start)
    result: list[Piece] = []
    if first < behind and pieces[first][0] < start:
        result.append((pieces[first][0], start, pieces[first][2]))
    at = start
    for piece_start, piece_end, entries in pieces[first:behind]:
        begins, ends = max(piece_start, start), min(piece_end, end)
        result.append((at, begins, overridden((), override, position)))
        result.append((begins, ends, overridden(entries, override, position)))
        at = ends
    result.append((at, end, overridden((), override, position)))
    if first < behind and pieces[behind - 1][1] > end:
        result.append((end, pieces[behind - 1][1], pieces[behind - 1][2]))
    pieces[first:behind] = [piece for piece in result if piece[0] < piece[1] and piece[2]]


def timeline(schedule: Schedule, low: int, high: int) -> list[Piece]:
    """Who is on call from the instant `low` to the instant `high`; where nobody is, there is no piece."""
    clock = wall_clock(schedule.time_zone, low, high)
    layers = [Rotation(layer, position).pieces(clock, low, high) for position, layer in enumerate(schedule.layers)]
    none: list[Piece] = []
    pieces = _together(layers) if schedule.combine == "all" else reduce(_cover, layers, none)
    for position, override in enumerate(schedule.overrides):
        _apply(pieces, override, position, low, high)
    return pieces


def entries_at(schedule: Schedule, instant: int) -> tuple[Entry, ...]:
    """The same for one instant, in a few steps a layer, however far from the layers' starts."""
    reached = wall_clock(schedule.time_zone, instant, instant).reached(instant)
    entries: tuple[Entry, ...] = ()
    for position, layer in enumerate(schedule.layers):
        turn = Rotation(layer, position).at(reached)
        entries = entries + turn if schedule.combine == "all" else turn or entries
    at = instant_from(instant)
    for position, override in enumerate(schedule.overrides):
        if override.start <= at < override.end:
            entries = overridden(entries, override, position)
    return entries


def runs(pieces: Iterable[Piece], *, by_user: bool) -> list[tuple[int, int, Entry]]:
    """Contiguous pieces joined: per person, layer and override, or `by_user` per person (with the entry they began by).

    Sorted by start, then in the order of the entries.
    """
    found: list[tuple[int, int, Entry]] = []
    active: dict[object, int] = {}  # what goes on -> its place in `found`
    reached = 0
    for start, end, entries in pieces:
        before, active = active if start == reached else {}, {}
        for entry in entries:
            key = entry[0] if by_user else entry
            place = before.get(key)
            if place is None:
                place = active.get(key)
            if place is None:
                active[key] = len(found)
                found.append((start, end, entry))
            else:
                active[key] = place
                found[place] = (found[place][0], end, found[place][2])
        reached = end
    return found
