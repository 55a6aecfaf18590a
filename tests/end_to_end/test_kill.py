"""Killed at any point: every event that was answered 202 becomes an alert, and every due page goes out.

MIDWATCH_KILL_SEED=N repeats the choices of a run; its seed is printed with its figures.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from end_to_end import kill

SENDERS_AT_ONCE = 8  # threads of one channel: what a killed engine may have had on the wire


def check(directory: Path, *, database: str, kills: int) -> None:
    seed = int(os.environ.get("MIDWATCH_KILL_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"\nMIDWATCH_KILL_SEED={seed}")
    found = kill.run(directory, database=database, kills=kills, seed=seed)
    print(found.line())
    assert found.accepted > kills * 10, found.line()
    assert found.lost == 0, found.line()
    assert found.alerts_doubled == 0, found.line()  # one sent again, because its 202 was lost, is counted, not doubled
    assert found.repeated_unmarked == 0, found.line()
    assert found.repeated <= kills * SENDERS_AT_ONCE, found.line()
    assert found.refused == [], found.refused
    assert found.wrong == [], found.wrong


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_few_kills(tmp_path: Path, database: str) -> None:
    check(tmp_path, database=database, kills=3)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_many_kills(tmp_path: Path, database: str) -> None:
    check(tmp_path, database=database, kills=20)
