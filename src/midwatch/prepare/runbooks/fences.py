"""The line behind the back-ticks: language and attributes, as Runme writes them. Pure.

    ```sh {"name": "restart", "kind": "run", "executor": "local"}
    ```sh { name=restart interactive=false }

The first form is JSON, the second is Runme's older one. (Runme reads to the first `}`: of a line with a map inside its
attributes, or with `${option.x}`, it sees none of them; the document stays readable all the same.)
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any, Final

from midwatch.core.written.documents import DEPTH_MAX, Fields, Items, Node, Scalar

INFO_MAX: Final = 10_000
_WORD = re.compile(r"[^\s{]+")
_OURS: Final = frozenset({"name", "kind", "executor", "verifies", "dryRunOf"})
RUNME: Final = frozenset(
    {
        "id", "name", "cwd", "interactive", "background", "interpreter", "promptEnv", "excludeFromRunAll", "category",
        "tag", "terminalRows", "closeTerminalOnSuccess", "openTerminalOnError", "mimeType", "ignore",
    }
)  # fmt: skip


class FenceError(ValueError):
    """The attributes cannot be read. The text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Info:
    """`attributes`: None of a fence that is prose, a sample for readers."""

    language: str
    attributes: dict[str, Any] | None


def read(info: str) -> Info:
    """Raises `FenceError`."""
    text = info.strip()
    if len(text) > INFO_MAX:
        raise FenceError(f"more than {INFO_MAX} characters behind the back-ticks: write it into the step itself")
    first = _WORD.match(text)
    language = first[0].lower() if first else ""
    rest = text[first.end() if first else 0 :].strip()
    if not rest.startswith("{"):
        return Info(language, None)
    return Info(language, _attributes(rest))


def _attributes(text: str) -> dict[str, Any] | None:
    inside = text[1:].strip()
    if inside.startswith(('"', "}")):
        return _json(text)
    if re.match(r"[A-Za-z][\w.-]*\s*=", inside):
        found = _words(text)
        return found if found.keys() & (RUNME | _OURS) else None
    if re.match(r"'?[A-Za-z][\w]*'?\s*:", inside):
        raise FenceError('attributes whose names have no quotes: write them as JSON, such as {"name": "restart"}')
    return None  # highlighted lines and classes of other programs


def _json(text: str) -> dict[str, Any]:
    try:
        found, end = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).raw_decode(text)
    except FenceError:
        raise
    except (ValueError, RecursionError) as error:
        what = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else "too deep"
        raise FenceError(f'attributes that are not JSON ({what}): write such as {{"name": "restart"}}') from error
    if text[end:].strip():
        raise FenceError(f"text behind the attributes ({text[end:].strip()[:40]}): take it away")
    assert isinstance(found, dict), "it begins with a brace"
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise FenceError(f"{key} stands twice in the attributes: keep one of them")
        found[key] = value
    return found


def _no_constant(word: str) -> None:
    raise FenceError(f"{word} in the attributes: write a number or a text")


def _words(text: str) -> dict[str, Any]:
    if not text.endswith("}"):
        raise FenceError("attributes that do not end: write } at the end of the line")
    try:
        words = shlex.split(text[1:-1])
    except ValueError as error:
        raise FenceError("a quote in the attributes is not closed: close it, or write them as JSON") from error
    found: dict[str, Any] = {}
    for word in words:
        key, is_pair, value = word.partition("=")
        if is_pair and key:
            if key in found:
                raise FenceError(f"{key} stands twice in the attributes: keep one of them")
            found[key] = value
    return found


def node_of(value: Any, line: int, depth: int = 0) -> Node:
    """JSON as the nodes that typed fields read."""
    if depth > DEPTH_MAX:
        raise FenceError("attributes nested too deep: write them simpler")
    match value:
        case dict():
            items = {str(key): node_of(child, line, depth + 1) for key, child in value.items()}
            return Fields(line, items, dict.fromkeys(items, line), json.dumps(value)[:200])
        case list():
            return Items(line, [node_of(child, line, depth + 1) for child in value], json.dumps(value)[:200])
        case None:
            return Scalar(line, "", True, "null")
        case bool():
            return Scalar(line, "true" if value else "false", True, json.dumps(value))
        case str():
            return Scalar(line, value, False, value)
        case _:
            return Scalar(line, str(value), True, str(value))
