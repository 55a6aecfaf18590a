"""The Now page, and the badge on every page that says what calls me."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from midwatch.core.render import is_partial, page_or_partial
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.views.common import rows_of
from midwatch.web import queries


@login_required
@require_safe
def now(request: HttpRequest) -> HttpResponse:
    """Two moving parts: the fires every five seconds, who covers (`?part=cover`) every minute."""
    user = viewer(request)
    if is_partial(request) and request.GET.get("part") == "cover":
        return page_or_partial(request, "web/now.html", {"cover": queries.cover(user)}, partial="web/_cover.html")
    fires = queries.fires(user)
    rows = {
        row.alert.pk: row
        for row in rows_of(request, [call.alert for call in fires.calls] + [*fires.mine, *fires.others])
    }
    context: dict[str, Any] = {
        "calls": [(call, rows[call.alert.pk]) for call in fires.calls],
        "mine": [rows[line.pk] for line in fires.mine],
        "others": [rows[line.pk] for line in fires.others],
        "open_count": fires.open_count,
        "may_act": user.may_act,
    }
    shows = (context["calls"], context["mine"], context["others"], fires.open_count, user.may_act)
    if not is_partial(request):
        context["cover"] = queries.cover(user)
    return page_or_partial(request, "web/now.html", context, shows=shows)


@login_required
@require_safe
def calls(request: HttpRequest) -> HttpResponse:
    """The badge of the page's head, for htmx only."""
    if not is_partial(request):
        return redirect("web:now")
    return page_or_partial(request, "web/calls.html", {}, shows=queries.calls_count(viewer(request)))
