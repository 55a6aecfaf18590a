"""`${option.host}` in what people copy, in addresses and in targets: finding the names and filling them. Pure.

What is filled comes as a mapping of whole names (`option.host`, `value.pod`, `alert.number`). A name without a value stays
as it is written, so that a reader sees what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

NAME: Final = re.compile(r"\$\{((?:option|value|alert|incident|execution|target)(?:\.[A-Za-z0-9_.-]{1,80})?)\}")


def names_in(text: str) -> set[str]:
    return set(NAME.findall(text))


def names_in_all(value: Any) -> set[str]:
    """In every text of a structure of maps and lists."""
    match value:
        case str():
            return names_in(value)
        case Mapping():
            return set().union(*(names_in_all(child) for child in value.values()))
        case list() | tuple():
            return set().union(*(names_in_all(child) for child in value))
        case _:
            return set()


def variable_of(name: str) -> str:
    """`option.db-host` -> `OPTION_DB_HOST`."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def filled(text: str, known: Mapping[str, str], quoted: Callable[[str], str] = str) -> str:
    def one(match: re.Match[str]) -> str:
        return quoted(known[match[1]]) if match[1] in known else match[0]

    return NAME.sub(one, text)


def filled_all(value: Any, known: Mapping[str, str], quoted: Callable[[str], str] = str) -> Any:
    match value:
        case str():
            return filled(value, known, quoted)
        case Mapping():
            return {key: filled_all(child, known, quoted) for key, child in value.items()}
        case list() | tuple():
            return [filled_all(child, known, quoted) for child in value]
        case _:
            return value
