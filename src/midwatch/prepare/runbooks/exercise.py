"""What to exercise next, and how well an exercise went. Pure.

Risk is how much it would hurt (the service's tier) times how often it is needed (alerts that paged); staleness is how long
ago anybody proved that it works. What is needed often and was never proven comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

EVERY_BY_TIER = {1: timedelta(days=30), 2: timedelta(days=60), 3: timedelta(days=90)}
EVERY_OTHERS = timedelta(days=180)
WEIGHT_BY_TIER = {1: 4.0, 2: 2.0, 3: 1.0}
WEIGHT_OTHERS = 0.5
PAGES_COUNTED_MAX = 20
SLOW = 2.0  # twice the usual time of a step


@dataclass(frozen=True, slots=True)
class Candidate:
    """`tier` None: of no service. `paged`: alerts of its service that paged in the last 90 days."""

    name: str
    tier: int | None
    paged: int
    proven_at: datetime | None
    written_at: datetime
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    name: str
    due_on: datetime
    risk: float
    why: str


def calendar(candidates: Sequence[Candidate], now: datetime) -> list[Due]:
    """Soonest first; of the same day the riskiest. What is overdue stands at today, the most overdue risk first."""
    found = [_due(one, now) for one in candidates]
    return sorted(found, key=lambda due: (max(due.due_on, now).date(), -due.risk, due.name))


def _due(one: Candidate, now: datetime) -> Due:
    every = EVERY_BY_TIER.get(one.tier, EVERY_OTHERS) if one.tier is not None else EVERY_OTHERS
    weight = WEIGHT_BY_TIER.get(one.tier, WEIGHT_OTHERS) if one.tier is not None else WEIGHT_OTHERS
    since = one.proven_at or one.written_at
    due_on = now if one.proven_at is None or one.is_stale else since + every
    age = max(now - since, timedelta(0)) / every
    risk = round(weight * (1 + min(one.paged, PAGES_COUNTED_MAX)) * (1 + age) * (2 if one.proven_at is None else 1), 1)
    reasons = ["never proven" if one.proven_at is None else f"proven {(now - since).days} days ago"]
    if one.tier is not None:
        reasons.append(f"tier {one.tier}")
    if one.paged:
        reasons.append(f"{one.paged} {'alert' if one.paged == 1 else 'alerts'} paged in 90 days")
    if one.is_stale:
        reasons.append("stale")
    return Due(one.name, due_on, risk, ", ".join(reasons))


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a drill or dry run. `expected`: its usual seconds. `coverage`: (exercised, of) of a dry run."""

    name: str
    state: str
    seconds: float | None = None
    expected: float | None = None
    coverage: tuple[int, int] | None = None
    is_edited: bool = False
    is_skipped_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """`points` 0..100. `exercised`/`of`: parts of the runbook that really did something."""

    points: int
    exercised: int
    of: int
    deviations: int
    slow: tuple[str, ...]
    sentence: str


def score(steps: Sequence[Step]) -> Score:
    """Coverage makes the points; each deviation takes ten of them, each slow step five, one that failed twenty."""
    exercised, of = 0, 0
    for step in steps:
        done, parts = step.coverage or (int(step.state == "ok"), 1)
        exercised, of = exercised + min(done, parts), of + parts
    deviations = sum(step.is_edited or step.is_skipped_by_hand for step in steps)
    failed = sum(step.state in {"failed", "unknown"} for step in steps)
    slow = tuple(
        step.name
        for step in steps
        if step.seconds is not None and step.expected and step.seconds > SLOW * step.expected
    )
    points = round(100 * exercised / of) if of else 0
    points = max(0, points - 10 * deviations - 5 * len(slow) - 20 * failed)
    parts_said = [f"exercised {exercised} of {of} parts"]
    if deviations:
        parts_said.append(f"{deviations} {'deviation' if deviations == 1 else 'deviations'}")
    if failed:
        parts_said.append(f"{failed} failed")
    if slow:
        parts_said.append(f"slow: {', '.join(slow[:3])}")
    return Score(points, exercised, of, deviations, slow, f"{points} of 100: {', '.join(parts_said)}")


def times(steps: Sequence[tuple[str, datetime | None, datetime | None]], start: datetime) -> Mapping[str, float]:
    """Seconds from the start of the execution to the end of each step."""
    return {name: (ended - start).total_seconds() for name, _, ended in steps if ended is not None}
