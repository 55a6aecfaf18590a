"""What a schedule is made of, as values. `end` is always exclusive; an `end` before its `start` covers nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final, Literal

from midwatch.core.zones import DAY, HOUR, MINUTE, SECOND, WEEK

Unit = Literal["hours", "days", "weeks"]
OverrideKind = Literal["replace", "add", "remove"]
STEPS: Final[Mapping[str, int]] = {"hours": HOUR, "days": DAY, "weeks": WEEK}
TURN_DAYS_MAX = 3_660
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


@dataclass(frozen=True, slots=True)
class Restriction:
    """The layer covers only from `start` to `end` on these days (0 is Monday; None or empty: every day).

    It belongs to the day on which it starts; an `end` at or before `start` is on the next day, so 09:00 to 09:00 is a
    whole day.
    """

    days: tuple[int, ...] | None
    start: time
    end: time

    def windows(self) -> list[tuple[int, int]]:
        """(start, end) in microseconds from Monday 00:00; an end may lie in the next week."""
        start, end = _of_day(self.start), _of_day(self.end)
        length = end - start if end > start else end - start + DAY
        return [(day * DAY + start, day * DAY + start + length) for day in sorted(set(self.days or range(7)))]


@dataclass(frozen=True, slots=True)
class WeeklyRestriction:
    """The layer covers only from one moment of the week to another, such as Friday 18:00 to Monday 09:00.

    The same moment twice is a whole week.
    """

    from_day: int
    from_time: time
    to_day: int
    to_time: time

    def windows(self) -> list[tuple[int, int]]:
        start = self.from_day * DAY + _of_day(self.from_time)
        length = (self.to_day * DAY + _of_day(self.to_time) - start) % WEEK
        return [(start, start + (length or WEEK))]


@dataclass(frozen=True, slots=True)
class Layer:
    """One rotation: `participants` take turns of `every` `unit`, in wall clock from `start`.

    A turn is several people, or the empty tuple for `nobody`. `start` and `end` are naive, in the schedule's zone.
    Several restrictions add up. `turn_offset`: how many turns the list was ahead at `start`; `with_participants` writes
    it, so that `start` and `participants` stay as the owner of the configuration wrote them.
    """

    name: str
    start: datetime
    end: datetime | None
    every: int
    unit: Unit
    participants: tuple[tuple[str, ...], ...]
    restrictions: tuple[Restriction | WeeklyRestriction, ...] = ()
    turn_offset: int = 0

    def __post_init__(self) -> None:
        if self.unit not in STEPS:
            raise ValueError(f"layer {self.name!r}: unit {self.unit!r}: write hours, days or weeks")
        every_max = TURN_DAYS_MAX * DAY // STEPS[self.unit]
        if not 1 <= self.every <= every_max:
            raise ValueError(f"layer {self.name!r}: every {self.every!r}: give 1 to {every_max} {self.unit}")
        if self.start.tzinfo is not None or (self.end is not None and self.end.tzinfo is not None):
            raise ValueError(f"layer {self.name!r}: start and end are wall clock in the schedule's zone: no offset")

    @property
    def step(self) -> int:
        """Microseconds of wall clock from one hand-off to the next."""
        return self.every * STEPS[self.unit]


@dataclass(frozen=True, slots=True)
class Override:
    """Data that changes the result of the layers from `start` to `end` (aware), in the order given.

    * `replace`: `user` is on call instead of `replaces` while that person is on call (never in that person's gaps);
      with `replaces=None` instead of everybody, and also where nobody was.
    * `add`: `user` is on call too.
    * `remove`: `replaces` is not on call; with None nobody is.
    """

    start: datetime
    end: datetime
    kind: OverrideKind
    user: str | None = None
    replaces: str | None = None
    id: int | str = ""

    def __post_init__(self) -> None:
        if self.kind not in {"replace", "add", "remove"}:
            raise ValueError(f"override {self.id}: kind {self.kind!r}: write replace, add or remove")
        if (self.user is None) != (self.kind == "remove"):
            raise ValueError(f"override {self.id}: replace and add name the user who covers; remove names nobody")
        if self.kind == "add" and self.replaces is not None:
            raise ValueError(
                f"override {self.id}: add replaces nobody; write replace to put somebody in another's place"
            )


@dataclass(frozen=True, slots=True)
class Schedule:
    """`combine`: `cover` - later layers win where they cover; `all` - everyone of every layer is on call.

    A layer covers where its restrictions allow and its turn has somebody: a turn of `nobody` covers nothing, so in
    `cover` the layers below show through it.
    """

    time_zone: str
    combine: Literal["cover", "all"]
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        if self.combine not in {"cover", "all"}:
            raise ValueError(f"combine {self.combine!r}: write cover or all")


@dataclass(frozen=True, slots=True)
class Shift:
    """One person on call from `start` to `end` (UTC), by one layer or by one override (then `layer` is "")."""

    user: str
    start: datetime
    end: datetime
    layer: str
    is_override: bool
    override_id: int | str = ""


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call now. `since` and `until` are the ends of the continuous stretch, across layers and overrides;
    None: more than `LOOK_DAYS_MAX` days away."""

    user: str
    since: datetime | None
    until: datetime | None
    layer: str
    is_override: bool
    override_id: int | str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a layer's rotation, whatever restrictions, other layers and overrides say. `number` counts from 0."""

    number: int
    people: tuple[str, ...]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """One person on call on several schedules at the same time."""

    user: str
    start: datetime
    end: datetime
    schedules: tuple[str, ...]


def _of_day(at: time) -> int:
    return at.hour * HOUR + at.minute * MINUTE + at.second * SECOND + at.microsecond


def _time_from(text: object, field: str) -> time:
    if not isinstance(text, str) or not _CLOCK.fullmatch(text):
        raise ValueError(f"{field}: {text!r}: write a time such as 09:00 or 22:30")
    return time(0) if text == "24:00" else time(int(text[:2]), int(text[3:]))


def _day_from(text: object, field: str) -> int:
    word = text.lower() if isinstance(text, str) else ""
    if word not in DAYS:
        raise ValueError(f"{field}: {text!r}: write a day: {', '.join(DAYS)}")
    return DAYS.index(word)


def restriction_from(document: object) -> Restriction | WeeklyRestriction:
    """A restriction as configuration writes it: `{days: [mon, tue], from: "22:00", to: "06:00"}` (`days` may be left
    out) or `{from: "fri 18:00", to: "mon 09:00"}`. Raises `ValueError` naming the field and what to write instead."""
    if not isinstance(document, Mapping):
        raise ValueError(f"{document!r}: write a restriction such as {{days: [mon], from: '09:00', to: '17:00'}}")
    unknown = sorted(str(key) for key in document if key not in {"days", "from", "to"})
    if unknown:
        raise ValueError(f"{unknown[0]}: no field of a restriction: use days, from, to")
    start, end, days = document.get("from"), document.get("to"), document.get("days")
    is_weekly = isinstance(start, str) and len(start.split()) == 2
    if is_weekly and isinstance(start, str):
        if days:
            raise ValueError("days: leave it out where from and to name days themselves")
        (from_day, from_time), to_words = start.split(), str(end).split()
        if len(to_words) != 2:
            raise ValueError(f"to: {end!r}: write a day and a time as in from, such as mon 09:00")
        if "24:00" in (from_time, to_words[1]):
            raise ValueError("24:00: write the next day and 00:00")
        return WeeklyRestriction(
            _day_from(from_day, "from"),
            _time_from(from_time, "from"),
            _day_from(to_words[0], "to"),
            _time_from(to_words[1], "to"),
        )
    if days is not None and not isinstance(days, list | tuple):
        raise ValueError(f"days: {days!r}: write a list such as [mon, tue]")
    if start == "24:00":
        raise ValueError("from: '24:00': write 00:00")
    named = tuple(_day_from(day, "days") for day in days or ())
    return Restriction(named or None, _time_from(start, "from"), _time_from(end, "to"))
