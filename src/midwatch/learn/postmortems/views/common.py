"""What every act shares: which post-mortem, may this person, and back with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.learn.postmortems.models import Postmortem
from midwatch.learn.postmortems.queries import get_postmortem, may_lead, may_waive
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, where_next

__all__ = ["Act", "actor_of", "may_lead", "may_waive", "postmortem_act", "postmortem_or_404"]
NUMBER_MAX = 2**53
Act = Callable[..., str | None]
May = Callable[[User, Postmortem], bool]


def postmortem_or_404(user: User, number: int) -> Postmortem:
    found = get_postmortem(user, number) if number <= NUMBER_MAX else None
    if found is None:
        raise Http404(_("There is no post-mortem #%d here.") % min(number, NUMBER_MAX))
    return found


def postmortem_act(may: May | None = None, *, anchor: str = "") -> Callable[[Act], Callable[..., HttpResponse]]:
    """A view of one act: POST, permitted, done, told in a sentence, and back. `may` None: everybody who may act and see."""

    def decorated(do: Act) -> Callable[..., HttpResponse]:
        @wraps(do)
        @require_POST
        @login_required
        def view(request: HttpRequest, number: int, **more: Any) -> HttpResponse:
            user = acting_user(request)
            found = postmortem_or_404(user, number)
            if may is not None and not may(user, found):
                raise PermissionDenied(
                    _("That is for its owner, the facilitator, the IC, the team's managers and administrators.")
                )
            try:
                said = do(request, found, user, **more)
            except ValueError as refusal:
                messages.error(request, str(refusal))
            else:
                if said:
                    messages.success(request, said)
            return HttpResponseRedirect(where_next(request, reverse("postmortems:detail", args=[number]) + anchor))

        return view

    return decorated
