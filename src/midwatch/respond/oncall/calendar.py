"""A person's shifts as a calendar feed (RFC 5545, RFC 7986), for the calendar in their pocket.

Times are UTC, so no zone data travels and no client can read a DST rule differently; each client shows them in its own
zone. An event keeps its UID for as long as the shift keeps its start, so a cover that shortens a shift changes the
event instead of leaving a second one behind; that needs whole shifts (`resolve.shifts(..., is_whole=True)`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from icalendar import Calendar, Event, vDuration, vText, vUri

from midwatch.core.text import clean

from .resolve import Shift

CONTENT_TYPE: Final = "text/calendar; charset=utf-8; method=PUBLISH"
REFRESH: Final = timedelta(hours=1)
EVENTS_MAX: Final = 2_000
TITLE_MAX: Final = 200
_PRODUCT: Final = "-//Midwatch//On call//EN"


def feed(
    person_name: str,
    shifts: Mapping[str, Sequence[Shift]],
    titles: Mapping[str, str],
    base_url: str,
    now: datetime,
) -> bytes:
    """One calendar of one person.

    `shifts`: of each schedule, by its name, the person's own; `titles`: what people call those schedules (the name
    where there is none). The first EVENTS_MAX by time are in it, since a client would choke on more.
    """
    calendar = Calendar()
    calendar.add("PRODID", _PRODUCT)
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    name = clean(f"On call: {person_name}", TITLE_MAX, is_one_line=True)
    for field in ("NAME", "X-WR-CALNAME"):  # RFC 7986, and what came before it and everybody reads
        calendar.add(field, vText(name))
    calendar.add("REFRESH-INTERVAL", vDuration(REFRESH), parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", vDuration(REFRESH))
    everything = [(shift, schedule) for schedule, of_schedule in shifts.items() for shift in of_schedule]
    everything.sort(key=lambda pair: (pair[0].start, pair[1], pair[0].layer))
    for shift, schedule in everything[:EVENTS_MAX]:
        calendar.add_component(_event(shift, schedule, titles.get(schedule, schedule), base_url, now))
    return bytes(calendar.to_ical())


def _event(shift: Shift, schedule: str, title: str, base_url: str, now: datetime) -> Event:
    address = f"{base_url}/schedules/{quote(schedule, safe='', errors='replace')}"
    about = "cover" if shift.is_override else clean(shift.layer, TITLE_MAX, is_one_line=True)
    event = Event()
    event.add("UID", _uid(shift, schedule, base_url))
    event.add("DTSTAMP", now.astimezone(UTC).replace(microsecond=0))
    event.add("DTSTART", _whole_second(shift.start))
    event.add("DTEND", max(_whole_second(shift.end), _whole_second(shift.start) + timedelta(seconds=1)))
    event.add("SUMMARY", vText(clean(f"On call: {title}", TITLE_MAX, is_one_line=True)))
    event.add("DESCRIPTION", vText(f"{about}\n{address}" if about else address))
    event.add("URL", vUri(address))
    event.add("TRANSP", "TRANSPARENT")  # on call is not busy: meetings may be planned
    event.add("CATEGORIES", ["On call"])
    return event


def _uid(shift: Shift, schedule: str, base_url: str) -> str:
    """The same for the same shift at every fetch, and different in two installations."""
    origin = f"override {shift.override_id}" if shift.is_override else f"layer {shift.layer}"
    parts = (schedule, shift.user, origin, shift.start.astimezone(UTC).isoformat())
    host = urlsplit(base_url).hostname or "midwatch"
    return f"{uuid.uuid5(uuid.NAMESPACE_URL, repr(parts))}@{host}"


def _whole_second(at: datetime) -> datetime:
    """RFC 5545 knows no fractions; an override made "now" has them."""
    return at.astimezone(UTC).replace(microsecond=0)
