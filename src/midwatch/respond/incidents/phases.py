"""The ladder of an incident: detected, acknowledged, mitigated, resolved, closed; each with its own moment, in order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

LADDER = ("detected", "acknowledged", "mitigated", "resolved", "closed")
SKEW = timedelta(minutes=1)  # of the clock of whoever types a moment


def phase_of(moments: Mapping[str, datetime | None]) -> str:
    """The furthest rung that has a moment."""
    return next(rung for rung in reversed(LADDER) if rung == LADDER[0] or moments.get(rung) is not None)


def with_rung(
    moments: Mapping[str, datetime | None], rung: str, at: datetime, now: datetime
) -> dict[str, datetime | None]:
    """The moments after this rung was reached (or set right) at `at`. Rungs between that have no moment get none: an
    incident may be resolved without ever having been mitigated apart. Raises ValueError with a sentence."""
    if rung not in LADDER:
        raise ValueError(f"{rung!r} is no phase: give one of {', '.join(LADDER)}")
    if at > now + SKEW:
        raise ValueError(f"{rung} lies in the future: give a moment that has been")
    if rung == "closed" and moments.get("resolved") is None:
        raise ValueError("resolve it before you close it: when was the service restored?")
    changed = {one: moments.get(one) for one in LADDER}
    changed[rung] = at
    known = [(one, moment) for one in LADDER if (moment := changed[one]) is not None]
    for (earlier, before), (later, after) in pairwise(known):
        if before > after:
            raise ValueError(f"{later} ({after:%H:%M:%S} UTC) cannot lie before {earlier} ({before:%H:%M:%S} UTC)")
    return changed


def without(moments: Mapping[str, datetime | None], rung: str) -> dict[str, datetime | None]:
    """Back below this rung: it broke again. Its moment and the later ones are taken off; the timeline keeps them."""
    index = LADDER.index(rung)
    if index == 0:
        raise ValueError("what was detected stays detected")
    return {one: moments.get(one) if place < index else None for place, one in enumerate(LADDER)}
