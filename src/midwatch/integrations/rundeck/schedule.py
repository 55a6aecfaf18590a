"""Rundeck's schedules (Quartz: seconds first, weekdays 1 to 7 from Sunday) as five fields of cron, and in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAMES = {**{name: str(place) for place, name in enumerate(DAYS)}}
_MONTH_NAMES = {name: str(place + 1) for place, name in enumerate(MONTHS)}
_LONG = {
    "SUNDAY": "SUN",
    "MONDAY": "MON",
    "TUESDAY": "TUE",
    "WEDNESDAY": "WED",
    "THURSDAY": "THU",
    "FRIDAY": "FRI",
    "SATURDAY": "SAT",
}
_PART = re.compile(r"(\*|\d{1,2})(?:-(\d{1,2}))?(?:/(\d{1,3}))?")
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@dataclass(frozen=True, slots=True)
class Schedule:
    """`quartz`: as it was. `cron`: five fields (weekdays 0 to 6 from Sunday), "" where cron has no word for it; then
    `problem` says what. `lost`: what is left out, in words."""

    quartz: str
    cron: str
    problem: str = ""
    lost: str = ""


def read(value: Mapping[str, Any]) -> Schedule | None:
    """The `schedule` of a job. None when there is none."""
    text = value.get("crontab")
    if isinstance(text, str) and text.strip():
        return from_quartz(text)
    time = value.get("time")
    if not isinstance(time, Mapping):
        return None
    weekday, day = value.get("weekday"), value.get("dayofmonth")
    fields = [
        *(str(time.get(key, given)) for key, given in (("seconds", "0"), ("minute", "0"), ("hour", "0"))),
        str(day.get("day", "*")) if isinstance(day, Mapping) else "?" if isinstance(weekday, Mapping) else "*",
        str(value.get("month") or "*"),
        str(weekday.get("day", "*")) if isinstance(weekday, Mapping) else "?",
    ]
    if value.get("year") not in {None, ""}:
        fields.append(str(value["year"]))
    return from_quartz(" ".join(fields))


def from_quartz(text: str) -> Schedule:
    quartz = " ".join(text.split())[:200]
    fields = quartz.upper().split(" ")
    if len(fields) not in {6, 7}:
        return Schedule(quartz, "", "is no Quartz schedule of six or seven fields")
    seconds, *five = fields[:6]
    year = fields[6] if len(fields) == 7 else "*"
    if year not in {"*", "?"}:
        return Schedule(quartz, "", f"runs in the year {year} alone, which cron has no word for")
    try:
        minute, hour, day, month, weekday = (_field(one, place) for place, one in enumerate(five))
    except ValueError as error:
        return Schedule(quartz, "", str(error))
    lost = "" if seconds in {"0", "00"} else "the seconds: it runs at the beginning of the minute"
    if "," in seconds or "/" in seconds or seconds == "*":
        return Schedule(quartz, "", "runs several times a minute, which cron has no word for")
    return Schedule(quartz, f"{minute} {hour} {day} {month} {weekday}", lost=lost)


def _field(text: str, place: int) -> str:
    if text in {"?", "*"}:
        return "*"
    if any(mark in text for mark in ("L", "W", "#")) and not text.replace(",", "").replace("-", "").isalpha():
        raise ValueError(f"{text}: cron has no word for last, nearest weekday or the n-th weekday")
    return ",".join(_one(part, place) for part in text.split(","))


def _one(part: str, place: int) -> str:
    is_day, is_month = place == 4, place == 3
    words = re.sub(r"[A-Z]+", lambda found: _named(found[0], is_day=is_day, is_month=is_month), part)
    found = _PART.fullmatch(words.replace("?", "*"))
    if found is None:
        raise ValueError(f"{part}: is not understood in a schedule")
    first, last, step = found.groups()
    if is_day and not re.search(r"[A-Z]", part):  # 1 to 7 from Sunday; names are translated already
        first = first if first == "*" else str(int(first) - 1)
        last = last if last is None else str(int(last) - 1)
    least, most = _RANGES[place]
    for one in (first, last):
        if one not in {None, "*"} and not least <= int(one) <= most:
            raise ValueError(f"{part}: is out of range in a schedule")
    if step is not None and last is None and first != "*":
        last = str(most)  # Quartz: 10/5 is from 10 on, every 5; cron wants a range
    if last is not None and int(last) < int(first):
        raise ValueError(f"{part}: runs over the end of the week, month or year; cron has no word for that")
    return f"{first}{'' if last is None else f'-{last}'}{'' if step is None else f'/{step}'}"


def _named(word: str, *, is_day: bool, is_month: bool) -> str:
    short = _LONG.get(word, word)
    if is_day and short in _NAMES:
        return _NAMES[short]
    if is_month and word[:3] in _MONTH_NAMES:
        return _MONTH_NAMES[word[:3]]
    raise ValueError(f"{word}: is not understood in a schedule")
