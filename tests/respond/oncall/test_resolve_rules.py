"""The rules of schedules, each as a small story with times that can be checked by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from midwatch.respond.oncall.resolve import (
    Conflict,
    Layer,
    OnCall,
    Override,
    Restriction,
    Schedule,
    Shift,
    WeeklyRestriction,
    conflicts,
    current,
    gaps,
    next_people,
    on_call_at,
    previous_people,
    restriction_from,
    shifts,
    stretches,
    turn_at,
)

PRAGUE = "Europe/Prague"
MONDAY = datetime(2026, 1, 5, 9)  # in Prague's winter, an hour ahead of UTC
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def turns(*people: str | tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((one,) if isinstance(one, str) else one for one in people)


def weekly(*people: str | tuple[str, ...], **changes: object) -> Layer:
    return replace(Layer("weekly", MONDAY, None, 1, "weeks", turns(*people)), **changes)  # type: ignore[arg-type]


def schedule(
    *layers: Layer, combine: str = "cover", overrides: tuple[Override, ...] = (), zone: str = PRAGUE
) -> Schedule:
    return Schedule(zone, combine, layers, overrides)  # type: ignore[arg-type]


def test_the_contracts_example() -> None:
    rota = schedule(weekly("ana", "bo", ("cy", "dana"), ()))
    assert on_call_at(rota, utc(2026, 1, 5, 7, 59)) == ()
    assert on_call_at(rota, utc(2026, 1, 5, 8)) == ("ana",)
    assert on_call_at(rota, utc(2026, 1, 12, 8)) == ("bo",)
    assert on_call_at(rota, utc(2026, 1, 19, 8)) == ("cy", "dana")
    assert on_call_at(rota, utc(2026, 1, 26, 8)) == ()
    assert on_call_at(rota, utc(2026, 2, 2, 8)) == ("ana",)
    assert on_call_at(rota, utc(2026, 3, 30, 7)) == ("ana",)  # nine o'clock in summer too
    assert on_call_at(rota, utc(2026, 3, 30, 6, 59)) == ()
    assert gaps(rota, utc(2026, 1, 1), utc(2026, 2, 3)) == [
        (utc(2026, 1, 1), utc(2026, 1, 5, 8)),
        (utc(2026, 1, 26, 8), utc(2026, 2, 2, 8)),
    ]
    assert gaps(rota, utc(2026, 1, 6), utc(2026, 1, 7)) == []
    assert gaps(rota, utc(2026, 1, 27), utc(2026, 1, 28)) == [(utc(2026, 1, 27), utc(2026, 1, 28))]
    assert gaps(rota, utc(2026, 1, 28), utc(2026, 1, 27)) == []


def test_a_hand_off_that_dst_removes_is_at_the_jump_and_a_doubled_one_once() -> None:
    half_past_two = Layer("night", datetime(2026, 3, 1, 2, 30), None, 1, "days", turns("ana", "bo"))
    found = shifts(schedule(half_past_two), utc(2026, 3, 27, 12), utc(2026, 3, 30, 12))
    assert [shift.start for shift in found][1:] == [
        utc(2026, 3, 28, 1, 30),
        utc(2026, 3, 29, 1),
        utc(2026, 3, 30, 0, 30),
    ]
    found = shifts(schedule(half_past_two), utc(2026, 10, 24, 12), utc(2026, 10, 27))
    assert [shift.start for shift in found][1:] == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]


def test_hourly_turns_last_an_hour_more_or_nothing() -> None:
    hourly = schedule(Layer("hourly", datetime(2026, 1, 1), None, 1, "hours", turns(*"abc")))
    found = shifts(hourly, utc(2026, 10, 24, 23), utc(2026, 10, 25, 3))
    assert [(shift.end - shift.start) // HOUR for shift in found] == [1, 2, 1]
    assert [shift.user for shift in found] == ["b", "c", "a"]
    found = shifts(hourly, utc(2026, 3, 28, 23), utc(2026, 3, 29, 3))
    assert [shift.user for shift in found] == ["a", "b", "a", "b"]  # c's hour, 02:00 to 03:00, did not exist
    assert [(shift.end - shift.start) // HOUR for shift in found] == [1, 1, 1, 1]


def test_daily_restrictions_belong_to_the_day_they_start_and_never_move_the_rotation() -> None:
    nights = Restriction((0, 1), time(22), time(6))
    rota = schedule(weekly("ana", "bo", restrictions=(nights,)))
    assert [(s.user, s.start, s.end) for s in shifts(rota, utc(2026, 1, 5), utc(2026, 1, 19))] == [
        ("ana", utc(2026, 1, 5, 21), utc(2026, 1, 6, 5)),
        ("ana", utc(2026, 1, 6, 21), utc(2026, 1, 7, 5)),
        ("bo", utc(2026, 1, 12, 21), utc(2026, 1, 13, 5)),
        ("bo", utc(2026, 1, 13, 21), utc(2026, 1, 14, 5)),
    ]
    sundays = schedule(weekly("ana", restrictions=(Restriction((6,), time(22), time(6)),)))
    assert on_call_at(sundays, utc(2026, 1, 12, 4, 59)) == ("ana",)  # Monday morning of Sunday's night
    assert on_call_at(sundays, utc(2026, 1, 12, 5)) == ()
    for nothing in (None, ()):
        assert on_call_at(
            schedule(weekly("ana", restrictions=(Restriction(nothing, time(9), time(9)),))), utc(2026, 1, 8)
        )


def test_a_night_is_shorter_and_longer_with_dst() -> None:
    night = schedule(weekly("ana", restrictions=(Restriction(None, time(22), time(6)),)))
    for start, hours in ((utc(2026, 3, 28, 21), 7), (utc(2026, 3, 29, 20), 8), (utc(2026, 10, 24, 20), 9)):
        (shift,) = shifts(night, start, start + 12 * HOUR)
        assert (shift.start, shift.end - shift.start) == (start, hours * HOUR)
    removed = schedule(weekly("ana", restrictions=(Restriction((6,), time(2), time(3)),)))
    assert shifts(removed, utc(2026, 3, 28), utc(2026, 4, 1)) == []


def test_weekly_restrictions() -> None:
    weekend = WeeklyRestriction(4, time(18), 0, time(9))
    rota = schedule(weekly("ana", "bo", restrictions=(weekend,)))
    assert [(s.user, s.start, s.end) for s in shifts(rota, utc(2026, 1, 5, 9), utc(2026, 1, 20))] == [
        ("ana", utc(2026, 1, 9, 17), utc(2026, 1, 12, 8)),
        ("bo", utc(2026, 1, 16, 17), utc(2026, 1, 19, 8)),
    ]
    whole_week = WeeklyRestriction(2, time(9), 2, time(9))
    assert gaps(schedule(weekly("ana", restrictions=(whole_week,))), utc(2026, 2, 1), utc(2026, 3, 1)) == []
    two = (WeeklyRestriction(0, time(9), 0, time(17)), WeeklyRestriction(0, time(16), 1, time(1)))
    (joined, *_) = shifts(schedule(weekly("ana", restrictions=two)), utc(2026, 2, 2), utc(2026, 2, 4))
    assert (joined.start, joined.end) == (utc(2026, 2, 2, 8), utc(2026, 2, 3))


def test_cover_lets_later_layers_win_where_they_cover_and_all_has_everyone() -> None:
    nights = Layer(
        "nights", datetime(2026, 1, 5), None, 1, "days", turns("nia", ()), (Restriction(None, time(20), time(8)),)
    )
    base = weekly("ana", "bo")
    rota = schedule(base, nights)
    assert on_call_at(rota, utc(2026, 1, 5, 18, 59)) == ("ana",)
    assert on_call_at(rota, utc(2026, 1, 5, 19)) == ("nia",)
    assert on_call_at(rota, utc(2026, 1, 5, 23)) == ("ana",)  # nobody's turn: the layer below shows through
    assert on_call_at(rota, utc(2026, 1, 7, 3)) == ("nia",)  # the rotation is daily, the night spans two turns
    assert on_call_at(schedule(nights, base), utc(2026, 1, 5, 19)) == ("ana",)
    both = schedule(base, nights, combine="all")
    assert on_call_at(both, utc(2026, 1, 5, 19)) == ("ana", "nia")
    assert on_call_at(schedule(nights, base, combine="all"), utc(2026, 1, 5, 19)) == ("nia", "ana")
    for layers in ((base, nights), (nights, base)):
        found = shifts(schedule(*layers, combine="all"), utc(2026, 1, 5, 20), utc(2026, 1, 5, 21))
        assert [shift.layer for shift in found] == [layer.name for layer in layers]
    assert [shift.layer for shift in shifts(both, utc(2026, 1, 5, 8), utc(2026, 1, 5, 22))] == ["weekly", "nights"]


def test_one_person_in_two_layers_is_on_call_once() -> None:
    twice = schedule(weekly("ana", ("ana", "bo")), weekly("ana", name="second"), combine="all")
    assert on_call_at(twice, utc(2026, 1, 6)) == ("ana",)
    assert on_call_at(twice, utc(2026, 1, 13)) == ("ana", "bo")
    assert [s.layer for s in shifts(twice, utc(2026, 1, 6), utc(2026, 1, 7))] == ["weekly", "second"]
    assert [s.user for s in stretches(twice, utc(2026, 1, 6), utc(2026, 1, 14))] == ["ana", "bo"]


def test_a_layers_end() -> None:
    ended = schedule(weekly("old"), weekly("new", start=datetime(2026, 2, 2, 9), name="new"))
    ended = replace(ended, layers=(replace(ended.layers[0], end=datetime(2026, 2, 1)), ended.layers[1]))
    assert gaps(ended, utc(2026, 1, 6), utc(2026, 3, 1)) == [(utc(2026, 1, 31, 23), utc(2026, 2, 2, 8))]
    backwards = schedule(weekly("ana", end=datetime(2020, 1, 1)))
    assert shifts(backwards, utc(2026, 1, 1), utc(2026, 2, 1)) == []
    assert on_call_at(backwards, utc(2026, 1, 10)) == ()
    assert on_call_at(schedule(weekly()), utc(2026, 1, 10)) == ()


def covering(
    kind: str, user: str | None, whom: str | None, *, start: datetime, hours: int = 4, number: int = 1
) -> Override:
    return Override(start, start + hours * HOUR, kind, user, whom, number)  # type: ignore[arg-type]


def test_overrides_replace_add_and_remove() -> None:
    base, noon = weekly(("ana", "bo"), "cy"), utc(2026, 1, 7, 12)

    def with_(*overrides: Override) -> tuple[str, ...]:
        rota = schedule(base, overrides=overrides)
        assert on_call_at(rota, noon - HOUR) == on_call_at(rota, noon + 4 * HOUR) == ("ana", "bo")
        return on_call_at(rota, noon)

    assert with_(covering("replace", "eve", "ana", start=noon)) == ("eve", "bo")
    assert with_(covering("replace", "eve", None, start=noon)) == ("eve",)
    assert with_(covering("replace", "eve", "zoe", start=noon)) == ("ana", "bo")
    assert with_(covering("replace", "bo", "ana", start=noon)) == ("bo",)
    assert with_(covering("add", "eve", None, start=noon)) == ("ana", "bo", "eve")
    assert with_(covering("add", "ana", None, start=noon)) == ("ana", "bo")
    assert with_(covering("remove", None, "ana", start=noon)) == ("bo",)
    assert with_(covering("remove", None, None, start=noon)) == ()
    chain = (covering("replace", "eve", "ana", start=noon), covering("replace", "fay", "eve", start=noon, number=2))
    assert with_(*chain) == ("fay", "bo")
    assert with_(*reversed(chain)) == ("eve", "bo")


def test_replacing_somebody_keeps_their_gaps_but_taking_over_fills_them() -> None:
    """GoAlert's users lost gaps between two shifts to a cover: naming the person keeps them."""
    days = weekly("ana", restrictions=(Restriction(None, time(9), time(17)),))
    start = utc(2026, 1, 7)
    named = schedule(days, overrides=(covering("replace", "eve", "ana", start=start, hours=48),))
    assert [(s.user, s.start.hour, s.end.hour) for s in shifts(named, start, start + 2 * DAY)] == [("eve", 8, 16)] * 2
    taken = schedule(days, overrides=(covering("replace", "eve", None, start=start, hours=48, number=7),))
    assert shifts(taken, start, start + 2 * DAY) == [Shift("eve", start, start + 2 * DAY, "", True, 7)]
    added = schedule(days, overrides=(covering("add", "eve", None, start=start, hours=48),))
    assert gaps(added, start, start + 2 * DAY) == []


def test_a_short_cover_splits_the_shift_and_keeps_the_rest() -> None:
    start = utc(2026, 1, 7, 12)
    rota = schedule(weekly("ana", "bo"), overrides=(covering("replace", "eve", None, start=start, number=5),))
    assert shifts(rota, utc(2026, 1, 6), utc(2026, 1, 13)) == [
        Shift("ana", utc(2026, 1, 6), start, "weekly", False),
        Shift("eve", start, start + 4 * HOUR, "", True, 5),
        Shift("ana", start + 4 * HOUR, utc(2026, 1, 12, 8), "weekly", False),
        Shift("bo", utc(2026, 1, 12, 8), utc(2026, 1, 13), "weekly", False),
    ]
    assert current(rota, start + HOUR) == [OnCall("eve", start, start + 4 * HOUR, "", True, 5)]
    assert current(rota, start - HOUR) == [OnCall("ana", utc(2026, 1, 5, 8), start, "weekly", False)]
    assert next_people(rota, start + HOUR) == ("ana",)
    empty = schedule(weekly("ana"), overrides=(covering("replace", "eve", None, start=start, hours=0),))
    assert [shift.user for shift in shifts(empty, utc(2026, 1, 6), utc(2026, 1, 13))] == ["ana"]


def test_the_end_of_a_stretch_is_across_layers_and_bounded() -> None:
    weekend = Layer(
        "weekend", MONDAY, None, 1, "weeks", turns("ana", "cy"), (WeeklyRestriction(4, time(18), 0, time(9)),)
    )
    (ana,) = current(schedule(weekly("ana", "bo"), weekend), utc(2026, 1, 10))
    assert (ana.since, ana.until, ana.layer) == (utc(2026, 1, 5, 8), utc(2026, 1, 12, 8), "weekend")
    (always,) = current(schedule(weekly("ana")), utc(2030, 1, 1))
    assert (always.since, always.until) == (None, None)
    (new,) = current(schedule(weekly("ana")), utc(2026, 2, 1))
    assert (new.since, new.until) == (utc(2026, 1, 5, 8), None)
    assert current(schedule(weekly("ana")), utc(2026, 1, 1)) == []


def test_next_and_previous_are_people_who_are_not_on_call_now() -> None:
    rota = schedule(weekly("ana", "bo", "cy"))
    assert next_people(rota, utc(2026, 1, 13)) == ("cy",)
    assert previous_people(rota, utc(2026, 1, 13)) == ("ana",)
    assert previous_people(rota, utc(2026, 1, 6)) == ()
    assert next_people(rota, utc(2026, 1, 1)) == ("ana",)  # nobody yet: whoever comes first
    days = weekly("ana", "bo", restrictions=(Restriction(None, time(9), time(17)),))
    assert next_people(schedule(days), utc(2026, 1, 6, 12)) == ("bo",)  # not Ana's own next morning
    assert next_people(schedule(weekly(("ana", "bo"), "ana", ("bo", "cy"))), utc(2026, 1, 6)) == ("bo", "cy")
    assert next_people(schedule(weekly("ana")), utc(2026, 1, 6)) == ()
    assert previous_people(schedule(weekly("ana")), utc(2026, 5, 6)) == ()
    monthly = Layer("slow", MONDAY, None, 30, "weeks", turns("ana", "bo"))
    assert next_people(schedule(monthly), utc(2026, 1, 6)) == ("bo",)


def test_turn_at_is_the_rotation_alone() -> None:
    layer = weekly("ana", ("bo", "cy"), restrictions=(Restriction((0,), time(9), time(10)),))
    turn = turn_at(layer, utc(2026, 3, 27), PRAGUE)
    assert turn is not None
    assert (turn.number, turn.people, turn.start, turn.end) == (
        11,
        ("bo", "cy"),
        utc(2026, 3, 23, 8),
        utc(2026, 3, 30, 7),
    )
    assert turn_at(layer, utc(2026, 1, 5, 7), PRAGUE) is None
    assert turn_at(replace(layer, end=datetime(2026, 3, 26)), utc(2026, 3, 27), PRAGUE) is None
    assert turn_at(weekly(), utc(2026, 3, 27), PRAGUE) is None
    century = weekly("ana", "bo", every=500, start=datetime(1965, 1, 1))
    last = turn_at(century, utc(2199, 12, 30), PRAGUE)
    assert last is not None
    assert last.start < utc(2199, 12, 30) < last.end


def test_conflicts_are_the_same_phone_on_two_levels() -> None:
    first = schedule(weekly("ana", "bo"))
    second = schedule(weekly("bo", "cy", "ana"))
    third = schedule(weekly("bo"))
    found = conflicts({"one": first, "two": second, "three": third}, utc(2026, 1, 6), utc(2026, 1, 20))
    assert found == [
        Conflict("bo", utc(2026, 1, 6), utc(2026, 1, 12, 8), ("two", "three")),
        Conflict("bo", utc(2026, 1, 12, 8), utc(2026, 1, 19, 8), ("one", "three")),
        Conflict("ana", utc(2026, 1, 19, 8), utc(2026, 1, 20), ("one", "two")),
    ]
    assert conflicts({"one": first}, utc(2026, 1, 6), utc(2026, 1, 20)) == []


def test_hostile_ranges_and_times_are_refused() -> None:
    rota = schedule(weekly("ana"))
    with pytest.raises(ValueError, match="at most 1100 days"):
        shifts(rota, utc(2026, 1, 1), utc(2036, 1, 1))
    with pytest.raises(ValueError, match="aware"):
        on_call_at(rota, datetime(2026, 1, 1))
    for year in (1, 1970, 2200, 9999):
        with pytest.raises(ValueError, match="give a time between"):
            on_call_at(rota, utc(year, 1, 1))
    for at in (utc(1971, 1, 1), utc(2199, 12, 31, 23, 59)):
        for ask in (on_call_at, current, next_people, previous_people):
            ask(schedule(weekly("ana", "bo", start=datetime(1, 1, 1))), at)
    with pytest.raises(ValueError, match="no time zone"):
        on_call_at(schedule(weekly("ana"), zone="Europe/Pargue"), utc(2026, 1, 1))
    assert on_call_at(schedule(weekly("ana", start=datetime(1, 1, 1), end=datetime(9999, 1, 1))), utc(2026, 1, 1)) == (
        "ana",
    )


def test_wrong_values_say_what_to_write() -> None:
    at = utc(2026, 1, 1)
    for make, words in (
        (lambda: weekly("a", every=0), "every 0: give 1 to 522 weeks"),
        (lambda: weekly("a", unit="months"), "write hours, days or weeks"),
        (lambda: weekly("a", start=at), "no offset"),
        (lambda: schedule(weekly("a"), combine="both"), "write cover or all"),
        (lambda: covering("swap", "a", "b", start=at), "write replace, add or remove"),
        (lambda: covering("add", None, None, start=at), "name the user who covers"),
        (lambda: covering("remove", "a", None, start=at), "remove names nobody"),
        (lambda: covering("add", "a", "b", start=at), "write replace"),
    ):
        with pytest.raises(ValueError, match=words):
            make()


def test_restrictions_as_configuration_writes_them() -> None:
    assert restriction_from({"days": ["mon", "Tue"], "from": "22:00", "to": "06:00"}) == Restriction(
        (0, 1), time(22), time(6)
    )
    assert restriction_from({"from": "00:00", "to": "24:00"}) == Restriction(None, time(0), time(0))
    assert restriction_from({"from": "fri 18:00", "to": "mon 09:00"}) == WeeklyRestriction(4, time(18), 0, time(9))
    wrong: list[tuple[object, str]] = [
        ("mon", "write a restriction such as"),
        ({"from": "9:00", "to": "10:00"}, "from: '9:00': write a time such as 09:00"),
        ({"from": "09:00"}, "to: None: write a time"),
        ({"from": "09:00", "to": "25:00"}, "to: '25:00'"),
        ({"from": "09:00", "to": "17:00", "days": "mon"}, "days: 'mon': write a list"),
        ({"from": "09:00", "to": "17:00", "days": ["moon"]}, "days: 'moon': write a day: mon, tue"),
        ({"from": "09:00", "to": "17:00", "days": [1]}, "days: 1: write a day"),
        ({"from": "09:00", "until": "17:00"}, "until: no field of a restriction"),
        ({"from": "fri 18:00", "to": "09:00"}, "to: '09:00': write a day and a time"),
        ({"from": "fri 18:00", "to": None}, "write a day and a time"),
        ({"from": "fre 18:00", "to": "mon 09:00"}, "from: 'fre': write a day"),
        ({"from": "fri 18:00", "to": "mon 24:00"}, "write the next day"),
        ({"from": "24:00", "to": "06:00"}, "write 00:00"),
        ({"from": "fri 18:00", "to": "mon 09:00", "days": ["mon"]}, "leave it out"),
        ({"from": 900, "to": ["x"]}, "from: 900"),
        ({"from": "２２:００", "to": "06:00"}, "from:"),
    ]
    for document, words in wrong:
        with pytest.raises(ValueError, match=re.escape(words)):
            restriction_from(document)
