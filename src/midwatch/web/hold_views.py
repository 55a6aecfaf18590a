"""Paging on hold: what would be paged, for everybody; release and drop, for administrators."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch.core.render import page_or_partial
from midwatch.engine import hold
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.web.permits import administrators_only


@login_required
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    found = hold.summary(is_listed=True)
    context = {
        "found": found,
        "more": found.alerts_count - len(found.waiting),
        "is_administrator": viewer(request).is_administrator,
    }
    return page_or_partial(request, "web/hold.html", context, partial="web/hold.html")


@require_POST
@administrators_only
def release(request: HttpRequest) -> HttpResponse:
    try:
        count = hold.release(actor_of(viewer(request), "web"))
    except hold.HoldError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Released: what is due goes out now, about %(n)d alerts.") % {"n": count})
    return HttpResponseRedirect(reverse("web:hold"))


@require_POST
@administrators_only
def drop(request: HttpRequest) -> HttpResponse:
    try:
        hold.drop(actor_of(viewer(request), "web"))
    except hold.HoldError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Dropped: this restore was a drill, and never pages anybody."))
    return HttpResponseRedirect(reverse("web:hold"))
