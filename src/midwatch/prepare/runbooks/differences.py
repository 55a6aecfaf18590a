"""What a revision of a text changed, line by line. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

LINES_MAX = 3_000  # of each text; comparing takes the square of it at worst
CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Line:
    """ "+" is new, "-" is gone, " " stays, "@" stands for lines left out."""

    sign: Literal["+", "-", " ", "@"]
    text: str


def between(old: str, new: str) -> list[Line]:
    """The lines that differ with two around them; at most `LINES_MAX`."""
    found: list[Line] = []
    before, after = old.splitlines()[:LINES_MAX], new.splitlines()[:LINES_MAX]
    for number, line in enumerate(difflib.unified_diff(before, after, lineterm="", n=CONTEXT)):
        if number < 2:  # the names of two files
            continue
        if line.startswith("@@"):
            if found:
                found.append(Line("@", ""))
            continue
        sign = line[:1]
        found.append(Line("+" if sign == "+" else "-" if sign == "-" else " ", line[1:]))
    return found[:LINES_MAX]
