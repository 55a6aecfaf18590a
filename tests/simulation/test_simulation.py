"""The paging core under everything that can go wrong: every promise holds on these seeds, and a seed is one run."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from midwatch.simulation.rota import Rota, instant
from midwatch.simulation.shrink import minimal
from simulation.running import simulate

# Most are small worlds of a quarter of an hour, one in twenty is a long one.
SEEDS = range(1, 121)
MORE = range(121, 456)  # every one of them seen clean


@pytest.fixture(scope="module")
def ran() -> subprocess.CompletedProcess[str]:
    return simulate("--from", str(SEEDS.start), "--seeds", str(len(SEEDS)), "--workers", "2")


def _holds(ran: subprocess.CompletedProcess[str], count: int) -> None:
    """A failing seed is told with its number, made smaller, and with the command that runs it again."""
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    last = ran.stdout.strip().splitlines()[-1]
    figures = ["steps", "events", "pages", "kills", "switches"]
    told = " ".join(rf"{name}=\d+" for name in figures)
    assert re.fullmatch(rf"seeds={count} {told} violations=0 cpu=[\d.]+ seconds=[\d.]+", last)
    print(ran.stdout)


def test_every_promise_holds(ran: subprocess.CompletedProcess[str]) -> None:
    _holds(ran, len(SEEDS))


def test_every_kind_of_trouble_was_made(ran: subprocess.CompletedProcess[str]) -> None:
    """A promise that held says little when nothing was done to break it."""
    assert "engine dies" in ran.stdout
    assert "never happened" not in ran.stdout


@pytest.mark.slow
def test_every_promise_holds_on_many_seeds() -> None:
    _holds(simulate("--from", str(MORE.start), "--seeds", str(len(MORE)), "--workers", "2"), len(MORE))


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
