"""The war room: one page, three moving parts (head, timeline, rail), and a composer that no refresh touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise as Lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from midwatch.catalog.models import Service
from midwatch.core import clock, files, topics
from midwatch.core.contribute import panels
from midwatch.core.models import StoredFile
from midwatch.core.render import is_partial, page_or_partial
from midwatch.core.text import whole_number
from midwatch.people.models import Team, User
from midwatch.people.queries import active_people
from midwatch.people.viewing import viewer
from midwatch.respond.incidents import permits, phases
from midwatch.respond.incidents.duties import CM, DC, IC
from midwatch.respond.incidents.forms import wall_text
from midwatch.respond.incidents.models import Audience, Entry, HandOver, Incident, Promise, Severity, Task, Update
from midwatch.respond.incidents.permits import NEEDED
from midwatch.respond.incidents.queries import Seat, holdings_of, may_see, room, seats_of
from midwatch.respond.incidents.queries.similar import changes_near, similar_to
from midwatch.respond.incidents.views.common import incident_or_404
from midwatch.respond.oncall.models import Schedule

PARTS = ("head", "timeline", "rail")
ENTRIES_SHOWN = 100
CHOICES_MAX = 500
SOON = timedelta(minutes=2)  # before a promised update
FIRST_MINUTES = timedelta(minutes=15)  # the checklist of the beginning is shown so long
# What a chip above the timeline shows: kinds of entries.
GROUPS: Mapping[str, tuple[str | Lazy, Sequence[str]]] = {
    "written": (_("Written"), ("note", "decision", "observation", "amendment")),
    "decisions": (_("Decisions"), ("decision",)),
    "updates": (_("Updates"), ("update", "cadence", "delivery", "channel")),
    "people": (_("People"), ("role", "offer", "responder", "prompt", "power", "powers")),
    "tasks": (_("Tasks"), ("task",)),
    "alerts": (_("Alerts"), ("alert",)),
    "course": (
        _("Course"),
        (
            "declared",
            "phase",
            "severity",
            "title",
            "summary",
            "impact",
            "client",
            "lesson",
            "merged",
            "link",
            "evidence",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is shown. `amendments`: what set it right, in order."""

    entry: Entry
    is_starred: bool
    amendments: Sequence[Entry]
    files: Sequence[tuple[str, str, bool]]  # name, address, is a picture


@dataclass(frozen=True, slots=True)
class Due:
    """When an audience hears next. `tone`: quiet, warn shortly before, danger when the promise is broken."""

    audience: str
    at: datetime
    tone: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Rung:
    name: str
    title: str
    at: datetime | None
    is_reached: bool


@login_required
@require_safe
def incident_room(request: HttpRequest, number: int) -> HttpResponse:
    user = viewer(request)
    incident = incident_or_404(user, number)
    part = request.GET.get("part", "")
    if is_partial(request) and part in PARTS:
        return part_of(request, incident, part)
    context: dict[str, Any] = {"is_whole": True}
    for name in PARTS:
        context |= _PARTS[name](request, incident, user)
    return page_or_partial(request, "incidents/room.html", context, partial="incidents/_timeline.html")


def part_of(request: HttpRequest, incident: Incident, part: str) -> HttpResponse:
    """One moving part, for htmx."""
    user = viewer(request)
    if request.method == "GET" and part == "head":
        topics.see(user.pk, [f"incident:{incident.number}"])
    context = _PARTS[part](request, incident, user)
    return page_or_partial(request, "incidents/room.html", context, partial=f"incidents/_{part}.html")


def _common(request: HttpRequest, incident: Incident, user: User) -> dict[str, Any]:
    level = permits.level_of(user, incident)
    return {
        "incident": incident,
        "may": {act.name.lower(): level >= needed for act, needed in NEEDED.items()},
        "here": reverse("incidents:room", args=[incident.number]),
        "zone": user.time_zone,
    }


# --- the head ---


def _successor(incident: Incident, user: User) -> Incident | None:
    """What it was merged into, for whoever may see that."""
    into = incident.merged_into
    return into if into is not None and may_see(user, into) else None


def _head(request: HttpRequest, incident: Incident, user: User) -> dict[str, Any]:
    now = clock.now()
    seats = {seat.role: seat for seat in seats_of(incident)}
    return _common(request, incident, user) | {
        "commander": seats[IC],
        "communicator": seats[CM],
        "dues": dues_of(incident, now),
        "rungs": rungs_of(incident),
        "successor": _successor(incident, user),
        "next_rung": _next_rung(incident),
        "severities": Severity.choices,
        "present": room.present_people(incident),
        "wall": {rung: wall_text(getattr(incident, f"{rung}_at"), user.time_zone) for rung in phases.LADDER},
        "channels": room.channels_of(incident),
        "head_panels": panels("incident.head", request, incident),
        "waiting": list(Update.objects.filter(incident=incident, state__in=["waiting", "refused"]).order_by("id")),
        "my_offers": [offer for offer in room.offers_of(incident, is_open=True) if offer.taking_id == user.pk],
    }


def dues_of(incident: Incident, now: datetime) -> list[Due]:
    if not incident.is_active:
        return []
    promised = Promise.objects.filter(incident=incident).exclude(promised_at=None).order_by("-audience")
    found = []
    for one in promised:
        assert one.promised_at is not None
        left = one.promised_at - now
        tone = "danger" if left <= timedelta(0) else "warn" if left <= SOON else "quiet"
        found.append(Due(str(Audience(one.audience).label), one.promised_at, tone, left <= timedelta(0)))
    return found


def rungs_of(incident: Incident) -> list[Rung]:
    reached = phases.LADDER.index(incident.phase)
    return [
        Rung(name, name.capitalize(), getattr(incident, f"{name}_at"), place <= reached)
        for place, name in enumerate(phases.LADDER)
    ]


def _next_rung(incident: Incident) -> str:
    """What the one large button does now."""
    match incident.phase:
        case "detected":
            return "acknowledged"
        case "acknowledged":
            return "mitigated"
        case "mitigated":
            return "resolved"
        case "resolved":
            return "closed"
        case _:
            return ""


# --- the timeline ---


def _timeline(request: HttpRequest, incident: Incident, user: User) -> dict[str, Any]:
    group = request.GET.get("show", "")
    kinds = GROUPS[group][1] if group in GROUPS else ()
    before = whole_number(request.GET.get("before", ""))
    found = room.timeline(incident, kinds=kinds, before_id=before, limit=ENTRIES_SHOWN + 1)
    common = _common(request, incident, user)
    here = f"{common['here']}?show={group}" if group in GROUPS else f"{common['here']}?"
    shown = found[:ENTRIES_SHOWN]
    chips: list[tuple[str, str | Lazy, str, bool]] = [("", _("All"), f"{common['here']}#timeline", group not in GROUPS)]
    chips += [
        (name, title, f"{common['here']}?show={name}#timeline", name == group) for name, (title, _k) in GROUPS.items()
    ]
    return common | {
        "lines": _lines(incident, shown),
        "chips": chips,
        "timeline_url": f"{here}&part=timeline" + (f"&before={before}" if before else ""),
        "older_url": f"{here}&before={shown[-1].pk}#timeline" if len(found) > ENTRIES_SHOWN else "",
        "newest_url": f"{here}#timeline" if before else "",
        "checklist": _checklist(incident) if before is None and not group else [],
    }


def _lines(incident: Incident, entries: Sequence[Entry]) -> list[Line]:
    base = reverse("incidents:room", args=[incident.number])
    ids = [one.file_id for entry in entries for one in entry.attachments.all()]
    stored = StoredFile.objects.in_bulk(ids)
    mended: dict[int, list[Entry]] = {}
    for one in Entry.objects.filter(amends__in=entries).order_by("id"):
        mended.setdefault(one.amends_id or 0, []).append(one)
    lines = []
    for entry in entries:
        given = [stored[one.file_id] for one in entry.attachments.all() if one.file_id in stored]
        shown = [(one.name, files.address(base, one), one.content_type.startswith("image/")) for one in given]
        lines.append(Line(entry, hasattr(entry, "star"), mended.get(entry.pk, ()), shown))
    return lines


def _checklist(incident: Incident) -> list[tuple[str | Lazy, bool, str]]:
    """The first five minutes: (what, is it done, where on the page)."""
    if not incident.is_active or incident.is_backfilled or clock.now() - incident.declared_at > FIRST_MINUTES:
        return []
    held = {holding.role: holding.how for holding in holdings_of(incident)}
    steps: list[tuple[str | Lazy, bool, str]] = [
        (_("Somebody leads: the IC has answered"), held.get(IC) not in {"on call", "last resort", "declared"}, "roles"),
        (_("A Communication Manager is named, or the IC does it knowingly"), CM in held, "roles"),
        (_("Somebody works on it: Direct Contributors are here"), DC in held, "responders"),
        (_("What suffers is written down"), bool(room.windows_of(incident)), "impact"),
        (_("The first update is out"), _has_spoken(incident), "updates"),
    ]
    return [] if all(is_done for _what, is_done, _where in steps) else steps


def _has_spoken(incident: Incident) -> bool:
    return Promise.objects.filter(incident=incident).exclude(last_at=None).exists()


# --- the rail ---


@dataclass(frozen=True, slots=True)
class ShownSeat:
    """`offer`: the role is being offered to somebody, and the person who looks may take that back. `mine`: they hold it."""

    seat: Seat
    offer: HandOver | None
    is_mine: bool
    may_withdraw: bool = False


@dataclass(frozen=True, slots=True)
class ShownTask:
    task: Task
    holder: str
    is_mine: bool
    is_over: bool


def _rail(request: HttpRequest, incident: Incident, user: User) -> dict[str, Any]:
    seats = seats_of(incident)
    windows = room.windows_of(incident)
    services = [window.service_id for window in windows] or ([incident.service_id] if incident.service_id else [])
    tasks = _tasks(incident, seats, user)
    alerts = room.alerts_of(incident)
    return _common(request, incident, user) | {
        "seats": _seats(incident, seats, user),
        "is_participant": any(user in seat.people for seat in seats if seat.held_as == "assigned"),
        "roles": [(seat.role, seat.title) for seat in seats],
        "open_tasks": [one for one in tasks if one.task.done_at is None],
        "done_tasks": [one.task for one in tasks if one.task.done_at is not None],
        "responders": room.responders_of(incident),
        "windows": [
            (window, wall_text(window.starts_at, user.time_zone), wall_text(window.ends_at, user.time_zone))
            for window in windows
        ],
        "clients": room.clients_of(incident),
        "alerts": alerts,
        "runbooks": room.runbooks_of(incident, alerts),
        "links": room.links_of(incident, user),
        "similar": similar_to(incident, user) if incident.is_open else [],
        "changes": changes_near(incident, [one for one in services if one is not None]),
        "evidence": room.evidence_of(incident),
        "people": list(active_people().exclude(role="viewer")[:CHOICES_MAX]),
        "services": list(Service.objects.order_by("name")[:CHOICES_MAX]),
        "schedules": list(Schedule.objects.order_by("name")[:CHOICES_MAX]),
        "updates": room.updates_of(incident),
        "heard": room.heard_of(incident, clock.now()),
        "teams": list(Team.objects.order_by("name")[:CHOICES_MAX]),
        "rail_panels": panels("incident.side", request, incident),
    }


def _seats(incident: Incident, seats: Sequence[Seat], user: User) -> list[ShownSeat]:
    offers = {offer.role: offer for offer in room.offers_of(incident, is_open=True)}
    return [
        ShownSeat(
            seat,
            offers.get(seat.role),
            seat.held_as == "assigned" and user.pk in {one.pk for one in seat.people},
            seat.role in offers and permits.may_withdraw(user, incident, offers[seat.role]),
        )
        for seat in seats
    ]


def _tasks(incident: Incident, seats: Sequence[Seat], user: User) -> list[ShownTask]:
    now = clock.now()
    holders = {seat.role: seat for seat in seats}
    found = []
    for task in room.tasks_of(incident):
        seat = holders.get(task.role)
        holder = "" if task.doer else ", ".join(str(one) for one in seat.people[:2]) if seat else ""
        is_mine = task.doer_id == user.pk or (
            task.doer_id is None and seat is not None and user.pk in {one.pk for one in seat.people}
        )
        is_over = task.done_at is None and task.due_at is not None and task.due_at <= now
        found.append(ShownTask(task, holder, is_mine, is_over))
    return found


_PARTS = {"head": _head, "timeline": _timeline, "rail": _rail}
