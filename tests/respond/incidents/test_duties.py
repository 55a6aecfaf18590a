"""Every duty has exactly one accountable holder, whatever happened before (R4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.respond.incidents.duties import CM, DC, IC, Duty, Holding, all_duties, holder, role_holder

START = datetime(2026, 3, 3, 2, tzinfo=UTC)
ROLES = (CM, DC, "scribe", "legal")
CUSTOM = {"scribe": ["keep-timeline"], "legal": ["tell-clients", "check-clients"]}


def holding(role: str, person: int, minutes: int = 0) -> Holding:
    return Holding(role, person, START + timedelta(minutes=minutes))


acts = st.lists(
    st.tuples(st.sampled_from(["give", "end", "command"]), st.sampled_from(ROLES), st.integers(1, 6)), max_size=30
)


@given(acts)
def test_no_duty_is_ever_unheld_whatever_is_given_and_ended(acts: list[tuple[str, str, int]]) -> None:
    held = [holding(IC, 1)]
    for minute, (act, role, person) in enumerate(acts, start=1):
        match act:
            case "give":
                held.append(holding(role, person, minute))
            case "end":
                held = [one for one in held if (one.role, one.person) != (role, person)]
            case _:
                held = [one for one in held if one.role != IC] + [holding(IC, person, minute)]
        found = all_duties(held, CUSTOM)
        commander = next(one.person for one in held if one.role == IC)
        assert set(found) == set(Duty)
        for one in found.values():
            assert one.held_as == "assigned" or one.person == commander
            assert any(one.person == other.person for other in held)


@given(st.lists(st.tuples(st.sampled_from(ROLES), st.integers(1, 6), st.integers(0, 500)), max_size=12))
def test_of_several_who_hold_a_role_it_is_the_one_who_holds_it_longest(rows: list[tuple[str, int, int]]) -> None:
    held = [holding(IC, 99), *(holding(*row) for row in rows)]
    contributors = [one for one in held if one.role == DC]
    found = holder(Duty.RESTORE, held)
    if contributors:
        assert (min(one.since for one in contributors), found.held_as) == (
            next(
                one.since
                for one in sorted(contributors, key=lambda c: (c.since, c.person))
                if one.person == found.person
            ),
            "assigned",
        )
    else:
        assert (found.person, found.held_as) == (99, "undelegated")


def test_a_custom_role_takes_over_the_duties_it_names() -> None:
    held = [holding(IC, 1), holding(CM, 2), holding("legal", 3)]
    assert holder(Duty.TELL_CLIENTS, held, CUSTOM).person == 3
    assert holder(Duty.TELL_TEAMS, held, CUSTOM).person == 2
    assert holder(Duty.KEEP_TIMELINE, held, CUSTOM).person == 1


def test_a_role_that_nobody_was_given_is_the_commanders() -> None:
    assert role_holder(CM, [holding(IC, 1)]).held_as == "undelegated"
    assert role_holder(CM, [holding(IC, 1), holding(CM, 2)]).person == 2


@pytest.mark.parametrize("held", [[], [holding(CM, 2)], [holding(IC, 1), holding(IC, 2)]])
def test_without_exactly_one_commander_there_is_no_answer(held: list[Holding]) -> None:
    with pytest.raises(ValueError, match="exactly one IC"):
        holder(Duty.RESTORE, held)
