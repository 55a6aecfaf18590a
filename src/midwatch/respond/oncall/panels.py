"""What on call shows on a service's page: who of its team answers now, until when, who is next."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.catalog.models import Service
from midwatch.core.contribute import Panel
from midwatch.respond.oncall.queries import who_is_on_call


def _on_call(request: HttpRequest, service: Service) -> str:
    context = {"service": service, "rows": who_is_on_call(team=service.team)}
    return render_to_string("oncall/_service.html", context, request)


PANELS = [Panel("service.side", 10, _on_call)]
