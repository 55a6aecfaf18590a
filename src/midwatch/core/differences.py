"""What a revision of a text changed, line by line. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Line:
    """ "+" is new, "-" is gone, " " stays, "@" stands for lines left out."""

    sign: Literal["+", "-", " ", "@"]
    text: str


def between(old: str, new: str, *, lines_max: int) -> list[Line]:
    """The lines that differ with two around them; `lines_max` of each text and of the answer: comparing takes the square
    of it at worst."""
    found: list[Line] = []
    before, after = old.splitlines()[:lines_max], new.splitlines()[:lines_max]
    for number, line in enumerate(difflib.unified_diff(before, after, lineterm="", n=CONTEXT)):
        if number < 2:  # the names of two files
            continue
        if line.startswith("@@"):
            if found:
                found.append(Line("@", ""))
            continue
        sign = line[:1]
        found.append(Line("+" if sign == "+" else "-" if sign == "-" else " ", line[1:]))
    return found[:lines_max]
