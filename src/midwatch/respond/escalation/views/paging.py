"""Paging somebody by hand: one form, one target, and a question first when that person is not the one on call."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.render import page_or_partial
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import page_somebody
from midwatch.respond.escalation.forms import PageForm
from midwatch.respond.escalation.queries import OnCallNow
from midwatch.respond.notify.queries import reachability
from midwatch.respond.oncall.models import Schedule


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def page_by_hand(request: HttpRequest) -> HttpResponse:
    """`target`, `title` and the rest may stand in the address, so that other pages can link here."""
    user = acting_user(request)
    if request.method != "POST":
        return _shown(request, PageForm(initial=request.GET.dict()))
    form = PageForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=422)
    kind, _colon, name = form.cleaned_data["target"].partition(":")
    doubts = _doubts(name) if kind == "user" and "sure" not in request.POST else None
    if doubts is not None:
        return _shown(request, form, doubts=doubts)
    try:
        alert = _page(kind, name, form, user)
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _shown(request, form, status=422)
    messages.success(request, _("%s is open, and the page is on its way.") % alert)
    return HttpResponseRedirect(reverse("alerts:detail", args=[alert.number]))


def _page(kind: str, name: str, form: PageForm, user: User) -> Alert:
    given = form.cleaned_data
    return page_somebody(
        given["title"],
        actor_of(user, "web"),
        priority=given["priority"],
        description=given["description"],
        service=Service.objects.select_related("team").filter(name=name).first() if kind == "service" else None,
        team=Team.objects.filter(name=name).first() if kind == "team" else None,
        schedule=Schedule.objects.filter(name=name).first() if kind == "schedule" else None,
        user=User.objects.filter(name=name).first() if kind == "user" else None,
    )


def _doubts(name: str) -> dict[str, Any] | None:
    """Why one would page somebody else: not on call while others of their teams are, or not to be woken at all."""
    person = User.objects.filter(name=name).first()
    if person is None:
        return None
    at = OnCallNow(clock.now())
    schedules = Schedule.objects.filter(team__memberships__user=person).distinct()[:20]
    on_call = [(schedule, user) for schedule in schedules for user in at.of_schedule(schedule)]
    is_on_call = any(user.pk == person.pk for _schedule, user in on_call)
    reach = reachability(person)
    if (is_on_call or not on_call) and reach.is_reachable_high:
        return None
    others = {user.pk: (schedule, user) for schedule, user in reversed(on_call) if user.pk != person.pk}
    return {
        "person": person,
        "is_on_call": is_on_call or not on_call,
        "why_unreachable": "" if reach.is_reachable_high else reach.why,
        "others": list(others.values()),
    }


def _shown(
    request: HttpRequest, form: PageForm, *, doubts: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    context = {"form": form, "doubts": doubts}
    return page_or_partial(request, "escalation/page.html", context, partial="escalation/page.html", status=status)
