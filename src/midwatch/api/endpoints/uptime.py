"""The SLA calculator, for anybody: no token, nothing of this installation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from django.http import HttpRequest
from ninja import Query, Router

from midwatch.api.problems import invalid
from midwatch.core import clock
from midwatch.learn.objectives import composition, uptime

router = Router(auth=None)
T = TypeVar("T")
Hours = Annotated[
    str, Query(max_length=120, description="Hours of service Monday to Sunday: `8,8,8,8,8,0,0`; then there is no day.")
]
ConventionName = Annotated[str, Query(max_length=40, description="gregorian-average (default), 30d/365d, or calendar.")]
On = Annotated[
    date | None, Query(description="For `calendar`: a day of the month, quarter and year meant; else today.")
]


def _read(field: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (uptime.UptimeError, composition.CompositionError) as error:
        raise invalid(f"query.{field}", str(error)) from error


def _convention(name: str, on: date | None) -> uptime.Convention:
    return _read("convention", lambda: uptime.convention_named(name, on or clock.now().date()))


@router.get("/uptime/downtime", summary="What an SLA allows: seconds of downtime in each period")
def downtime(
    request: HttpRequest,
    sla: Annotated[str, Query(max_length=40, description="Percent: `99.9`, or `three-nines`.")],
    hours: Hours = "",
    convention: ConventionName = "",
    on: On = None,
) -> dict[str, Any]:
    """`{"day", "week", "month", "quarter", "year": seconds, "convention", "sla", "nines", "words": {...}}`."""
    percent = _read("sla", lambda: uptime.read_sla(sla))
    used = _convention(convention, on)
    figures = uptime.allowed(percent, used, _read("hours", lambda: uptime.read_hours(hours)))
    return {
        **{one.period: float(one.downtime) for one in figures},
        "convention": used.name,
        "convention_words": used.words,
        "sla": float(percent),
        "nines": uptime.nines(percent),
        "words": {one.period: uptime.words(one.downtime) for one in figures},
    }


@router.get("/uptime/sla", summary="What a downtime leaves: percent in each period")
def sla(
    request: HttpRequest,
    downtime: Annotated[str, Query(max_length=80, description="`1h20m`, `13m 37s`, or seconds.")],
    hours: Hours = "",
    convention: ConventionName = "",
    on: On = None,
) -> dict[str, Any]:
    """`{"day", "week", "month", "quarter", "year": percent, "convention", "downtime": seconds}`."""
    seconds = _read("downtime", lambda: uptime.read_downtime(downtime))
    used = _convention(convention, on)
    figures = uptime.left(seconds, used, _read("hours", lambda: uptime.read_hours(hours)))
    return {
        **{one.period: float(one.sla) for one in figures},
        "convention": used.name,
        "convention_words": used.words,
        "downtime": float(seconds),
    }


@router.get("/uptime/composition", summary="The availability of what is made of parts, each counted once")
def composed(
    request: HttpRequest,
    structure: Annotated[
        str, Query(max_length=composition.TEXT_MAX, description="`web & api & (db1 | db2)`, `2 of (a, b, c)`.")
    ],
    parts: Annotated[str, Query(max_length=composition.TEXT_MAX, description="Percent each: `web=99.9,db1=99.95`.")],
    convention: ConventionName = "",
) -> dict[str, Any]:
    """`{"sla": percent, "naive": percent, "nines", "day".."year": seconds of downtime, "convention"}`. `naive`: as if each
    mention were a part of its own."""
    built = _read("structure", lambda: composition.read(structure))
    given = _read("parts", lambda: composition.read_parts(parts))
    exact = 100 * _read("parts", lambda: composition.availability(built, given))
    used = _convention(convention, None)
    figures = uptime.allowed(exact, used) if exact else []
    return {
        **{one.period: float(one.downtime) for one in figures},
        "convention": used.name,
        "sla": float(exact),
        "naive": float(100 * composition.naive(built, given)),
        "nines": uptime.nines(exact),
        "words": {one.period: uptime.words(one.downtime) for one in figures},
        "exact": str(Fraction(exact) / 100),
    }
