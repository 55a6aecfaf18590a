"""Getting in: log-in, log-out, links that set a password, and the first run."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.core import audit
from midwatch.core.zones import is_zone
from midwatch.people import actions, forms
from midwatch.people.models import AccessLink, User
from midwatch.people.passwords import turn
from midwatch.people.queries import access_link, actor_of, has_administrator

BACKEND = "midwatch.people.passwords.Backend"
SETUP_ACCOUNT = "set-up code"  # under which guesses of the code are counted
TOKEN_MAX = 200
BUSY_WAIT = timedelta(seconds=3)


def own_path(wanted: str, otherwise: str = "/") -> str:
    """`wanted` when it is a path of ours: a log-in leads nowhere else."""
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours and len(wanted) <= 2_000 else otherwise


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def enter(request: HttpRequest, user: User, how: str) -> None:
    """Log in: a new session key, so that one planted before is worth nothing."""
    with transaction.atomic():
        login(request, user, backend=BACKEND)
        audit.record(actor_of(user, "web"), how, "user", user.name)


def _wait_text(wait: timedelta) -> str:
    seconds = max(1, math.ceil(wait.total_seconds()))
    if seconds > 90:
        minutes = math.ceil(seconds / 60)
        return ngettext("try again in %d minute", "try again in %d minutes", minutes) % minutes
    return ngettext("try again in %d second", "try again in %d seconds", seconds) % seconds


def _slow_down(response: HttpResponse, wait: timedelta) -> HttpResponse:
    response["Retry-After"] = str(max(1, math.ceil(wait.total_seconds())))
    return response


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """By name or e-mail. After five failures in a minute from one address the account waits, ever longer."""
    wanted = own_path(request.POST.get("next", request.GET.get("next", "")))
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(wanted)
        return _login_page(request, forms.LoginForm(), wanted, 200)
    with turn() as is_free:
        if not is_free:
            return _slow_down(render(request, "registration/busy.html", status=503), BUSY_WAIT)
        return _tried(request, forms.LoginForm(request.POST), wanted)


def _tried(request: HttpRequest, form: forms.LoginForm, wanted: str) -> HttpResponse:
    if not form.is_valid():
        return _login_page(request, form, wanted, 422)
    account, address = form.cleaned_data["username"], address_of(request)
    wait = actions.login_wait(account, address)
    if wait:
        form.add_error(None, _("Too many wrong passwords: %s.") % _wait_text(wait))
        return _slow_down(_login_page(request, form, wanted, 429), wait)
    user = authenticate(request, username=account, password=form.cleaned_data["password"])
    if not isinstance(user, User):
        wait = actions.note_login_failure(account, address)
        text = _("The name or the password is not right.")
        form.add_error(None, f"{text} {_wait_text(wait).capitalize()}." if wait else text)
        return _login_page(request, form, wanted, 422)
    actions.forget_login_failures(account, address)
    enter(request, user, "log in")
    _offer_zone(request, user)
    return HttpResponseRedirect(wanted)


def _login_page(request: HttpRequest, form: forms.LoginForm, wanted: str, status: int) -> HttpResponse:
    context = {"form": form, "next": wanted if wanted != "/" else "", "is_first_run": not has_administrator()}
    return render(request, "registration/login.html", context, status=status)


def _offer_zone(request: HttpRequest, user: User) -> None:
    """The device's time zone is offered, never taken: somebody who travels still reads times as at home."""
    device = request.POST.get("zone", "")
    if is_zone(device) and device != user.time_zone:
        words = {"device": device, "zone": user.time_zone}
        messages.info(
            request,
            _("Your device is in %(device)s; times are shown in %(zone)s. You can change that in your profile.")
            % words,
        )


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        logout(request)
    messages.success(request, _("You are logged out."))
    return HttpResponseRedirect(reverse("web:login"))


@sensitive_post_parameters("new_password1", "new_password2")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def use_access_link(request: HttpRequest, token: str) -> HttpResponse:
    """An invitation, or a new password. Each works once; using it logs in and ends every other session."""
    link = access_link(token) if len(token) <= TOKEN_MAX else None
    person = link.user if link is not None else None
    if link is None or person is None or not person.is_active:
        return render(request, "registration/link_expired.html", status=404)
    form = forms.NewPasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            user = actions.use_link(token, form.cleaned_data["new_password1"])
        except ValueError as refusal:
            form.add_error("new_password1", str(refusal))
        else:
            enter(request, user, "log in")
            is_new = link.kind == AccessLink.Kind.INVITATION
            return HttpResponseRedirect(reverse("web:wizard" if is_new else "web:now"))
    context = {"form": form, "person": person, "is_invitation": link.kind == AccessLink.Kind.INVITATION}
    return render(request, "registration/set_password.html", context, status=422 if form.errors else 200)


@sensitive_post_parameters("code", "new_password1", "new_password2")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """The first run. Two steps on one address: the code that `serve` printed, then the administrator's account."""
    if has_administrator():
        messages.info(request, _("Midwatch is set up already: log in."))
        return HttpResponseRedirect(reverse("web:login"))
    if request.method != "POST":
        return _code_page(request, forms.CodeForm(), 200)
    address = address_of(request)
    given = forms.CodeForm(request.POST)
    wait = actions.login_wait(SETUP_ACCOUNT, address)
    if wait and given.is_valid():
        given.add_error("code", _("Too many wrong codes: %s.") % _wait_text(wait))
        return _slow_down(_code_page(request, given, 429), wait)
    if not given.is_valid():
        return _code_page(request, given, 422)
    if not actions.is_setup_code(given.cleaned_data["code"]):
        actions.note_login_failure(SETUP_ACCOUNT, address)
        given.add_error(
            "code", _("This code is not valid (any more): the command midwatch setup-code prints a new one.")
        )
        return _code_page(request, given, 422)
    actions.forget_login_failures(SETUP_ACCOUNT, address)
    if "display_name" not in request.POST:
        return _account_page(request, forms.SetupForm(initial={"code": given.cleaned_data["code"]}), 200)
    form = forms.SetupForm(request.POST)
    if form.is_valid():
        user = _first_administrator(form)
        if user is not None:
            enter(request, user, "log in")
            return HttpResponseRedirect(reverse("web:wizard"))
    return _account_page(request, form, 422)


def _first_administrator(form: forms.SetupForm) -> User | None:
    cleaned: dict[str, Any] = form.cleaned_data
    try:
        return actions.use_setup_code(cleaned["code"], cleaned["name"], form.profile(), cleaned["new_password1"])
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return None


def _code_page(request: HttpRequest, form: forms.CodeForm, status: int) -> HttpResponse:
    return render(request, "registration/setup_code.html", {"form": form}, status=status)


def _account_page(request: HttpRequest, form: forms.SetupForm, status: int) -> HttpResponse:
    return render(request, "registration/setup_account.html", {"form": form}, status=status)
