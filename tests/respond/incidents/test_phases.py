"""The ladder: each rung its own moment, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.respond.incidents.phases import LADDER, phase_of, with_rung, without

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
moments = st.integers(0, 600).map(lambda minutes: NOW - timedelta(minutes=minutes))


@given(st.lists(st.tuples(st.sampled_from(LADDER), moments), max_size=20))
def test_moments_that_were_taken_are_in_order_and_the_phase_is_the_furthest(
    tried: list[tuple[str, datetime]],
) -> None:
    known: dict[str, datetime | None] = {"detected": NOW - timedelta(minutes=601)}
    for rung, at in tried:
        try:
            known = with_rung(known, rung, at, NOW)
        except ValueError:
            continue
        found = [moment for one in LADDER if (moment := known[one]) is not None]
        assert found == sorted(found)
        assert known["closed"] is None or known["resolved"] is not None
        furthest = phase_of(known)
        assert all(known[one] is None for one in LADDER[LADDER.index(furthest) + 1 :])


def test_closing_needs_resolving() -> None:
    with pytest.raises(ValueError, match="resolve it before"):
        with_rung({"detected": NOW}, "closed", NOW, NOW)


def test_a_moment_in_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="future"):
        with_rung({"detected": NOW}, "mitigated", NOW + timedelta(hours=1), NOW)


def test_resolved_without_mitigated_is_allowed_and_mitigated_may_follow_in_its_place() -> None:
    known = with_rung({"detected": NOW - timedelta(hours=2)}, "resolved", NOW, NOW)
    assert phase_of(known) == "resolved"
    mended = with_rung(known, "mitigated", NOW - timedelta(hours=1), NOW)
    assert phase_of(mended) == "resolved"
    with pytest.raises(ValueError, match=r"mitigated .* cannot lie before detected|cannot lie before"):
        with_rung(known, "mitigated", NOW - timedelta(hours=3), NOW)


@given(st.sampled_from(LADDER[1:]))
def test_stepping_back_takes_off_that_rung_and_the_later_ones(rung: str) -> None:
    known: dict[str, datetime | None] = dict.fromkeys(LADDER, NOW)
    back = without(known, rung)
    assert [one for one in LADDER if back[one] is None] == list(LADDER[LADDER.index(rung) :])
    assert phase_of(back) == LADDER[LADDER.index(rung) - 1]
