"""The paging core under everything that can go wrong: every promise holds on these seeds, and a seed is one run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from midwatch.simulation.rota import Rota, instant
from midwatch.simulation.shrink import minimal
from simulation.running import simulate

# First seed, how many.
SEEDS = [(4, 29)]


@pytest.mark.parametrize(("first", "count"), SEEDS)
def test_every_promise_holds(first: int, count: int) -> None:
    ran = simulate("--from", str(first), "--seeds", str(count), "--workers", "2")
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    last = ran.stdout.strip().splitlines()[-1]
    assert re.fullmatch(
        rf"seeds={count} steps=\d+ events=\d+ pages=\d+ kills=\d+ switches=\d+ violations=0 seconds=[\d.]+", last
    )


def test_a_seed_is_one_run_whatever_the_hashes() -> None:
    traces = []
    for hashes in ("1", "2"):
        ran = simulate("--seed", "11", "--no-shrink", PYTHONHASHSEED=hashes)
        traces.append(re.findall(r"^trace=(\w{64})$", ran.stdout, re.MULTILINE))
    assert traces[0]
    assert traces[0] == traces[1]


def test_what_is_not_needed_is_left_out() -> None:
    asked: list[list[str]] = []

    def fails(ids: object) -> bool:
        asked.append(list(ids))  # type: ignore[call-overload]
        return {"c", "g"} <= set(asked[-1])

    assert minimal(list("abcdefgh"), fails) == ["c", "g"]


@pytest.mark.parametrize(
    ("wall", "zone", "moment"),
    [
        ("2026-03-29T02:30", "Europe/Prague", "2026-03-29T01:00"),  # never shown: the jump
        ("2026-10-25T02:30", "Europe/Prague", "2026-10-25T00:30"),  # shown twice: the first
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:30"),  # a jump of half an hour
        ("2026-06-01T09:00", "America/New_York", "2026-06-01T13:00"),
    ],
)
def test_the_second_opinion_about_hand_offs(wall: str, zone: str, moment: str) -> None:
    assert instant(datetime.fromisoformat(wall), ZoneInfo(zone)) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_the_second_opinion_about_turns() -> None:
    rota = Rota("r", "UTC", datetime(2026, 5, 1, 9), 1, "days", (("ana",), ("bo",), ("ana",)))
    assert rota.on_call(datetime(2026, 5, 1, 8, tzinfo=UTC)) == ()
    assert rota.on_call(datetime(2026, 5, 2, 10, tzinfo=UTC)) == ("bo",)
    assert rota.next_on_call(datetime(2026, 5, 3, 10, tzinfo=UTC)) == ("bo",)
