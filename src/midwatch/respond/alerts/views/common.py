"""What every act on an alert shares: who may, which alert, and where the person lands afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.core.actor import Actor
from midwatch.core.contribute import badges
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import Outcome
from midwatch.respond.alerts.models import Alert
from midwatch.respond.alerts.queries import get_alert

NUMBER_MAX = 2**53  # of what an address may name; a larger one is nobody's alert and no database's integer
Act = Callable[[HttpRequest, Alert, Actor], Outcome]


def viewer(request: HttpRequest) -> User:
    """Who is logged in; for views behind `login_required`."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def acting_user(request: HttpRequest) -> User:
    """The same, when they may do more than look."""
    user = viewer(request)
    if not user.may_act:
        raise PermissionDenied(_("You may look, not act: your role is viewer. An administrator can change it."))
    return user


def alert_or_404(number: int) -> Alert:
    if number > NUMBER_MAX:
        raise Http404(_("There is no such alert."))
    try:
        return get_alert(number)
    except Alert.DoesNotExist as error:
        raise Http404(_("There is no alert #%d.") % number) from error


def where_next(request: HttpRequest, otherwise: str) -> str:
    """The path of ours that the form named, so that an act on the list leads back to the list."""
    wanted = request.POST.get("next", "")
    return (
        wanted if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else otherwise
    )


def alert_act(do: Act) -> Callable[[HttpRequest, int], HttpResponse]:
    """A view of one act: POST, permitted, done, told in a sentence, and back by a redirect (htmx follows it too)."""

    @wraps(do)
    @require_POST
    @login_required
    def view(request: HttpRequest, number: int) -> HttpResponse:
        user = acting_user(request)
        alert = alert_or_404(number)
        try:
            outcome = do(request, alert, actor_of(user, "web"))
        except ValueError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.add_message(request, messages.SUCCESS if outcome.is_changed else messages.INFO, outcome.sentence)
        return HttpResponseRedirect(where_next(request, reverse("alerts:detail", args=[number])))

    return view


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list. `badges`: what higher rooms say beside it, as safe HTML."""

    alert: Alert
    badges: Sequence[str]


def rows_of(request: HttpRequest, found: Sequence[Alert]) -> list[Row]:
    beside = badges("alert.row", request, found)
    return [Row(alert, beside[alert.pk]) for alert in found]
