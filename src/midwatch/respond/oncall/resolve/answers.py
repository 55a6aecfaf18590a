"""The questions asked of a schedule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from midwatch.core.zones import DAY, YEAR_MAX, YEAR_MIN, instant_from, microseconds, wall_clock

from .pieces import NONE, Entry, Rotation, entries_at, runs, timeline
from .values import Conflict, Layer, OnCall, Schedule, Shift, Turn

LOOK_DAYS_MAX: Final = 400
RANGE_DAYS_MAX: Final = 1_100
_REACHES: Final = tuple(days * DAY for days in (8, 40, LOOK_DAYS_MAX))  # most shifts end within a week
_FIRST = microseconds(datetime(YEAR_MIN + 1, 1, 1, tzinfo=UTC))
_LAST = microseconds(datetime(YEAR_MAX - 1, 12, 31, tzinfo=UTC)) + DAY


def on_call_at(schedule: Schedule, at: datetime) -> tuple[str, ...]:
    """Who is on call at an instant: each person once, in the order of layers, turns and overrides."""
    return _people(entries_at(schedule, microseconds(at)))


def current(schedule: Schedule, at: datetime) -> list[OnCall]:
    """Who is on call at an instant, since when and until when, in the order of `on_call_at`."""
    instant = microseconds(at)
    stretches = {entry[0]: (since, until) for since, until, entry in _reaching(schedule, instant, instant + 1, True)}
    answer: dict[str, OnCall] = {}
    for entry in entries_at(schedule, instant):
        if entry[0] not in answer:
            since, until = (None if end is None else instant_from(end) for end in stretches[entry[0]])
            answer[entry[0]] = OnCall(entry[0], since, until, *_origin(schedule, entry))
    return list(answer.values())


def shifts(schedule: Schedule, start: datetime, end: datetime, *, is_whole: bool = False) -> list[Shift]:
    """Who is on call from `start` to `end`, sorted by start; what one person has without a break by one layer or one
    override is one shift. Cut at `start` and `end`; with `is_whole` not, so that a shift always has the same times."""
    low, high = _range(start, end)
    if not is_whole:
        found = runs(timeline(schedule, low, high), by_user=False)
        return [_shift(schedule, entry, since, until) for since, until, entry in found]
    # The ends of what is longer than we look are rounded to a year, so that they stay the same for as long.
    before, after = (low - _REACHES[-1]) // (366 * DAY) * 366 * DAY, (high + _REACHES[-1]) // (366 * DAY) * 366 * DAY
    return [
        _shift(schedule, entry, before if since is None else since, after if until is None else until)
        for since, until, entry in _reaching(schedule, low, high, False)
    ]


def stretches(schedule: Schedule, start: datetime, end: datetime) -> list[Shift]:
    """As `shifts`, but per person: handing over from one layer to another to oneself is no hand-off. `layer`,
    `is_override` and `override_id` are those the stretch begins with."""
    found = runs(timeline(schedule, *_range(start, end)), by_user=True)
    return [_shift(schedule, entry, since, until) for since, until, entry in found]


def gaps(schedule: Schedule, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """When nobody is on call."""
    reached, high = _range(start, end)
    found: list[tuple[datetime, datetime]] = []
    for since, until, _ in timeline(schedule, reached, high):
        if reached < since:
            found.append((instant_from(reached), instant_from(since)))
        reached = until
    if reached < high:
        found.append((instant_from(reached), instant_from(high)))
    return found


def next_people(schedule: Schedule, at: datetime) -> tuple[str, ...]:
    """Who is on call in the next turn that has somebody who is not on call at `at`; () when there is none in
    `LOOK_DAYS_MAX` days. Overrides and all layers count: it is who will really be on call."""
    instant = microseconds(at)
    now = set(on_call_at(schedule, at))
    low = instant
    for reach in _REACHES:
        high = min(instant + reach, _LAST)
        for _, _, entries in timeline(schedule, low, high) if low < high else []:
            if any(entry[0] not in now for entry in entries):
                return _people(entries)
        low = high
    return ()


def previous_people(schedule: Schedule, at: datetime) -> tuple[str, ...]:
    """Who was on call in the last turn before that had somebody who is not on call at `at`, as `next_people`."""
    instant = microseconds(at)
    now = set(on_call_at(schedule, at))
    high = instant
    for reach in _REACHES:
        low = max(instant - reach, _FIRST)
        for _, _, entries in reversed(timeline(schedule, low, high)) if low < high else []:
            if any(entry[0] not in now for entry in entries):
                return _people(entries)
        high = low
    return ()


def turn_at(layer: Layer, at: datetime, time_zone: str) -> Turn | None:
    """The turn of the rotation that runs at an instant; None before the layer's start and after its end."""
    instant = microseconds(at)
    rotation = Rotation(layer, 0)
    reached = wall_clock(time_zone, instant, instant).reached(instant)
    if not layer.participants or not rotation.start <= reached < rotation.end:
        return None
    number = (reached - rotation.start) // layer.step
    start = rotation.start + number * layer.step
    end = min(start + layer.step, rotation.end)
    clock = wall_clock(time_zone, max(start, _FIRST), min(end, _LAST))
    people = tuple(dict.fromkeys(layer.participants[(number + layer.turn_offset) % len(layer.participants)]))
    return Turn(number, people, instant_from(clock.comes(start)), instant_from(clock.comes(end)))


def with_participants(layer: Layer, participants: tuple[tuple[str, ...], ...], at: datetime, time_zone: str) -> Layer:
    """The layer with other participants, so that whoever's turn it is at `at` keeps it until their hand-off.

    Hand-offs stay when they are; `turn_offset` is what changes. Whose turn it is, is found again as the turn with most
    of the same people, and of equal ones the one that is followed as it was. When all of them are gone, the turn goes
    at once to the next in the old list who is still there. Before the layer's start the new list begins with its first.

    It is about now and what comes: what the layer says of the time before `at` is computed with the new list too.
    """
    turn = turn_at(layer, at, time_zone)
    changed = replace(layer, participants=participants, turn_offset=0)
    if turn is None or not participants:
        return changed
    old, count = layer.participants, len(layer.participants)
    place = (turn.number + layer.turn_offset) % count
    for step in range(count):
        wanted = old[(place + step) % count]
        found = _found_again(participants, wanted)
        if found:
            following = _followed(old, (place + step) % count, participants)
            index = max(found, key=lambda new: _agreement(following, _followed(participants, new, old)))
            return replace(changed, turn_offset=(index - turn.number) % len(participants))
    return replace(changed, turn_offset=-turn.number % len(participants))


def conflicts(schedules: Mapping[str, Schedule], start: datetime, end: datetime) -> list[Conflict]:
    """Where one person is on call on several schedules at once, so that the next level would be the same phone."""
    low, high = _range(start, end)
    changes: dict[str, list[tuple[int, int, str]]] = {}
    for name, schedule in schedules.items():
        for since, until, entry in runs(timeline(schedule, low, high), by_user=True):
            changes.setdefault(entry[0], []).extend([(since, 1, name), (until, -1, name)])
    found: list[Conflict] = []
    for user, of_user in changes.items():
        on: Counter[str] = Counter()
        reached = low
        for at, change, name in sorted(of_user):
            names = tuple(known for known in schedules if on[known])
            if reached < at and len(names) > 1:
                found.append(Conflict(user, instant_from(reached), instant_from(at), names))
            on[name] += change
            reached = at
    return sorted(found, key=lambda conflict: (conflict.start, conflict.user))


def _people(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry[0] for entry in entries))


def _range(start: datetime, end: datetime) -> tuple[int, int]:
    low, high = microseconds(start), microseconds(end)
    if high - low > RANGE_DAYS_MAX * DAY:
        raise ValueError(f"from {start:%Y-%m-%d} to {end:%Y-%m-%d} is too long: give at most {RANGE_DAYS_MAX} days")
    return low, max(low, high)


def _origin(schedule: Schedule, entry: Entry) -> tuple[str, bool, int | str]:
    """Layer's name, is it an override, the override's id."""
    _, layer, override = entry
    if override != NONE:
        return "", True, schedule.overrides[override].id
    return schedule.layers[layer].name, False, ""


def _shift(schedule: Schedule, entry: Entry, since: int, until: int) -> Shift:
    return Shift(entry[0], instant_from(since), instant_from(until), *_origin(schedule, entry))


def _reaching(schedule: Schedule, low: int, high: int, by_user: bool) -> list[tuple[int | None, int | None, Entry]]:
    """The runs that touch [low, high), with their real ends; None: farther away than `LOOK_DAYS_MAX` days."""
    found: list[tuple[int | None, int | None, Entry]] = []
    for reach in _REACHES:
        first, last = max(low - reach, _FIRST), min(high + reach, _LAST)
        found = [
            (None if since <= first else since, None if until >= last else until, entry)
            for since, until, entry in runs(timeline(schedule, first, last), by_user=by_user)
            if since < high and until > low
        ]
        if all(since is not None and until is not None for since, until, _ in found):
            break
    return found


def _found_again(participants: tuple[tuple[str, ...], ...], wanted: tuple[str, ...]) -> list[int]:
    """Where the turn stands in the new list: the places that have the same people, else most of them."""
    same = [index for index, turn in enumerate(participants) if set(turn) == set(wanted)]
    if same or not wanted:
        return same
    shared = [len(set(turn) & set(wanted)) for turn in participants]
    return [index for index, number in enumerate(shared) if number and number == max(shared)]


def _followed(
    turns: tuple[tuple[str, ...], ...], place: int, known: tuple[tuple[str, ...], ...]
) -> list[tuple[str, ...]]:
    """A turn and those after it, once round, without those whose people the other list does not have together."""
    others = [set(turn) for turn in known]
    return [turns[place], *(turn for turn in (*turns[place + 1 :], *turns[:place]) if set(turn) in others)]


def _agreement(one: list[tuple[str, ...]], other: list[tuple[str, ...]]) -> tuple[int, int]:
    """How many turns go by after the first until two lists differ in people; then, in their order too."""
    people = _common([set(turn) for turn in one[1:]], [set(turn) for turn in other[1:]])
    return people, _common(one, other)


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    pairs = zip(one, other, strict=False)
    return next((count for count, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
