"""Schedules in the database: made, edited, overridden, asked. What `resolve` decides has its own tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people import actions as people
from midwatch.people.models import Team, User
from midwatch.respond.oncall import actions, queries
from midwatch.respond.oncall.actions import LayerFields
from midwatch.respond.oncall.models import Override, Schedule

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
BY = Actor("Test", "web")
NOON = datetime(2026, 1, 6, 12, tzinfo=UTC)  # a Tuesday; 13:00 in Prague
MONDAY = datetime(2026, 1, 5, 9)


@pytest.fixture(autouse=True)
def noon() -> None:
    clock.freeze(NOON)  # the suite's own fixture thaws it


def person(name: str) -> User:
    return people.create_user(name, people.Profile(name.title(), time_zone="Europe/Prague"), BY)


@pytest.fixture
def crew() -> dict[str, User]:
    return {name: person(name) for name in ("ana", "bo", "cy", "dana")}


@pytest.fixture
def team() -> Team:
    return people.create_team("ops", "Ops", BY)


def weekly(*turns: User | list[User], name: str = "weekly", **fields: object) -> LayerFields:
    lists = [turn if isinstance(turn, list) else [turn] for turn in turns]
    return LayerFields(**{"name": name, "start": MONDAY, "every": 1, "unit": "weeks", "turns": lists, **fields})


def schedule(team: Team, *layers: LayerFields, name: str = "primary", combine: str = "cover") -> Schedule:
    return actions.create_schedule(name, team, "Europe/Prague", BY, combine=combine, layers=layers)


def on_call(of: Schedule, at: datetime | None = None, which: str = "current") -> list[str]:
    return [user.name for user in queries.users_on_call(of, at or clock.now(), which)]


def test_who_is_on_call_now_next_and_before(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"], [crew["bo"], crew["cy"]], [], crew["dana"]))
    assert on_call(made) == ["ana"]
    assert on_call(made, which="next") == ["bo", "cy"]
    assert on_call(made, NOON + timedelta(days=7)) == ["bo", "cy"]
    assert on_call(made, NOON + timedelta(days=7), "previous") == ["ana"]
    assert on_call(made, NOON + timedelta(days=14)) == []
    (row,) = queries.who_is_on_call(team)
    handoff = datetime(2026, 1, 12, 8, tzinfo=UTC)
    assert [user.name for user in row.users] == ["ana"]
    assert (row.until, row.next_from) == (handoff, handoff)
    assert [user.name for user in row.next_users] == ["bo", "cy"]
    (gap,) = queries.who_is_on_call(team, NOON + timedelta(days=14))
    back = datetime(2026, 1, 26, 8, tzinfo=UTC)
    assert (list(gap.users), gap.until, gap.next_from) == ([], back, back)


def test_the_row_before_a_gap_says_when_it_ends_and_who_comes_after(team: Team, crew: dict[str, User]) -> None:
    schedule(team, weekly(crew["ana"], [], crew["bo"]))
    (row,) = queries.who_is_on_call(team)
    assert row.until == datetime(2026, 1, 12, 8, tzinfo=UTC)
    assert row.next_from == datetime(2026, 1, 19, 8, tzinfo=UTC)
    assert list(row.next_users) == [crew["bo"]]


def test_one_person_for_ever_has_no_until(team: Team, crew: dict[str, User]) -> None:
    schedule(team, weekly(crew["ana"]))
    (row,) = queries.who_is_on_call()
    assert (list(row.users), row.until, list(row.next_users), row.next_from) == ([crew["ana"]], None, [], None)


def test_many_schedules_take_a_constant_number_of_queries(
    team: Team, crew: dict[str, User], django_assert_num_queries: object
) -> None:
    for number in range(8):
        schedule(team, weekly(crew["ana"], crew["bo"]), weekly(crew["cy"], name="b"), name=f"s{number}")
    with django_assert_num_queries(5):  # type: ignore[operator]
        assert len(queries.who_is_on_call(team)) == 8


def test_somebody_turned_off_is_on_call_nowhere(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["dana"], name="below"), weekly(crew["ana"], crew["bo"]))
    people.deactivate_user(crew["ana"], BY)
    assert on_call(made) == ["dana"], "the layer below shows through"
    assert on_call(made, NOON + timedelta(days=7)) == ["bo"], "and the rotation has not moved"


def test_adding_somebody_by_hand_never_changes_who_is_on_call(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"], crew["bo"]))
    clock.freeze(NOON + timedelta(days=7 * 5))
    assert on_call(made) == ["bo"]
    for turns in (
        [crew["cy"], crew["ana"], crew["bo"]],
        [crew["ana"], crew["dana"], crew["cy"], crew["bo"]],
        [crew["bo"], crew["ana"]],
    ):
        actions.set_layers(made, [weekly(*turns)], BY)
        assert on_call(made) == ["bo"]
    handoff = datetime(2026, 2, 16, 8, tzinfo=UTC)
    assert queries.who_is_on_call(team)[0].until == handoff, "hand-offs stay when they are"


def test_code_means_what_it_says(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"], crew["bo"]))
    mark = people.Mark("config", "a.yaml:1")
    actions.set_layers(made, [weekly(crew["bo"], crew["ana"])], BY, mark=mark)
    assert on_call(made) == ["bo"]


def test_layers_are_replaced_added_and_reordered(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"], name="a"), weekly(crew["bo"], name="b"))
    assert on_call(made) == ["bo"]
    kept = made.layers.get(name="a").pk
    actions.set_layers(made, [weekly(crew["cy"], name="c"), weekly(crew["ana"], name="a")], BY)
    assert [layer.name for layer in made.layers.all()] == ["c", "a"]
    assert made.layers.get(name="a").pk == kept
    assert on_call(made) == ["ana"]
    actions.change_schedule(made, team, "Asia/Tokyo", BY, combine="all")
    made.refresh_from_db()
    assert on_call(made) == ["cy", "ana"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"unit": "months"}, "hours, days, weeks"),
        ({"every": 0}, "give 1 to"),
        ({"end": datetime(2026, 1, 1)}, "ends before it starts"),
        ({"name": ""}, "1 to 100 characters"),
        ({"start": datetime(1900, 1, 1)}, "years from"),
        ({"restrictions": [{"from": "25:00", "to": "06:00"}]}, "time such as 09:00"),
    ],
)
def test_wrong_layers_are_refused(team: Team, crew: dict[str, User], fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        schedule(team, weekly(crew["ana"], **fields))


def test_two_layers_of_one_name_are_refused(team: Team, crew: dict[str, User]) -> None:
    with pytest.raises(ValueError, match="same name"):
        schedule(team, weekly(crew["ana"]), weekly(crew["bo"]))
    with pytest.raises(ValueError, match="time zone"):
        actions.create_schedule("x", team, "Mars", BY)


def test_an_override_changes_who_and_its_end_gives_back(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"], crew["bo"]))
    cover = actions.create_override(
        made,
        BY,
        user=crew["cy"],
        replaces=crew["ana"],
        starts_at=NOON + timedelta(hours=1),
        ends_at=NOON + timedelta(hours=3),
        reason="dentist\n",
    )
    assert on_call(made) == ["ana"]
    assert on_call(made, NOON + timedelta(hours=2)) == ["cy"]
    (row,) = queries.who_is_on_call(team)
    assert (row.until, list(row.next_users)) == (NOON + timedelta(hours=1), [crew["cy"]])
    assert cover.reason == "dentist"
    assert AuditEntry.objects.get(verb="override").detail["user"] == "cy"
    assert actions.cancel_override(cover, BY)
    assert not actions.cancel_override(cover, BY)
    assert on_call(made, NOON + timedelta(hours=2)) == ["ana"]
    assert queries.overrides_of(made) == []


def test_cancelling_one_that_runs_keeps_what_was_true(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"]))
    cover = actions.take_over(made, crew["bo"], BY, until=NOON + timedelta(hours=4))
    clock.forward(timedelta(hours=1))
    assert actions.cancel_override(cover, BY)
    assert on_call(made) == ["ana"]
    assert on_call(made, NOON + timedelta(minutes=30)) == ["bo"], "an hour ago it was Bo, and so it stays"
    assert not actions.cancel_override(cover, BY)


def test_add_and_remove(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"]))
    span = {"starts_at": NOON, "ends_at": NOON + timedelta(hours=1)}
    actions.create_override(made, BY, kind="add", user=crew["bo"], **span)
    assert on_call(made) == ["ana", "bo"]
    actions.create_override(made, BY, kind="remove", replaces=crew["ana"], **span)
    assert on_call(made) == ["bo"]
    assert queries.gaps(made, NOON, NOON + timedelta(hours=2)) == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"ends_at": NOON}, "ends after it starts"),
        ({"starts_at": NOON - timedelta(hours=2), "ends_at": NOON - timedelta(hours=1)}, "over already"),
        ({"ends_at": NOON + timedelta(days=500)}, "at most 400 days"),
        ({"kind": "swap"}, "replace, add or remove"),
        ({"kind": "remove"}, "remove names nobody"),
        ({"user": None}, "name the user who covers"),
    ],
)
def test_wrong_overrides_are_refused(team: Team, crew: dict[str, User], fields: dict[str, object], says: str) -> None:
    made = schedule(team, weekly(crew["ana"]))
    given = {"starts_at": NOON, "ends_at": NOON + timedelta(hours=1), "user": crew["bo"], **fields}
    with pytest.raises(ValueError, match=says):
        actions.create_override(made, BY, **given)
    assert not Override.objects.exists()


def test_nobody_who_is_off_covers(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"]))
    people.deactivate_user(crew["bo"], BY)
    crew["bo"].refresh_from_db()
    with pytest.raises(ValueError, match="turned off"):
        actions.take_over(made, crew["bo"], BY, until=NOON + timedelta(hours=1))


def test_take_over_for_an_hour_or_until_my_morning(crew: dict[str, User]) -> None:
    ana = crew["ana"]
    assert actions.take_over_until("1h", ana, NOON) == NOON + timedelta(hours=1)
    assert actions.take_over_until("4h", ana, NOON) == NOON + timedelta(hours=4)
    assert actions.take_over_until("morning", ana, NOON) == datetime(2026, 1, 7, 6, tzinfo=UTC)
    before_dawn = datetime(2026, 1, 6, 3, tzinfo=UTC)
    assert actions.take_over_until("morning", ana, before_dawn) == datetime(2026, 1, 6, 6, tzinfo=UTC)
    with pytest.raises(ValueError, match="1h, 4h, morning"):
        actions.take_over_until("week", ana, NOON)


def test_shifts_of_a_schedule_and_of_a_person(team: Team, crew: dict[str, User]) -> None:
    made = schedule(team, weekly(crew["ana"], crew["bo"]))
    other = schedule(team, weekly(crew["cy"]), name="secondary")
    actions.create_override(
        other, BY, user=crew["ana"], starts_at=NOON + timedelta(hours=1), ends_at=NOON + timedelta(hours=2)
    )
    rows = queries.shifts_of_schedule(made, NOON, NOON + timedelta(days=14))
    assert [(row.user.name, row.start) for row in rows] == [
        ("ana", NOON),
        ("bo", datetime(2026, 1, 12, 8, tzinfo=UTC)),
        ("ana", datetime(2026, 1, 19, 8, tzinfo=UTC)),
    ]
    mine = queries.shifts_of(crew["ana"], NOON, NOON + timedelta(days=7))
    assert [(row.schedule.name, row.start, row.is_override) for row in mine] == [
        ("primary", datetime(2026, 1, 5, 8, tzinfo=UTC), False),
        ("secondary", NOON + timedelta(hours=1), True),
    ]
    assert queries.shifts_of(crew["dana"], NOON, NOON + timedelta(days=7)) == []


def test_calendar_tokens_end_with_the_persons_access(crew: dict[str, User]) -> None:
    ana = crew["ana"]
    token = queries.calendar_token(ana)
    assert queries.user_of_calendar_token(token) == ana
    for wrong in (
        "",
        "x",
        token + "0",
        token.replace("-", "-0"),
        f"{crew['bo'].pk}-{token.partition('-')[2]}",
        "9" * 50,
        "\u0661-x",
    ):
        assert queries.user_of_calendar_token(wrong) is None
    people.sign_out_everywhere(ana, BY)
    ana.refresh_from_db()
    assert queries.user_of_calendar_token(token) is None
    fresh = queries.calendar_token(ana)
    people.deactivate_user(ana, BY)
    assert queries.user_of_calendar_token(fresh) is None
