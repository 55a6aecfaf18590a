"""Lengths of time as people write them: `90s`, `5m`, `4h`, `3d`, `1w`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WORDS = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hour": "h", "hr": "h", "day": "d", "week": "w"}
_PART = re.compile(r"(\d{1,9})\s*([a-z]+)")
_WHOLE = re.compile(r"(?:\d{1,9}\s*[a-z]+\s*)+")
LENGTH_MAX = timedelta(days=3_660)


def parse(text: str) -> timedelta:
    """`2h`, `1h30m`, `45 min`. Raises `ValueError` with a sentence that says what to write."""
    given = text.strip().lower()
    wrong = ValueError(f"{text[:40]!r} is no length of time: write 90s, 5m, 4h, 3d or 1w")
    if not _WHOLE.fullmatch(given):
        raise wrong
    seconds = 0
    for count, word in _PART.findall(given):
        unit = word if word in _UNITS else _WORDS.get(word.removesuffix("s"))
        if unit is None:
            raise wrong
        seconds += int(count) * _UNITS[unit]
    if not 0 <= seconds <= LENGTH_MAX.total_seconds():
        raise ValueError(f"{text[:40]!r} is too long: write at most {written(LENGTH_MAX)}")
    return timedelta(seconds=seconds)


def written(length: timedelta) -> str:
    """The shortest way to write it exactly with one unit where one does (`90s`, `2h`), else with several (`1h30m`)."""
    seconds = int(length.total_seconds())
    if seconds == 0:
        return "0s"
    parts: list[str] = []
    for unit in ("w", "d", "h", "m", "s"):
        count, rest = divmod(seconds, _UNITS[unit])
        if count and (rest == 0 or parts or unit in "dhm"):
            parts.append(f"{count}{unit}")
            seconds = rest
    return "".join(parts)
