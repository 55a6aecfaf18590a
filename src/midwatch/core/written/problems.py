"""What is wrong with a configuration: each problem names file, line, object and field, and says what to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`kind`, `name`, `field` may be "" where a document is not understood that far. `text` holds what is wrong, the
    wrong value as written, and what to write instead."""

    file: str
    line: int
    kind: str = ""
    name: str = ""
    field: str = ""
    text: str = ""

    def __str__(self) -> str:
        of = "/".join(part for part in (self.kind, self.name) if part)
        parts = [part for part in (of, self.field, self.text) if part]
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {': '.join(parts)}"


class ConfigurationError(Exception):
    """The configuration cannot be applied, and nothing was. `problems`: all of them, by file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
