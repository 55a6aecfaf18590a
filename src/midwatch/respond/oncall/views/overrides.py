"""Swapping one evening: take over, cover, add, remove, and calling it off. Also on schedules from code."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.core import clock
from midwatch.core.zones import comes_at
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, where_next
from midwatch.respond.oncall import actions, resolve
from midwatch.respond.oncall.forms import OverrideForm
from midwatch.respond.oncall.models import Override, Schedule
from midwatch.respond.oncall.queries import resolvable, schedules
from midwatch.respond.oncall.views.moments import wall_words
from midwatch.respond.oncall.views.schedule import schedule_page

ID_MAX = 2**53


def _back(request: HttpRequest, schedule: Schedule) -> HttpResponse:
    return HttpResponseRedirect(where_next(request, reverse("oncall:schedule", args=[schedule.name])))


@require_POST
@login_required
def take_over(request: HttpRequest, name: str) -> HttpResponse:
    """`for`: 1h, 4h or morning. From now on the viewer is on call instead of everybody else."""
    user = acting_user(request)
    schedule = get_object_or_404(schedules(), name=name)
    now = clock.now()
    try:
        until = actions.take_over_until(request.POST.get("for", ""), user, now)
        if _is_alone_until(schedule, user, until):
            messages.info(request, _("You are on call for %s all that time already.") % schedule)
            return _back(request, schedule)
        actions.take_over(schedule, user, actor_of(user, "web"), until=until)
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return _back(request, schedule)
    given = {"schedule": schedule, "until": wall_words(until, user.time_zone)}
    messages.success(request, _("You are on call for %(schedule)s until %(until)s.") % given)
    return _back(request, schedule)


def _is_alone_until(schedule: Schedule, user: User, until: datetime) -> bool:
    now = clock.now()
    values = resolvable(schedule, since=now)
    found = resolve.stretches(values, now, until)
    return [stretch.user for stretch in found] == [user.name] and not resolve.gaps(values, now, until)


@require_POST
@login_required
def create(request: HttpRequest, name: str) -> HttpResponse:
    """The form stands on the schedule's page; with errors that page comes back."""
    user = acting_user(request)
    schedule = get_object_or_404(schedules(), name=name)
    form = OverrideForm(request.POST)
    if not form.is_valid():
        return schedule_page(request, schedule, form=form, status=422)
    given = form.cleaned_data
    try:
        override = actions.create_override(
            schedule,
            actor_of(user, "web"),
            starts_at=comes_at(given["starts"], schedule.time_zone),
            ends_at=comes_at(given["ends"], schedule.time_zone),
            kind=given["kind"],
            user=User.objects.filter(name=given["user"]).first() if given["user"] else None,
            replaces=User.objects.filter(name=given["replaces"]).first() if given["replaces"] else None,
            reason=given["reason"],
        )
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return schedule_page(request, schedule, form=form, status=422)
    messages.success(
        request,
        _("Done: the schedule below says what it means from %s on.")
        % wall_words(override.starts_at, schedule.time_zone),
    )
    return _back(request, schedule)


@require_POST
@login_required
def cancel(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    user = acting_user(request)
    schedule = get_object_or_404(schedules(), name=name)
    found = Override.objects.select_related("user", "replaces", "schedule").filter(schedule=schedule)
    override = get_object_or_404(found, pk=min(pk, ID_MAX))
    if actions.cancel_override(override, actor_of(user, "web")):
        messages.success(request, _("Called off: the layers say who is on call again."))
    else:
        messages.info(request, _("It was over already."))
    return _back(request, schedule)
