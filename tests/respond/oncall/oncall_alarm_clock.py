"""The resolver's opposite, to test it with: a wall clock with alarms that is watched tick by tick.

Nothing is computed ahead. Every hand-off and every opening or closing of a restriction is an alarm, set for a wall
time; an alarm rings once, at the first tick at which the wall shows its time or later. Zones are asked through
`datetime.astimezone` alone, so no code is shared with `core.zones`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from midwatch.respond.oncall.resolve import Layer, Override, Restriction, Schedule

UNITS = {"hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}


def wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


class AlarmClock:
    """One layer, watched."""

    def __init__(self, layer: Layer, now: datetime) -> None:
        self.layer, self.step = layer, layer.every * UNITS[layer.unit]
        self.turn, self.next_hand_off, self.open, self.is_over = -1, layer.start, 0, False
        self.alarms = sorted(self._restriction_alarms(now.date()))
        self.tick(now)

    def _restriction_alarms(self, today: date) -> Iterator[tuple[datetime, int]]:
        for back in range(-9, 12):
            day = today + timedelta(days=back)
            for restriction in self.layer.restrictions:
                if isinstance(restriction, Restriction):
                    if not restriction.days or day.weekday() in restriction.days:
                        over_midnight = timedelta(days=restriction.end <= restriction.start)
                        yield datetime.combine(day, restriction.start), +1
                        yield datetime.combine(day + over_midnight, restriction.end), -1
                elif day.weekday() == restriction.from_day:
                    opens = datetime.combine(day, restriction.from_time)
                    closes = datetime.combine(day, restriction.to_time)
                    while closes.weekday() != restriction.to_day or closes <= opens:
                        closes += timedelta(days=1)
                    yield opens, +1
                    yield closes, -1

    def tick(self, shown: datetime) -> None:
        while self.next_hand_off <= shown:
            self.turn += 1
            self.next_hand_off += self.step
        while self.alarms and self.alarms[0][0] <= shown:
            self.open += self.alarms.pop(0)[1]
        self.is_over = self.is_over or (self.layer.end is not None and self.layer.end <= shown)

    def people(self) -> list[str]:
        if self.turn < 0 or self.is_over or not self.layer.participants or (self.layer.restrictions and not self.open):
            return []
        return list(self.layer.participants[(self.turn + self.layer.turn_offset) % len(self.layer.participants)])


def overridden(people: list[str], override: Override) -> list[str]:
    if override.kind == "remove":
        return [person for person in people if override.replaces is not None and person != override.replaces]
    assert override.user is not None
    if override.kind == "add":
        return [*people, override.user]
    if override.replaces is None:
        return [override.user]
    if override.user in people and override.user != override.replaces:
        return [person for person in people if person != override.replaces]
    return [override.user if person == override.replaces else person for person in people]


def watch(
    schedule: Schedule, start: datetime, end: datetime, tick: timedelta
) -> Iterator[tuple[datetime, tuple[str, ...]]]:
    """Who is on call at each tick. `start` must not lie in an hour that DST repeats: the alarms could not know."""
    clocks = [AlarmClock(layer, wall(start, schedule.time_zone)) for layer in schedule.layers]
    at = start
    while at < end:
        people: list[str] = []
        for clock in clocks:
            clock.tick(wall(at, schedule.time_zone))
            of_layer = clock.people()
            people = people + of_layer if schedule.combine == "all" else (of_layer or people)
        people = list(dict.fromkeys(people))
        for override in schedule.overrides:
            if override.start <= at < override.end:
                people = list(dict.fromkeys(overridden(people, override)))
        yield at, tuple(people)
        at += tick
