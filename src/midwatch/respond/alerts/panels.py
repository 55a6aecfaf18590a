"""What alerts show on the pages of services: is anything wrong, is it in maintenance, what sends its alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Count
from django.http import HttpRequest
from django.template.loader import get_template, render_to_string

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.contribute import Badge, Panel
from midwatch.people.queries import may_edit_team
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.lines import lines
from midwatch.respond.alerts.models import OPEN, Alert, Source
from midwatch.respond.alerts.queries import AlertFilter, alerts, maintenance_of, maintenances
from midwatch.respond.alerts.views.common import rows_of

ALERTS_SHOWN = 10
SOURCES_SHOWN = 50
LABELLED_AMONG = 200  # a source that picks the service by a label is named when one of the last alerts is its


def _state(request: HttpRequest, service: Service) -> str:
    window = maintenance_of([service.pk], clock.now()).get(service.pk)
    if window is None:
        return ""
    context = {"service": service, "window": window, "may_act": viewer(request).may_act}
    return render_to_string("alerts/services/_state.html", context, request)


def _recent(request: HttpRequest, service: Service) -> str:
    found = lines(AlertFilter(service=service.name), limit=ALERTS_SHOWN)
    context = {"service": service, "rows": rows_of(request, found)}
    return render_to_string("alerts/services/_recent.html", context, request)


def _maintenance(request: HttpRequest, service: Service) -> str:
    now = clock.now()
    context = {
        "service": service,
        "planned": [window for window in maintenances(service) if window.starts_at > now],
        "may_act": viewer(request).may_act,
    }
    return render_to_string("alerts/services/_maintenance.html", context, request)


def _sources(request: HttpRequest, service: Service) -> str:
    own = list(Source.objects.filter(service=service).order_by("name")[:SOURCES_SHOWN])
    lately = alerts(AlertFilter(service=service.name), limit=LABELLED_AMONG)
    others = {alert.source_id for alert in lately if alert.source_id} - {source.pk for source in own}
    by_label = Source.objects.filter(pk__in=others).exclude(service=service).order_by("name")
    context = {
        "service": service,
        "sources": own,
        "by_label": list(by_label[:SOURCES_SHOWN]),
        "may_edit": may_edit_team(viewer(request), service.team),
    }
    return render_to_string("alerts/services/_sources.html", context, request)


def _open(request: HttpRequest, rows: Sequence[Service]) -> Mapping[int, str]:
    """Counted from the open alerts, which are few, whatever the history of a service."""
    counted = Alert.objects.filter(status__in=OPEN, is_test=False).order_by().values("service_id", "status")
    counts: dict[int, dict[str, int]] = {}
    for one in counted.annotate(count=Count("pk")):
        counts.setdefault(one["service_id"], {})[one["status"]] = one["count"]
    windows = maintenance_of([service.pk for service in rows], clock.now())
    template = get_template("alerts/services/_row.html")
    return {
        service.pk: template.render({"counts": counts.get(service.pk), "window": windows.get(service.pk)}).strip()
        for service in rows
    }


PANELS = [
    Panel("service.state", 10, _state),
    Panel("service.main", 10, _recent),
    Panel("service.side", 30, _sources),
    Panel("service.side", 40, _maintenance),
]
BADGES = [Badge("service.row", 10, _open)]
