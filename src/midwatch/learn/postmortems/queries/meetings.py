"""Who comes to the meeting, and its calendar file (RFC 5545, RFC 5546)."""

from __future__ import annotations

from datetime import UTC, timedelta
from urllib.parse import urlsplit

from icalendar import Calendar, Event, vCalAddress, vText

from midwatch.core import clock
from midwatch.core.text import clean
from midwatch.learn.postmortems.models import Asked, Postmortem
from midwatch.people.models import User
from midwatch.respond.incidents.queries import participants_of
from midwatch.settings import settings

PEOPLE_MAX = 100


def meeting_people(postmortem: Postmortem) -> list[User]:
    """Its owner, who facilitates, and everybody who took part."""
    found = {postmortem.owner_id: postmortem.owner}
    if postmortem.facilitator is not None and postmortem.facilitator_state != Asked.DECLINED:
        found[postmortem.facilitator.pk] = postmortem.facilitator
    found |= {person.pk: person for person in participants_of(postmortem.incident)}
    return [person for person in found.values() if person.is_active][:PEOPLE_MAX]


def meeting_calendar(postmortem: Postmortem) -> bytes:
    """One event; the same UID and a higher SEQUENCE when it is moved, so that calendars move it too."""
    at = postmortem.meeting_at
    assert at is not None, "a calendar file is of a meeting that has a date"
    own = settings()
    address = f"{own.base_url}/postmortems/{postmortem.number}"
    calendar = Calendar()
    calendar.add("PRODID", "-//Midwatch//Post-mortem//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", "REQUEST")
    event = Event()
    event.add("UID", f"postmortem-{postmortem.pk}@{urlsplit(own.base_url).hostname or 'midwatch'}")
    event.add("SEQUENCE", postmortem.meeting_sequence)
    event.add("DTSTAMP", clock.now().astimezone(UTC).replace(microsecond=0))
    event.add("DTSTART", at.astimezone(UTC).replace(microsecond=0))
    event.add("DTEND", (at + timedelta(minutes=postmortem.meeting_minutes)).astimezone(UTC).replace(microsecond=0))
    event.add("SUMMARY", vText(clean(f"Post-mortem: {postmortem.incident.title}", 200, is_one_line=True)))
    event.add("DESCRIPTION", vText(f"Read the document before: {address}"))
    event.add("URL", address)
    if postmortem.meeting_where:
        event.add("LOCATION", vText(postmortem.meeting_where))
    organiser = vCalAddress(f"mailto:{own.email_from.rpartition('<')[2].strip('> ')}")
    organiser.params["CN"] = vText("Midwatch")
    event["ORGANIZER"] = organiser
    for person in meeting_people(postmortem):
        if person.email:
            guest = vCalAddress(f"mailto:{person.email}")
            guest.params["CN"] = vText(clean(str(person), 100, is_one_line=True))
            guest.params["ROLE"] = vText("CHAIR" if person.pk == postmortem.facilitator_id else "REQ-PARTICIPANT")
            event.add("ATTENDEE", guest, encode=False)
    calendar.add_component(event)
    return bytes(calendar.to_ical())
