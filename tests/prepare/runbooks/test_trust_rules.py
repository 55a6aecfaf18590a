"""Promotion, freshness, what to exercise next and how well it went: the pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from midwatch.prepare.runbooks.exercise import Candidate, Step, calendar, score
from midwatch.prepare.runbooks.freshness import Broken, Facts, freshness
from midwatch.prepare.runbooks.promotion import Seen, propose

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)  # a Thursday


def seen(*states: str, kind: str = "copy", edited: int = -1) -> list[Seen]:
    """Newest first."""
    top = len(states)
    return [Seen(top - at, kind, state, is_edited=at == edited) for at, state in enumerate(states)]


def days(count: float) -> datetime:
    return NOW - timedelta(days=count)


def test_a_step_rises_after_five_clean_runs_in_a_row_and_to_auto_after_ten() -> None:
    found = propose("copy", seen(*["ok"] * 5), has_command=True)
    assert found is not None
    assert (found.direction, found.to_kind, found.number) == ("promote", "run", 5)
    assert "5 real runs in a row" in found.why
    assert propose("copy", seen(*["ok"] * 4, "failed"), has_command=True) is None
    assert propose("copy", seen(*["ok"] * 5, edited=3), has_command=True) is None
    assert propose("manual", seen(*["ok"] * 9, kind="manual"), has_command=False) is None
    assert propose("run", seen(*["ok"] * 9, kind="run"), has_command=True) is None
    rises = propose("run", seen(*["ok"] * 10, kind="run"), has_command=True)
    assert rises is not None
    assert rises.to_kind == "auto"


def test_one_failure_brings_auto_down_and_two_bring_run_down() -> None:
    falls = propose("auto", seen("ok", "unknown", kind="auto"), has_command=True)
    assert falls is not None
    assert (falls.direction, falls.to_kind) == ("demote", "run")
    assert propose("run", seen("failed", "ok", kind="run"), has_command=True) is None
    assert propose("run", seen("failed", "ok", "failed", kind="run"), has_command=True) is not None


def test_what_was_decided_is_not_proposed_again_on_the_same_evidence() -> None:
    runs = seen(*["ok"] * 7)
    assert propose("copy", runs, has_command=True, decided_at_number=3) is None
    assert propose("copy", runs, has_command=True, decided_at_number=2) is not None
    assert propose("run", seen(*["ok"] * 12, kind="copy"), has_command=True) is None  # runs of another rung


def test_freshness_names_its_reasons_with_the_gravest_first() -> None:
    found = freshness(
        Facts(days(300), days(120), changes=7, broken=[Broken("link https://wiki.example answers 404", days(2))]), NOW
    )
    assert found.state == "stale"
    assert found.reasons == (
        "link https://wiki.example answers 404 since Tue",
        "last proven 120 days ago",
        "7 deploys since last proof",
    )
    assert freshness(Facts(days(3)), NOW).state == "fresh"
    assert freshness(Facts(days(300), days(10)), NOW).sentence == "nothing speaks against it"
    assert freshness(Facts(days(300), days(10), changes=6), NOW).state == "ageing"
    assert freshness(Facts(days(200)), NOW).reasons == ("never proven, and written 200 days ago",)


def test_what_hurts_most_and_was_never_proven_is_exercised_first() -> None:
    found = calendar(
        [
            Candidate("cache", 3, 0, days(80), days(400)),
            Candidate("failover", 1, 6, None, days(20)),
            Candidate("restart", 1, 2, days(40), days(400)),
            Candidate("notes", None, 0, days(2), days(400)),
        ],
        NOW,
    )
    assert [due.name for due in found] == ["failover", "restart", "cache", "notes"]
    assert found[0].why == "never proven, tier 1, 6 alerts paged in 90 days"
    assert found[2].due_on == NOW + timedelta(days=10)


def test_a_drill_is_scored_by_what_it_really_exercised() -> None:
    found = score(
        [
            Step("drain", "ok", 30, 20),
            Step("play", "ok", coverage=(1, 6)),
            Step("check", "skipped", is_skipped_by_hand=True),
        ]
    )
    assert (found.exercised, found.of, found.deviations) == (2, 8, 1)
    assert found.sentence == "15 of 100: exercised 2 of 8 parts, 1 deviation"
    assert score([Step("a", "ok", 90, 20), Step("b", "ok")]).sentence == "95 of 100: exercised 2 of 2 parts, slow: a"
    assert score([]).points == 0
