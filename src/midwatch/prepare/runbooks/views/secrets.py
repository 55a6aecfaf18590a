"""Secrets: which there are and when they were last given out. A value goes in here and never comes out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch.core.text import clean
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, viewer
from midwatch.prepare.runbooks.actions.secrets import Place, remove_secret, rotate_secrets, set_secret, unreadable
from midwatch.prepare.runbooks.models import Secret, SecretSource
from midwatch.prepare.runbooks.queries.secrets import last_reads, may_set_secret, secrets_visible_to

SHOWN_MAX = 1_000
NUMBER_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Row:
    secret: Secret
    read_at: datetime | None
    problem: str
    may_set: bool


@login_required
@require_safe
def secret_list(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    found = list(secrets_visible_to(user)[:SHOWN_MAX])
    reads, problems = last_reads(found), unreadable(found)
    context = {
        "rows": [Row(one, reads.get(one.pk), problems.get(one.pk, ""), _may_change(user, one)) for one in found],
        "teams": _teams(user),
        "is_administrator": user.is_administrator,
    }
    return render(request, "runbooks/secrets.html", context)


@login_required
@require_POST
def create(request: HttpRequest) -> HttpResponse:
    user = acting_user(request)
    team = _team(request.POST.get("team", ""))
    name = clean(request.POST.get("name", ""), 100, is_one_line=True)
    if not may_set_secret(user, team):
        raise PermissionDenied(_("A secret is set by a manager of its team, or by an administrator."))
    if Secret.objects.filter(name=name, team=team).exists():
        messages.error(request, _("There is a secret of this name already: give it a new value below."))
    else:
        _set(request, user, name, team)
    return _back()


@login_required
@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    user, secret = _changeable(request, pk)
    _set(request, user, secret.name, secret.team)
    return _back()


@login_required
@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    user, secret = _changeable(request, pk)
    remove_secret(secret, actor_of(user, "web"))
    messages.success(request, _("%s is gone. Steps that name it fail before they begin.") % secret)
    return _back()


@login_required
@require_POST
def rotate(request: HttpRequest) -> HttpResponse:
    """All stored ones, encrypted anew with the present key of the installation."""
    user = acting_user(request)
    if not user.is_administrator:
        raise PermissionDenied(_("Administrators encrypt all secrets anew."))
    done = rotate_secrets(actor_of(user, "web"))
    if done.unreadable:
        words = {"n": done.count, "names": ", ".join(done.unreadable[:10])}
        messages.error(request, _("%(n)d are encrypted anew. No key opens these, set them again: %(names)s") % words)
    else:
        messages.success(request, _("%d are encrypted anew.") % done.count)
    return _back()


def _set(request: HttpRequest, user: User, name: str, team: Team | None) -> None:
    """A value to be kept, or the variable of the environment that holds it."""
    variable = clean(request.POST.get("variable", ""), 600, is_one_line=True)
    given = request.POST.get("value", "").replace("\r\n", "\n")
    try:
        if variable and given:
            raise ValueError(_("Give a value or a variable, not both."))
        if variable and not user.is_administrator:
            raise ValueError(_("What is in the environment is nobody's: an administrator names it."))
        set_secret(name, team, Place(SecretSource.ENV, variable) if variable else given, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is set. Nobody can read it here.") % name)


def _changeable(request: HttpRequest, pk: int) -> tuple[User, Secret]:
    user = acting_user(request)
    secret = Secret.objects.select_related("team").filter(pk=pk).first() if pk <= NUMBER_MAX else None
    if secret is None:
        raise Http404(_("There is no such secret."))
    if not _may_change(user, secret):
        raise PermissionDenied(_("A secret is set by a manager of its team, or by an administrator."))
    return user, secret


def _may_change(user: User, secret: Secret) -> bool:
    return may_set_secret(user, secret.team) and (secret.source == SecretSource.STORED or user.is_administrator)


def _teams(user: User) -> list[Team]:
    """Those for which this person sets secrets."""
    return [team for team in Team.objects.order_by("display_name", "name")[:500] if may_set_secret(user, team)]


def _team(name: str) -> Team | None:
    if not name:
        return None
    found = Team.objects.filter(name=name.replace("\0", "")[:63]).first()
    if found is None:
        raise Http404(_("There is no such team."))
    return found


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("runbooks:secrets"))
