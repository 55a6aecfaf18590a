"""What a runbook's executions prove. Pure: runs and `now` in, figures and the sentence a responder reads out.

Only real runs make the share of success: a dry run exercises a part, and a drill does not meet the trouble itself. Both are
counted apart, and a drill that went well does prove that the runbook can be followed. What ended `unknown` did not succeed;
what somebody cancelled says nothing either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt

CONFIDENCE_95 = 1.959964  # two-sided 95 %
RUNS_MAX = 200  # the newest that are looked at: an old run says little about today's text


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a runbook, or of one of its steps. `state`: ok, failed, unknown, cancelled or skipped.

    `seconds` None: it was never begun. `edited`, `skipped`: how many steps differed from the text. `by`: who ran it.
    """

    kind: str
    state: str
    ended_at: datetime
    seconds: float | None = None
    edited: int = 0
    skipped: int = 0
    by: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`share` and `at_least` in 0..1, None without a counted real run. Times in seconds, of runs that succeeded."""

    real: int = 0
    succeeded: int = 0
    dry_runs: int = 0
    drills: int = 0
    drills_succeeded: int = 0
    share: float | None = None
    at_least: float | None = None
    median_seconds: float | None = None
    p95_seconds: float | None = None
    edited: int = 0
    skipped: int = 0
    proven_at: datetime | None = None
    proven_by: str = ""
    is_proven_by_drill: bool = False
    failed_last: bool = False

    @property
    def deviations(self) -> int:
        """Runs in which a step was edited or skipped."""
        return self.edited + self.skipped


def of_runs(runs: Iterable[Run]) -> Evidence:
    """The newest `RUNS_MAX` of them, in whatever order they come."""
    newest = sorted(runs, key=lambda run: run.ended_at, reverse=True)[:RUNS_MAX]
    counted = [run for run in newest if run.state in {"ok", "failed", "unknown"}]
    real = [run for run in counted if run.kind == "real"]
    drills = [run for run in counted if run.kind == "drill"]
    good = [run for run in real if run.state == "ok"]
    drills_good = [run for run in drills if run.state == "ok"]
    times = sorted(run.seconds for run in good if run.seconds is not None)
    proof = max([*good, *drills_good], key=lambda run: run.ended_at, default=None)
    return Evidence(
        real=len(real),
        succeeded=len(good),
        dry_runs=sum(run.kind == "dry_run" for run in counted),
        drills=len(drills),
        drills_succeeded=len(drills_good),
        share=len(good) / len(real) if real else None,
        at_least=wilson_lower(len(good), len(real)) if real else None,
        median_seconds=quantile(times, 0.5),
        p95_seconds=quantile(times, 0.95),
        edited=sum(run.edited > 0 for run in real),
        skipped=sum(run.skipped > 0 and not run.edited for run in real),
        proven_at=proof.ended_at if proof else None,
        proven_by=proof.by if proof else "",
        is_proven_by_drill=proof is not None and proof.kind == "drill",
        failed_last=bool(real) and real[0].state != "ok",
    )


def wilson_lower(successes: int, runs: int, z: float = CONFIDENCE_95) -> float:
    """The lower end of Wilson's score interval (Wilson 1927): what the share is at least, with 97.5 % confidence.

    Unlike the plain share it does not call one success out of one certain: 1 of 1 gives 0.21.
    """
    assert 0 <= successes <= runs, f"{successes} of {runs} is no share"
    if successes == 0:
        return 0.0
    share = successes / runs
    spread = z * sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs))
    return max(0.0, (share + z * z / (2 * runs) - spread) / (1 + z * z / runs))


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """By nearest rank: a time that was really measured, of `ordered` ascending. None of nothing."""
    if not ordered:
        return None
    rank = -(-len(ordered) * round(share * 100) // 100)  # rounded up, in whole numbers
    return ordered[max(rank, 1) - 1]


def sentence(found: Evidence, now: datetime) -> str:
    """ "92 %, at least 78 %, proven 12 days ago, p95 6 min"."""
    parts = []
    if found.share is not None and found.at_least is not None:
        parts.append(f"{percent(found.share)}, at least {percent(found.at_least)}")
    if found.proven_at is not None:
        word = "proven in a drill" if found.is_proven_by_drill else "proven"
        parts.append(f"{word} {ago(now - found.proven_at)}")
    elif parts:
        parts.append("never proven")
    if found.p95_seconds is not None:
        parts.append(f"p95 {took(found.p95_seconds)}")
    if not parts:
        return f"not proven: {_only(found.dry_runs)}" if found.dry_runs else "never run"
    if found.failed_last:
        parts.append("failed the last time")
    return ", ".join(parts)


def _only(dry_runs: int) -> str:
    return "one dry run, no real one" if dry_runs == 1 else f"{dry_runs} dry runs, no real one"


def percent(share: float) -> str:
    """Rounded down but for the half, and never up to 100: 199 of 200 is no certainty."""
    shown = int(share * 100 + 0.5)
    return f"{min(shown, 99) if share < 1 else 100} %"


def ago(length: timedelta) -> str:
    """ "today", "yesterday", "12 days ago"."""
    days = length.days
    return "today" if days <= 0 else "yesterday" if days == 1 else f"{days} days ago"


def took(seconds: float) -> str:
    """ "40 s", "6 min", "2 h"."""
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"
