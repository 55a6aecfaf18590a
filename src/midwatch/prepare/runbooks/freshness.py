"""Does a runbook still fit the world? Pure: what is known in, a verdict with its reasons out, the gravest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

PROVEN_WITHIN = timedelta(days=90)
STALE_AFTER = timedelta(days=180)
CHANGES_MANY = 5
REASONS_MAX = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """Something it refers to that is not as it should be. `sentence`: "link https://... answers 404"."""

    sentence: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """`changes`: of its service since the last proof, or since its text was written when it was never proven."""

    written_at: datetime
    proven_at: datetime | None = None
    changes: int = 0
    broken: Sequence[Broken] = ()
    unasked: int = 0  # references that nobody could look at


@dataclass(frozen=True, slots=True)
class Freshness:
    """`state`: fresh, ageing, stale. `score`: 100 down to 0, to sort by."""

    state: str
    score: int
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return "; ".join(self.reasons) if self.reasons else "nothing speaks against it"


def freshness(facts: Facts, now: datetime) -> Freshness:
    reasons = [f"{one.sentence} since {_day(one.since, now)}" for one in sorted(facts.broken, key=lambda b: b.since)]
    score = 100 - min(60, 30 * len(facts.broken))
    proof = facts.proven_at
    if proof is None:
        age = now - facts.written_at
        if age > PROVEN_WITHIN:
            reasons.append(f"never proven, and written {age.days} days ago")
            score -= 40 if age > STALE_AFTER else 25
    elif now - proof > PROVEN_WITHIN:
        reasons.append(f"last proven {(now - proof).days} days ago")
        score -= 40 if now - proof > STALE_AFTER else 20
    if facts.changes:
        what = "last proof" if proof is not None else "it was written"
        reasons.append(f"{facts.changes} {'deploy' if facts.changes == 1 else 'deploys'} since {what}")
        score -= min(30, 3 * facts.changes)
    if facts.unasked:
        reasons.append(f"{facts.unasked} of what it refers to could not be looked at")
    score = max(score, 0)
    is_stale = bool(facts.broken) or score < 60
    state = "stale" if is_stale else "ageing" if score < 85 or facts.changes >= CHANGES_MANY else "fresh"
    return Freshness(state, score, tuple(reasons[:REASONS_MAX]))


def _day(at: datetime, now: datetime) -> str:
    """ "Tue" within a week, then the date."""
    return f"{at:%a}" if now - at < timedelta(days=7) else f"{at:%Y-%m-%d}"
