"""The calendar feed, read back by a parser, and as bytes where a lenient parser would hide a fault."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Component

from midwatch.respond.oncall.calendar import EVENTS_MAX, feed
from midwatch.respond.oncall.resolve import Layer, Override, Schedule, Shift, shifts

NOW = datetime(2026, 1, 6, 12, 30, 15, 999, tzinfo=UTC)
START = datetime(2026, 1, 12, 8, tzinfo=UTC)
SHIFT = Shift("ana", START, START + timedelta(days=7), "weekly", False)
BASE = "https://midwatch.example.com/ops"


def read(data: bytes) -> tuple[Component, list[Component]]:
    calendar = Calendar.from_ical(data)
    return calendar, list(calendar.walk("VEVENT"))


def one(shift: Shift = SHIFT, title: str = "Payments, first", person: str = "Ana Nováková", base: str = BASE) -> bytes:
    return feed(person, {"payments": [shift]}, {"payments": title}, base, NOW)


def test_a_shift_read_back() -> None:
    data = one()
    calendar, (event,) = read(data)
    assert calendar["X-WR-CALNAME"] == calendar["NAME"] == "On call: Ana Nováková"
    assert (calendar["METHOD"], calendar["VERSION"], calendar["CALSCALE"]) == ("PUBLISH", "2.0", "GREGORIAN")
    assert b"PRODID:-//Midwatch//On call//EN\r\n" in data
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in data
    assert b"X-PUBLISHED-TTL:PT1H\r\n" in data
    assert b"DTSTART:20260112T080000Z\r\n" in data
    assert b"DTEND:20260119T080000Z\r\n" in data
    assert b"DTSTAMP:20260106T123015Z\r\n" in data
    assert b"TRANSP:TRANSPARENT\r\n" in data
    assert b"CATEGORIES:On call\r\n" in data
    assert event["SUMMARY"] == "On call: Payments, first"
    assert event["DESCRIPTION"] == f"weekly\n{BASE}/schedules/payments"
    assert event["URL"] == f"{BASE}/schedules/payments"
    assert event["UID"].endswith("@midwatch.example.com")


def test_uids_are_stable_and_different() -> None:
    def uid(shift: Shift, **changes: str) -> str:
        return str(read(one(shift, **changes))[1][0]["UID"])

    same = uid(SHIFT)
    assert uid(Shift("ana", START, START + timedelta(days=3), "weekly", False)) == same  # a cover made it shorter
    assert uid(SHIFT, title="Renamed", person="Ana Married") == same
    others = [
        uid(Shift("bo", START, SHIFT.end, "weekly", False)),
        uid(Shift("ana", START + timedelta(hours=1), SHIFT.end, "weekly", False)),
        uid(Shift("ana", START, SHIFT.end, "nights", False)),
        uid(Shift("ana", START, SHIFT.end, "", True, 7)),
        uid(Shift("ana", START, SHIFT.end, "", True, 8)),
        uid(SHIFT, base="https://other.example.com"),
    ]
    assert len({same, *others}) == 7


def test_a_year_of_a_schedule_with_a_cover() -> None:
    layer = Layer("weekly", datetime(2026, 1, 5, 9), None, 1, "weeks", (("ana",), ("bo",)))
    cover = Override(START + timedelta(hours=1, microseconds=5), START + timedelta(hours=3), "replace", "ana", "bo", 3)
    rota = Schedule("Europe/Prague", "cover", (layer,), (cover,))
    own = [one for one in shifts(rota, NOW, NOW + timedelta(days=365), is_whole=True) if one.user == "ana"]
    _, events = read(feed("Ana", {"payments": own}, {}, BASE, NOW))
    assert len(events) == len(own) == len({str(event["UID"]) for event in events}) > 26
    assert [event["DTSTART"].dt for event in events][:3] == [
        datetime(2026, 1, 5, 8, tzinfo=UTC),  # whole: it began before the range
        START + timedelta(hours=1),
        datetime(2026, 1, 19, 8, tzinfo=UTC),
    ]
    assert events[0]["SUMMARY"] == "On call: payments"
    assert events[1]["DESCRIPTION"].startswith("cover\n")
    assert {event["DTSTART"].dt.hour for event in events} == {
        7,
        8,
        9,
    }  # 09:00 in Prague, summer and winter, and the cover


@pytest.mark.parametrize(
    "hostile",
    [
        "x\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\nEND:VALARM",
        "x\nATTACH:file:///etc/passwd",
        "a;b,c\\n\\;d:e\"f'",
        "\x00\x07bell\x1b[31m\u202eevil\ud800",
        "漢字ž🚒" * 60,
        "x" * 100_000,
        "END:VCALENDAR",
        "",
    ],
)
def test_hostile_names_stay_inside_their_line(hostile: str) -> None:
    shift = Shift("ana", START, SHIFT.end, hostile, False)
    data = feed(hostile, {hostile or "s": [shift]}, {hostile or "s": hostile}, BASE, NOW)
    calendar, (event,) = read(data)
    well_formed(data)
    assert sorted(event) == sorted(
        ["UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "URL", "TRANSP", "CATEGORIES"]
    )
    assert [component.name for component in calendar.walk()] == ["VCALENDAR", "VEVENT"]
    for shown in (str(calendar["NAME"]), str(calendar["X-WR-CALNAME"]), str(event["SUMMARY"])):
        assert shown.startswith("On call:")
        assert "\n" not in shown
        assert len(shown) <= 200


def well_formed(data: bytes) -> None:
    """RFC 5545 3.1: CRLF ends lines of at most 75 octets, and no other control character stands in them."""
    assert data.endswith(b"END:VCALENDAR\r\n")
    for line in data.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line), line
    lines = data.replace(b"\r\n ", b"").decode("utf-8").split("\r\n")
    assert [line for line in lines if line.startswith(("BEGIN:", "END:"))] == [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=120), st.text(min_size=1, max_size=60), st.text(max_size=120))
def test_any_text_is_a_well_formed_calendar(person: str, schedule: str, title: str) -> None:
    data = feed(person, {schedule: [SHIFT]}, {schedule: title}, BASE, NOW)
    well_formed(data)
    calendar, events = read(data)
    assert len(events) == 1
    assert [component.name for component in calendar.walk()] == ["VCALENDAR", "VEVENT"]


def test_limits_and_emptiness() -> None:
    assert read(feed("Ana", {}, {}, BASE, NOW))[1] == []
    many = [Shift("ana", START + timedelta(hours=n), START + timedelta(hours=n + 1), "l", False) for n in range(2500)]
    _, events = read(feed("Ana", {"b": many[1::2], "a": many[::2]}, {}, BASE, NOW))
    assert [event["DTSTART"].dt for event in events] == [shift.start for shift in many[:EVENTS_MAX]]
    blink = Shift("ana", START, START + timedelta(microseconds=9), "", True, 1)
    (event,) = read(one(blink))[1]
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(seconds=1)
