"""A check that cannot fail is no check: each planted bug is found, by a promise that it breaks, within so many seeds.

Each is planted in a directed world (`midwatch.simulation.scenes`), whose same seeds are clean without it. `pytest -s`
shows the table of docs/reference/simulation.md.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from midwatch.simulation.scenes import SCENES
from simulation.planted import PLANTED
from simulation.running import simulate, told, with_bug

# The scene, the promise that breaks, and how many seeds from 1 on are enough with room to spare.
BUGS: Mapping[str, tuple[str, str, int]] = {
    "lease_never_expires": ("deaths", "nothing_due_is_late", 3),
    "receipt_before_send": ("deaths", "everybody_paged_is_rung", 5),
    "event_counts_twice": ("deaths", "every_event_is_somewhere", 5),
    "ack_race": ("race", "timelines_agree_with_the_state", 4),
    "acknowledged_for_ever": ("race", "every_acknowledgement_runs_out", 2),
    "one_repeat_too_few": ("patience", "rounds_and_steps_follow", 2),
    "repeat_sends_nothing": ("patience", "rounds_and_steps_follow", 2),
    "receipts_are_dropped": ("patience", "no_key_is_sent_twice", 2),
    "timeline_is_overwritten": ("patience", "history_is_append_only", 2),
    "handoff_in_utc": ("night", "steps_page_the_right_people", 4),
    "poison_stops_the_log": ("oddities", "nothing_due_is_late", 2),
    "refusal_is_silent": ("oddities", "every_refusal_is_visible", 4),
    "log_ids_are_reused": ("emptied", "nothing_due_is_late", 2),
    "passed_on_step_is_lost": ("outage", "rounds_and_steps_follow", 4),
    "joined_alert_is_forgotten": ("group", "every_firing_alert_is_escalated", 2),
    "answered_pages_leave": ("answers", "acknowledged_is_quiet", 2),
    "given_back_is_forgotten": ("returned", "every_firing_alert_is_escalated", 2),
    "reaction_is_done_before_it_is": ("returned", "every_firing_alert_is_escalated", 4),
}
AT_EACH_CHANGE = ("repeat_sends_nothing",)  # and the one that is made smaller; all of them take minutes
Answer = Future[list[dict[str, Any]]]


def _run(scene: str, seeds: int, *more: str) -> list[dict[str, Any]]:
    return told("--scene", scene, "--seeds", str(seeds), "--workers", "1", *more)


def _seeds(scene: str) -> int:
    return max(count for where, _, count in BUGS.values() if where == scene)


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[dict[str, Answer]]:
    """Every bug and scene that was asked for, two processes at a time; each test waits for its own."""
    asked = [item for item in request.session.items if item.fspath == request.path and item.get_closest_marker("slow")]
    params = [item.callspec.params for item in asked if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    with ThreadPoolExecutor(2) as pool:
        found: dict[str, Answer] = {}
        for one in params:
            if "bug" in one:
                scene, _, seeds = BUGS[one["bug"]]
                found[one["bug"]] = pool.submit(_run, scene, seeds, *with_bug(one["bug"]))
            else:
                found[one["scene"]] = pool.submit(_run, one["scene"], _seeds(one["scene"]))
        yield found


def _is_found(bug: str, results: list[dict[str, Any]]) -> None:
    scene, promise, seeds = BUGS[bug]
    first = next((at for at, one in enumerate(results, 1) if promise in {v[0] for v in one["violations"]}), 0)
    failing = sum(bool(one["violations"]) for one in results)
    cpu = sum(one["seconds"] for one in results)
    print(f"\n| `{bug}` | {scene} | `{promise}` | {first} | {failing} of {len(results)} | {cpu:.1f} |")
    assert first, f"{bug} was planted, and {promise} did not break on {seeds} seeds of {scene}: {results}"


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, running: dict[str, Answer]) -> None:
    _is_found(bug, running[bug].result())


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_the_same_seeds_are_clean_without_a_bug(scene: str, running: dict[str, Answer]) -> None:
    assert not [one for one in running[scene].result() if one["violations"]]


@pytest.mark.parametrize("bug", AT_EACH_CHANGE)
def test_a_planted_bug_is_found_at_each_change(bug: str) -> None:
    _is_found(bug, _run(BUGS[bug][0], 1, *with_bug(bug)))


def test_every_bug_has_a_scene_and_every_scene_a_bug() -> None:
    assert BUGS.keys() == PLANTED.keys()
    assert {scene for scene, _, _ in BUGS.values()} == SCENES.keys()


def test_a_failing_seed_is_made_smaller_and_told_again() -> None:
    """The story is short, has times, and ends with a command that breaks the same promise in the same way."""
    name = "reaction_is_done_before_it_is"
    bug = with_bug(name)
    failing = _run("returned", 6, *bug)
    _is_found(name, failing)
    # the one that broke latest: a seed that breaks at its first happenings has nothing to be left out
    seed = max((one for one in failing if one["violations"]), key=lambda one: int(one["steps"]))["seed"]
    told = simulate(*bug, "--scene", "returned", "--seed", str(seed))
    assert told.returncode == 1, told.stderr
    assert re.search(r"^  \d\d-\d\d \d\d:\d\d:\d\d\.\d+ VIOLATION every_firing_alert_is_", told.stdout, re.MULTILINE)
    left, before = map(int, re.findall(r"Made smaller: (\d+) of (\d+) happenings", told.stdout)[0])
    assert left <= 6 < before, told.stdout
    (again,) = re.findall(r"^Again: midwatch-sim (.*)$", told.stdout, re.MULTILINE)
    replayed = simulate(*bug, *shlex.split(again))
    assert replayed.returncode == 1
    assert _trace(replayed.stdout) == _trace(told.stdout)


def _trace(out: str) -> str:
    return re.findall(r"^trace=(\w+)$", out, re.MULTILINE)[0]
