"""What on call shows on a service's page: who of its team answers now, until when, who is next."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.contribute import Panel
from midwatch.people.viewing import viewer
from midwatch.respond.oncall.queries import resolvables, who_is_on_call
from midwatch.respond.oncall.views.who import card_of


def _on_call(request: HttpRequest, service: Service) -> str:
    user, now = viewer(request), clock.now()
    rows = who_is_on_call(team=service.team, at=now)
    values = resolvables([row.schedule for row in rows], since=now)
    cards = [card_of(row, values[row.schedule.pk], user, now) for row in rows]
    context = {"service": service, "cards": cards}
    return render_to_string("oncall/_service.html", context, request)


PANELS = [Panel("service.side", 10, _on_call)]
