"""What an event does to the alerts there are, as decisions of values."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.integration import Event
from midwatch.core.zones import zone
from midwatch.respond.alerts.grouping import (
    REOPEN_WITHIN,
    WEEKDAYS,
    Acknowledge,
    Count,
    Drop,
    Known,
    Open,
    Reopen,
    Resolve,
    decide,
    group_of,
    higher,
    is_within,
    priority_of,
    urgency_of,
)

NOW = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
MOMENTS = st.none() | st.integers(0, 3).map(lambda hours: NOW - timedelta(hours=hours))


def event(status: Any = "firing", **given: Any) -> Event:
    return Event(**{"key": "k", "status": status, "title": "disk full", **given})


def known(status: str = "firing", **given: Any) -> Known:
    facts: dict[str, Any] = {
        "starts_at": None,
        "resolved_at": None,
        "is_resolved_by_person": False,
        "was_acknowledged": False,
    }
    return Known(status=status, **{**facts, **given})


KNOWNS = st.none() | st.builds(
    Known,
    status=st.sampled_from(["firing", "acknowledged", "resolved"]),
    starts_at=MOMENTS,
    resolved_at=MOMENTS,
    is_resolved_by_person=st.booleans(),
    was_acknowledged=st.booleans(),
)


@given(status=st.sampled_from(["firing", "acknowledged", "resolved"]), starts_at=MOMENTS, before=KNOWNS)
def test_there_is_never_a_second_open_alert_of_one_key(
    status: Any, starts_at: datetime | None, before: Known | None
) -> None:
    found = decide(event(status, starts_at=starts_at), before, now=NOW)
    is_open = before is not None and before.status != "resolved"
    if is_open:
        assert isinstance(found, Count | Acknowledge | Resolve)
    else:
        assert isinstance(found, Open | Reopen | Drop)
    if isinstance(found, Open | Reopen):
        assert status == "firing"


@given(before=KNOWNS)
def test_firing_is_never_dropped(before: Known | None) -> None:
    assert not isinstance(decide(event(), before, now=NOW), Drop)


def test_a_first_event_opens_and_the_next_ones_count() -> None:
    assert decide(event(), None, now=NOW) == Open()
    assert decide(event(), known(), now=NOW) == Count()
    assert decide(event(), known("acknowledged"), now=NOW) == Count()


@pytest.mark.parametrize("status", ["resolved", "acknowledged"])
def test_an_answer_to_nothing_open_is_dropped_and_counted(status: str) -> None:
    assert isinstance(decide(event(status), None, now=NOW), Drop)
    assert isinstance(decide(event(status), known("resolved"), now=NOW), Drop)


def test_resolved_by_a_person_and_still_firing_means_the_same_start() -> None:
    mine = known("resolved", starts_at=NOW, resolved_at=NOW, is_resolved_by_person=True)
    assert decide(event(starts_at=NOW), mine, now=NOW) == Reopen()
    assert decide(event(starts_at=NOW + timedelta(hours=1)), mine, now=NOW) == Open()
    assert decide(event(), mine, now=NOW) == Open(), "a source that names no start may mean another one"


@given(minutes=st.integers(0, 60), was_acknowledged=st.booleans())
def test_firing_again_is_linked_for_ten_minutes_after_the_sources_own_resolve(
    minutes: int, was_acknowledged: bool
) -> None:
    before = known("resolved", resolved_at=NOW - timedelta(minutes=minutes), was_acknowledged=was_acknowledged)
    is_soon = timedelta(minutes=minutes) <= REOPEN_WITHIN
    assert decide(event(), before, now=NOW) == Open(is_soon, is_soon and was_acknowledged)


@pytest.mark.parametrize(
    ("word", "labels", "expected"),
    [
        ("critical", {}, "P1"), ("ERROR", {}, "P2"), ("high", {}, "P2"), (" Warning ", {}, "P3"), ("low", {}, "P4"),
        ("info", {}, "P5"), ("", {}, "P3"), ("nonsense", {}, "P3"), ("p1", {}, "P1"), ("page", {}, "P1"),
        ("info", {"severity": "page"}, "P1"), ("critical", {"severity": "nonsense"}, "P1"),
    ],
)  # fmt: skip
def test_the_sources_own_words_win_over_the_common_ones(word: str, labels: dict[str, str], expected: str) -> None:
    found = priority_of(event(priority_word=word, labels=labels), priority_label="severity", priorities={"page": "P1"})
    assert found == expected


def test_pages_join_by_the_vendors_group_or_by_the_labels_a_source_names() -> None:
    seen = event(group_key="g1", labels={"cluster": "a", "zone": "z"})
    assert group_of(seen, []) == "g1"
    assert group_of(seen, ["groupKey"]) == "g1"
    assert group_of(seen, ["cluster"]) == group_of(event(labels={"cluster": "a"}), ["cluster"])
    assert group_of(seen, ["cluster", "zone"]) != group_of(seen, ["cluster"])
    assert group_of(seen, ["nowhere"]) == "", "what has none of the labels joins nothing"
    assert group_of(event(), []) == ""


@given(priority=st.sampled_from(["P1", "P2", "P3", "P4", "P5"]), says=st.sampled_from(["by-priority", "high", "low"]))
def test_a_service_says_how_urgent_or_leaves_it_to_the_priority(priority: str, says: str) -> None:
    found = urgency_of(priority, service_urgency=says, support_hours=None, now=NOW, zone=None)
    assert found == ({"P1": "high", "P2": "high"}.get(priority, "low") if says == "by-priority" else says)


@given(
    minute=st.integers(0, 7 * 24 * 60 - 1), opens=st.times(), closes=st.times(), days=st.sets(st.sampled_from(WEEKDAYS))
)
def test_support_hours_agree_with_walking_through_them(minute: int, opens: time, closes: time, days: set[str]) -> None:
    opens, closes = opens.replace(second=0, microsecond=0), closes.replace(second=0, microsecond=0)
    local = datetime(2026, 3, 2) + timedelta(minutes=minute)  # a Monday
    hours = {"days": sorted(days), "from": opens.isoformat("minutes"), "to": closes.isoformat("minutes")}
    span = timedelta(minutes=(closes.hour * 60 + closes.minute) - (opens.hour * 60 + opens.minute))
    if span <= timedelta(0):
        span += timedelta(days=1)
    expected = False
    for day in range(-1, 8):
        begins = datetime.combine(datetime(2026, 3, 2) + timedelta(days=day), opens)
        if begins <= local < begins + span and (not days or WEEKDAYS[begins.weekday()] in days):
            expected = True
    assert is_within(hours, local) == expected


def test_outside_its_hours_a_service_is_what_it_says() -> None:
    hours = {"days": ["tue"], "from": "08:00", "to": "18:00", "outside": "low"}
    given_: dict[str, Any] = {"service_urgency": "by-priority", "support_hours": hours, "zone": zone("Europe/Prague")}
    assert urgency_of("P1", now=NOW, **given_) == "low"
    assert urgency_of("P1", now=NOW + timedelta(hours=6), **given_) == "high"
    assert urgency_of("P3", now=NOW + timedelta(hours=6), **given_) == "low"


def test_p1_is_higher_than_p2() -> None:
    assert higher("P1", than="P2")
    assert not higher("P2", than="P2")
    assert not higher("P5", than="P1")
