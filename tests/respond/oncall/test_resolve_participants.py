"""Adding a participant never changes who is on call now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from midwatch.respond.oncall.resolve import Layer, Schedule, on_call_at, turn_at, with_participants

ZONE = "Europe/Prague"
START = datetime(2026, 1, 5, 9)
NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)
ONE = timedelta(microseconds=1)

people = st.sampled_from("abcdefgh")
lists = st.lists(st.lists(people, max_size=2, unique=True).map(tuple), min_size=1, max_size=6).map(tuple)
layers = st.builds(
    Layer,
    st.just("one"),
    st.integers(0, 2000).map(lambda hours: datetime(2026, 3, 1, 2, 30) - timedelta(hours=hours)),
    st.none(),
    st.integers(1, 5),
    st.sampled_from(["hours", "days", "weeks"]),
    lists,
    turn_offset=st.integers(-9, 9),
)
moments = st.integers(0, 400 * 24).map(lambda hours: datetime(2026, 3, 1, 3, tzinfo=UTC) + timedelta(hours=hours))


def on_call(layer: Layer, at: datetime) -> tuple[str, ...]:
    return on_call_at(Schedule(ZONE, "cover", (layer,)), at)


def stays(before: Layer, after: Layer, at: datetime) -> None:
    """From now to the hand-off whoever had the turn has it, and the hand-off is when it was."""
    old, new = turn_at(before, at, ZONE), turn_at(after, at, ZONE)
    assert old is not None
    assert new is not None
    assert (new.start, new.end, new.people) == (old.start, old.end, old.people)
    for moment in (at, old.start, old.end - ONE):
        if old.start <= moment < old.end:
            assert on_call(after, moment) == on_call(before, moment) == old.people


@settings(max_examples=300, deadline=None)
@given(layers, moments, st.data())
def test_adding_somebody_anywhere(layer: Layer, at: datetime, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(layer.participants)))
    longer = (*layer.participants[:place], ("new",), *layer.participants[place:])
    changed = with_participants(layer, longer, at, ZONE)
    assert changed.participants == longer
    assert replace(changed, participants=(), turn_offset=0) == replace(layer, participants=(), turn_offset=0)
    stays(layer, changed, at)


@settings(max_examples=300, deadline=None)
@given(layers, moments, st.data())
def test_removing_and_moving_others(layer: Layer, at: datetime, data: st.DataObject) -> None:
    turn = turn_at(layer, at, ZONE)
    assert turn is not None
    others = [one for one in layer.participants if set(one) != set(turn.people)]
    kept = data.draw(st.permutations(others)) if others else []
    kept = kept[: data.draw(st.integers(0, len(kept)))]
    place = data.draw(st.integers(0, len(kept)))
    changed = with_participants(layer, (*kept[:place], turn.people, *kept[place:]), at, ZONE)
    stays(layer, changed, at)
    after = turn_at(changed, turn.end, ZONE)
    if after is not None and after.number == turn.number + 1:  # DST may leave the next turn no time
        assert after.people == (*kept[place:], *kept[:place], turn.people)[0]


@settings(max_examples=300, deadline=None)
@given(layers, moments, lists)
def test_any_change_keeps_whoever_can_stay(
    layer: Layer, at: datetime, participants: tuple[tuple[str, ...], ...]
) -> None:
    before = set(on_call(layer, at))
    changed = with_participants(layer, participants, at, ZONE)
    still_there = before & {person for turn in participants for person in turn}
    assert not still_there or still_there & set(on_call(changed, at))
    assert with_participants(changed, participants, at, ZONE).participants == participants


@settings(max_examples=200, deadline=None)
@given(layers, moments, st.integers(0, 500))
def test_the_same_list_changes_nothing_ever(layer: Layer, at: datetime, days: int) -> None:
    changed = with_participants(layer, layer.participants, at, ZONE)
    later = at + timedelta(days=days)
    assert on_call(changed, later) == on_call(layer, later)


@settings(max_examples=300, deadline=None)
@example(Layer("one", START, None, 1, "hours", (("e", "f"), ("f", "e"))), datetime(2026, 3, 1, 3, tzinfo=UTC), 0, 0)
@given(layers, moments, st.integers(0, 6), st.integers(0, 500))
def test_a_list_that_is_kept_turned_round_comes_back(layer: Layer, at: datetime, by: int, days: int) -> None:
    """Who stores the list begun with another turn instead of `turn_offset` may apply the same document again."""
    turns = layer.participants
    by %= len(turns)
    stored = replace(layer, participants=(*turns[by:], *turns[:by]), turn_offset=layer.turn_offset - by)
    changed = with_participants(stored, turns, at, ZONE)
    later = at + timedelta(days=days)
    assert on_call(changed, later) == on_call(stored, later) == on_call(layer, later)


def rota(*names: str) -> Layer:
    return Layer("weekly", START, None, 1, "weeks", tuple((name,) for name in names))


def order(layer: Layer, count: int = 4) -> list[str]:
    return ["".join(on_call(layer, NOW + timedelta(weeks=week))) for week in range(count)]


def test_stories() -> None:
    three = rota("ana", "bo", "cy")  # Ana's week was the first; NOW is the twelfth: Cy's
    assert order(three) == ["cy", "ana", "bo", "cy"]
    assert order(rota("ana", "bo", "cy", "new")) == ["new", "ana", "bo", "cy"], "without help everybody is reshuffled"
    longer = with_participants(three, rota("ana", "bo", "cy", "new").participants, NOW, ZONE)
    assert order(longer, 5) == ["cy", "new", "ana", "bo", "cy"]
    assert order(with_participants(longer, three.participants, NOW, ZONE)) == ["cy", "ana", "bo", "cy"]
    gone = with_participants(three, rota("bo", "ana").participants, NOW, ZONE)
    assert order(gone) == ["ana", "bo", "ana", "bo"], (
        "Cy left during the turn: the next in the old order has it at once"
    )
    strangers = with_participants(three, rota("xi", "yu").participants, NOW, ZONE)
    assert order(strangers) == ["xi", "yu", "xi", "yu"]
    assert order(with_participants(three, (), NOW, ZONE)) == ["", "", "", ""]


def test_of_two_equal_turns_the_one_that_is_followed_as_before() -> None:
    layer = rota("ana", "bo", "ana", "cy")
    assert order(layer, 2) == ["cy", "ana"]
    layer = replace(layer, turn_offset=3)
    assert order(layer, 3) == ["ana", "cy", "ana"]
    changed = with_participants(layer, rota("ana", "bo", "ana", "cy", "new").participants, NOW, ZONE)
    assert order(changed, 3) == ["ana", "cy", "new"]


def test_somebody_joins_a_turn_of_several() -> None:
    layer = replace(rota("ana", "bo", "cy"), participants=(("ana",), ("bo",), ("cy", "dana")))
    changed = with_participants(layer, (("ana",), ("cy", "dana", "eve"), ("bo",)), NOW, ZONE)
    assert on_call(changed, NOW) == ("cy", "dana", "eve")
    closest = with_participants(layer, (("cy", "zoe"), ("dana", "cy", "eve"), ("cy",)), NOW, ZONE)
    assert on_call(closest, NOW) == ("dana", "cy", "eve")


def test_before_the_start_the_new_list_begins_with_its_first() -> None:
    layer = replace(rota("ana", "bo"), start=datetime(2026, 6, 1), turn_offset=1)
    changed = with_participants(layer, (("cy",), ("ana",)), NOW, ZONE)
    assert on_call(changed, datetime(2026, 6, 2, tzinfo=UTC)) == ("cy",)
