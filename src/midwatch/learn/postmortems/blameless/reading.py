"""Markdown to sentences of tokens, in one pass: every expression here is linear in the text, whatever it holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Kind = Literal["word", "thing", "comma", "stop"]
GAP: Final = "\x1f"  # a stretch that is not read: ends the sentence
THING: Final = "\x1e"  # code, an address, a quotation: stands in its sentence like a noun
_CONTROL: Final = {ord(GAP): " ", ord(THING): " ", 0: " "}
SENTENCE_TOKENS_MAX: Final = 400  # nobody writes longer ones; hostile text does
QUOTED_WORDS_READ_MAX: Final = 3  # "human error" in quotation marks is still said; a quoted sentence is somebody's

_INLINE = re.compile(
    r"`[^`\n]{1,400}`"
    r"|https?://[^\s<>\"`|]+"
    r"|(?<=\])\([^()\s]{1,800}\)"
    r"|<[A-Za-z/][^<>\n]{0,300}>"
    r"|\"(?:[^\"\n]|\n(?![ \t]*\n)){1,600}\""
    r"|“(?:[^“”\n]|\n(?![ \t]*\n)){1,600}”"
)
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_TOKEN = re.compile(
    r"(?P<stop>\x1f+|\n[ \t]*(?=\n|[-*+][ \t]|\d{1,3}[.)][ \t]|\#|>|\||\Z)|[.!?]+(?=[\"')\]”’*_]*(?:\s|\Z))|\|)"
    r"|(?P<thing>\x1e+)"
    r"|(?P<short>\b(?:e\.g|i\.e|etc|vs|approx|cf|No)\.(?=[ ,]))"
    r"|(?P<word>@?[^\W_]+(?:[-'’._][^\W_]+)*)(?P<mail>@[^\W_]+(?:[-.][^\W_]+)+)?"
    r"|(?P<comma>[,;:()]|[—–]|\s-\s)"
)
_POSSESSIVE = re.compile(r"(?:'s|s')$")


@dataclass(frozen=True, slots=True)
class Token:
    """`word`: folded (case, accents, apostrophes), without a possessive's end; `raw` as written; positions in the text."""

    start: int
    end: int
    kind: Kind
    word: str
    raw: str
    is_possessive: bool = False


@lru_cache(maxsize=4096)
def _folded_character(character: str) -> str:
    base = unicodedata.normalize("NFKD", character)[0].lower()
    return base if len(base) == 1 else character


@lru_cache(maxsize=16_384)
def fold(word: str) -> str:
    """As compared: lower case, accents off, one kind of apostrophe. As many characters as before."""
    if word.isascii():
        return word.lower()
    return "".join("'" if c in "’ʼ" else _folded_character(c) for c in word)


def masked(text: str) -> str:
    """The text with what is not read blotted out; positions stay."""
    text = text.translate(_CONTROL)
    lines: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1][0] == fence[0] and len(opened[1]) >= len(fence):
                fence = ""
            lines.append(GAP * len(line))
        elif opened:
            fence = opened[1]
            lines.append(GAP * len(line))
        elif line.lstrip(" ").startswith(">"):
            lines.append(GAP * len(line))
        else:
            lines.append(line)
    return _INLINE.sub(_blot, "".join(lines))


def _blot(found: re.Match[str]) -> str:
    said = found[0]
    if said[0] in '"“' and len(said.split(None, QUOTED_WORDS_READ_MAX)) <= QUOTED_WORDS_READ_MAX:
        return said
    return THING * len(said)


def tokens(text: str) -> Iterator[Token]:
    """Of a text that is `masked`, or of one that is read in full."""
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        raw = found[0]
        if kind == "word":
            word = fold(raw)
            cut = _POSSESSIVE.search(word) if "'" in word else None
            plain = word[: cut.start()] + ("s" if cut[0] == "s'" else "") if cut else word
            yield Token(found.start(), found.end(), "word", plain, raw, cut is not None)
        elif kind in ("thing", "mail", "short"):
            yield Token(found.start(), found.end(), "thing", "", raw)
        elif kind == "comma":
            yield Token(found.start(), found.end(), "comma", raw.strip() or "-", raw)
        else:
            yield Token(found.start(), found.end(), "stop", raw.strip()[-1:], raw)


def sentences(text: str) -> Iterator[list[Token]]:
    current: list[Token] = []
    for token in tokens(text):
        if token.kind == "stop":
            if current:
                yield current
            current = []
        else:
            current.append(token)
            if len(current) == SENTENCE_TOKENS_MAX:
                yield current
                current = []
    if current:
        yield current
