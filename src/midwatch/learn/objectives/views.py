"""The calculator: a page for anybody, that keeps nothing and asks nothing of this installation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from midwatch.core import clock
from midwatch.learn.objectives import composition, uptime

EXAMPLES = ("99", "99.5", "99.9", "99.95", "99.99", "99.999")
GIVEN_MAX = 2_000
KINDS = ("sla", "downtime", "parts")


@dataclass
class Calculated:
    """What was given, what came of it, and which field is wrong."""

    given: dict[str, str]
    figures: list[uptime.Figure] = field(default_factory=list)
    convention: uptime.Convention = field(default_factory=uptime.gregorian_average)
    problem: str = ""
    wrong: str = ""
    composed: str = ""
    naive: str = ""
    nines: float | None = None
    letters: str = ""


def calculated(given: dict[str, str]) -> Calculated:
    made = Calculated(given)

    def read(name: str, work: Callable[[str], Any]) -> Any:
        made.wrong = name
        return work(given[name])

    try:
        made.convention = read("convention", lambda text: uptime.convention_named(text, clock.now().date()))
        hours = read("hours", uptime.read_hours)
        made.letters = uptime.letters(hours)
        if given["kind"] == "downtime":
            made.figures = uptime.left(read("downtime", uptime.read_downtime), made.convention, hours)
        else:
            percent = _composed(made, read) if given["kind"] == "parts" else read("sla", uptime.read_sla)
            made.nines = uptime.nines(percent)
            made.figures = uptime.allowed(percent, made.convention, hours)
        made.wrong = ""
    except (uptime.UptimeError, composition.CompositionError) as error:
        made.problem = str(error)
    return made


def _composed(made: Calculated, read: Callable[[str, Callable[[str], Any]], Any]) -> Any:
    structure = read("structure", composition.read)
    of = read("parts", composition.read_parts)
    exact = 100 * composition.availability(structure, of)
    made.composed = uptime.shown(exact, 8)
    made.naive = uptime.shown(100 * composition.naive(structure, of), 8)
    return exact


@require_safe
def calculator(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", "sla")
    defaults = {
        "sla": "99.9",
        "hours": "",
        "downtime": "1h20m",
        "convention": "gregorian-average",
        "structure": "web & (db1 | db2)",
        "parts": "web=99.9, db1=99.5, db2=99.5",
    }
    given = {name: request.GET.get(name, usual)[:GIVEN_MAX] for name, usual in defaults.items()}
    made = calculated({**given, "kind": kind if kind in KINDS else "sla"})
    rows = [
        (one.period, uptime.words(one.length), uptime.words(one.downtime), uptime.shown(one.sla, 4))
        for one in made.figures
    ]
    return render(
        request,
        "objectives/calculator.html",
        {"made": made, "given": made.given, "rows": rows, "examples": EXAMPLES, "conventions": uptime.CONVENTIONS},
        status=400 if made.problem else 200,
    )
