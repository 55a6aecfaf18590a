"""Values taken from an answer: `$.a.b[0]` from its JSON, `header:NAME`, `status`, or the words before one in its text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from midwatch.core.net import HttpAnswer
from midwatch.core.running import Captures

PART = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d{1,6})\]|\['([^']+)'\]")
VALUE_MAX = 8_000


def problems(settings: Mapping[str, Any]) -> list[str]:
    given = settings.get("captures")
    if not isinstance(given, Mapping):
        return []
    return [
        f"captures: {name}: {path!r} cannot be read; write $.id, $.items[0].name or $['odd name']"
        for name, path in given.items()
        if str(path).startswith("$") and "".join(match.group() for match in PART.finditer(str(path))) != str(path)[1:]
    ]


def taken(settings: Mapping[str, Any], answer: HttpAnswer) -> tuple[dict[str, str], list[str]]:
    """(the values, the names of those that were not found)."""
    given = settings.get("captures")
    if not isinstance(given, Mapping):
        return {}, []
    text = Captures(settings)
    text.feed(answer.body.decode("utf-8", "replace"))
    by_words = text.values()
    document = answer.json()
    values: dict[str, str] = {}
    for name, path in given.items():
        words = str(path)
        found: str | None
        if words == "status":
            found = str(answer.status)
        elif words.startswith("header:"):
            found = answer.headers.get(words.removeprefix("header:").strip().lower())
        elif words.startswith("$"):
            found = _at(document, words)
        else:
            found = by_words.get(str(name))
        if found is not None:
            values[str(name)] = found[:VALUE_MAX]
    return values, [str(name) for name in given if str(name) not in values]


def _at(document: Any, path: str) -> str | None:
    for match in PART.finditer(path):
        key = match[1] or match[3]
        if key is not None and isinstance(document, dict) and key in document:
            document = document[key]
        elif match[2] is not None and isinstance(document, list) and int(match[2]) < len(document):
            document = document[int(match[2])]
        else:
            return None
    return document if isinstance(document, str) else json.dumps(document)
