"""What a post-mortem shows on its incident's page: where it stands, or a way to open one."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.core import clock
from midwatch.core.contribute import Panel
from midwatch.learn.postmortems.models import Postmortem
from midwatch.people.viewing import viewer
from midwatch.respond.incidents.models import Incident


def _of_incident(request: HttpRequest, incident: Incident) -> str:
    found = Postmortem.objects.select_related("incident", "owner", "facilitator").filter(incident=incident).first()
    if found is None and incident.resolved_at is None:
        return ""
    context = {"pm": found, "incident": incident, "now": clock.now(), "may_open": viewer(request).may_act}
    return render_to_string("postmortems/_incident.html", context, request)


PANELS = [Panel("incident.side", 50, _of_incident)]
