"""Regular expressions that people write and that strangers' text is held against: those that end in time.

Python's engine tries again and again: `(a+)+$` against thirty letters takes minutes. So an expression is taken only when the
ways in which it can match one text are few (`WAYS_MAX`, counted at the worst), without look-around and back-references; and
it is held against `TEXT_MAX` letters at most. What is longer does not match.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

PATTERN_MAX: Final = 300
TEXT_MAX: Final = 500
FOUND_MAX: Final = 200  # letters of a text in which a place is looked for: every letter is a start
WAYS_MAX: Final = 3_000_000  # two open repeats and some small ones
_REPEATS: Final = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}
_REFUSED: Final = {
    codes.ASSERT: "looks ahead or behind",
    codes.ASSERT_NOT: "looks ahead or behind",
    codes.GROUPREF: "refers back to a group",
    codes.GROUPREF_EXISTS: "refers back to a group",
}


def check(pattern: str) -> re.Pattern[str]:
    """The compiled expression. Raises `ValueError`, whose text says what is wrong and what to write instead."""
    if len(pattern) > PATTERN_MAX:
        raise ValueError(f"longer than {PATTERN_MAX} letters: shorten it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = parser.parse(pattern)
            _ways(tree)
            return re.compile(pattern)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        what = getattr(error, "msg", "") or str(error) or type(error).__name__
        raise ValueError(f"no regular expression ({what}): write one such as db-[0-9]+") from error


def is_match(pattern: str, text: str) -> bool:
    """Is the whole text of this form? `pattern` was checked when it was written; one that fails now matches nothing."""
    compiled = _compiled(pattern)
    return compiled is not None and len(text) <= TEXT_MAX and compiled.fullmatch(text) is not None


def is_found(pattern: str, text: str) -> bool:
    """Is there such a place in the text?"""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.search(text[:FOUND_MAX]) is not None


@lru_cache(1_000)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return check(pattern)
    except ValueError:
        return None


def _ways(tree: Iterable[Any]) -> int:
    """In how many ways could this match one text, at the worst? Raises `ValueError` beyond `WAYS_MAX`."""
    ways = 1
    for code, value in tree:
        if code in _REFUSED:
            raise ValueError(f"{_REFUSED[code]}: write it without")
        if code in _REPEATS:
            ways *= _ways_of_repeat(*value)
        elif code is codes.SUBPATTERN:
            ways *= _ways(value[3])
        elif code is codes.ATOMIC_GROUP:
            ways *= _ways(value)
        elif code is codes.BRANCH:
            each = [_ways(branch) for branch in value[1]]
            ways *= max(each) if _are_apart(value[1]) else sum(each)
        if ways > WAYS_MAX:
            raise ValueError("can match one text in too many ways: write fewer repeats, none inside another")
    return ways


def _ways_of_repeat(low: int, high: int, inside: Any) -> int:
    times = TEXT_MAX if high is codes.MAXREPEAT else high
    if max(low, times) > TEXT_MAX:
        raise ValueError(f"counts beyond {TEXT_MAX}: write a smaller number")
    once = _ways(inside)
    if once == 1:
        return int(times - low + 1)
    if times * math.log(once) > math.log(WAYS_MAX):
        raise ValueError("repeats what can match in several ways, which can take for ever: take one repeat away")
    return int(once**times) * int(times - low + 1)


def _are_apart(branches: Iterable[Any]) -> bool:
    """Do the alternatives begin with different letters?"""
    firsts: list[Any] = []
    for branch in branches:
        if not len(branch) or branch[0][0] is not codes.LITERAL:
            return False
        firsts.append(branch[0][1])
    return len(firsts) == len(set(firsts))
