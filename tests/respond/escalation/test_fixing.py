"""How long a page waits for a runbook: never longer than written, never for a P1, not a third time."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.respond.escalation.fixing import FIXES_MAX, HOLD_MAX, Facts, Wanted, hold_for

MINUTE = timedelta(minutes=1)
wanted = st.lists(
    st.builds(Wanted, st.just("restart"), st.just("trigger"), st.timedeltas(timedelta(0), timedelta(hours=1))),
    max_size=4,
)
facts = st.builds(
    Facts, st.sampled_from(["P1", "P2", "P3", "P4", "P5"]), st.integers(0, 5), st.booleans(), st.booleans()
)


@settings(deadline=None)
@given(wanted, facts)
def test_no_hold_is_longer_than_configured_or_than_five_minutes(runbooks: list[Wanted], found: Facts) -> None:
    hold = hold_for(runbooks, found)
    assert timedelta(0) <= hold.length <= min(HOLD_MAX, max((one.hold for one in runbooks), default=timedelta(0)))
    if found.priority == "P1" or found.fixes >= FIXES_MAX or found.is_back or found.is_owner_first:
        assert not hold.length


def test_what_keeps_the_page_from_waiting_is_said() -> None:
    one = [Wanted("restart", "trigger", MINUTE)]
    assert hold_for(one, Facts("P2")).length == MINUTE
    assert "P1" in hold_for(one, Facts("P1")).why
    assert "a second time" in hold_for(one, Facts("P2", fixes=1, is_back=True)).why
    third = hold_for(one, Facts("P2", fixes=2))
    assert third.is_page_anyway
    assert "finds the cause" in third.why
    assert hold_for([Wanted("restart", "trigger")], Facts("P1")).why == ""  # beside the page: nothing to explain
