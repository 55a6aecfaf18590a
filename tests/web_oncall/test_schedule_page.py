from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, World
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.actions import LayerFields, create_override, set_layers
from midwatch.respond.oncall.models import Override
from midwatch.respond.oncall.queries import resolvable, users_on_call
from midwatch.respond.oncall.views import timeline
from midwatch.respond.oncall.views.moments import next_clock_change

As = Callable[[User], Client]
WEEKLY = datetime(2026, 1, 5, 9)


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def given(**more: Any) -> dict[str, Any]:
    return {
        "kind": "replace", "user": "bo", "replaces": "", "starts": "2026-01-09T18:00", "ends": "2026-01-10T09:00",
        "reason": "dentist", **more,
    }  # fmt: skip


def test_the_page_draws_what_is_true(world: World, as_: As) -> None:
    create_override(
        world.schedule,
        BY,
        starts_at=clock.now() + timedelta(days=1),
        ends_at=clock.now() + timedelta(days=2),
        user=world.ana,
    )
    answer = as_(world.vi).get("/schedules/payments-primary")
    strips = {strip.kind: strip for strip in answer.context["strips"]}
    assert [strip.kind for strip in answer.context["strips"]] == ["final", "overrides", "layer"]
    shown = [(bar.title.split(":")[0], bar.kind) for bar in strips["final"].bars]
    assert shown == [("Cy", "shift"), ("Ana", "override"), ("Cy", "shift"), ("Bo", "shift"), ("Cy", "shift")]
    assert 'fill="url(#stripes)"' in answer.content.decode(), "an override differs by its pattern too"
    assert "style=" not in answer.content.decode(), "the page's policy allows none"
    assert as_(world.vi).get("/schedules/none").status_code == 404


def test_the_drawing_fills_two_weeks_without_overlap(world: World, as_: As) -> None:
    answer = as_(world.vi).get("/schedules/payments-primary")
    final = answer.context["strips"][0]
    reached = 0.0
    for bar in final.bars:
        x, width = float(bar.x.rstrip("%")), float(bar.width.rstrip("%"))
        assert x == pytest.approx(reached, abs=0.01)
        reached = x + width
    assert reached == pytest.approx(100, abs=0.01)
    assert len(answer.context["days"]) == 14
    assert 0 < float(answer.context["now_mark"].rstrip("%")) < 100 / 14


def test_a_gap_is_a_word(world: World, as_: As) -> None:
    set_layers(world.schedule, [LayerFields("weekly", WEEKLY, 1, "weeks", [[world.cy], []])], BY)
    text = text_of(as_(world.vi).get("/schedules/payments-primary"))
    assert ">GAP</text>" in text
    assert "Nobody on call" in text


def test_a_short_gap_has_its_word_below(world: World, as_: As) -> None:
    start = clock.now() + timedelta(days=1)
    create_override(world.schedule, BY, starts_at=start, ends_at=start + timedelta(hours=1), kind="remove")
    create_override(
        world.schedule, BY, starts_at=start + timedelta(hours=2), ends_at=start + timedelta(hours=3), kind="remove"
    )
    final = as_(world.vi).get("/schedules/payments-primary").context["strips"][0]
    assert [bar.kind for bar in final.bars].count("gap") == 2
    assert [word for _, word in final.notes] == ["GAP"], "two so close share it"


def test_two_at_once_lie_above_each_other(world: World) -> None:
    layer = LayerFields("weekly", WEEKLY, 1, "weeks", [[world.cy, world.bo]])
    set_layers(world.schedule, [layer], BY)
    span = timeline.window(datetime(2026, 1, 8), "Europe/Prague")
    final = timeline.strips(resolvable(world.schedule), span, {})[0]
    assert {bar.y for bar in final.bars} == {2, 2 + timeline.LANE_STEP}


def test_the_list_says_the_same_as_the_drawing(world: World, as_: As) -> None:
    answer = as_(world.vi).get("/schedules/payments-primary")
    entries = [entry for day in answer.context["agenda"] for entry in day.entries]
    assert [str(entry.user) for entry in entries] == ["Cy", "Bo", "Cy"]
    assert entries[0].start == datetime(2026, 1, 5, 8, tzinfo=UTC), "whole, not cut at the window"
    assert [entry.is_now for entry in entries] == [True, False, False]


@pytest.mark.parametrize(
    "query", ["from=2026-02-01", "from=x", "from=0001-01-01", "from=9999-12-31", "in=mine", "in=x&from=2025-12-20"]
)
def test_other_weeks_and_nonsense(world: World, as_: As, query: str) -> None:
    answer = as_(world.vi).get(f"/schedules/payments-primary?{query}")
    assert answer.status_code == 200
    assert len(answer.context["days"]) == 14


def test_a_night_with_dst_has_the_right_widths(world: World) -> None:
    span = timeline.window(datetime(2026, 3, 28), "Europe/Prague", 3)
    lengths = [
        (high - low).total_seconds() / 3600 for low, high in zip(span.midnights, span.midnights[1:], strict=False)
    ]
    assert lengths == [24, 23, 24]


def test_the_next_change_of_clocks_is_flagged(world: World, as_: As) -> None:
    assert "go forward" not in text_of(as_(world.vi).get("/schedules/payments-primary"))
    clock.freeze(datetime(2026, 3, 1, tzinfo=UTC))
    assert "go forward from 02:00 to 03:00" in text_of(as_(world.vi).get("/schedules/payments-primary"))


@pytest.mark.parametrize(
    ("zone", "now", "at", "before", "after"),
    [
        ("Europe/Prague", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC), "02:00", "03:00"),
        (
            "Europe/Prague",
            datetime(2026, 10, 24, 23, 59, 59, 5, tzinfo=UTC),
            datetime(2026, 10, 25, 1, tzinfo=UTC),
            "03:00",
            "02:00",
        ),
        (
            "Australia/Lord_Howe",
            datetime(2026, 3, 20, tzinfo=UTC),
            datetime(2026, 4, 4, 15, tzinfo=UTC),
            "02:00",
            "01:30",
        ),
    ],
)
def test_when_clocks_change(zone: str, now: datetime, at: datetime, before: str, after: str) -> None:
    found = next_clock_change(zone, now)
    assert found is not None
    assert (found.at, found.before, found.after) == (at, before, after)


def test_zones_whose_clocks_stay() -> None:
    for zone in ("UTC", "Asia/Tokyo", "Asia/Kolkata"):
        assert next_clock_change(zone, datetime(2026, 3, 1, tzinfo=UTC)) is None


def test_cover_in_the_schedules_zone(world: World, as_: As) -> None:
    with transaction.atomic():
        User.objects.filter(pk=world.bo.pk).update(time_zone="America/New_York")
    client = as_(world.bo)
    answer = client.post("/schedules/payments-primary/overrides", given())
    assert answer["Location"] == "/schedules/payments-primary"
    override = Override.objects.get()
    assert override.starts_at == datetime(2026, 1, 9, 17, tzinfo=UTC), "18:00 in Prague"
    assert [str(one) for one in users_on_call(world.schedule, datetime(2026, 1, 9, 20, tzinfo=UTC))] == ["Bo"]
    assert "dentist" in text_of(client.get("/schedules/payments-primary"))


@pytest.mark.parametrize(
    ("more", "who"),
    [
        ({"kind": "add", "user": "ana"}, {"Cy", "Ana"}),
        ({"kind": "replace", "user": "bo", "replaces": "cy"}, {"Bo"}),
        ({"kind": "replace", "user": "bo", "replaces": "ana"}, {"Cy"}),
        ({"kind": "remove", "user": "bo", "replaces": "cy"}, set()),
        ({"kind": "remove", "user": "", "replaces": ""}, set()),
    ],
)
def test_every_kind_of_override(world: World, as_: As, more: Any, who: set[str]) -> None:
    assert as_(world.cy).post("/schedules/payments-primary/overrides", given(**more)).status_code == 302
    assert {str(one) for one in users_on_call(world.schedule, datetime(2026, 1, 9, 20, tzinfo=UTC))} == who


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"user": ""}, "Choose who is on call."),
        ({"user": "nobody-here"}, "Select a valid choice"),
        ({"kind": "swap"}, "Select a valid choice"),
        ({"ends": "2026-01-09T17:00"}, "ends after it starts"),
        ({"starts": "2025-01-01T00:00", "ends": "2025-01-02T00:00"}, "over already"),
        ({"ends": "2028-01-01T00:00"}, "at most 400 days"),
        ({"user": "bo", "replaces": "bo"}, "cannot cover for themselves"),
        ({"starts": "tonight"}, "Write a day and a time"),
    ],
)
def test_errors_come_back_with_the_form_open(world: World, as_: As, more: Any, words: str) -> None:
    answer = as_(world.bo).post("/schedules/payments-primary/overrides", given(**more))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert words in page
    assert 'id="override" open' in page
    assert "dentist" in page, "what was typed stays"
    assert not Override.objects.exists()


def test_call_it_off_or_end_it(world: World, as_: As) -> None:
    client = as_(world.bo)
    client.post("/schedules/payments-primary/overrides", given())
    override = Override.objects.get()
    assert "Call it off" in text_of(client.get("/schedules/payments-primary"))
    client.post(f"/schedules/payments-primary/overrides/{override.pk}/cancel")
    override.refresh_from_db()
    assert override.cancelled_at is not None
    assert "over already" in text_of(
        client.post(f"/schedules/payments-primary/overrides/{override.pk}/cancel", follow=True)
    )
    running = create_override(
        world.schedule, BY, starts_at=clock.now(), ends_at=clock.now() + timedelta(hours=4), user=world.bo
    )
    clock.forward(timedelta(hours=1))
    assert "End it now" in text_of(client.get("/schedules/payments-primary"))
    client.post(f"/schedules/payments-primary/overrides/{running.pk}/cancel")
    running.refresh_from_db()
    assert (running.ends_at, running.cancelled_at) == (clock.now(), None), "what was stays true"
    assert client.post("/schedules/payments-primary/overrides/99999999999999999999/cancel").status_code == 404
    assert as_(world.vi).post(f"/schedules/payments-primary/overrides/{running.pk}/cancel").status_code == 403
    assert as_(world.vi).post("/schedules/payments-primary/overrides", given()).status_code == 403


def test_a_schedule_from_code_is_read_only_but_for_overrides(world: World, as_: As) -> None:
    with transaction.atomic():
        type(world.schedule).objects.filter(pk=world.schedule.pk).update(code_owner="config", code_file="s.yaml:4")
    client = as_(world.ana)
    page = text_of(client.get("/schedules/payments-primary"))
    assert "s.yaml:4" in page
    assert "/schedules/payments-primary/edit" not in page
    assert client.get("/schedules/payments-primary/edit").status_code == 403
    assert client.post("/schedules/payments-primary/delete").status_code == 403
    assert client.post("/schedules/payments-primary/overrides", given()).status_code == 302


def test_page_and_resolver_agree_at_every_hour(world: World, as_: As) -> None:
    """What is drawn is what pages."""
    hours = [{"from": "20:00", "to": "08:00"}]
    layers = [
        LayerFields("weekly", WEEKLY, 1, "weeks", [[world.cy], [world.bo], []]),
        LayerFields("nights", WEEKLY, 2, "days", [[world.ana], [world.bo]], restrictions=hours),
    ]
    set_layers(world.schedule, layers, BY)
    create_override(
        world.schedule,
        BY,
        starts_at=clock.now() + timedelta(hours=3),
        ends_at=clock.now() + timedelta(hours=9),
        user=world.ana,
    )
    answer = as_(world.vi).get("/schedules/payments-primary")
    span, values = answer.context["span"], resolvable(world.schedule)
    final = answer.context["strips"][0].bars
    at = span.start + timedelta(minutes=30)
    while at < span.end:
        x = span.x(at)
        drawn = {
            bar.title.split(":")[0]
            for bar in final
            if bar.kind != "gap"
            and float(bar.x.rstrip("%")) <= x < float(bar.x.rstrip("%")) + float(bar.width.rstrip("%"))
        }
        assert drawn == {name.title() for name in resolve.on_call_at(values, at)}, at
        at += timedelta(hours=1)
