"""What incidents show on other pages: on an alert's, on the phone's landing page, on Now, beside a row of alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from midwatch.core.contribute import Badge, Beside, Panel
from midwatch.core.statements import Select
from midwatch.people.models import User
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.lines import Line
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.views.landing import LandingPage
from midwatch.respond.incidents.models import LinkedAlert
from midwatch.respond.incidents.queries import active_incidents, commanders_of, visible_to
from midwatch.respond.incidents.views.listing import Row

SHOWN = 5
NOW_SHOWN = 10


def _part_of(request: HttpRequest, alert: Alert) -> str:
    linked = LinkedAlert.objects.filter(alert=alert).values("incident")
    found = list(visible_to(viewer(request)).filter(pk__in=linked).order_by("-number")[:SHOWN])
    return render_to_string("incidents/_part_of.html", {"incidents": found}, request) if found else ""


def _declare(request: HttpRequest, alert: Alert) -> str:
    return render_to_string("incidents/_declare_act.html", {"alert": alert}, request)


def _declare_by_link(request: HttpRequest, landing: LandingPage) -> str:
    """On the page that a phone opens at night: the same link goes on to declare."""
    match = request.resolver_match
    if match is None or landing.is_test or landing.first is None:
        return ""
    return render_to_string("incidents/_declare_landing.html", {"token": match.kwargs["token"]})


def _now(request: HttpRequest, user: User) -> str:
    found = active_incidents(user, NOW_SHOWN)
    if not found:
        return ""
    leaders = commanders_of(found)
    rows = [Row(incident, leaders.get(incident.pk)) for incident in found]
    return render_to_string("incidents/_active.html", {"rows": rows}, request)


_OPEN = Select(
    lambda alerts: LinkedAlert.objects.filter(alert__in=alerts, incident__closed_at=None).values_list(
        "alert_id", "incident_id", "incident__number", "incident__is_private"
    )
)


def _beside(request: HttpRequest, rows: Sequence[Line]) -> Mapping[int, Beside]:
    """Of open incidents only, and of private ones for those who may see them."""
    if not (pairs := _OPEN([row.pk for row in rows])):
        return {}
    hidden = {incident for _alert, incident, _number, is_private in pairs if is_private}
    seen = set(visible_to(viewer(request)).filter(pk__in=hidden).values_list("pk", flat=True)) if hidden else set()
    return {
        alert: Beside(_("incident %d") % number, icon="link")
        for alert, incident, number, is_private in pairs
        if not is_private or incident in seen
    }


PANELS = [
    Panel("alert.state", 5, _part_of),
    Panel("alert.acts", 20, _declare),
    Panel("landing.acts", 10, _declare_by_link),
    Panel("now.top", 10, _now),
]
BADGES = [Badge("alert.row", 20, _beside)]
