"""Action items on other pages: the debts beside a running incident, the rows of a post-mortem."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.core import clock
from midwatch.core.contribute import Panel
from midwatch.learn.actions.models import ActionItem
from midwatch.learn.actions.queries import debts_of
from midwatch.people.viewing import viewer
from midwatch.respond.incidents.models import Incident

SHOWN_MAX = 50


def _debts(request: HttpRequest, incident: Incident) -> str:
    found = debts_of(incident, clock.now().date(), viewer(request))
    if not found:
        return ""
    context = {"incident": incident, "debts": found, "may_act": viewer(request).may_act}
    return render_to_string("actions/_debts.html", context, request)


def _of_postmortem(request: HttpRequest, postmortem: Any) -> str:
    return _rows(request, postmortem, is_print=False)


def _in_print(request: HttpRequest, postmortem: Any) -> str:
    return _rows(request, postmortem, is_print=True)


def _rows(request: HttpRequest, postmortem: Any, *, is_print: bool) -> str:
    items = ActionItem.objects.select_related("owner").filter(incident=postmortem.incident_id).order_by("number")
    context = {
        "items": items[:SHOWN_MAX],
        "incident": postmortem.incident,
        "may_act": viewer(request).may_act and not is_print,
        "today": clock.now().date(),
    }
    return render_to_string("actions/_of_postmortem.html", context, request)


PANELS = (
    Panel("incident.side", 60, _debts),
    Panel("postmortem.actions", 10, _of_postmortem),
    Panel("postmortem.print", 10, _in_print),
)
