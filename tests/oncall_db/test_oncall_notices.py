"""When a shift's message and a gap's warning are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.people import actions as people
from midwatch.people.models import Team, User
from midwatch.respond.oncall import actions
from midwatch.respond.oncall.actions import LayerFields
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.notices import ShiftNotice, due_shift_notices, gap_warnings

pytestmark = pytest.mark.django_db
BY = Actor("Test", "web")
MONDAY = datetime(2026, 1, 5, 9)
HANDOFF = datetime(2026, 1, 12, 9, tzinfo=UTC)  # the schedules here are in UTC
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def ana() -> User:
    return people.create_user("ana", people.Profile("Ana"), BY)


@pytest.fixture
def bo() -> User:
    return people.create_user("bo", people.Profile("Bo"), BY)


@pytest.fixture
def team() -> Team:
    return people.create_team("ops", "Ops", BY)


def schedule(team: Team, *layers: LayerFields) -> Schedule:
    clock.freeze(HANDOFF - timedelta(days=6))
    return actions.create_schedule("primary", team, "UTC", BY, layers=layers)


def layer(*turns: list[User], **fields: object) -> LayerFields:
    return LayerFields(**{"name": "a", "start": MONDAY, "every": 1, "unit": "weeks", "turns": turns, **fields})


def told(now: datetime) -> list[tuple[str, datetime, timedelta]]:
    return [(notice.user.name, notice.starts_at, notice.ahead) for notice in due_shift_notices(now)]


def keys(now: datetime) -> set[str]:
    return {notice.key for notice in due_shift_notices(now)}


def test_a_day_before_and_at_the_start(team: Team, ana: User, bo: User) -> None:
    schedule(team, layer([ana], [bo]))
    assert told(HANDOFF - DAY - timedelta(seconds=1)) == []
    assert told(HANDOFF - DAY) == [("bo", HANDOFF, DAY)]
    assert keys(HANDOFF - DAY) == keys(HANDOFF - DAY + 5 * HOUR), "the same key until it means nothing any more"
    assert told(HANDOFF - DAY + 6 * HOUR) == []
    assert told(HANDOFF) == [("bo", HANDOFF, timedelta(0))]
    assert told(HANDOFF + 59 * timedelta(minutes=1)) == [("bo", HANDOFF, timedelta(0))]
    assert told(HANDOFF + HOUR) == []
    (notice,) = due_shift_notices(HANDOFF)
    assert notice.ends_at == HANDOFF + 7 * DAY


def test_as_the_person_wants_it(team: Team, ana: User, bo: User) -> None:
    people.change_preferences(bo, BY, notify_on={"shiftStart": ["2h", "1w", "rubbish", "9w"]})
    schedule(team, layer([ana], [bo]))
    assert told(HANDOFF - 2 * HOUR) == [("bo", HANDOFF, 2 * HOUR)]
    assert told(HANDOFF) == []
    assert told(HANDOFF - 7 * DAY) == [("ana", HANDOFF - 7 * DAY, timedelta(0)), ("bo", HANDOFF, 7 * DAY)]
    people.change_preferences(bo, BY, notify_on={"shiftStart": []})
    assert told(HANDOFF - 2 * HOUR) == []


def test_handing_over_to_oneself_is_no_shift(team: Team, ana: User) -> None:
    schedule(team, layer([ana], [ana]))
    assert told(HANDOFF) == told(HANDOFF - DAY) == []


def test_taking_over_tells_who_took_and_who_gets_it_back(team: Team, ana: User, bo: User) -> None:
    made = schedule(team, layer([ana]))
    now = clock.now()
    actions.take_over(made, bo, BY, until=now + HOUR)
    assert told(now) == [("bo", now, timedelta(0))]
    (back,) = [notice for notice in due_shift_notices(now + HOUR) if notice.user == ana]
    assert back.starts_at == now + HOUR
    assert back.ends_at is None, "no end in sight"


def test_a_long_shift_has_its_real_end(team: Team, ana: User, bo: User) -> None:
    schedule(team, layer([ana], [bo], every=9))
    start = datetime(2026, 3, 9, 9, tzinfo=UTC)
    (notice,) = due_shift_notices(start)
    assert isinstance(notice, ShiftNotice)
    assert (notice.user, notice.ends_at) == (bo, start + timedelta(weeks=9))


def test_a_gap_is_told_7_days_and_1_day_ahead(team: Team, ana: User) -> None:
    made = schedule(team, layer([ana], [], [ana]))
    assert gap_warnings(HANDOFF - timedelta(days=7, seconds=1)) == []
    (first,) = gap_warnings(HANDOFF - 7 * DAY)
    assert (first.team, first.schedule, first.days_ahead) == (team, made, 7)
    assert (first.starts_at, first.ends_at) == (HANDOFF, HANDOFF + 7 * DAY)
    (later,) = gap_warnings(HANDOFF - 2 * DAY)
    assert later.key == first.key, "told once"
    (second,) = gap_warnings(HANDOFF - DAY)
    assert (second.days_ahead, second.key != first.key) == (1, True)
    assert gap_warnings(HANDOFF) == [], "now it is no warning any more"


def test_office_hours_have_no_gap_at_night(team: Team, ana: User) -> None:
    hours = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}]
    made = schedule(team, layer([ana], restrictions=hours))
    assert gap_warnings(clock.now()) == []
    friday = datetime(2026, 1, 9, 9, tzinfo=UTC)
    actions.create_override(made, BY, kind="remove", replaces=ana, starts_at=friday, ends_at=friday + 3 * DAY)
    assert [(gap.starts_at, gap.ends_at) for gap in gap_warnings(clock.now())] == [(friday, friday + 8 * HOUR)]


def test_a_layer_that_ends_leaves_a_gap_without_end(team: Team, ana: User) -> None:
    schedule(team, layer([ana], end=datetime(2026, 1, 9, 12)))
    (gap,) = gap_warnings(clock.now())
    assert (gap.starts_at, gap.ends_at) == (datetime(2026, 1, 9, 12, tzinfo=UTC), None)


def test_somebody_turned_off_leaves_a_gap(team: Team, ana: User, bo: User) -> None:
    schedule(team, layer([ana], [bo]))
    assert gap_warnings(clock.now()) == []
    people.deactivate_user(bo, BY)
    assert [gap.starts_at for gap in gap_warnings(clock.now())] == [HANDOFF]
