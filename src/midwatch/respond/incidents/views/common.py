"""What every act in an incident shares: who may, which incident, and where the person lands afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.catalog.models import Service
from midwatch.core.text import whole_number
from midwatch.core.zones import comes_at, wall_at
from midwatch.people.models import Team, User
from midwatch.people.queries import active_people, actor_of
from midwatch.people.viewing import viewer, where_next
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.permits import Act, may, why_not
from midwatch.respond.incidents.queries import visible_to

NUMBER_MAX = 2**53
M = TypeVar("M", bound=models.Model)
Do = Callable[..., str]


def incident_or_404(user: User, number: int) -> Incident:
    """A private one that is none of their business is not there."""
    found = (
        visible_to(user).select_related("merged_into").filter(number=number).first() if number <= NUMBER_MAX else None
    )
    if found is None:
        raise Http404(_("There is no incident %d.") % number)
    return found


def permitted(request: HttpRequest, number: int, act: Act) -> tuple[Incident, User]:
    """404 for what they may not see, 403 with a sentence for what they may not do."""
    user = viewer(request)
    incident = incident_or_404(user, number)
    if not may(user, incident, act):
        raise PermissionDenied(why_not(act))
    return incident, user


def room_url(incident: Incident, part: str = "") -> str:
    return reverse("incidents:room", args=[incident.number]) + (f"#{part}" if part else "")


def incident_act(act: Act, part: str = "") -> Callable[[Do], Callable[..., HttpResponse]]:
    """A view of one act: POST, permitted, done, told in a sentence, and back to that part of the room."""

    def wrap(do: Do) -> Callable[..., HttpResponse]:
        @wraps(do)
        @require_POST
        @login_required
        def view(request: HttpRequest, number: int, **more: int) -> HttpResponse:
            incident, user = permitted(request, number, act)
            try:
                said = do(request, incident, actor_of(user, "web"), **more)
            except ValueError as refusal:
                messages.error(request, str(refusal))
            else:
                if said:
                    messages.success(request, said)
            return HttpResponseRedirect(where_next(request, room_url(incident, part)))

        return view

    return wrap


def one_of(found: models.QuerySet[M], incident: Incident, pk: int) -> M:
    """A row of this incident, by id in the address."""
    row = found.filter(incident=incident, pk=pk).first() if pk <= NUMBER_MAX else None
    if row is None:
        raise Http404(_("There is no such thing in this incident."))
    return row


def person(name: str) -> User:
    """Of a form's choice. Raises ValueError with a sentence, as the next two."""
    found = active_people().filter(name=_plain(name)).first()
    if found is None:
        raise ValueError(_("Choose a person."))
    return found


def service(name: str) -> Service:
    found = Service.objects.select_related("team").filter(name=_plain(name)).first()
    if found is None:
        raise ValueError(_("Choose a service."))
    return found


def team(name: str) -> Team:
    found = Team.objects.filter(name=_plain(name)).first()
    if found is None:
        raise ValueError(_("Choose a team."))
    return found


def _plain(name: str) -> str:
    return name.replace("\0", "")[:63]


def moment_in(request: HttpRequest, field: str, was: datetime | None = None) -> datetime | None:
    """A wall clock of the person's own zone, as a date and time field sends it; None when it was left empty. A field shows
    minutes: one that still says the minute of `was` means `was`, with its seconds. Raises ValueError with a sentence."""
    given = request.POST.get(field, "").strip()
    if not given:
        return None
    try:
        wall = datetime.fromisoformat(given)
    except ValueError as error:
        raise ValueError(_("%s is no moment: write it as 2026-01-31 14:05") % repr(given[:40])) from error
    if wall.tzinfo is not None:
        return wall
    if not 1970 <= wall.year <= 2199:
        raise ValueError(_("%s: give a year from 1970 to 2199") % repr(given[:40]))
    zone_name = viewer(request).time_zone
    if was is not None and wall_at(was, zone_name).replace(second=0, microsecond=0) == wall:
        return was
    return comes_at(wall, zone_name)


def whole_in(request: HttpRequest, field: str) -> int | None:
    """A whole number; None when it was left empty. Raises ValueError with a sentence."""
    given = request.POST.get(field, "").strip().removeprefix("#")
    if not given:
        return None
    number = whole_number(given)
    if number is None:
        raise ValueError(_("%s is no whole number") % repr(given[:20]))
    return number
