"""The availability of what is made of parts: in series, redundant, k of n; a part that several share counts once.

Pure and exact. Multiplying along the lines counts a shared database twice and then claims five nines where there are three.
So the structure becomes a reduced decision diagram over its parts (R. Bryant, "Graph-Based Algorithms for Boolean Function
Manipulation", 1986), and each node's probability is asked once: linear in the diagram, however many parts are shared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from midwatch.learn.objectives.uptime import UptimeError, read_sla

PARTS_MAX = 200
NODES_MAX = 200_000
DEPTH_MAX = 50
TEXT_MAX = 10_000
_TOKEN = re.compile(r"\s*(?:(\d+)\s*of\b|([A-Za-z_][\w.-]*)|([(),&|]))", re.ASCII)


class CompositionError(ValueError):
    """The structure cannot be read or is too large. The message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Part:
    name: str


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Up while `count` of `parts` are: all of them in series, one of them when redundant."""

    count: int
    parts: tuple[Structure, ...]


Structure = Part | AtLeast


def in_series(*parts: Structure) -> AtLeast:
    return AtLeast(len(parts), parts)


def redundant(*parts: Structure) -> AtLeast:
    return AtLeast(1, parts)


def names(structure: Structure) -> list[str]:
    """Every part, in the order in which it is first named."""
    match structure:
        case Part(name):
            return [name]
        case AtLeast(parts=parts):
            return list(dict.fromkeys(name for part in parts for name in names(part)))


def availability(structure: Structure, of: Mapping[str, Fraction]) -> Fraction:
    """0 to 1, exact. `of`: each part's own, 0 to 1. Raises `CompositionError`."""
    order = names(structure)
    missing = [name for name in order if name not in of]
    if missing:
        raise CompositionError(f"no availability is given for {', '.join(missing[:5])}")
    if len(order) > PARTS_MAX:
        raise CompositionError(f"{len(order)} parts are too many: at most {PARTS_MAX}")
    diagram = _Diagram({name: at for at, name in enumerate(order)})
    return diagram.probability(diagram.built(structure), [of[name] for name in order])


def naive(structure: Structure, of: Mapping[str, Fraction]) -> Fraction:
    """As if each mention were a part of its own: what a spreadsheet says, shown beside the exact figure."""
    match structure:
        case Part(name):
            return of[name]
        case AtLeast(count, parts):
            up = [Fraction(1)]  # up[n]: n of those seen so far are up
            for part in parts:
                own = naive(part, of)
                stays = [share * (1 - own) for share in (*up, Fraction(0))]
                rises = [share * own for share in (Fraction(0), *up)]
                up = [one + other for one, other in zip(stays, rises, strict=True)]
            return sum(up[count:], Fraction(0))


def read_parts(text: str) -> dict[str, Fraction]:
    """`web=99.9, db=99.95`: percent of each part, as 0 to 1. Raises `CompositionError`."""
    found: dict[str, Fraction] = {}
    for given in (one.strip() for one in text.split(",") if one.strip()):
        name, _, percent = given.partition("=")
        try:
            found[name.strip()] = read_sla(percent) / 100
        except UptimeError as error:
            raise CompositionError(f"{given[:40]!r}: write a name and its percentage, as db=99.95") from error
    if len(found) > PARTS_MAX:
        raise CompositionError(f"{len(found)} parts are too many: at most {PARTS_MAX}")
    return found


DOWN, UP = 0, 1


class _Diagram:
    """Nodes are numbers: 0 is down, 1 is up, each other one asks a part and goes on to one of two."""

    def __init__(self, order: Mapping[str, int]) -> None:
        self.order = order
        self.asks = [len(order), len(order)]  # the two ends come after every part
        self.next: list[tuple[int, int]] = [(DOWN, DOWN), (UP, UP)]
        self._known: dict[tuple[int, int, int], int] = {}
        self._chosen: dict[tuple[int, int, int], int] = {}

    def node(self, part: int, if_down: int, if_up: int) -> int:
        if if_down == if_up:
            return if_up
        key = (part, if_down, if_up)
        if key not in self._known:
            if len(self.asks) >= NODES_MAX:
                raise CompositionError("the parts are shared too widely to be worked out exactly: group some of them")
            self._known[key] = len(self.asks)
            self.asks.append(part)
            self.next.append((if_down, if_up))
        return self._known[key]

    def built(self, structure: Structure) -> int:
        match structure:
            case Part(name):
                return self.node(self.order[name], DOWN, UP)
            case AtLeast(count, parts):
                return self.at_least(count, [self.built(part) for part in parts])

    def at_least(self, count: int, parts: Sequence[int]) -> int:
        """From the last part to the first; `row[n]`: n of those are still wanted. In series and redundant need no rows,
        whose diagrams would be kept for nothing."""
        if count == len(parts):
            return reduce(lambda rest, part: self.choose(part, rest, DOWN), reversed(parts), UP)
        if count == 1:
            return reduce(lambda rest, part: self.choose(part, UP, rest), reversed(parts), DOWN)
        row = [UP] + [DOWN] * count
        for part in reversed(parts):
            row = [UP] + [self.choose(part, row[wanted - 1], row[wanted]) for wanted in range(1, count + 1)]
        return row[count]

    def choose(self, asked: int, if_up: int, if_down: int) -> int:
        """The node that is `if_up` where `asked` is up, and `if_down` where it is down."""
        if asked == UP or if_up == if_down:
            return if_up
        if asked == DOWN:
            return if_down
        key = (asked, if_up, if_down)
        if key not in self._chosen:
            first = min(self.asks[asked], self.asks[if_up], self.asks[if_down])
            low, high = (
                self.choose(*(self._after(node, first, way) for node in (asked, if_up, if_down))) for way in (0, 1)
            )
            self._chosen[key] = self.node(first, low, high)
        return self._chosen[key]

    def _after(self, node: int, part: int, way: int) -> int:
        return self.next[node][way] if self.asks[node] == part else node

    def probability(self, node: int, of: Sequence[Fraction]) -> Fraction:
        """From the ends upwards: a node is made after those it leads to. In whole numbers over one denominator a level,
        for reducing each fraction would cost more than all the rest."""
        below = [1]  # the product of the denominators of this part and all after it
        for up in reversed(of):
            below.append(below[-1] * up.denominator)
        below.reverse()
        found: dict[int, int] = {DOWN: 0, UP: 1}
        for at in sorted(self._reached(node)):
            part = self.asks[at]
            up = of[part]
            low, high = (found[to] * (below[part + 1] // below[self.asks[to]]) for to in self.next[at])
            found[at] = up.numerator * high + (up.denominator - up.numerator) * low
        return Fraction(found[node], below[self.asks[node]])

    def _reached(self, node: int) -> set[int]:
        seen: set[int] = set()
        waiting = [node]
        while waiting:
            at = waiting.pop()
            if at > UP and at not in seen:
                seen.add(at)
                waiting += self.next[at]
        return seen


def read(text: str) -> Structure:
    """`web & api & (db1 | db2)`, `lb & 2 of (a, b, c)`. `&` binds closer than `|`. Raises `CompositionError`."""
    if len(text) > TEXT_MAX:
        raise CompositionError(f"at most {TEXT_MAX} characters")
    tokens: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if not found:
            raise CompositionError(f"{text[at:].strip()[:20]!r}: write names, &, |, parentheses, or 2 of (a, b, c)")
        count, name, sign = found.groups()
        tokens.append(("of", count) if count else ("name", name) if name else (sign, sign))
        at = found.end()
    reader = _Reader(tokens)
    structure = reader.any_of(0)
    if reader.tokens:
        raise CompositionError(f"{reader.tokens[0][1]!r} is one too many there")
    return structure


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def _take(self, kind: str) -> bool:
        if self.tokens and self.tokens[0][0] == kind:
            self.tokens.pop(0)
            return True
        return False

    def _want(self, kind: str) -> None:
        if not self._take(kind):
            raise CompositionError(f"{kind!r} is missing" + (f" before {self.tokens[0][1]!r}" if self.tokens else ""))

    def any_of(self, depth: int) -> Structure:
        parts = [self.all_of(depth)]
        while self._take("|"):
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else redundant(*parts)

    def all_of(self, depth: int) -> Structure:
        parts = [self.one(depth)]
        while self._take("&"):
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else in_series(*parts)

    def one(self, depth: int) -> Structure:
        if depth >= DEPTH_MAX:
            raise CompositionError(f"at most {DEPTH_MAX} parentheses inside each other")
        if not self.tokens:
            raise CompositionError("a part is missing at the end")
        kind, text = self.tokens.pop(0)
        match kind:
            case "name":
                return Part(text)
            case "(":
                inner = self.any_of(depth + 1)
                self._want(")")
                return inner
            case "of":
                self._want("(")
                parts = [self.any_of(depth + 1)]
                while self._take(","):
                    parts.append(self.any_of(depth + 1))
                self._want(")")
                if not 1 <= int(text[:6]) <= len(parts):
                    raise CompositionError(f"{text} of {len(parts)} parts: write a count from 1 to {len(parts)}")
                return AtLeast(int(text), tuple(parts))
            case _:
                raise CompositionError(f"a part is missing before {text!r}")
