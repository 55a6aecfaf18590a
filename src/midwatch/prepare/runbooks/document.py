"""A runbook is a Markdown document: front matter, prose, and fenced blocks with attributes, which are its steps. Pure.

Readable on every git host, run by Runme, and by Midwatch. Every error names the line, what is wrong and what to write
instead, and all of them are told at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from midwatch.core.written import documents
from midwatch.core.written.documents import FORBIDDEN
from midwatch.core.written.problems import Problem
from midwatch.core.written.values import Place, Reading, Value, WrongError, read_fields
from midwatch.prepare.runbooks import front
from midwatch.prepare.runbooks.front import Front, Matcher
from midwatch.prepare.runbooks.options import Option
from midwatch.prepare.runbooks.reading import Reader
from midwatch.prepare.runbooks.shape import Document, Form, Needs, Prose, Retry, Step

__all__ = [
    "Document", "DocumentError", "Form", "Front", "Matcher", "Needs", "Option", "Prose", "Retry", "Step",
    "digest_of", "parse",
]  # fmt: skip

BODY_MAX: Final = 500_000  # characters
_FENCE_OF_FRONT = re.compile(r"---[ \t]*")


class DocumentError(ValueError):
    """The text is no runbook. `problems`: all of them; `line`: of the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(sentence(problem) for problem in self.problems))

    @property
    def line(self) -> int:
        return self.problems[0].line


def sentence(problem: Problem) -> str:
    """`line 12: step restart: timeout: not a duration (5x), write ...`."""
    of = f"{problem.kind} {problem.name}".strip()
    return ": ".join(part for part in (f"line {problem.line}", of, problem.field, problem.text) if part)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def parse(text: str, *, executors: Mapping[str, Collection[str]] | None = None) -> Document:
    """Raises `DocumentError`. `executors`: those that are known with their attributes, given when a text is written: a
    word that nobody knows is an error then. Without it everything that can be read is read."""
    if executors is None:
        return _parsed(text)
    return _parse(text, executors)


@lru_cache(200)
def _parsed(text: str) -> Document:
    return _parse(text, None)


def split(text: str) -> tuple[str, str, int]:
    """Front matter, the rest, and the number of the rest's first line. Front matter that does not end is none."""
    lines = text.split("\n")
    if _FENCE_OF_FRONT.fullmatch(lines[0].removeprefix("\ufeff").rstrip("\r")):
        for number, line in enumerate(lines[1:], start=1):
            if _FENCE_OF_FRONT.fullmatch(line.rstrip("\r")):
                return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :]), number + 2
    return "", text, 1


def _parse(text: str, executors: Mapping[str, Collection[str]] | None) -> Document:
    if len(text) > BODY_MAX:
        raise DocumentError([Problem("", 1, text=f"is longer than {BODY_MAX} characters: split it into two runbooks")])
    text = text.replace("\r\n", "\n")
    bad = FORBIDDEN.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        raise DocumentError([Problem("", line, text=f"a control character ({bad[0]!a}): take it away")])
    header, rest, first_line = split(text)
    reading = Reading()
    spec = _front(header, reading)
    about = front.front_of(spec) if not reading.problems else None
    reader = Reader(about, reading, executors)
    blocks = reader.blocks(rest, first_line)
    steps = reader.checked()
    if about is not None and about.url and steps:
        text_of_url = f"a link ({about.url}) beside steps, write one of the two"
        reading.problems.append(Problem("", steps[0].line, "", "", "url", text_of_url))
    if about is None or reading.problems:
        raise DocumentError(reading.problems)
    by_line = {step.line: step for step in steps}
    shown = (by_line.get(block.line) if isinstance(block, Step) else block for block in blocks)
    return Document(about, steps, tuple(block for block in shown if block is not None), spec, rest)


def _front(header: str, reading: Reading) -> dict[str, Any]:
    """The normal form; what is wrong in it is noted. Nothing written is all defaults."""
    read = documents.read_text("\n" + header, file="")
    reading.problems.extend(read.problems)
    if len(read.documents) > 1:
        line = read.documents[1].line
        reading.problems.append(Problem("", line, text="a second document in the front matter: keep one"))
    root = read.documents[0] if read.documents else documents.Document("", 1, documents.Fields(1))
    value = Value(root.root, Place(root, "", "", "", root.line), reading)
    try:
        spec = read_fields(value, front.FRONT, "title: Restart the checkout")
    except WrongError as wrong:
        value.complain(wrong)
        return {}
    return front.finish(value, spec) if not reading.problems else spec
