"""What executions prove: the figures beside a runbook, against values from the literature and by their properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.prepare.runbooks.evidence import RUNS_MAX, Evidence, Run, of_runs, quantile, sentence, wilson_lower

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def run(state: str = "ok", *, days: float = 1, kind: str = "real", seconds: float = 60, **more: object) -> Run:
    return Run(kind, state, NOW - timedelta(days=days), seconds, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("successes", "runs", "lower"),
    [
        (33, 36, 0.7817),
        (1, 1, 0.2065),
        (0, 10, 0.0),
        (10, 10, 0.7225),
        (81, 263, 0.2553),  # Newcombe 1998, table I
        (15, 148, 0.0624),
        (29, 29, 0.8830),
    ],
)
def test_wilsons_bound_is_that_of_the_literature(successes: int, runs: int, lower: float) -> None:
    assert wilson_lower(successes, runs) == pytest.approx(lower, abs=5e-4)


@settings(deadline=None)
@given(st.integers(1, 500), st.data())
def test_the_bound_lies_below_the_share_and_grows_with_success(runs: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, runs))
    bound = wilson_lower(successes, runs)
    assert 0 <= bound <= successes / runs
    assert bound < 1
    if successes < runs:
        assert wilson_lower(successes + 1, runs) > bound
    if successes:
        assert wilson_lower(successes * 2, runs * 2) > bound  # the same share, seen more often


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_a_time_that_was_measured(times: list[float], share: float) -> None:
    ordered = sorted(times)
    found = quantile(ordered, share)
    assert found in ordered
    assert sum(one <= (found or 0) for one in ordered) >= round(share, 2) * len(ordered) - 1e-9


def test_the_sentence_that_a_responder_reads() -> None:
    runs = [run(days=12 + at, seconds=200) for at in range(31)] + [run(days=60, seconds=360)] * 2
    runs += [run("failed", days=90 + at) for at in range(3)]
    found = of_runs(runs)
    assert (found.succeeded, found.real) == (33, 36)
    assert sentence(found, NOW) == "92 %, at least 78 %, proven 12 days ago, p95 6 min"


def test_what_was_never_run_says_so() -> None:
    assert sentence(Evidence(), NOW) == "never run"
    assert sentence(of_runs([run(kind="dry_run")]), NOW) == "not proven: one dry run, no real one"
    assert sentence(of_runs([run("failed")]), NOW) == "0 %, at least 0 %, never proven, failed the last time"


def test_dry_runs_and_drills_make_no_share_and_a_drill_proves() -> None:
    found = of_runs([run("failed", days=9), run(kind="drill", days=2, by="Bo"), run(kind="dry_run", days=1)])
    assert (found.real, found.drills, found.dry_runs, found.share) == (1, 1, 1, 0)
    assert (found.proven_by, found.is_proven_by_drill) == ("Bo", True)
    assert "proven in a drill 2 days ago" in sentence(found, NOW)


def test_unknown_is_no_success_and_cancelled_says_nothing() -> None:
    found = of_runs([run(), run("unknown"), run("cancelled"), run("skipped")])
    assert (found.real, found.succeeded) == (2, 1)


def test_a_run_that_was_edited_and_skipped_deviates_once() -> None:
    found = of_runs([run(edited=1, skipped=2), run(skipped=1), run()])
    assert (found.edited, found.skipped, found.deviations) == (1, 1, 2)


def test_199_of_200_is_not_shown_as_certain_and_old_runs_do_not_count() -> None:
    runs = [run(days=at + 1) for at in range(199)] + [run("failed", days=200)]
    assert sentence(of_runs(runs), NOW).startswith("99 %, at least 97 %, proven yesterday")
    assert of_runs([run()] * RUNS_MAX + [run("failed", days=400)] * 9).share == 1
