"""Types of fields: each takes a node and gives the value in its normal form, or says what to write instead.

A normal form is plain JSON data in the words of the documents ("5m", "ana", {"days": [...]}), so that what is wanted
and what is can be compared, shown and exported alike.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from midwatch.core import zones
from midwatch.core.text import NAME, NAME_HELP, clean
from midwatch.core.written.documents import Document, Fields, Items, Node, Scalar
from midwatch.core.written.problems import Problem

WRITTEN_MAX: Final = 80
MASK: Final = "****"
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DURATION = re.compile(r"(?:\d{1,9}[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
_WALL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?")


class WrongError(Exception):
    """This value cannot be taken. `written` is shown in brackets, unless it is a secret ("")."""

    def __init__(self, what: str, instead: str, *, written: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.instead = instead
        self.written = written


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that names another object, to be looked up when everything is read."""

    kind: str
    name: str
    place: Place


@dataclass(slots=True)
class Reading:
    """All that is found while documents are read. `directory`: for `{file: ...}`."""

    directory: Path | None = None
    problems: list[Problem] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: which object's which field, in which line."""

    document: Document
    kind: str
    name: str
    field: str
    line: int

    def problem(self, text: str) -> Problem:
        return Problem(self.document.file, self.line, self.kind, self.name, self.field, text)


@dataclass(frozen=True, slots=True)
class Value:
    """A node with its place."""

    node: Node
    place: Place
    reading: Reading

    def child(self, name: str | int, node: Node, line: int | None = None) -> Value:
        before = self.place.field
        path = f"{before}[{name}]" if isinstance(name, int) else f"{before}.{name}" if before else name
        of = self.place
        return Value(node, Place(of.document, of.kind, of.name, path, line or node.line), self.reading)

    @property
    def written(self) -> str:
        return clean(self.node.written, WRITTEN_MAX, is_one_line=True)

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, Scalar) and self.node.is_null

    def complain(self, wrong: WrongError) -> None:
        """Note it and go on: all problems are told at once."""
        self.reading.problems.append(self.place.problem(wrong_text(wrong, self.written)))


def wrong_text(wrong: WrongError, written: str) -> str:
    shown = written if wrong.written is None else wrong.written
    return f"{wrong.what}{f' ({shown})' if shown else ''}, {wrong.instead}"


Type = Callable[[Value], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a map. `default` is what leaving it out means; a field left empty (null) is left out."""

    read: Type
    default: Any = None
    is_required: bool = False
    example: str = ""
    about: str = ""


Table = Mapping[str, Field]


def did_you_mean(word: str, known: Iterable[str], what: str) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not near and len(word) > 2:
        near = [known_name for known_name in names if known_name.lower().startswith(word.lower())]
    if near:
        return f"did you mean {near[0]}?"
    if not names:
        return f"there is no {what} yet"
    listed = ", ".join(names[:20])
    return f"write one of {listed}{', ...' if len(names) > 20 else ''}"


def text_of(value: Value, example: str) -> str:
    """The text of a scalar that is not empty."""
    if not isinstance(value.node, Scalar):
        found = "a list" if isinstance(value.node, Items) else "a map"
        raise WrongError(f"{found} where one value belongs", f"write {example}")
    return value.node.text


def text(at_most: int, example: str = "a text", *, is_one_line: bool = True, is_empty_allowed: bool = False) -> Type:
    def read(value: Value) -> str:
        found = text_of(value, example)
        cleaned = clean(found, at_most + 1, is_one_line=is_one_line)
        if not cleaned and not is_empty_allowed:
            raise WrongError("empty", f"write {example}")
        if len(cleaned) > at_most:
            raise WrongError(f"longer than {at_most} characters", "shorten it")
        return cleaned

    return read


def name(value: Value) -> str:
    found = text_of(value, "a name such as payments-primary")
    if not NAME.fullmatch(found):
        raise WrongError("not a name", f"write {NAME_HELP}")
    return found


def boolean(value: Value) -> bool:
    found = text_of(value, "true or false").lower()
    if found not in {"true", "false"}:
        raise WrongError("neither true nor false", "write true or false")
    return found == "true"


def whole(low: int, high: int) -> Type:
    def read(value: Value) -> int:
        found = text_of(value, f"a whole number from {low} to {high}")
        if not re.fullmatch(r"-?\d{1,12}", found) or not low <= int(found) <= high:
            raise WrongError("not a whole number in range", f"write {low} to {high}")
        return int(found)

    return read


def one_of(*words: str) -> Type:
    def read(value: Value) -> str:
        found = text_of(value, " or ".join(words))
        if found not in words:
            raise WrongError("not one of the words for this", did_you_mean(found, words, "word"))
        return found

    return read


def seconds_of(duration: str) -> int:
    """Of a normal form."""
    return sum(int(count) * UNITS[unit] for count, unit in _PART.findall(duration))


def duration_text(seconds: int) -> str:
    """The largest unit that fits: 300 is "5m", 90 is "90s"."""
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % UNITS[unit] == 0:
            return f"{seconds // UNITS[unit]}{unit}"
    return f"{seconds}s"


def optional_duration_text(seconds: int | None) -> str | None:
    return None if seconds is None else duration_text(seconds)


def duration(low: int, high: int) -> Type:
    """Seconds from `low` to `high`."""

    def read(value: Value) -> str:
        found = text_of(value, "a duration such as 5m")
        if not _DURATION.fullmatch(found):
            instead = (
                f"write {found}m or {found}s"
                if found.isdigit() and len(found) < 6
                else "write one such as 90s, 5m, 4h, 1d or 1w"
            )
            raise WrongError("not a duration", instead)
        seconds = seconds_of(found)
        if not low <= seconds <= high:
            raise WrongError("out of range", f"write {duration_text(low)} to {duration_text(high)}")
        return duration_text(seconds)

    return read


def rotation_length(value: Value) -> str:
    """`every`: 12h, 1d, 2w, kept in its own unit, since 24h and 1d differ when the clocks change."""
    found = text_of(value, "a length such as 1w")
    match = re.fullmatch(r"(\d{1,5})([hdw])", found)
    if not match or not 1 <= int(match[1]) * UNITS[match[2]] <= 3_660 * 86_400:
        raise WrongError("not a length of turns", "write hours, days or weeks, such as 12h, 1d or 1w")
    return f"{int(match[1])}{match[2]}"


def zone(value: Value) -> str:
    found = text_of(value, "a time zone such as Europe/Prague")
    try:
        zones.zone(found)
    except zones.UnknownZoneError as error:
        hint = str(error).rpartition("such as ")[2]
        raise WrongError("not a time zone", f"write an IANA name such as {hint}") from error
    return found


def wall_time(value: Value) -> str:
    """2026-01-05T09:00, wall clock."""
    found = text_of(value, "a time such as 2026-01-05T09:00")
    is_right = _WALL.fullmatch(found) is not None
    try:
        moment = datetime.fromisoformat(found) if is_right else None
    except ValueError:
        moment = None
    if moment is None or not zones.YEAR_MIN < moment.year < zones.YEAR_MAX:
        raise WrongError(
            "not a wall-clock time", "write one such as 2026-01-05T09:00, without offset: it is in the schedule's zone"
        )
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")


def clock_time(value: Value) -> str:
    found = text_of(value, "a time such as 09:00")
    if not _CLOCK.fullmatch(found):
        raise WrongError("not a time of day", "write one such as 09:00 or 22:30")
    return "00:00" if found == "24:00" else found


def span(value: Value) -> str:
    """08:00-22:00."""
    found = text_of(value, "a span such as 08:00-22:00")
    start, _, end = found.replace(" ", "").partition("-")
    if not _CLOCK.fullmatch(start) or not _CLOCK.fullmatch(end) or start in {"24:00", end}:
        raise WrongError("not a span of hours", "write one such as 08:00-22:00")
    return f"{start}-{'00:00' if end == '24:00' else end}"


def day(value: Value) -> str:
    found = text_of(value, "a day such as mon")
    if found.lower() not in DAYS:
        raise WrongError("not a day", f"write {', '.join(DAYS)}")
    return found.lower()


def reference(kind: str) -> Type:
    """The name of an object of this kind, in the documents or known already."""

    def read(value: Value) -> str:
        found = text_of(value, f"the name of a {kind}")
        if not found:
            raise WrongError("empty", f"write the name of a {kind}")
        value.reading.references.append(Reference(kind, found, value.place))
        return found

    return read


def list_of(item: Type, at_most: int, example: str = "[...]", *, at_least: int = 0) -> Type:
    def read(value: Value) -> list[Any]:
        if not isinstance(value.node, Items):
            raise WrongError("not a list", f"write one such as {example}")
        if not at_least <= len(value.node.items) <= at_most:
            raise WrongError(f"{len(value.node.items)} items", f"write {at_least} to {at_most}", written="")
        found = []
        for index, node in enumerate(value.node.items):
            child = value.child(index, node)
            try:
                found.append(item(child))
            except WrongError as wrong:
                child.complain(wrong)
        return found

    return read


def map_of(
    table: Table, example: str = "{...}", finish: Callable[[Value, dict[str, Any]], dict[str, Any]] | None = None
) -> Type:
    """A map with these fields. `finish` checks what concerns several fields, when each is right by itself."""

    def read(value: Value) -> dict[str, Any]:
        before = len(value.reading.problems)
        found = read_fields(value, table, example)
        is_right = len(value.reading.problems) == before
        return finish(value, found) if finish is not None and is_right else found

    return read


def read_fields(value: Value, table: Table, example: str = "{...}") -> dict[str, Any]:
    node = value.node
    if not isinstance(node, Fields):
        raise WrongError("not a map", f"write one such as {example}")
    found: dict[str, Any] = {}
    for key, child_node in node.items.items():
        child = value.child(key, child_node, node.key_lines[key] if isinstance(child_node, Scalar) else None)
        if key not in table:
            child = value.child(key, child_node, node.key_lines[key])
            child.complain(WrongError("no such field", did_you_mean(key, table, "field"), written=""))
        elif not child.is_null:
            try:
                found[key] = table[key].read(child)
            except WrongError as wrong:
                child.complain(wrong)
                found[key] = table[key].default
    for key, of in table.items():
        if key in found:
            continue
        if of.is_required:
            example_text = f", such as {of.example}" if of.example else ""
            missing = WrongError("missing", f"write it{example_text}", written="")
            value.child(key, node, value.place.line).complain(missing)
        found[key] = of.default
    return {key: found[key] for key in table}


def at(value: Value, *path: str | int) -> Value:
    """The value at a path below a map that was read, for complaints about how fields fit together."""
    found = value
    for step in path:
        node = found.node
        if isinstance(node, Fields) and isinstance(step, str) and step in node.items:
            child = node.items[step]
            found = found.child(step, child, node.key_lines[step] if isinstance(child, Scalar) else None)
        elif isinstance(node, Items) and isinstance(step, int):
            found = found.child(step, node.items[step])
        else:
            return found.child(step, node, found.place.line)
    return found
