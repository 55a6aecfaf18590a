"""`midwatch doctor`: every room's checks, in the order of the loop."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from midwatch.cli.output import show
from midwatch.core.contribute import checks

MARKS = {"ok": "ok      ", "warning": "WARNING ", "failed": "FAILED  ", "unknown": "UNKNOWN "}


def doctor(args: Namespace) -> int:
    """Exit code 1 when something failed."""
    found = checks()
    lines = []
    for check in found:
        lines.append(f"{MARKS[check.state]}{check.name}: {check.sentence}")
        if check.remedy and check.state != "ok":
            lines.append(f"{'':8}-> {check.remedy}")
    counts = {state: sum(check.state == state for check in found) for state in MARKS}
    lines.append(f"{len(found)} checks: " + ", ".join(f"{counts[state]} {state}" for state in MARKS))
    show(args, {"checks": [asdict(check) for check in found], "counts": counts}, lines)
    return 1 if counts["failed"] else 0
