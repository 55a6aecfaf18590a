from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, World
from midwatch.core import clock
from midwatch.engine import hold
from midwatch.people.models import User
from midwatch.respond.alerts.actions import add_note, resolve_alert
from midwatch.respond.alerts.models import Alert, TimelineEntry
from midwatch.respond.alerts.views.acts import next_morning
from midwatch.respond.escalation.actions import start
from midwatch.respond.notify.models import Page

As = Callable[[User], Client]
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def opened(world: World, title: str = "disk full", priority: str = "P1") -> Alert:
    """An alert whose first step has gone out."""
    alert = world.alert(title, priority)
    with transaction.atomic():
        start([(alert, None)])
    return alert


def now_of(alert: Alert) -> Alert:
    return Alert.objects.get(pk=alert.pk)


def test_everything_hostile_is_shown_as_text(world: World, as_: As) -> None:
    alert = opened(world, HOSTILE)
    Alert.objects.filter(pk=alert.pk)
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(
            description=HOSTILE,
            labels={HOSTILE: HOSTILE, "runbook_url": "javascript:alert(1)"},
            links=[
                {"href": "javascript:alert(1)", "text": "bad"},
                {"href": "https://good.example/?a=1&b=2", "text": HOSTILE},
                {"href": "data:text/html,x", "text": "worse"},
                "no link at all",
            ],
        )
        add_note(alert, BY, HOSTILE)
    text = as_(world.bo).get(f"/alerts/{alert.number}").content.decode()
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert 'href="javascript:' not in text
    assert 'href="data:' not in text
    assert 'href="https://good.example/?a=1&amp;b=2" rel="noopener noreferrer"' in text


def test_the_page_says_who_is_next_and_when(world: World, as_: As) -> None:
    alert = opened(world)
    text = as_(world.bo).get(f"/alerts/{alert.number}").content.decode()
    assert "Nobody has it." in text
    assert "Next: whole team in" in text
    assert "payments-primary (on call)" in text
    assert 'aria-current="step"' in text
    assert 'kind="countdown"' in text


def test_nothing_counts_down_while_paging_is_on_hold(world: World, as_: As) -> None:
    alert = opened(world)
    hold.begin(BY, "a backup was restored")
    client = as_(world.bo)
    listed, shown = client.get("/alerts").content.decode(), client.get(f"/alerts/{alert.number}").content.decode()
    assert "on hold</span>" in listed
    assert "Next: whole team, when paging is no longer on hold" in shown
    for text in (listed, shown):
        assert 'kind="countdown"' not in text
        assert "next step" not in text
    hold.release(BY)
    assert "next step" in client.get("/alerts").content.decode()


def test_acknowledge_and_give_back(world: World, as_: As) -> None:
    alert = opened(world)
    client = as_(world.bo)
    answer = client.post(f"/alerts/{alert.number}/acknowledge", follow=True)
    assert answer.redirect_chain == [(f"/alerts/{alert.number}", 302)]
    assert "You have it since" in answer.content.decode()
    second = as_(world.cy).post(f"/alerts/{alert.number}/acknowledge", follow=True).content.decode()
    assert f"Bo has #{alert.number} since" in second
    client.post(f"/alerts/{alert.number}/unacknowledge")
    assert now_of(alert).status == "firing"


def test_resolve_note_priority(world: World, as_: As) -> None:
    alert = opened(world, priority="P3")
    client = as_(world.bo)
    client.post(f"/alerts/{alert.number}/note", {"text": "restarted the pump"})
    assert (
        "write something first"
        in client.post(f"/alerts/{alert.number}/note", {"text": " "}, follow=True).content.decode()
    )
    client.post(f"/alerts/{alert.number}/priority", {"priority": "P1"})
    assert (now_of(alert).priority, now_of(alert).urgency) == ("P1", "high")
    assert (
        "give a priority"
        in client.post(f"/alerts/{alert.number}/priority", {"priority": "P0"}, follow=True).content.decode()
    )
    client.post(f"/alerts/{alert.number}/resolve")
    assert now_of(alert).resolved_by == world.bo
    page = client.get(f"/alerts/{alert.number}").content.decode()
    assert "restarted the pump" in page
    assert "/acknowledge" not in page, "what is resolved cannot be acknowledged"


def test_what_fixed_the_last_one(world: World, as_: As) -> None:
    last = world.alert()
    with transaction.atomic():
        add_note(last, BY, "deleted old segments")
        resolve_alert(last, BY)
    alert = world.alert()
    assert "deleted old segments" in as_(world.bo).get(f"/alerts/{alert.number}").content.decode()


@pytest.mark.parametrize(("wanted", "minutes"), [("30m", 30), ("1h", 60), ("4h", 240)])
def test_snooze(world: World, as_: As, wanted: str, minutes: int) -> None:
    alert = opened(world)
    as_(world.bo).post(f"/alerts/{alert.number}/snooze", {"for": wanted})
    assert now_of(alert).snoozed_until == clock.now() + timedelta(minutes=minutes)


def test_snooze_until_morning_is_the_persons_morning(world: World, as_: As) -> None:
    alert = opened(world)
    clock.freeze(datetime(2026, 1, 14, 2, 14, tzinfo=UTC))
    as_(world.bo).post(f"/alerts/{alert.number}/snooze", {"for": "morning"})
    assert now_of(alert).snoozed_until == datetime(2026, 1, 14, 7, 0, tzinfo=UTC), "08:00 in Prague"
    answer = as_(world.bo).post(f"/alerts/{alert.number}/snooze", {"for": "ever"}, follow=True)
    assert "Choose how long" in answer.content.decode()


def test_the_next_morning_is_never_the_one_that_is_about_to_come() -> None:
    assert next_morning(datetime(2026, 1, 14, 7, 30, tzinfo=UTC), "UTC") == datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
    assert next_morning(datetime(2026, 1, 14, 6, 59, tzinfo=UTC), "UTC") == datetime(2026, 1, 14, 8, 0, tzinfo=UTC)


def test_escalate_reassign_add_decline(world: World, as_: As) -> None:
    alert = opened(world)
    client = as_(world.bo)
    client.post(f"/alerts/{alert.number}/responders", {"user": "ana"})
    assert Page.objects.filter(alert=alert, user=world.ana, state="running").exists()
    client.post(f"/alerts/{alert.number}/reassign", {"user": "cy"})
    assert Page.objects.filter(alert=alert, user=world.cy, state="running").exists()
    assert not Page.objects.filter(alert=alert, user=world.ana, state="running").exists()
    assert (
        "Choose a person"
        in client.post(f"/alerts/{alert.number}/reassign", {"user": "x"}, follow=True).content.decode()
    )
    as_(world.cy).post(f"/alerts/{alert.number}/decline")
    assert Page.objects.filter(alert=alert, user=world.cy, state="declined").exists()
    client.post(f"/alerts/{alert.number}/escalate")
    kinds = set(TimelineEntry.objects.filter(alert=alert).values_list("kind", flat=True))
    assert {"responder_added", "reassigned", "escalated"} <= kinds


def test_the_moving_part_alone(world: World, as_: As) -> None:
    alert = opened(world)
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
    client = as_(world.bo)
    first = client.get(f"/alerts/{alert.number}", headers=headers)
    assert "<html" not in first.content.decode()
    known = {**headers, "HX-PTag": first["HX-PTag"]}
    assert client.get(f"/alerts/{alert.number}", headers=known).status_code == 304
    as_(world.cy).post(f"/alerts/{alert.number}/acknowledge")
    assert client.get(f"/alerts/{alert.number}", headers=known).status_code == 200


@pytest.mark.parametrize("number", ["0", "999999", "9" * 30])
def test_no_such_alert(world: World, as_: As, number: str) -> None:
    client = as_(world.bo)
    assert client.get(f"/alerts/{number}").status_code == 404
    assert client.post(f"/alerts/{number}/acknowledge").status_code == 404


def test_who_is_being_called(world: World, as_: As) -> None:
    alert = opened(world)
    text = " ".join(as_(world.bo).get(f"/alerts/{alert.number}").content.decode().split())
    called = text[text.index("Being called:") :][:300]
    assert "Cy" in called
    assert "level 1" in called
    as_(world.bo).post(f"/alerts/{alert.number}/resolve")
    assert "Being called:" not in as_(world.bo).get(f"/alerts/{alert.number}").content.decode()
