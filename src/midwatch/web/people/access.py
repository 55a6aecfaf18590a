"""How somebody gets in: password, sessions, API tokens, the calendar feed; and turning an account on and off."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from midwatch.core import clock
from midwatch.core.render import page_or_partial
from midwatch.people import actions, forms
from midwatch.people.models import AccessLink, ApiToken, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.respond.escalation.coverage import sole_target_of
from midwatch.respond.oncall.queries import calendar_token
from midwatch.settings import settings
from midwatch.web.people.common import editable, link_url, needed_page, person_or_404, shown_once
from midwatch.web.permits import administrators_only


def calendar_url(person: User) -> str:
    return settings().public_url + reverse("oncall:calendar", args=[calendar_token(person)])


def _own(request: HttpRequest, name: str) -> User:
    """What nobody can do for somebody else: their password, their feed, a token that acts as them."""
    user = viewer(request)
    if user.name != name:
        raise PermissionDenied(_("Only the person can do that."))
    return user


def _here(person: User) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("people:access", args=[person.name]))


@never_cache
@login_required
@require_safe
def access(request: HttpRequest, name: str) -> HttpResponse:
    user, person = editable(request, name)
    return _page(request, user, person, forms.ChangePasswordForm(), forms.TokenForm())


def _page(
    request: HttpRequest,
    user: User,
    person: User,
    password_form: forms.ChangePasswordForm,
    token_form: forms.TokenForm,
) -> HttpResponse:
    is_me = user.pk == person.pk
    context = {
        "person": person,
        "tab": "access",
        "is_me": is_me,
        "may_edit": True,
        "password_form": password_form,
        "token_form": token_form,
        "tokens": list(person.api_tokens.filter(revoked_at=None).order_by("-pk")),
        "now": clock.now(),
        "calendar_url": calendar_url(person) if is_me else "",
        "has_password": person.has_usable_password(),
        "is_administrator": user.is_administrator,
    }
    status = 422 if password_form.errors or token_form.errors else 200
    return page_or_partial(request, "people/access.html", context, partial="people/access.html", status=status)


@sensitive_post_parameters("old_password", "new_password1", "new_password2")
@require_POST
@login_required
def password(request: HttpRequest, name: str) -> HttpResponse:
    """This session goes on; every other one ends. Guessing the old password waits like a log-in."""
    user = _own(request, name)
    form = forms.ChangePasswordForm(request.POST)
    address = str(request.META.get("REMOTE_ADDR", ""))
    if form.is_valid():
        given = form.cleaned_data
        try:
            if actions.login_wait(user.name, address):
                raise ValueError(_("Too many wrong passwords: wait a little."))
            if not user.check_password(given["old_password"]):
                actions.note_login_failure(user.name, address)
            changed = actions.change_password(
                user, given["old_password"], given["new_password1"], actor_of(user, "web")
            )
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            with transaction.atomic():
                update_session_auth_hash(request, changed)
            messages.success(request, _("The password is changed; you are logged out everywhere else."))
            return _here(user)
    return _page(request, user, user, form, forms.TokenForm())


@require_POST
@login_required
def sign_out(request: HttpRequest, name: str) -> HttpResponse:
    """Every session ends, and the calendar feed gets a new address. One's own session goes on."""
    user, person = editable(request, name)
    actions.sign_out_everywhere(person, actor_of(user, "web"))
    if user.pk == person.pk:
        with transaction.atomic():
            update_session_auth_hash(request, person)
        messages.success(request, _("You are logged out everywhere else, and your calendar has a new address."))
    else:
        messages.success(request, _("%s is logged out everywhere.") % person)
    return _here(person)


@never_cache
@require_POST
@login_required
def create_token(request: HttpRequest, name: str) -> HttpResponse:
    """Shown this one time; only its digest is kept."""
    user = _own(request, name)
    form = forms.TokenForm(request.POST)
    if form.is_valid():
        days = form.cleaned_data["days"]
        ends_at = clock.now() + timedelta(days=int(days)) if days else None
        try:
            text = actions.create_token(user, form.cleaned_data["label"], actor_of(user, "web"), expires_at=ends_at)
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            return shown_once(request, user, token=text)
    return _page(request, user, user, forms.ChangePasswordForm(), form)


@require_POST
@login_required
def revoke_token(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    user, person = editable(request, name)
    token = get_object_or_404(ApiToken.objects.select_related("user"), pk=min(pk, 2**53), user=person)
    if actions.revoke_token(token, actor_of(user, "web")):
        messages.success(request, _("The token “%s” is worth nothing any more.") % token.name)
    return _here(person)


@never_cache
@require_POST
@administrators_only
def make_link(request: HttpRequest, name: str) -> HttpResponse:
    """An invitation while the person has no password, else a link for a new one. Ends the links before."""
    person = person_or_404(name)
    by = actor_of(viewer(request), "web")
    try:
        if person.has_usable_password():
            return shown_once(request, person, link=link_url(actions.reset_password(person, by)))
        token = actions.invite(person, by)
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return _here(person)
    return shown_once(request, person, link=link_url(token), kind=AccessLink.Kind.INVITATION)


@require_POST
@administrators_only
def deactivate(request: HttpRequest, name: str) -> HttpResponse:
    """Refused while somebody is the only one whom a step of the next 30 days would page, unless forced."""
    user, person = viewer(request), person_or_404(name)
    is_forced = "force" in request.POST
    try:
        actions.deactivate_user(person, actor_of(user, "web"), needed_by=sole_target_of(person), is_forced=is_forced)
    except actions.NeededError as refusal:
        url, back = reverse("people:deactivate", args=[name]), reverse("people:access", args=[name])
        what = _("Turn %s off all the same") % person
        return needed_page(request, person, refusal.reasons, what=what, url=url, back=back)
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is turned off: sessions, tokens and links have ended.") % person)
    return _here(person)


@require_POST
@administrators_only
def activate(request: HttpRequest, name: str) -> HttpResponse:
    person = person_or_404(name)
    try:
        actions.activate_user(person, actor_of(viewer(request), "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is on again. Make them a link if they have no password.") % person)
    return _here(person)
