"""How long the first page of an alert waits for a runbook that may fix it. Pure: facts in, a hold and its reason out.

The page leaves when the hold is over, whatever became of the execution: the hold is a moment that is written down when the
alert opens, and nothing later makes it longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

HOLD_MAX = timedelta(minutes=5)
COUNTED = timedelta(hours=24)
FIXES_MAX = 2  # of one key in 24 h; the third pages anyway
FIRES_AGAIN = timedelta(minutes=10)  # after its automatic fix: the fix did not hold
NEVER = "P1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A runbook that an alert starts. `origin`: what says so, in words. `hold`: as configured."""

    runbook: str
    origin: str
    hold: timedelta = timedelta(0)
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """`fixes`: verified automatic fixes of this key in the last 24 h. `is_back`: it fires again within ten minutes of one.
    `is_owner_first`: whoever had it a moment ago is paged at once."""

    priority: str
    fixes: int = 0
    is_back: bool = False
    is_owner_first: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """`length` 0: the page leaves at once, and `why` says why it does although a hold is configured."""

    length: timedelta
    why: str = ""
    is_page_anyway: bool = False


def hold_for(wanted: Sequence[Wanted], facts: Facts) -> Hold:
    """Of several runbooks the longest hold counts, five minutes at most."""
    longest = max((one.hold for one in wanted), default=timedelta(0))
    is_third = bool(wanted) and facts.fixes >= FIXES_MAX
    if is_third:
        why = f"fixed by a runbook {facts.fixes} times in 24 h: it pages anyway, so that somebody finds the cause"
        return Hold(timedelta(0), why, is_page_anyway=True)
    if longest <= timedelta(0):
        return Hold(timedelta(0))
    if facts.priority == NEVER:
        return Hold(timedelta(0), "a P1 never waits for a runbook")
    if facts.is_back:
        return Hold(timedelta(0), "it fires again soon after its automatic fix: the page does not wait a second time")
    if facts.is_owner_first:
        return Hold(timedelta(0), "whoever had it a moment ago is paged at once")
    return Hold(min(longest, HOLD_MAX))
