"""What every act on an alert shares: who may, which alert, and where the person lands afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.core.actor import Actor
from midwatch.core.contribute import Beside, badges
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, viewer, where_next
from midwatch.respond.alerts.actions import Outcome
from midwatch.respond.alerts.lines import Line
from midwatch.respond.alerts.models import Alert
from midwatch.respond.alerts.queries import get_alert

__all__ = ["Act", "Row", "acting_user", "alert_act", "alert_or_404", "rows_of", "viewer", "where_next"]
NUMBER_MAX = 2**53  # of what an address may name; a larger one is nobody's alert and no database's integer
Act = Callable[[HttpRequest, Alert, Actor], Outcome]


def alert_or_404(number: int) -> Alert:
    if number > NUMBER_MAX:
        raise Http404(_("There is no such alert."))
    try:
        return get_alert(number)
    except Alert.DoesNotExist as error:
        raise Http404(_("There is no alert #%d.") % number) from error


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
    """A line of a list. `badges`: what higher rooms say beside it, as safe HTML or as values."""

    alert: Line
    badges: Sequence[str | Beside]


def rows_of(request: HttpRequest, found: Sequence[Line]) -> list[Row]:
    beside = badges("alert.row", request, found)
    return [Row(line, beside[line.pk]) for line in found]
