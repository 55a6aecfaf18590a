from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import BY, World
from midwatch.api.commands import on_call_words
from midwatch.core import clock
from midwatch.people.models import Team, User
from midwatch.respond.oncall.actions import LayerFields, create_override, create_schedule, set_layers
from midwatch.respond.oncall.models import Override
from midwatch.respond.oncall.queries import users_on_call, who_is_on_call

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_who_now_until_when_and_who_next(world: World, as_: As) -> None:
    text = text_of(as_(world.vi).get("/oncall"))
    card = text[text.index("payments-primary") :]
    assert card.index("Cy") < card.index("until") < card.index("Bo")
    assert "Mon 12 Jan 09:00 CET" in card
    assert "Take over" not in text, "a viewer only looks"
    assert "Page somebody" not in text


def test_times_in_my_zone_and_the_schedules(world: World, as_: As) -> None:
    with transaction.atomic():
        User.objects.filter(pk=world.bo.pk).update(time_zone="America/New_York")
    text = text_of(as_(world.bo).get("/oncall"))
    assert "Mon 12 Jan 03:00 EST" in text
    assert "09:00 CET" in text
    assert "09:00 CET" in text_of(as_(world.bo).get("/schedules/payments-primary"))


def test_mine_first(world: World, as_: As) -> None:
    with transaction.atomic():
        other = Team.objects.create(name="aaa", display_name="Aaa", created_at=clock.now())
    start = datetime(2026, 1, 5, 9)
    create_schedule("aaa-first", other, "UTC", BY, layers=[LayerFields("w", start, 1, "weeks", [[world.ana]])])
    text = text_of(as_(world.cy).get("/oncall"))
    assert text.index("payments-primary") < text.index("aaa-first")
    text = text_of(as_(world.ana).get("/oncall"))
    assert text.index("aaa-first") < text.index("payments-primary")
    groups = text_of(as_(world.bo).get("/oncall")).split("Your teams")[1]
    assert groups.index("payments-primary") < groups.index("Other teams") < groups.index("aaa-first")


def test_quiet_hours_end_where_somebody_should_be_there(world: World) -> None:
    """Monday's nobody is a gap of the rotation: what is planned ends at nine, though nobody comes before Tuesday."""
    hours = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}]
    turns = LayerFields("office", datetime(2026, 1, 5, 9), 1, "weeks", [[world.cy], []], restrictions=hours)
    create_schedule("office-hours", world.team, "Europe/Prague", BY, layers=[turns])
    friday_night = datetime(2026, 1, 9, 20, tzinfo=UTC)
    (row,) = [row for row in who_is_on_call(at=friday_night) if row.schedule.name == "office-hours"]
    assert (row.users, row.until) == ([], datetime(2026, 1, 19, 8, tzinfo=UTC))
    assert row.quiet_until == datetime(2026, 1, 12, 8, tzinfo=UTC)
    (row,) = [
        row for row in who_is_on_call(at=datetime(2026, 1, 12, 9, tzinfo=UTC)) if row.schedule.name == "office-hours"
    ]
    assert (row.users, row.quiet_until) == ([], None)


def test_gaps_are_said_in_words_unless_they_are_meant(world: World, as_: As) -> None:
    start = datetime(2026, 1, 5, 9)
    hours = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}]
    layer = LayerFields("office", start, 1, "weeks", [[world.cy]], restrictions=hours)
    create_schedule("office-hours", world.team, "Europe/Prague", BY, layers=[layer])
    text = text_of(as_(world.bo).get("/oncall"))
    assert "Nobody on call" not in text, "nights of office hours are no gap"
    clock.forward(timedelta(hours=8))
    for path in ("/", "/oncall", "/settings/teams/payments", "/services/checkout", "/schedules/office-hours"):
        text = re.sub(r"<[^>]*>", "", text_of(as_(world.cy).get(path)))
        assert re.search(r"Quiet hours until \w+ \d+ \w+ 09:00 CET, by plan", text), path
        assert "Nobody on call" not in text, path
    (row,) = [row for row in who_is_on_call() if row.schedule.name == "office-hours"]
    assert row.quiet_until == row.until
    assert "office-hours: quiet hours by plan until" in on_call_words("")
    set_layers(world.schedule, [LayerFields("weekly", start, 1, "weeks", [[world.cy], []])], BY)
    text = text_of(as_(world.bo).get("/oncall"))
    assert "Nobody on call" in text
    assert "Mon 12 Jan 09:00 CET" in text


@pytest.mark.parametrize(
    ("choice", "until"),
    [
        ("1h", datetime(2026, 1, 8, 13, tzinfo=UTC)),
        ("4h", datetime(2026, 1, 8, 16, tzinfo=UTC)),
        ("morning", datetime(2026, 1, 9, 6, tzinfo=UTC)),
    ],
)
def test_take_over_in_one_tap(world: World, as_: As, choice: str, until: datetime) -> None:
    answer = as_(world.bo).post("/schedules/payments-primary/take-over", {"for": choice, "next": "/oncall"})
    assert answer["Location"] == "/oncall"
    assert Override.objects.get().ends_at == until, "7:00 in Prague"
    assert [str(one) for one in users_on_call(world.schedule, clock.now())] == ["Bo"]
    assert [str(one) for one in users_on_call(world.schedule, until)] == ["Cy"]


def test_take_over_refusals(world: World, as_: As) -> None:
    client = as_(world.bo)
    text = text_of(client.post("/schedules/payments-primary/take-over", {"for": "ever"}, follow=True))
    assert "give one of 1h, 4h, morning" in text
    assert as_(world.vi).post("/schedules/payments-primary/take-over", {"for": "1h"}).status_code == 403
    assert client.get("/schedules/payments-primary/take-over").status_code == 405
    assert client.post("/schedules/none/take-over", {"for": "1h"}).status_code == 404
    away = client.post("/schedules/payments-primary/take-over", {"for": "1h", "next": "//evil.example/x"})
    assert away["Location"] == "/schedules/payments-primary"


def test_who_is_on_call_anyway_takes_nothing_over(world: World, as_: As) -> None:
    client = as_(world.cy)
    assert "Take over" not in text_of(client.get("/oncall"))
    text = text_of(client.post("/schedules/payments-primary/take-over", {"for": "4h"}, follow=True))
    assert "all that time already" in text
    assert not Override.objects.exists()


def test_take_over_from_code_is_data(world: World, as_: As) -> None:
    with transaction.atomic():
        type(world.schedule).objects.filter(pk=world.schedule.pk).update(code_owner="config", code_file="s.yaml:4")
    as_(world.bo).post("/schedules/payments-primary/take-over", {"for": "1h"})
    assert Override.objects.count() == 1


def test_as_many_queries_for_twenty_schedules_as_for_one(world: World, as_: As) -> None:
    client = as_(world.bo)
    client.get("/oncall")
    with CaptureQueriesContext(connection) as few:
        client.get("/oncall")
    for number in range(20):
        layer = LayerFields("w", datetime(2026, 1, 5, 9), 1, "weeks", [[world.cy], [world.ana]])
        create_schedule(f"more-{number}", world.team, "UTC", BY, layers=[layer])
    with CaptureQueriesContext(connection) as many:
        text = text_of(client.get("/oncall"))
    assert "more-19" in text
    assert len(many) <= len(few) + 1


def test_a_poll_of_nothing_new_is_an_empty_304(world: World, as_: As) -> None:
    client = as_(world.bo)
    for path in ("/oncall", "/schedules/payments-primary"):
        first = client.get(path, headers=PARTIAL)
        assert "<html" not in first.content.decode()
        assert client.get(path, headers={**PARTIAL, "HX-PTag": first["HX-PTag"]}).status_code == 304, path


def test_nothing_yet(db: None, as_: As) -> None:
    with transaction.atomic():
        ana = User.objects.create(name="ana", role="administrator", created_at=clock.now())
        vi = User.objects.create(name="vi", role="viewer", created_at=clock.now())
    assert "No schedule yet." in text_of(as_(vi).get("/oncall"))
    assert "/new-schedule" not in text_of(as_(vi).get("/oncall"))
    assert "/new-schedule" not in text_of(as_(ana).get("/oncall")), "there is no team either"


# --- the calendar ---


def calendar_of(client: Client) -> str:
    page = client.get("/oncall")
    url: str = page.context["calendar_url"]
    assert url.startswith("http://midwatch.example/ical/")
    return url.removeprefix("http://midwatch.example")


def test_the_calendar_needs_no_log_in_and_sets_no_cookie(world: World, as_: As) -> None:
    answer = Client().get(calendar_of(as_(world.cy)))
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/calendar")
    assert not answer.cookies
    text = answer.content.decode()
    assert "BEGIN:VEVENT" in text
    assert "On call: payments-primary" in text
    assert "DTSTART:20260105T080000Z" in text, "the whole week, from its start on"
    assert "DTSTART:20260112T080000Z" not in text, "that one is Bo's"


def test_an_unchanged_calendar_is_a_304(world: World, as_: As) -> None:
    path = calendar_of(as_(world.cy))
    first = Client().get(path)
    clock.forward(timedelta(hours=2))
    second = Client().get(path, headers={"If-None-Match": first["ETag"]})
    assert (second.status_code, second.content) == (304, b"")
    create_override(world.schedule, BY, starts_at=clock.now(), ends_at=clock.now() + timedelta(hours=1), user=world.bo)
    third = Client().get(path, headers={"If-None-Match": first["ETag"]})
    assert third.status_code == 200
    assert third["ETag"] != first["ETag"]


def test_an_unknown_or_ended_calendar_is_404(world: World, as_: As) -> None:
    path = calendar_of(as_(world.cy))
    for wrong in (
        "/ical/x.ics",
        "/ical/1-.ics",
        "/ical/999999999999999999-abc.ics",
        path.replace("-", "-0"),
        "/ical/٣-x.ics",
    ):
        assert Client().get(wrong).status_code == 404, wrong
    with transaction.atomic():
        User.objects.filter(pk=world.cy.pk).update(credentials_epoch=7)
    assert Client().get(path).status_code == 404, "signed out everywhere"
    path = calendar_of(as_(User.objects.get(pk=world.cy.pk)))
    with transaction.atomic():
        User.objects.filter(pk=world.cy.pk).update(is_active=False)
    assert Client().get(path).status_code == 404
    assert Client().post(path).status_code == 405
