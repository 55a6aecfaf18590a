"""Rundeck's nodes and the filters that choose among them (docs/manual/11-node-filters). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_KEYS = {
    "name": "nodename",
    "os-name": "osName",
    "os-family": "osFamily",
    "os-arch": "osArch",
    "os-version": "osVersion",
}
_PAIR = re.compile(r"""(!?)([\w.-]+):\s*("[^"]*"|'[^']*'|\S+)|(\S+)""")
PATTERN_MAX = 200


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    attributes: Mapping[str, str]

    @property
    def target(self) -> str:
        """As SSH writes it: user@host, or host."""
        host = self.attributes.get("hostname", self.name)
        user = self.attributes.get("username", "")
        return f"{user}@{host}" if user and "$" not in user and "@" not in host else host

    @property
    def tags(self) -> set[str]:
        return {tag.strip() for tag in self.attributes.get("tags", "").split(",") if tag.strip()}


def read(value: Any) -> list[Node]:
    """A resources file: a map by name, or a list."""
    named = value.items() if isinstance(value, Mapping) else ((None, one) for one in value if isinstance(value, list))
    found = []
    for key, one in named:
        if not isinstance(one, Mapping):
            continue
        name = str(one.get("nodename") or key or one.get("hostname") or "")[:200]
        if name:
            kept = {str(at)[:100]: _plain(given)[:1_000] for at, given in one.items()}
            found.append(Node(name, {**kept, "nodename": name}))
    return found


def is_resources(value: Any) -> bool:
    """Nodes have a host; jobs have a sequence."""
    ones = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return bool(ones) and all(
        isinstance(one, Mapping) and ("hostname" in one or "nodename" in one) and "sequence" not in one for one in ones
    )


def filter_of(value: Any) -> str:
    """The `nodefilters` of a job as one line of the filter's language, "" when it runs on the server itself."""
    if not isinstance(value, Mapping):
        return ""
    given = value.get("filter")
    parts = [given.strip()] if isinstance(given, str) and given.strip() else []
    excluded = value.get("filterExclude")
    if isinstance(excluded, str) and excluded.strip():
        parts += [_negated(excluded)]
    for side, mark in (("include", ""), ("exclude", "!")):
        inner = value.get(side)
        if isinstance(inner, Mapping):
            parts += [f"{mark}{key}: {_plain(inner[key])}" for key in inner if _plain(inner[key])]
    return " ".join(parts)


def _negated(text: str) -> str:
    return " ".join(
        f"!nodename: {found[4]}" if found[4] else f"{'' if found[1] else '!'}{found[2]}: {found[3]}"
        for found in _PAIR.finditer(text)
    )


def chosen(nodes: Sequence[Node], text: str) -> list[Node] | None:
    """Which of these nodes a filter chooses. None when it holds what is not understood (a variable, a broken pattern)."""
    if "${" in text or len(text) > 5_000:
        return None
    conditions = list(_conditions(text))
    if any(condition is None for condition in conditions):
        return None
    found = []
    for node in nodes:
        if all(_holds(node, *condition) for condition in conditions if condition is not None):
            found.append(node)
    return found


def _conditions(text: str) -> Iterator[tuple[bool, str, str] | None]:
    """(is it negated, attribute, value)."""
    for found in _PAIR.finditer(text):
        negation, key, value, bare = found.groups()
        if bare is not None:
            negation, key, value = ("!" if bare.startswith("!") else ""), "nodename", bare.lstrip("!")
        value = value.strip("\"'")
        if len(value) > PATTERN_MAX or not _is_plain_pattern(value):
            yield None
        else:
            yield bool(negation), _KEYS.get(key, key), value


def _is_plain_pattern(value: str) -> bool:
    """Patterns of a stranger are matched on names: none that repeats what repeats, which can take for ever."""
    if re.search(r"\)[*+{]", value) or len(re.findall(r"[*+{]", value)) > 3:
        return "," in value or value == "*"
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return "," in value or value == "*"
    return True


def _holds(node: Node, is_negated: bool, key: str, value: str) -> bool:
    return _matches(node, key, value) != is_negated


def _matches(node: Node, key: str, value: str) -> bool:
    if value in {"*", ".*"}:
        return True
    if key == "tags":
        return any(all(_tagged(node, tag.strip()) for tag in one.split("+")) for one in value.split(","))
    given = node.attributes.get(key, "")
    if "," in value:
        return given in [one.strip() for one in value.split(",")]
    try:
        return given == value or re.fullmatch(value, given[:200]) is not None
    except re.error:
        return False


def _tagged(node: Node, tag: str) -> bool:
    return tag in node.tags or any(re.fullmatch(tag, one[:200]) for one in node.tags if "*" in tag or "." in tag)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    return "" if value is None else str(value)
