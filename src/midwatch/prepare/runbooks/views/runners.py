"""Runners on other machines: which are there, what they take, and their tokens, each shown once."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch.core import clock
from midwatch.core.text import clean
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import administering_user, viewer
from midwatch.prepare.runbooks.actions.runners import create_runner, delete_runner, renew_token, turn_off_runner
from midwatch.prepare.runbooks.models import Runner
from midwatch.prepare.runbooks.queries.runners import runners_seen, stranded_steps

CHOICES_MAX = 500
NUMBER_MAX = 2**53


@login_required
@require_safe
def runner_list(request: HttpRequest) -> HttpResponse:
    return _page(request, viewer(request))


def _page(request: HttpRequest, user: User, *, made: str = "", token: str = "") -> HttpResponse:
    context = {
        "seen": runners_seen(),
        "stranded": stranded_steps(clock.now()),
        "is_administrator": user.is_administrator,
        "teams": Team.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "made": made,
        "token": token,
    }
    answer = render(request, "runbooks/runners.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


@login_required
@require_POST
def create(request: HttpRequest) -> HttpResponse:
    user = administering_user(request)
    team = Team.objects.filter(name=request.POST.get("team", "").replace("\0", "")).first()
    tags = clean(request.POST.get("tags", ""), 1_000, is_one_line=True).replace(",", " ").split()
    try:
        made, token = create_runner(request.POST.get("name", ""), actor_of(user, "web"), tags=tags, team=team)
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return _back()
    return _page(request, user, made=made.name, token=token)


@login_required
@require_POST
def change(request: HttpRequest, pk: int, do: str) -> HttpResponse:
    """token, off or remove."""
    user = administering_user(request)
    runner = Runner.objects.filter(pk=pk).first() if pk <= NUMBER_MAX else None
    if runner is None:
        raise Http404(_("There is no such runner."))
    by = actor_of(user, "web")
    if do == "token":
        return _page(request, user, made=runner.name, token=renew_token(runner, by))
    if do == "off":
        turn_off_runner(runner, by)
        messages.success(request, _("%s takes nothing any more.") % runner)
    elif do == "remove":
        delete_runner(runner, by)
        messages.success(request, _("%s is gone.") % runner)
    else:
        raise Http404(_("There is no such act."))
    return _back()


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("runbooks:runners"))
