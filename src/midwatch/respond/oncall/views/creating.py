"""A new schedule from three questions: who takes turns, when they hand over, in which zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from midwatch.core import clock
from midwatch.core.render import is_partial, page_or_partial
from midwatch.people.models import Team
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, teams_for_new
from midwatch.respond.oncall import actions, forms, resolve
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import named
from midwatch.respond.oncall.views.timeline import span_words

SHIFTS_SHOWN = 4
LOOK = timedelta(days=35)
LEVELS = ("primary", "secondary")


@dataclass(frozen=True, slots=True)
class FirstShift:
    when: str
    who: str


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """`do`: preview (what htmx asks at each change), turns (room for more people), save."""
    user = acting_user(request)
    teams = teams_for_new(user, _("A schedule belongs to a team, and you are in none: ask an administrator."))
    chosen = request.POST.get("team") or request.GET.get("team", "")
    team = next((team for team in teams if team.name == chosen), teams[0])
    groups = forms.people_groups(team)
    if request.method != "POST":
        initial = {"team": team.name, "time_zone": user.time_zone}
        return _page(request, forms.NewScheduleForm(initial=initial, teams=teams, groups=groups))
    do = request.POST.get("do", "save")
    form = forms.NewScheduleForm(request.POST, teams=teams, groups=groups)
    if do == "turns":
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, status=422)
    now = clock.now()
    try:
        layer = form.layer(now, named(name for turn in form.cleaned_data["turns"] for name in turn))
        zone_name = form.cleaned_data["time_zone"]
        after = actions.planned(None, [layer], zone_name)
        if do == "preview":
            return _page(request, form, first=first_shifts(after, now))
        name = form.cleaned_data["name"] or free_name(team)
        schedule = actions.create_schedule(name, team, zone_name, actor_of(user, "web"), layers=[layer])
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _page(request, form, status=422)
    messages.success(request, _("Made. Next: a policy that pages it."))
    return HttpResponseRedirect(reverse("oncall:schedule", args=[schedule.name]))


def first_shifts(values: resolve.Schedule, now: datetime) -> list[FirstShift]:
    found = resolve.shifts(values, now, now + LOOK)
    joint: dict[tuple[datetime, datetime], list[str]] = {}
    for shift in found:
        joint.setdefault((shift.start, shift.end), []).append(shift.user)
    people = named(shift.user for shift in found)
    return [
        FirstShift(span_words(start, end, values.time_zone), ", ".join(str(people[name]) for name in names))
        for (start, end), names in list(joint.items())[:SHIFTS_SHOWN]
    ]


def free_name(team: Team) -> str:
    """ "payments-primary", "payments-secondary", "payments-3"."""
    names = [f"{team.name[:50]}-{level}" for level in LEVELS]
    names += [f"{team.name[:50]}-{number}" for number in range(3, 1_000)]
    taken = set(Schedule.objects.filter(name__in=names).values_list("name", flat=True))
    return next(name for name in names if name not in taken)


def _page(
    request: HttpRequest, form: forms.NewScheduleForm, *, first: Sequence[FirstShift] = (), status: int = 200
) -> HttpResponse:
    if is_partial(request):
        return render(request, "oncall/_first_shifts.html", {"form": form, "first": first})
    return page_or_partial(request, "oncall/create.html", {"form": form, "first": first}, status=status)
