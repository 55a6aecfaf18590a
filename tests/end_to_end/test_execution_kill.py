"""Executions survive kill -9 at random points: no step lost, none done twice that may not be, people's turns kept.

KILL_SEED=N repeats the choices of a run, whose seed is printed with its figures; KILL_EXECUTIONS=500 is a longer one.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from end_to_end import execution_kill


@pytest.mark.slow
def test_executions_survive_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))
    executions = int(os.environ.get("KILL_EXECUTIONS") or 60)
    found = execution_kill.run(tmp_path, executions=executions, kills=max(4, executions // 20), seed=seed)
    print(f"\nKILL_SEED={seed}\n{found.line()}")
    assert found.doubled == [], found.line()
    assert found.lost == [], found.line()
    assert found.not_ended == [], found.line()
    assert found.waits_lost == 0, found.line()
    assert found.late_seconds_max < 1.0 + 1.0, found.line()  # a second, and what the looking itself takes
