"""The changes of time zones as raw TZif files tell them (RFC 9636): a second opinion for tests of clocks and schedules.

Nothing here asks `zoneinfo`: the block of 64-bit moments is unpacked, and the rule in the footer is worked out.
"""

from __future__ import annotations

import calendar
import re
import struct
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources

Change = tuple[datetime, timedelta, timedelta]  # instant, offset before, offset after
YEAR_LAST = 2040
_NAME = r"(?:[A-Za-z]+|<[^>]+>)"
_FOOTER = re.compile(rf"{_NAME}([-+:\d]+)(?:{_NAME}([-+:\d]*),(M[^,]+),(M[^,]+))?")


@cache
def raw_zone(name: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@cache
def raw_changes(data: bytes) -> list[Change]:
    """Every change of the offset from 1970 to YEAR_LAST."""
    isut, isstd, leap, times, types, chars = struct.unpack(">6l", data[20:44])
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut  # the version 1 block ends here
    isut, isstd, leap, times, types, chars = struct.unpack(">6l", data[second + 20 : second + 44])
    at = second + 44
    instants = struct.unpack(f">{times}q", data[at : at + times * 8])
    kinds = data[at + times * 8 : at + times * 9]
    offsets = [struct.unpack(">lBB", data[at + times * 9 + 6 * i :][:6])[0] for i in range(types)]
    moments = [(instant, offsets[kind]) for instant, kind in zip(instants, kinds, strict=True)]
    footer = data[at + times * 9 + types * 6 + chars + leap * 12 + isstd + isut :].decode().strip("\n")
    last = instants[-1] if instants else -(10**18)
    moments += [moment for moment in _by_rule(footer) if moment[0] > last]
    changes, before = [], offsets[0]
    for instant, after in moments:
        if after != before and instant >= 0:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)
            changes.append((moment, timedelta(seconds=before), timedelta(seconds=after)))
        before = after
    return changes


def _seconds(text: str) -> int:
    parts = [int(part) for part in text.lstrip("+-").split(":")] + [0, 0]
    return (-1 if text.startswith("-") else 1) * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def _by_rule(footer: str) -> list[tuple[int, int]]:
    """(instant, offset from then on), such as of CET-1CEST,M3.5.0,M10.5.0/3."""
    match = _FOOTER.fullmatch(footer)
    assert match is not None, footer
    if match[3] is None:
        return []
    standard = -_seconds(match[1])
    summer = -_seconds(match[2]) if match[2] else standard + 3600
    found = []
    for year in range(1970, YEAR_LAST + 1):
        found.append((_moment(match[3], year) - standard, summer))
        found.append((_moment(match[4], year) - summer, standard))
    return sorted(found)


def _moment(rule: str, year: int) -> int:
    """`M10.5.0/3`: 03:00 of the last Sunday of October, in seconds of wall clock."""
    day_part, _, time_part = rule[1:].partition("/")
    month, week, weekday = (int(part) for part in day_part.split("."))
    first, days = calendar.monthrange(year, month)
    day = 1 + (weekday - 1 - first) % 7 + (week - 1) * 7
    while day > days:
        day -= 7
    return calendar.timegm((year, month, day, 0, 0, 0)) + _seconds(time_part or "2")
