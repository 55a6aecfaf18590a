"""The list of alerts: filtered by its address, paged by number, kept fresh without moving a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from midwatch.catalog.models import Service
from midwatch.core.render import page_or_partial
from midwatch.core.text import whole_number
from midwatch.people.models import Membership, Team
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, viewer, where_next
from midwatch.respond.alerts.actions import Outcome, acknowledge_alerts, resolve_alerts
from midwatch.respond.alerts.actions.people import PRIORITIES
from midwatch.respond.alerts.forms import VIEWS, Filters, filters_from, whole_numbers
from midwatch.respond.alerts.lines import lines, lines_by_number
from midwatch.respond.alerts.models import Alert, AlertStatus, Source
from midwatch.respond.alerts.queries import newer_than
from midwatch.respond.alerts.views.common import rows_of
from midwatch.settings import settings

PAGE_SIZE = 50
CHOICES_MAX = 500  # services and teams in the filter; beyond it one types the name
ACTS = {"acknowledge": acknowledge_alerts, "resolve": resolve_alerts}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that one tap turns on or off."""

    value: str
    url: str
    is_on: bool


@login_required
@require_safe
def alert_list(request: HttpRequest) -> HttpResponse:
    """`rows`: what a poll wants again, exactly these and in this order, whatever became of them; so no row moves under
    the finger. What is new is only counted (`newest`: the first number the page began with)."""
    user = viewer(request)
    has_teams = Membership.objects.filter(user=user).exists()
    filters = filters_from(request.GET, default_view="teams" if has_teams else "all")
    path = reverse("alerts:list")
    here = filters.address(path)
    before = whole_number(request.GET.get("before", ""))
    shown = whole_numbers(request.GET.get("rows", "").split(","), PAGE_SIZE)
    older: int | None = None
    if shown:
        rows = lines_by_number(shown)
    else:
        found = lines(filters.for_query(user), before_number=before, limit=PAGE_SIZE + 1)
        rows = found[:PAGE_SIZE]
        older = rows[-1].number if len(found) > PAGE_SIZE else None
    newest = whole_number(request.GET.get("newest", ""))
    if newest is None:
        newest = before - 1 if before else (rows[0].number if rows else 0)
    context: dict[str, Any] = {
        "filters": filters,
        "rows": rows_of(request, rows),
        # The first page has just been read to its end: what is above it can only come later.
        "newer_count": newer_than(filters.for_query(user), newest) if shown or before else 0,
        "is_first_page": before is None,
        "here": here,
        "older_url": f"{here}&{urlencode({'before': older})}" if older else "",
        "poll_url": f"{here}&{urlencode({'newest': newest, 'rows': ','.join(str(row.number) for row in rows)})}",
        "may_act": user.may_act,
    }
    context |= _choices(filters, path) if not shown else {}
    if not rows:
        context |= {
            "first_source": Source.objects.filter(is_active=True).order_by("id").first(),
            "base_url": settings().base_url,
        }
    return page_or_partial(request, "alerts/list.html", context)


def alerts_by_number(numbers: list[int]) -> list[Alert]:
    """In the order asked for; unknown ones are left out."""
    known = Alert.objects.filter(number__in=numbers, is_test=False).select_related(
        "service", "team", "acknowledged_by", "source"
    )
    by_number = {alert.number: alert for alert in known}
    return [by_number[number] for number in numbers if number in by_number]


def _choices(filters: Filters, path: str) -> dict[str, Any]:
    return {
        "views": [
            Chip(str(title), filters.with_view(view).address(path), view == filters.view)
            for view, title in VIEWS.items()
        ],
        "statuses": [
            Chip(status, filters.with_status(status).address(path), status in filters.statuses)
            for status in AlertStatus.values
        ],
        "priorities": [
            Chip(priority, filters.with_priority(priority).address(path), priority in filters.priorities)
            for priority in PRIORITIES
        ],
        "services": Service.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "teams": Team.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "clear_url": Filters(filters.view).address(path),
    }


@require_POST
@login_required
def bulk(request: HttpRequest) -> HttpResponse:
    """The same act on every ticked row; one that somebody else was quicker with says so, and stops no other."""
    user = acting_user(request)
    back = HttpResponseRedirect(where_next(request, reverse("alerts:list")))
    do = ACTS.get(request.POST.get("act", ""))
    chosen = alerts_by_number(whole_numbers(request.POST.getlist("number"), 200))
    if do is None or not chosen:
        messages.warning(request, _("Tick some alerts first, then choose what to do with them."))
        return back
    by = actor_of(user, "web")
    outcomes = do(chosen, by)
    _tell(request, request.POST["act"], outcomes)
    return back


def _tell(request: HttpRequest, verb: str, outcomes: list[Outcome]) -> None:
    counted = Counter(outcome.is_changed for outcome in outcomes)
    done = counted[True]
    if done:
        said = (
            ngettext("You have %d alert.", "You have %d alerts.", done)
            if verb == "acknowledge"
            else ngettext("%d alert resolved.", "%d alerts resolved.", done)
        )
        messages.success(request, said % done)
    others = [outcome.sentence for outcome in outcomes if not outcome.is_changed]
    if others:
        more = _(" and %d more") % (len(others) - 3) if len(others) > 3 else ""
        messages.info(request, "; ".join(others[:3]) + more)
