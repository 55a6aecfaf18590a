"""`midwatch doctor`: every room's checks, in the order of the loop; with `--deep` the promises of paging on live data."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from functools import partial

from midwatch.cli.output import show
from midwatch.core import clock
from midwatch.core.contribute import Check, answers, checks
from midwatch.engine import invariants

MARKS = {"ok": "ok      ", "warning": "WARNING ", "failed": "FAILED  ", "unknown": "UNKNOWN "}
ROWS_SHOWN_MAX = 20
PROMISES = "Does what Midwatch promises hold of the data as it is now?"


def doctor(args: Namespace) -> int:
    """Exit code 1 when something failed."""
    found = checks()
    if args.deep:
        found += deep_checks()
    lines = []
    for check in found:
        lines.append(f"{MARKS[check.state]}{check.name}: {check.sentence}")
        if check.remedy and check.state != "ok":
            lines.append(f"{'':8}-> {check.remedy}")
    counts = {state: sum(check.state == state for check in found) for state in MARKS}
    lines.append(f"{len(found)} checks: " + ", ".join(f"{counts[state]} {state}" for state in MARKS))
    show(args, {"checks": [asdict(check) for check in found], "counts": counts}, lines)
    return 1 if counts["failed"] else 0


def deep_checks() -> list[Check]:
    """Each promise that is broken, as a check that failed; one that cannot be asked, as unknown; else one that is ok."""
    look = invariants.look_at(now=clock.now(), limit=ROWS_SHOWN_MAX)
    found: list[Check] = []
    for question in invariants.QUESTIONS:
        asked = partial(_asked, question, look)
        asked.__name__ = question.__name__  # type: ignore[attr-defined]  # what a question that breaks is called
        found += answers("deep", asked)
    count = len(invariants.QUESTIONS)
    return found or [Check("deep", PROMISES, "ok", f"{count} promises were looked at, none is broken")]


def _asked(question: invariants.Question, look: invariants.Look) -> list[Check]:
    broken = question(look)
    if broken is None:
        return []
    shown = ", ".join(broken.rows) + (" and more" if broken.is_more else "")
    return [Check(f"deep.{broken.name}", PROMISES, "failed", f"{broken.sentence}: {shown}", broken.remedy)]
