"""One alert: what is wrong, who has it, who was told, what happens next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from midwatch.core import clock
from midwatch.core.contribute import panels
from midwatch.core.integration import Link
from midwatch.core.payload import link
from midwatch.core.render import page_or_partial
from midwatch.core.text import whole_number
from midwatch.people.viewing import viewer
from midwatch.prepare.runbooks.queries.answering import runbooks_for, said_missing, with_words
from midwatch.respond.alerts.actions.people import PRIORITIES
from midwatch.respond.alerts.models import Alert, Maintenance, TimelineEntry
from midwatch.respond.alerts.queries import maintenance_of, similar, timeline
from midwatch.respond.alerts.views.common import alert_or_404

ENTRIES_SHOWN = 100  # of the timeline; an alert that flapped for a week has thousands
# Labels whose value is an address people follow at night; shown among the links, first.
RUNBOOK_LABELS = ("runbook_url", "runbook", "dashboard_url", "dashboard")
# Icon and tone of a timeline entry, by its kind; what is not named here is a plain dot.
ENTRY_LOOKS: Mapping[str, tuple[str, str]] = {
    "opened": ("flame", "danger"),
    "reopened": ("flame", "danger"),
    "acknowledged": ("hand-stop", "warn"),
    "still_on_it": ("hand-stop", "warn"),
    "unacknowledged": ("arrow-back-up", "danger"),
    "resolved": ("circle-check", "ok"),
    "snoozed": ("zzz", "violet"),
    "snooze_ended": ("bell-ringing", "danger"),
    "note": ("message", "info"),
    "priority": ("chevrons-up", "info"),
    "page": ("phone-call", "danger"),
    "paged": ("phone-call", "danger"),
    "delivery": ("send", "info"),
    "receipt": ("checks", "info"),
    "failed": ("alert-triangle", "danger"),
    "declined": ("arrow-forward-up", "warn"),
    "escalated": ("arrow-big-up", "danger"),
    "exhausted": ("alert-octagon", "danger"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """`who`: only where the sentence itself does not say it."""

    entry: TimelineEntry
    who: str
    icon: str
    tone: str


def safe_links(alert: Alert) -> list[Link]:
    """What may be followed: http and https alone, whoever wrote it into the row. The service's own links come last."""
    given = [link(alert.labels.get(name), name.removesuffix("_url").capitalize()) for name in RUNBOOK_LABELS]
    given += [link(one.get("href"), one.get("text", "")) for one in alert.links if isinstance(one, dict)]
    if alert.service is not None:
        given += [link(one.get("url"), one.get("title", "")) for one in alert.service.links if isinstance(one, dict)]
    found = {one.href: one for one in reversed([one for one in given if one is not None])}
    return [
        one if one.text else Link(one.href, urlsplit(one.href).hostname or one.href) for one in reversed(found.values())
    ]


def runbooks_shown(alert: Alert, user_id: int) -> dict[str, Any]:
    """Runbooks that answer it, each with what this person said of it; and whether they said that there is none."""
    found = with_words(runbooks_for(alert.service, alert.labels, alert.title), alert.number, user_id)
    return {"runbooks": found, "is_missing_said": not found and said_missing(alert.number, user_id)}


def entries(alert: Alert, before_id: int | None) -> list[Entry]:
    """Newest first: at night one wants to know what happened last. One more than are shown, where there are more."""
    found = timeline(alert, before_id=before_id, limit=ENTRIES_SHOWN + 1)
    looked = [(entry, ENTRY_LOOKS.get(entry.kind, ("point", "quiet"))) for entry in found]
    return [
        Entry(entry, entry.who if entry.kind == "note" else "", icon, tone) for entry, (icon, tone) in reversed(looked)
    ]


def _maintenance(alert: Alert) -> Maintenance | None:
    return maintenance_of([alert.service_id], clock.now()).get(alert.service_id) if alert.service_id else None


@login_required
@require_safe
def alert_detail(request: HttpRequest, number: int) -> HttpResponse:
    """All but the title is one moving part; a poll waits while somebody types or has a menu open."""
    user = viewer(request)
    alert = alert_or_404(number)
    here = reverse("alerts:detail", args=[number])
    before_id = whole_number(request.GET.get("before", ""))
    found = entries(alert, before_id)
    shown = found[:ENTRIES_SHOWN]
    context: dict[str, Any] = {
        "alert": alert,
        "alert_topic": f"alert:{alert.pk}",
        "entries": shown,
        "poll_url": f"{here}?before={before_id}" if before_id else here,
        "newest_url": here if before_id else "",
        "older_url": f"{here}?before={shown[-1].entry.pk}" if len(found) > ENTRIES_SHOWN else "",
        "links": safe_links(alert),
        **runbooks_shown(alert, user.pk),
        "labels": sorted(alert.labels.items()),
        "maintenance": _maintenance(alert),
        "similar": similar(alert),
        "priorities": PRIORITIES,
        "may_act": user.may_act,
        "is_mine": alert.acknowledged_by_id == user.pk,
        "state_panels": panels("alert.state", request, alert),
        "act_panels": panels("alert.acts", request, alert) if user.may_act else [],
        "told_panels": panels("alert.told", request, alert),
    }
    return page_or_partial(request, "alerts/detail.html", context)
