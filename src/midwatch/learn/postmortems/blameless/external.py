"""The external version: people's names become their roles. Read in full: code, addresses and quotations too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from midwatch.learn.postmortems.blameless.names import Known, Named, Person
from midwatch.learn.postmortems.blameless.reading import Token, sentences

ANYBODY = "a colleague"
IN_ADDRESS = "person"
_JOINTS: Final = frozenset("-._@")
_PIECE: Final = re.compile(r"[^-._@'’]+")


@dataclass(frozen=True, slots=True)
class Replaced:
    """`count`: names replaced. `doubtful`: (position, word) that might be names: somebody should look before it goes out."""

    text: str
    count: int
    doubtful: tuple[tuple[int, str], ...] = ()


def replace_names(text: str, roles: Mapping[Person, str]) -> Replaced:
    """`roles`: everybody who may be named -> how they are called ("the incident commander"; "" is "a colleague")."""
    known = Known(roles)
    pieces: list[str] = []
    doubtful: list[tuple[int, str]] = []
    at = count = 0
    for sentence in sentences(text):
        found = known.find(sentence)
        taken = {n for first, named in found.items() for n in range(first, named.last + 1)}
        for index, token in enumerate(sentence):
            if index in taken and index not in found:
                continue
            if index not in found:
                for start, end in _inside(token, known):
                    pieces += [text[at:start], IN_ADDRESS]
                    at, count = end, count + 1
                continue
            first, named = index, found[index]
            start, end = sentence[first].start, sentence[named.last].end
            raw = sentence[named.last].raw
            said = _role(named, roles)
            if _is_in_address(text, start, end):
                said = IN_ADDRESS
            elif first == 0 and text[start].isupper():
                said = said[:1].upper() + said[1:]
            if sentence[named.last].is_possessive:
                said += raw[-2:] if raw[-1] in "sS" and raw[-2] in "'’" else "'s"
            pieces += [text[at:start], said]
            at, count = end, count + 1
        doubtful += [(sentence[n].start, sentence[n].raw) for n in known.doubtful(sentence)]
    pieces.append(text[at:])
    return Replaced("".join(pieces), count, tuple(doubtful))


def _inside(token: Token, known: Known) -> list[tuple[int, int]]:
    """Names that are parts of a longer word: "ana-laptop", "ana.novak", the mail address "ana@example.com"."""
    if token.kind == "comma" or not (set(token.raw) & _JOINTS):
        return []
    return [
        (token.start + piece.start(), token.start + piece.end())
        for piece in _PIECE.finditer(token.raw)
        if known.is_surely(piece[0])
    ]


def _role(named: Named, roles: Mapping[Person, str]) -> str:
    said = {roles[person] for person in named.people}
    return (said.pop() if len(said) == 1 else "") or ANYBODY


def _is_in_address(text: str, start: int, end: int) -> bool:
    """Part of a run without spaces that is an address: "https://git.example/ana/fix", "ssh ana@db1"."""
    left = max(text.rfind(space, max(0, start - 300), start) for space in (" ", "\n", "(", "<", "`"))
    return text[end : end + 1] in {"@", "/"} or "/" in text[left + 1 : start] or "@" in text[left + 1 : start]
