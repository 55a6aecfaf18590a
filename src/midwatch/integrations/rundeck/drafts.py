"""A runbook being made of a job: its steps, and what became of each part of the job. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from midwatch.core.integration import Mapped, MappedWord

STEP_NAME_MAX = 60
_NO_SLUG = re.compile(r"[^a-z0-9_]+")


def slug(text: str, fallback: str, most: int = STEP_NAME_MAX) -> str:
    return _NO_SLUG.sub("-", text.lower()).strip("-_")[:most].strip("-_") or fallback


@dataclass(slots=True)
class Step:
    """`settings`: attributes of the executor. `prose`: what stands above the fence. `handler`: for `on_failure`."""

    name: str
    title: str
    kind: str
    executor: str = ""
    language: str = "sh"
    body: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    targets: Sequence[str] = ()
    prose: list[str] = field(default_factory=list)
    on_failure: str = ""
    is_handler: bool = False
    timeout: str = ""
    retries: int = 0
    retry_delay: str = ""


@dataclass(slots=True)
class Option:
    """As the front matter holds it: `values` are its keys in their order."""

    name: str
    theirs: str
    values: dict[str, Any]


@dataclass(slots=True)
class Draft:
    """`said`: paragraphs for people, under the title."""

    name: str
    title: str
    key: str
    group: str
    project: str
    origin: str
    options: list[Option] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    mapped: list[Mapped] = field(default_factory=list)
    concurrency: int = 1
    schedule: str = ""
    time_zone: str = ""
    is_active: bool = True

    def note(self, part: str, word: MappedWord, note: str = "") -> None:
        self.mapped.append(Mapped(part[:200], word, note[:500]))

    def step_name(self, wanted: str) -> str:
        """One that no step has yet."""
        taken = {step.name for step in self.steps}
        name, count = slug(wanted, "step"), 1
        while name in taken:
            count += 1
            name = f"{slug(wanted, 'step', STEP_NAME_MAX - 4)}-{count}"
        return name


def word(value: Any, key: str, most: int = 1_000) -> str:
    """A field's text; "" where it is missing, null, or no scalar."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return "" if found is None or isinstance(found, dict | list) else str(found)[:most]


def flag(value: Any, key: str, default: bool = False) -> bool:
    found = value.get(key) if isinstance(value, Mapping) else None
    return default if found is None or found == "" else str(found).strip().lower() == "true"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
