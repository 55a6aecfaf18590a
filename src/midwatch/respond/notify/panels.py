"""What notification shows on the alert pages: who was told, by what, and what became of it."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.core.contribute import Panel
from midwatch.respond.alerts.models import Alert
from midwatch.respond.notify.queries import deliveries_of


def _told(request: HttpRequest, alert: Alert) -> str:
    deliveries = deliveries_of(alert)
    return render_to_string("notify/_told.html", {"deliveries": deliveries[::-1]}, request) if deliveries else ""


PANELS = [Panel("alert.told", 10, _told)]
