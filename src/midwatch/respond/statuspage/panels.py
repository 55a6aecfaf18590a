"""What status pages show in an incident's composer: which pages an update may go to, and how each component is then."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.core.contribute import Panel
from midwatch.respond.incidents.models import Incident
from midwatch.respond.statuspage.models import ComponentStatus, Page

PAGES_MAX = 50


def _targets(request: HttpRequest, incident: Incident) -> str:
    """Private incidents and drills are published nowhere."""
    if incident.is_private or incident.is_drill:
        return ""
    given = request.POST if request.method == "POST" else request.GET
    chosen = set(given.getlist("target"))
    pages = [
        {
            "page": page,
            "is_chosen": f"statuspage:{page.name}" in chosen,
            "components": [
                (one, given.get(f"component-{page.name}/{one.wire_id}", ""), one.service_id == incident.service_id)
                for one in page.components.filter(is_group=False).order_by("position", "pk")
            ],
        }
        for page in Page.objects.prefetch_related("components").order_by("name")[:PAGES_MAX]
    ]
    context = {"pages": pages, "statuses": ComponentStatus.choices}
    return render_to_string("statuspage/_incident_targets.html", context, request) if pages else ""


PANELS = [Panel("incident.update", 10, _targets)]
