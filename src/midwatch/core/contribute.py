"""What a room contributes to questions that are asked in one place; it is found by name, so nobody imports upwards.

A room that can say whether it is well has a `checks.py` with `CHECKS`: functions without arguments that return a
`Check`, or several. `midwatch doctor` asks them all, in the order of the loop.

A room with something to show on a lower room's page has a `panels.py` with `PANELS` (parts of the page) and `BADGES`
(something beside each row of a list). The page names the place; it does not know who answers.

A room that may stand in the way of a lower room's act ("an action item has no owner") has a `conditions.py` with
`OBSTACLES`.

A room with something to add to a lower room's files has an `exports.py` with `EXPORTS`.

A room that knows a figure which a lower one asks for has a `facts.py` with `FACTS`.

A room on whose state a lower one's words depend has a `conditions.py` with `CONDITIONS`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from django.http import HttpRequest

from midwatch.core.guard import guarded
from midwatch.lifecycle import LIFECYCLE

State = Literal["ok", "warning", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """`name`: stable, "database.integrity". `sentence`: what was found. `remedy`: what to do about it, "" when ok."""

    name: str
    question: str
    state: State
    sentence: str
    remedy: str = ""


Ask = Callable[[], Check | Sequence[Check]]


def askers() -> Iterator[tuple[str, Ask]]:
    """(package, function) of every check there is, lowest room first."""
    for step in LIFECYCLE:
        name = f"midwatch.{step.package}.checks"
        if importlib.util.find_spec(name) is None:
            continue
        for ask in importlib.import_module(name).CHECKS:
            yield step.package, ask


def checks() -> list[Check]:
    """Every answer. A check that breaks is answered "unknown" and stops no other."""
    found: list[Check] = []
    for package, ask in askers():
        found.extend(answers(package, ask))
    return found


def answers(package: str, ask: Ask) -> list[Check]:
    name = f"{package.rpartition('.')[2]}.{getattr(ask, '__name__', 'check')}"
    broken: list[Exception] = []
    said = guarded(f"doctor: {name}", ask, otherwise=None, on_failure=broken.append)
    if said is None:
        text = f"the check itself failed: {type(broken[0]).__name__}: {broken[0]}"
        return [
            Check(name, "Can this be checked?", "unknown", text, "see the log; while this lasts, nothing is known here")
        ]
    return [said] if isinstance(said, Check) else list(said)


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page about one thing. `place`: "alert.acts". `render` gives safe HTML, "" for nothing to show."""

    place: str
    order: int
    render: Callable[[HttpRequest, Any], str]


@dataclass(frozen=True, slots=True)
class Beside:
    """A few words beside a row: an icon and words, or the badge of a `state`; and perhaps a moment.

    `shape`: of the moment, "relative" or "countdown". A page shows fifty of these, so they are values and no templates.
    """

    words: str = ""
    icon: str = ""
    state: str = ""
    at: datetime | None = None
    shape: str = "relative"


@dataclass(frozen=True, slots=True)
class Badge:
    """Something beside each row of a list. `render` gets all rows at once and answers by primary key, safe HTML or
    `Beside`, with a constant number of queries."""

    place: str
    order: int
    render: Callable[[HttpRequest, Sequence[Any]], Mapping[int, str | Beside]]


@dataclass(frozen=True, slots=True)
class Condition:
    """A state of the installation, "paging.held". `holds` is asked for every row of a list, so it is cheap."""

    name: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way of an act on a lower room's thing. `place`: "postmortem.approve".

    In `OBSTACLES` of the room's `conditions.py`. `sentences` says what is missing and what to do, nothing when all is well;
    it is asked in the act's transaction.
    """

    place: str
    sentences: Callable[[Any], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`holds` None: it could not be asked, so it says nothing. `sentence`: what was found."""

    holds: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A way to see by itself that something was done. In `PROOFS` of a room's `proofs.py`.

    `fields`: what such a proof must name. `ask(proof, since)`: what happened before `since` proves nothing. `is_lasting`: it
    can break again, so it goes on being asked.
    """

    kind: str
    title: str
    fields: tuple[str, ...]
    ask: Callable[[Mapping[str, Any], datetime], Verdict]
    is_lasting: bool = True


@dataclass(frozen=True, slots=True)
class Export:
    """Lines of text that a higher room adds to what a lower one exports. `place`: "postmortem.actions".

    In `EXPORTS` of the room's `exports.py`; each line is one of a list, without its bullet.
    """

    place: str
    lines: Callable[[Any], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure that a higher room knows: "alerts.paged_by_service". In `FACTS` of the room's `facts.py`; bounded."""

    name: str
    ask: Callable[..., Any]


@cache
def _contributions(attribute: str, module: str = "panels") -> tuple[Any, ...]:
    found: list[Any] = []
    for step in LIFECYCLE:
        name = f"midwatch.{step.package}.{module}"
        if importlib.util.find_spec(name) is not None:
            found.extend(getattr(importlib.import_module(name), attribute, ()))
    return tuple(sorted(found, key=lambda one: getattr(one, "order", 0)))


def holds(condition: str, thing: Any) -> bool:
    """Does a higher room say so of this thing?"""
    return any(one.holds(thing) for one in _contributions("CONDITIONS", "conditions") if one.name == condition)


def obstacles(place: str, thing: Any) -> list[str]:
    """What higher rooms demand before that act, lowest room first; empty when nothing stands in its way."""
    asked = (one for one in _contributions("OBSTACLES", "conditions") if one.place == place)
    return [sentence for one in asked for sentence in one.sentences(thing)]


def fact(name: str, *about: Any, otherwise: Any) -> Any:
    """What the room that knows says; `otherwise` when no room here knows it."""
    for one in _contributions("FACTS", "facts"):
        if one.name == name:
            return one.ask(*about)
    return otherwise


def proofs() -> tuple[Proof, ...]:
    """Every kind of proof there is."""
    return _contributions("PROOFS", "proofs")


def exports(place: str, thing: Any) -> list[str]:
    """What higher rooms add there, lowest room first."""
    asked = (one for one in _contributions("EXPORTS", "exports") if one.place == place)
    return [line for one in asked for line in one.lines(thing)]


def panels(place: str, request: HttpRequest, thing: Any) -> list[str]:
    """What higher rooms show there, in order."""
    shown = (panel.render(request, thing) for panel in _contributions("PANELS") if panel.place == place)
    return [html for html in shown if html]


def badges(place: str, request: HttpRequest, rows: Sequence[Any]) -> dict[int, list[str | Beside]]:
    """By primary key of the row, in order."""
    found: dict[int, list[str | Beside]] = {row.pk: [] for row in rows}
    for badge in _contributions("BADGES"):
        if badge.place == place and rows:
            for key, said in badge.render(request, rows).items():
                if said:
                    found[key].append(said)
    return found
