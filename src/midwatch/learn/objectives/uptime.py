"""What a percentage of availability allows, and what a downtime leaves of it: exact, with the convention said.

Pure. Everything is a `Fraction`; nothing is rounded but by `words` and `shown`. The conventions differ by whole minutes a
month, so no figure goes out without the name of its own: uptime.is takes the mean Gregorian year, contracts often 30 days.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

DAY = 86_400
HOURS_A_DAY = 24
PERIODS = ("day", "week", "month", "quarter", "year")
MEAN_YEAR_DAYS = Fraction(3_652_425, 10_000)
SLA_DIGITS_MAX = 20
DOWNTIME_MAX = Fraction(100 * 366 * DAY)
NINES = {
    word: count for count, word in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine"), start=2)
}
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": DAY, "w": 7 * DAY}
_NUMBER = re.compile(r"\d{1,12}(?:[.,]\d{1,12})?", re.ASCII)
_PART = re.compile(r"\s*(\d{1,12}(?:[.,]\d{1,12})?)\s*([smhdw])", re.ASCII)
_SPOKEN = re.compile(r"\s*(\d{1,12}(?:[.,]\d{1,12})?)\s*([smhdw]|)\s*", re.ASCII)


class UptimeError(ValueError):
    """What was given cannot be read. The message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Convention:
    """How long the periods are, in seconds. `words` stands beside every figure."""

    name: str
    words: str
    lengths: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Figure:
    """One period: its service time, and the downtime of it, both in seconds; `sla` in percent."""

    period: str
    length: Fraction
    downtime: Fraction
    sla: Fraction


def gregorian_average() -> Convention:
    """365.2425 days a year, a quarter of it, a twelfth of it: what uptime.is does."""
    year = MEAN_YEAR_DAYS * DAY
    return Convention(
        "gregorian-average",
        "a year of 365.2425 days, a quarter is a fourth of it, a month a twelfth, a week 7 days",
        {"day": Fraction(DAY), "week": Fraction(7 * DAY), "month": year / 12, "quarter": year / 4, "year": year},
    )


def of_contracts() -> Convention:
    """30 days a month: what most contracts say."""
    return Convention(
        "30d/365d",
        "a month of 30 days, a quarter of 90, a year of 365, a week of 7",
        {
            "day": Fraction(DAY),
            "week": Fraction(7 * DAY),
            "month": Fraction(30 * DAY),
            "quarter": Fraction(90 * DAY),
            "year": Fraction(365 * DAY),
        },
    )


def of_calendar(on: date) -> Convention:
    """The month, quarter and year that `on` lies in, each day 24 hours long."""
    first = 3 * ((on.month - 1) // 3) + 1
    months = [monthrange(on.year, month)[1] for month in range(1, 13)]
    return Convention(
        "calendar",
        f"the month, quarter and year of {on.isoformat()}: {months[on.month - 1]}, "
        f"{sum(months[first - 1 : first + 2])} and {sum(months)} days of 24 hours",
        {
            "day": Fraction(DAY),
            "week": Fraction(7 * DAY),
            "month": Fraction(months[on.month - 1] * DAY),
            "quarter": Fraction(sum(months[first - 1 : first + 2]) * DAY),
            "year": Fraction(sum(months) * DAY),
        },
    )


CONVENTIONS = ("gregorian-average", "30d/365d", "calendar")


def convention_named(name: str, on: date) -> Convention:
    """Raises `UptimeError`. `on`: for `calendar`."""
    match name:
        case "" | "gregorian-average":
            return gregorian_average()
        case "30d/365d":
            return of_contracts()
        case "calendar":
            return of_calendar(on)
        case _:
            raise UptimeError(f"{name[:40]!r} is no convention: write {', '.join(CONVENTIONS)}")


def read_sla(text: str) -> Fraction:
    """Percent, more than 0 and at most 100: `99.9`, `99,95 %`, `three-nines`. Raises `UptimeError`."""
    given = text.strip().lower().removesuffix("%").strip()
    if given.endswith("-nines") and given.removesuffix("-nines") in NINES:
        return 100 - Fraction(100, 10 ** NINES[given.removesuffix("-nines")])
    if len(given) <= SLA_DIGITS_MAX and _NUMBER.fullmatch(given):
        percent = Fraction(given.replace(",", "."))
        if 0 < percent <= 100:
            return percent
    raise UptimeError(f"{text[:40]!r} is no SLA: write a percentage above 0 and up to 100, as 99.9, or three-nines")


def read_downtime(text: str) -> Fraction:
    """Seconds: `1h20m`, `13m 37s`, `90` (seconds), `1.5h`. Raises `UptimeError`."""
    given = text.strip().lower()
    wrong = UptimeError(f"{text[:40]!r} is no downtime: write 1h20m, 13m 37s, or seconds as 1337")
    if len(given) > 80 or not given:
        raise wrong
    bare = _SPOKEN.fullmatch(given)
    if bare and not bare[2]:
        seconds = Fraction(bare[1].replace(",", "."))
    else:
        parts = _PART.findall(given)
        if not parts or _PART.sub("", given).strip():
            raise wrong
        seconds = sum((Fraction(count.replace(",", ".")) * UNITS[unit] for count, unit in parts), Fraction(0))
    if seconds > DOWNTIME_MAX:
        raise UptimeError(f"{text[:40]!r} is more than a hundred years: write at most that")
    return seconds


def read_hours(text: str) -> tuple[Fraction, ...]:
    """Hours of service Monday to Sunday: `8,8,8,8,8,0,0`, missing days are 24; or uptime.is' letters, a = 0 to y = 24:
    `iiiiiaa`. "" is no service hours: around the clock. Raises `UptimeError`."""
    given = text.strip().lower()
    if not given:
        return ()
    if re.fullmatch(r"[a-y]{7}", given):
        hours = tuple(Fraction(ord(letter) - ord("a")) for letter in given)
    else:
        parts = [part.strip() for part in given.split(",")] if len(given) <= 120 else []
        if not 1 <= len(parts) <= 7 or not all(_NUMBER.fullmatch(part) for part in parts):
            raise UptimeError(
                f"{text[:40]!r} are no service hours: write seven numbers, Monday to Sunday, as 8,8,8,8,8,0,0"
            )
        hours = tuple(Fraction(part) for part in parts) + (Fraction(HOURS_A_DAY),) * (7 - len(parts))
    if any(one > HOURS_A_DAY for one in hours):
        raise UptimeError(f"{text[:40]!r}: a day has at most 24 hours")
    if not any(hours):
        raise UptimeError(f"{text[:40]!r}: give at least one hour of service a week")
    return hours


def letters(hours: Sequence[Fraction]) -> str:
    """uptime.is' seven letters, "" when an hour is not whole or there are none."""
    if len(hours) != 7 or any(one.denominator != 1 for one in hours):
        return ""
    return "".join(chr(ord("a") + int(one)) for one in hours)


def service_time(convention: Convention, hours: Sequence[Fraction] = ()) -> dict[str, Fraction]:
    """Seconds of service in each period. With service hours there is no day: Monday's and Sunday's differ."""
    if not hours:
        return dict(convention.lengths)
    share = sum(hours, Fraction(0)) / (7 * HOURS_A_DAY)
    return {period: convention.lengths[period] * share for period in PERIODS if period != "day"}


def allowed(sla: Fraction, convention: Convention, hours: Sequence[Fraction] = ()) -> list[Figure]:
    """How long it may be down in each period."""
    times = service_time(convention, hours)
    return [Figure(period, length, length * (100 - sla) / 100, sla) for period, length in times.items()]


def left(downtime: Fraction, convention: Convention, hours: Sequence[Fraction] = ()) -> list[Figure]:
    """What availability remains when it was down for so long once in each period; never less than none at all."""
    times = service_time(convention, hours)
    return [
        Figure(period, length, downtime, max(Fraction(0), 100 * (1 - downtime / length)))
        for period, length in times.items()
    ]


def words(seconds: Fraction) -> str:
    """`1d 10h 17m 37s`, rounded to the whole second, halves up; under a minute with a tenth, under a second with what it has."""
    if 0 < seconds < 60:
        digits = 1 if seconds >= 1 else 3
        if seconds * 10**digits < Fraction(1, 2):
            return "under 1 ms"
        return f"{_rounded(seconds, digits)}s"
    whole = math.floor(seconds + Fraction(1, 2))
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, whole = divmod(whole, UNITS[unit])
        if count or (parts and unit != "d"):
            parts.append(f"{count}{unit}")
    while parts and parts[-1][:-1] == "0":
        parts.pop()
    return " ".join(parts) or "0s"


def _rounded(value: Fraction, digits: int) -> str:
    scaled = math.floor(value * 10**digits + Fraction(1, 2))
    whole, rest = divmod(scaled, 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if digits else str(whole)


def shown(percent: Fraction, digits: int = 6) -> str:
    """A percentage for people, cut and not rounded: 99.9999999 is never told as 100."""
    scaled = math.floor(percent * 10**digits)
    whole, rest = divmod(scaled, 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".")


def nines(percent: Fraction) -> float | None:
    """How many nines it is: 99.9 has 3; None for 100, which has no end of them."""
    return None if percent >= 100 else -math.log10(float(1 - percent / 100))
