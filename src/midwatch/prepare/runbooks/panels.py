"""What runbooks show on other pages: what is under way on Now, and those of an incident in its room."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.core.contribute import Panel
from midwatch.people.models import User
from midwatch.people.viewing import viewer
from midwatch.prepare.runbooks.queries.listing import of_incident, under_way
from midwatch.prepare.runbooks.views.listing import execution_rows

NOW_SHOWN = 5
ROOM_SHOWN = 10


def _now(request: HttpRequest, user: User) -> str:
    found = under_way(user, NOW_SHOWN)
    if not found:
        return ""
    return render_to_string("runbooks/_now.html", {"rows": execution_rows(found)}, request)


def _of_incident(request: HttpRequest, incident: Any) -> str:
    found = of_incident(viewer(request), incident.number, ROOM_SHOWN)
    if not found:
        return ""
    return render_to_string("runbooks/_of_incident.html", {"rows": execution_rows(found)}, request)


PANELS = [Panel("now.top", 20, _now), Panel("incident.side", 5, _of_incident)]
