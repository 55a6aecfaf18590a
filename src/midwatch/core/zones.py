"""Time zones and wall clocks, from the `tzdata` package alone.

Two machines with different `/usr/share/zoneinfo` would disagree about who is on call, so the system's files are never
read: importing this module empties zoneinfo's search path for the whole process (Django's, psycopg's and icalendar's
zones then come from the package too) and forgets zones that were read before.

A `WallClock` answers two questions, and everything about DST follows from its one rule: **a wall time comes at the
first instant at which the clock on the wall shows it or later.** So a wall time that DST removes comes at the jump; one
that DST doubles comes once, the first time; and what is later on the wall never comes earlier.

Wall times and instants are whole microseconds since 1970-01-01T00:00, on the wall and in UTC: plain numbers, because a
year of shifts takes a few milliseconds with them and ten times that with datetimes.
"""

from __future__ import annotations

import difflib
import zoneinfo
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import metadata, resources
from typing import Final

zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
YEAR_MIN, YEAR_MAX = 1970, 2200  # of instants; a bound on what a hostile `?at=` can make us compute

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what a wall clock shows has no zone
_MICROSECOND = timedelta(microseconds=1)
_FOREVER: Final = 10**18  # some 31,000 years in microseconds
_NOT_ZONES = frozenset({"Factory", "localtime", "posixrules"})  # names of tzdata that say "not set up"


class UnknownZoneError(ValueError):
    """A name is not in the IANA data. The text says what to write instead."""


@cache
def all_zones() -> tuple[str, ...]:
    """Every IANA name, sorted."""
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return tuple(sorted(set(names) - _NOT_ZONES))


@cache
def _names() -> frozenset[str]:
    return frozenset(all_zones())


def is_zone(name: str) -> bool:
    """Exactly as IANA writes it: `Europe/Prague`, not `europe/prague`."""
    return name in _names()


def data_version() -> str:
    """The release of the tzdata package in use: "2026.6" is IANA's 2026f."""
    return metadata.version("tzdata")


@cache
def _zone(name: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(name)


def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of an IANA name. Raises `UnknownZoneError`."""
    if not is_zone(name):
        shown = name if len(name) <= 63 else name[:60] + "..."
        by_lower = {known.lower(): known for known in all_zones()}
        near = difflib.get_close_matches(shown.lower(), by_lower, n=1, cutoff=0.6)
        hint = by_lower[near[0]] if near else "Europe/Prague"
        raise UnknownZoneError(f"{shown!r} is no time zone: give an IANA name such as {hint}")
    return _zone(name)


def microseconds(at: datetime) -> int:
    """An aware datetime as microseconds since 1970 UTC. Raises `ValueError` for a naive one or one out of bounds."""
    if at.tzinfo is None:
        raise ValueError("this needs an aware datetime; a wall time alone is no instant")
    if not YEAR_MIN < at.year < YEAR_MAX:
        raise ValueError(f"{at.isoformat()}: give a time between the years {YEAR_MIN + 1} and {YEAR_MAX - 1}")
    return (at - _EPOCH) // _MICROSECOND


def instant_from(microseconds_: int) -> datetime:
    """Aware UTC."""
    return _EPOCH + timedelta(microseconds=microseconds_)


def wall_microseconds(wall: datetime) -> int:
    """A naive datetime as microseconds since 1970-01-01T00:00 on the wall."""
    if wall.tzinfo is not None:
        raise ValueError("this needs a wall time without offset, such as 2026-01-05T09:00")
    return (wall - _WALL_EPOCH) // _MICROSECOND


def _year(instant: int) -> int:
    return (_EPOCH + timedelta(microseconds=instant)).year


def _new_year(year: int) -> int:
    return (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def _offset(name: str, instant: int) -> int:
    """Microseconds that the wall is ahead of UTC."""
    offset = (_EPOCH + timedelta(microseconds=instant)).astimezone(_zone(name)).utcoffset()
    return 0 if offset is None else offset // _MICROSECOND


@lru_cache(maxsize=8192)
def _changes(name: str, year: int) -> tuple[tuple[int, int], ...]:
    """(instant, offset from then on) of each change of the zone's offset within a UTC year.

    The zone is asked day by day and a day whose ends differ is halved down to the second. No zone has changed twice
    within three days since 1970; a test reads the raw files to prove that nothing is missed.
    """
    changes: list[tuple[int, int]] = []
    low, end = _new_year(year), _new_year(year + 1)
    before = _offset(name, low)
    while low < end:
        high = min(low + DAY, end)
        after = _offset(name, high)
        if after != before:
            known_before, known_after = low, high
            while known_after - known_before > SECOND:
                middle = (known_before + known_after) // (2 * SECOND) * SECOND
                if _offset(name, middle) == before:
                    known_before = middle
                else:
                    known_after = middle
            changes.append((known_after, after))
        low, before = high, after
    return tuple(changes)


class WallClock:
    """The clock on a wall of one zone, for some years. Get it from `wall_clock()`."""

    __slots__ = ("_ends", "_offsets", "_starts")

    def __init__(self, name: str, first_year: int, last_year: int) -> None:
        offset = _offset(name, _new_year(first_year))
        self._starts = [-_FOREVER]  # of each stretch of one offset, as instants
        self._offsets = [offset]
        self._ends: list[int] = []  # what the wall has reached when the stretch ends
        for year in range(first_year, last_year + 1):
            for change, after in _changes(name, year):
                self._ends.append(change + self._offsets[-1])
                self._starts.append(change)
                self._offsets.append(after)
        self._ends.append(_FOREVER)

    def shows(self, instant: int) -> int:
        """What the wall shows at an instant; during a doubled hour the same twice."""
        return instant + self._offsets[bisect_right(self._starts, instant) - 1]

    def reached(self, instant: int) -> int:
        """The latest wall time that has come by an instant. Never goes back.

        That is what the wall shows, or, while DST repeats an hour, the last microsecond of that hour: all of it has
        been shown before.
        """
        stretch = bisect_right(self._starts, instant) - 1
        shown = instant + self._offsets[stretch]
        return max(shown, self._ends[stretch - 1] - 1) if stretch else shown

    def comes(self, wall: int) -> int:
        """The instant at which a wall time comes: the first at which the wall shows it or later."""
        stretch = bisect_right(self._ends, wall)
        return max(wall - self._offsets[stretch], self._starts[stretch])


@lru_cache(maxsize=4096)
def _wall_clock(name: str, first_year: int, last_year: int) -> WallClock:
    zone(name)
    return WallClock(name, first_year, last_year)


def wall_clock(name: str, start: int, end: int) -> WallClock:
    """The wall clock of a zone, right for everything from the instant `start` to the instant `end` and two days around.

    Raises `UnknownZoneError`.
    """
    return _wall_clock(name, _year(start - 2 * DAY), _year(end + 2 * DAY))


def comes_at(wall: datetime, name: str) -> datetime:
    """The instant (UTC) at which a naive wall time comes in a zone, whatever DST does to it (see the module)."""
    if not YEAR_MIN < wall.year < YEAR_MAX:
        raise ValueError(f"{wall.isoformat()}: give a time between the years {YEAR_MIN + 1} and {YEAR_MAX - 1}")
    number = wall_microseconds(wall)
    return instant_from(wall_clock(name, number, number).comes(number))


def wall_at(at: datetime, name: str) -> datetime:
    """What the clock on the wall shows in a zone, naive."""
    return at.astimezone(zone(name)).replace(tzinfo=None, fold=0)
