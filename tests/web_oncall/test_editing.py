from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, World
from midwatch.core import clock
from midwatch.people.models import Team, User
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.actions import LayerFields, create_schedule, planned
from midwatch.respond.oncall.differences import Difference, differences, hours_of
from midwatch.respond.oncall.forms import restrictions_from, restrictions_text
from midwatch.respond.oncall.models import Layer, Schedule, TurnMember
from midwatch.respond.oncall.queries import resolvable, users_on_call

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
EDIT = "/schedules/payments-primary/edit"


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def layer(turns: list[str], *, others: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "name": "weekly", "every": "1", "unit": "weeks", "start": "2026-01-05T09:00", "end": "", "restrictions": "",
        "order": "", "turns": turns, "turns-with": others or [""] * len(turns), **more,
    }  # fmt: skip


def posted(*layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "team": "payments", "time_zone": "Europe/Prague", "combine": "cover", "do": "preview",
        "layer-TOTAL_FORMS": len(layers), "layer-INITIAL_FORMS": len(layers), **more,
    }  # fmt: skip
    for index, one in enumerate(layers):
        data |= {f"layer-{index}-{name}": value for name, value in one.items()}
    return data


def saved(client: Client, *layers: dict[str, Any], **more: Any) -> Any:
    """Look first, then save what was looked at."""
    shown = client.post(EDIT, posted(*layers, **more))
    assert shown.status_code == 200, text_of(shown)
    return client.post(EDIT, posted(*layers, **{**more, "do": "save", "seen": shown.context["preview"].mark}))


def people_of(schedule: Schedule) -> list[list[str]]:
    found = Layer.objects.get(schedule=schedule)
    members = TurnMember.objects.filter(layer=found).order_by("turn", "position")
    return [[one.user.name for one in members if one.turn == turn] for turn in range(found.turn_count)]


def test_the_form_shows_what_is(world: World, as_: As) -> None:
    page = as_(world.bo).get(EDIT).content.decode()
    assert '<option value="cy" selected>' in page
    assert '<option value="bo" selected>' in page
    assert 'value="2026-01-05T09:00"' in page


def test_a_preview_says_who_instead_of_whom_and_saves_nothing(world: World, as_: As) -> None:
    text = text_of(as_(world.bo).post(EDIT, posted(layer(["cy", "ana", "bo"]))))
    assert "On call now stays Cy." in text
    assert "Mon 12 Jan 09:00 – Mon 19 Jan 09:00 CET" in text
    assert "Bo → <strong>Ana</strong>" in text
    assert people_of(world.schedule) == [["cy"], ["bo"]]


def test_htmx_gets_the_preview_alone(world: World, as_: As) -> None:
    client = as_(world.bo)
    text = client.post(EDIT, posted(layer(["cy", "ana"])), headers=PARTIAL).content.decode()
    assert "<html" not in text
    assert "What it would mean" in text
    wrong = client.post(EDIT, posted(layer(["cy"], every="0")), headers=PARTIAL)
    assert wrong.status_code == 200
    assert "greater than or equal to 1" in wrong.content.decode()


def test_save_needs_the_preview_of_exactly_this(world: World, as_: As) -> None:
    client = as_(world.bo)
    shown = client.post(EDIT, posted(layer(["cy", "ana"])))
    mark = shown.context["preview"].mark
    other = client.post(EDIT, posted(layer(["ana", "bo"]), do="save", seen=mark))
    assert other.status_code == 200, "shown again, not saved"
    assert people_of(world.schedule) == [["cy"], ["bo"]]
    assert (
        client.post(EDIT, posted(layer(["cy", "ana"]), do="save", seen=mark))["Location"]
        == "/schedules/payments-primary"
    )
    assert people_of(world.schedule) == [["cy"], ["ana"]]


@pytest.mark.parametrize("weeks", range(6))
@pytest.mark.parametrize("turns", [["ana", "cy", "bo"], ["bo", "cy", "ana"], ["bo", "ana", "cy", "ana"]])
def test_adding_somebody_never_changes_who_is_on_call_now(world: World, as_: As, weeks: int, turns: list[str]) -> None:
    clock.forward(timedelta(weeks=weeks))
    before = [str(one) for one in users_on_call(world.schedule, clock.now())]
    text = text_of(as_(world.bo).post(EDIT, posted(layer(turns))))
    assert f"On call now stays {before[0]}." in text
    saved(as_(world.bo), layer(turns))
    assert [str(one) for one in users_on_call(world.schedule, clock.now())] == before


def test_the_preview_is_what_is_saved(world: World, as_: As) -> None:
    given = layer(
        ["ana", "", "cy", "nobody"],
        others=["bo", "", "", ""],
        restrictions="mon-fri 08:00-20:00\nfri 22:00 - sun 06:00",
    )
    nights = layer(["bo"], name="nights", every="2", unit="days", start="2026-01-05T20:00", restrictions="20:00-08:00")
    hours = [restrictions_from(one["restrictions"]) for one in (given, nights)]
    turns = [[world.ana, world.bo], [world.cy], []]
    fields = [
        LayerFields("weekly", datetime(2026, 1, 5, 9), 1, "weeks", turns, restrictions=hours[0]),
        LayerFields("nights", datetime(2026, 1, 5, 20), 2, "days", [[world.bo]], restrictions=hours[1]),
    ]
    wanted = planned(world.schedule, fields, "America/New_York", combine="all")
    assert saved(as_(world.bo), given, nights, time_zone="America/New_York", combine="all").status_code == 302
    now = clock.now()
    made = resolvable(Schedule.objects.get(pk=world.schedule.pk))
    shifts = [resolve.shifts(values, now, now + timedelta(days=60)) for values in (wanted, made)]
    assert shifts[0] == shifts[1]
    assert {shift.user for shift in shifts[0]} == {"ana", "bo", "cy"}


def test_order_and_taking_out(world: World, as_: As) -> None:
    client = as_(world.bo)
    saved(client, layer(["cy"], order="2"), layer(["ana"], name="days", order="1"))
    assert list(Layer.objects.order_by("position").values_list("name", flat=True)) == ["days", "weekly"]
    saved(client, layer(["cy"], remove="on"), layer(["ana"], name="days"))
    assert list(Layer.objects.values_list("name", flat=True)) == ["days"]


def test_a_turn_of_three_stays_one(world: World, as_: As) -> None:
    create_schedule(
        "three",
        world.team,
        "UTC",
        BY,
        layers=[LayerFields("w", datetime(2026, 1, 5, 9), 1, "weeks", [[world.ana, world.bo, world.cy]])],
    )
    page = as_(world.bo).get("/schedules/three/edit").content.decode()
    assert '<option value="ana+bo+cy" selected>Ana, Bo, Cy</option>' in page
    data = posted(layer(["ana+bo+cy", "cy"]) | {"name": "w"}, time_zone="UTC")
    mark = as_(world.bo).post("/schedules/three/edit", data).context["preview"].mark
    as_(world.bo).post("/schedules/three/edit", data | {"do": "save", "seen": mark})
    assert people_of(Schedule.objects.get(name="three")) == [["ana", "bo", "cy"], ["cy"]]


def test_room_and_one_more_layer_save_nothing(world: World, as_: As) -> None:
    client = as_(world.bo)
    text = client.post(EDIT, posted(layer(["ana", "bo", "cy", "ana"]), do="turns")).content.decode()
    assert 'aria-label="Turn 7"' in text, "four that are filled, and three to fill"
    assert 'aria-label="Turn 8"' not in text
    text = client.post(EDIT, posted(layer(["ana"]), do="layer")).content.decode()
    assert "New layer" in text
    assert people_of(world.schedule) == [["cy"], ["bo"]]
    assert client.post(EDIT, posted(do="layer") | {"layer-TOTAL_FORMS": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"turns": ["nobody-here"]}, "There is nobody called nobody-here."),
        ({"every": "0"}, "greater than or equal to 1"),
        ({"unit": "years"}, "Select a valid choice"),
        ({"start": ""}, "Say when the first turn starts"),
        ({"name": ""}, "Give the layer a name."),
        ({"end": "2025-01-01T00:00"}, "ends before it starts"),
        ({"restrictions": "at night"}, "write mon-fri 09:00-17:00"),
        ({"restrictions": "blursday 09:00-17:00"}, "write a day"),
        ({"restrictions": "mon 25:00-26:00"}, "write"),
    ],
)
def test_errors_say_what_to_write(world: World, as_: As, more: Any, words: str) -> None:
    answer = as_(world.bo).post(EDIT, posted(layer(["cy"]) | more))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert people_of(world.schedule) == [["cy"], ["bo"]]


def test_two_layers_of_one_name(world: World, as_: As) -> None:
    answer = as_(world.bo).post(EDIT, posted(layer(["cy"]), layer(["ana"])))
    assert answer.status_code == 422
    assert "the same name" in answer.content.decode()


def test_a_hole_is_shown_before_it_is_made(world: World, as_: As) -> None:
    text = text_of(as_(world.bo).post(EDIT, posted(layer(["cy", "nobody"]))))
    assert "Nobody on call" in text
    text = text_of(as_(world.bo).post(EDIT, posted()))
    assert "On call now changes: Cy → nobody" in text


def test_who_may_edit(world: World, as_: As) -> None:
    assert as_(world.ana).get(EDIT).status_code == 200
    assert as_(world.vi).get(EDIT).status_code == 403
    with transaction.atomic():
        other = Team.objects.create(name="other", display_name="Other", created_at=clock.now())
        Schedule.objects.filter(pk=world.schedule.pk).update(team=other)
    assert as_(world.bo).get(EDIT).status_code == 403
    assert as_(world.bo).post("/schedules/payments-primary/delete").status_code == 403


def test_delete_only_what_no_policy_pages(world: World, as_: As) -> None:
    client = as_(world.bo)
    assert "A policy pages payments-primary" in text_of(client.post("/schedules/payments-primary/delete", follow=True))
    create_schedule("spare", world.team, "UTC", BY)
    assert client.post("/schedules/spare/delete")["Location"] == "/oncall"
    assert not Schedule.objects.filter(name="spare").exists()


# --- a new one ---


def new(**more: Any) -> dict[str, Any]:
    return {
        "team": "payments", "name": "", "turns": ["bo", "cy", ""], "turns-with": ["", "", ""], "unit": "weeks",
        "weekday": "0", "hour": "09:00", "time_zone": "Europe/Prague", **more,
    }  # fmt: skip


def test_three_questions_make_a_schedule(world: World, as_: As) -> None:
    client = as_(world.bo)
    text = text_of(client.post("/new-schedule", new(do="preview"), headers=PARTIAL))
    assert text.index("Bo") < text.index("Cy")
    assert not Schedule.objects.filter(name="payments-secondary").exists()
    assert client.post("/new-schedule", new())["Location"] == "/schedules/payments-secondary", "primary is taken"
    made = Schedule.objects.get(name="payments-secondary")
    assert [str(one) for one in users_on_call(made, clock.now())] == ["Bo"]
    assert [str(one) for one in users_on_call(made, datetime(2026, 1, 12, 8, tzinfo=UTC))] == ["Cy"]


@pytest.mark.parametrize("unit", ["weeks", "days"])
@pytest.mark.parametrize("weekday", range(7))
@pytest.mark.parametrize("hour", ["00:00", "12:59", "13:00", "13:01", "23:59"])
def test_somebody_is_on_call_from_now_on(world: World, as_: As, unit: str, weekday: int, hour: str) -> None:
    """It is Thursday 13:00 in Prague."""
    as_(world.bo).post("/new-schedule", new(name="fresh", unit=unit, weekday=str(weekday), hour=hour))
    made = Schedule.objects.get(name="fresh")
    assert [str(one) for one in users_on_call(made, clock.now())] == ["Bo"]
    [found] = resolvable(made).layers
    assert found.start.strftime("%H:%M") == hour
    if unit == "weeks":
        assert found.start.weekday() == weekday


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"turns": ["", ""]}, "Choose at least one person."),
        ({"turns": ["nobody-here"]}, "There is nobody called"),
        ({"name": "Not A Name"}, "lower-case letters"),
        ({"name": "payments-primary"}, "there is a schedule called payments-primary already"),
        ({"hour": "noon"}, "Enter a valid time"),
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice"),
        ({"team": "other"}, "Select a valid choice"),
        ({"weekday": "9"}, "Select a valid choice"),
    ],
)
def test_errors_of_a_new_one(world: World, as_: As, more: Any, words: str) -> None:
    answer = as_(world.bo).post("/new-schedule", new(**more))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Schedule.objects.count() == 1
    assert as_(world.vi).get("/new-schedule").status_code == 403


# --- pure ---


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("", []),
        ("mon-fri 09:00-17:00", [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}]),
        ("22:00-06:00", [{"from": "22:00", "to": "06:00"}]),
        ("Sat, Sun 9:00 – 17:00", [{"days": ["sat", "sun"], "from": "09:00", "to": "17:00"}]),
        ("fri-mon 09:00 to 24:00", [{"days": ["mon", "fri", "sat", "sun"], "from": "09:00", "to": "24:00"}]),
        ("friday 18:00 - monday 09:00", [{"from": "fri 18:00", "to": "mon 09:00"}]),
    ],
)
def test_hours_as_people_write_them(text: str, documents: list[dict[str, Any]]) -> None:
    assert restrictions_from(text) == documents
    assert restrictions_from(restrictions_text(documents)) == documents


def _weekly(*participants: tuple[str, ...]) -> resolve.Schedule:
    one = resolve.Layer("w", datetime(2026, 1, 5, 9), None, 1, "weeks", participants)
    return resolve.Schedule("UTC", "cover", (one,))


def test_differences_are_joined_and_nothing_else() -> None:
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    week = timedelta(weeks=1)
    before, after = _weekly(("a",), ("b",)), _weekly(("a",), ("c",), ("c",))
    found = differences(before, after, start, start + 3 * week)
    assert found == [
        Difference(start + week, start + 2 * week, ("b",), ("c",)),
        Difference(start + 2 * week, start + 3 * week, ("a",), ("c",)),
    ]
    assert differences(before, before, start, start + 9 * week) == []
    assert hours_of(after, start, start + 3 * week) == {"c": 336, "a": 168}
