"""Guard-rails: stop everything, and the windows in which nothing starts."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch.catalog.models import Service
from midwatch.core.zones import comes_at
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, administering_user, viewer
from midwatch.prepare.runbooks.actions import rails
from midwatch.prepare.runbooks.models import Freeze
from midwatch.prepare.runbooks.queries.rails import brake, freezes

CHOICES_MAX = 500
NUMBER_MAX = 2**53


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    context = {
        "brake": brake(),
        "freezes": freezes(),
        "may_stop": user.may_act,
        "is_administrator": user.is_administrator,
        "zone": user.time_zone,
        "teams": Team.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "services": Service.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
    }
    return render(request, "runbooks/rails.html", context)


@login_required
@require_POST
def stop(request: HttpRequest) -> HttpResponse:
    """Anybody who may act stops everything: it is cheaper to go on than to have gone on."""
    user = acting_user(request)
    try:
        rails.stop_everything(
            actor_of(user, "web"),
            request.POST.get("reason", ""),
            cancels_running=request.POST.get("cancels") == "1",
        )
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Everything is stopped."))
    return _back()


@login_required
@require_POST
def release(request: HttpRequest) -> HttpResponse:
    user = administering_user(request)
    try:
        rails.release_everything(actor_of(user, "web"), request.POST.get("reason", ""))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("What waited goes on."))
    return _back()


@login_required
@require_POST
def add_freeze(request: HttpRequest) -> HttpResponse:
    user = administering_user(request)
    given = request.POST
    try:
        fields = rails.FreezeFields(
            title=given.get("title", ""),
            reason=given.get("reason", ""),
            starts_at=_moment(given.get("starts_at", ""), user),
            ends_at=_moment(given.get("ends_at", ""), user),
            team=Team.objects.filter(name=given.get("team", "").replace("\0", "")).first(),
            service=Service.objects.filter(name=given.get("service", "").replace("\0", "")).first(),
        )
        rails.add_freeze(fields, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Nothing starts by itself in this window."))
    return _back()


@login_required
@require_POST
def end_freeze(request: HttpRequest, pk: int) -> HttpResponse:
    user = administering_user(request)
    freeze = Freeze.objects.filter(pk=pk).first() if pk <= NUMBER_MAX else None
    if freeze is None:
        raise Http404(_("There is no such freeze."))
    try:
        rails.end_freeze(freeze, actor_of(user, "web"), request.POST.get("reason", ""))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The freeze is over."))
    return _back()


def _moment(text: str, user: User) -> datetime:
    """A wall clock of the person's own zone. Raises ValueError with a sentence."""
    try:
        wall = datetime.fromisoformat(text.strip()[:40])
    except ValueError as error:
        raise ValueError(_("Write a day and a time, such as 2026-01-05T09:00.")) from error
    if wall.tzinfo is not None or not 1971 <= wall.year <= 2199:
        raise ValueError(_("Write a day and a time between 1971 and 2199, without offset."))
    return comes_at(wall, user.time_zone)


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("runbooks:rails"))
