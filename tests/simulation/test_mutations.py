"""A check that cannot fail is no check: each planted bug is found, by a promise that it breaks, within so many seeds.

The same seeds are clean without it (`test_simulation`). `pytest -s` shows the table.
"""

from __future__ import annotations

import pytest

from simulation.running import planted, told

# What is planted, and the seeds that find it: the first, and how many.
BUGS: dict[str, tuple[int, int]] = {
    "repeat_sends_nothing": (8, 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    first, count = BUGS[bug]
    seeds = ("--from", str(first), "--seeds", str(count), "--workers", "2")
    found = planted(bug, *seeds)
    failing = [one for one in found if one["violations"]]
    by = sorted({one["violations"][0][0] for one in failing})
    print(f"{bug}: {len(failing)} of {len(found)} seeds, by {', '.join(by)}")
    assert failing, f"{bug} was planted, and {count} seeds from {first} on found nothing"
    clean = told("--no-shrink", *seeds)
    assert not [one for one in clean if one["violations"]], "the seeds are not clean without it"
