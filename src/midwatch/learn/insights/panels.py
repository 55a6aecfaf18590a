"""The way from a schedule to the report of its last shift."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.core.contribute import Panel
from midwatch.respond.oncall.models import Schedule


def _report(request: HttpRequest, schedule: Schedule) -> str:
    return render_to_string("insights/_shift_link.html", {"schedule": schedule}, request)


PANELS = (Panel("schedule.main", 50, _report),)
