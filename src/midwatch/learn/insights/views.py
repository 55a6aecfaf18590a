"""Insights of a period and a scope, the same as CSV, and what a shift was like."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.text import whole_number
from midwatch.learn.actions.actions import NewItem, note_item
from midwatch.learn.insights import charts
from midwatch.learn.insights.queries import Report, Scope, report, shift_report
from midwatch.people.models import Team
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, viewer
from midwatch.respond.alerts.actions import change_priority
from midwatch.respond.alerts.models import Alert
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import shifts_of_schedule

PERIODS = (7, 30, 90, 365)
PERIOD = 30
SHIFT_LOOK = timedelta(days=35)
SUGGESTIONS = {
    "low": ("Make it low urgency at its source: {}", "process"),
    "runbook": ("Write a runbook for: {}", "mitigate"),
    "item": ("Look into: {}", "prevent"),
}


def asked(request: HttpRequest) -> Report:
    """The report that the address names; anything unknown is 404, so that nobody reads figures of something else."""
    days = request.GET.get("days", str(PERIOD))
    if days not in {str(one) for one in PERIODS}:
        raise Http404(_("Give 7, 30, 90 or 365 days."))
    team, service = request.GET.get("team", ""), request.GET.get("service", "")
    scope = Scope(
        get_object_or_404(Team, name=team) if team else None,
        get_object_or_404(Service, name=service) if service else None,
    )
    now = clock.now()
    return report(scope, now - timedelta(days=int(days)), now, now)


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    found = asked(request)
    titles = [f"{start:%d %b}" for start, _end in found.weeks]
    drawn = [
        (series.title, charts.bars(series.values, titles, series.title), list(zip(titles, series.values, strict=True)))
        for series in found.series
    ]
    context = {
        "report": found,
        "charts": drawn,
        "periods": PERIODS,
        "days": int(request.GET.get("days", PERIOD)),
        "teams": Team.objects.order_by("display_name", "name").values_list("name", "display_name"),
        "services": Service.objects.order_by("display_name", "name").values_list("name", "display_name"),
        "team": request.GET.get("team", ""),
        "service": request.GET.get("service", ""),
        "schedules": Schedule.objects.select_related("team").order_by("name"),
    }
    return render(request, "insights/overview.html", context)


@login_required
@require_safe
def as_csv(request: HttpRequest) -> HttpResponse:
    """One figure a line, with its definition: the file explains itself."""
    found = asked(request)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["figure", "value", "shown", "detail", "before", "trend", "scope", "from", "to", "definition"])
    for figure in found.figures:
        writer.writerow(
            [
                figure.definition.key,
                "" if figure.value is None else round(figure.value, 4),
                figure.shown,
                figure.detail,
                "" if figure.before is None else round(figure.before, 4),
                figure.trend,
                harmless(found.scope.words),
                found.start.isoformat(),
                found.end.isoformat(),
                figure.definition.meaning,
            ]
        )
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="midwatch-insights.csv"'
    return answer


def harmless(value: str) -> str:
    """A spreadsheet takes what begins like this for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def last_shift(schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
    """The last one that ended; a day when there is none."""
    ended = [row for row in shifts_of_schedule(schedule, now - SHIFT_LOOK, now) if row.end <= now]
    newest = max(ended, key=lambda row: row.end, default=None)
    return (newest.start, newest.end) if newest else (now - timedelta(days=1), now)


@login_required
@require_safe
def shift(request: HttpRequest, name: str) -> HttpResponse:
    """The last shift of a schedule, or what was between two moments."""
    schedule = get_object_or_404(Schedule.objects.select_related("team"), name=name)
    start, end = last_shift(schedule, clock.now())
    given = [_moment(request.GET.get(key, "")) for key in ("from", "to")]
    if given[0] and given[1] and given[0] < given[1] <= given[0] + SHIFT_LOOK:
        start, end = given[0], given[1]
    context = {"report": shift_report(schedule, start, end), "may_act": viewer(request).may_act}
    return render(request, "insights/shift.html", context)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found.tzinfo else None


@login_required
@require_POST
def suggest(request: HttpRequest, name: str) -> HttpResponse:
    """One press a suggestion: it becomes an action item of whoever presses, and an open alert is lowered at once."""
    user = acting_user(request)
    schedule = get_object_or_404(Schedule.objects.select_related("team"), name=name)
    chosen = SUGGESTIONS.get(request.POST.get("do", ""))
    number = whole_number(request.POST.get("alert", ""))
    if chosen is None or number is None:
        raise Http404
    alert = get_object_or_404(Alert.objects.select_related("service"), number=number, team=schedule.team)
    by = actor_of(user, "web")
    title, kind = chosen
    if request.POST["do"] == "low" and alert.is_open:
        change_priority(alert, by, "P4")
    item = note_item(
        NewItem(
            title.format(alert.title),
            type=kind,
            priority="medium",
            owner=user,
            team=schedule.team,
            service=alert.service,
            description=f"From the shift report of {schedule}: {alert} {alert.title}",
            origin="shift report",
        ),
        by,
    )
    messages.success(request, _("Noted as %s, yours until %s.") % (item, item.due_on))
    return HttpResponseRedirect(reverse("insights:shift", args=[schedule.name]))
