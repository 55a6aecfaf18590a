"""The Now page, and the badge on every page that says what calls me."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from midwatch.core.contribute import panels
from midwatch.core.render import is_partial, page_or_partial
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.lines import open_count
from midwatch.respond.alerts.views.common import Row, rows_of
from midwatch.web import queries

SHARED_SECONDS = 1.0
SHARED_MAX = 200
_shared: dict[tuple[int, ...] | None, tuple[float, tuple[list[Row], int]]] = {}


@login_required
@require_safe
def now(request: HttpRequest) -> HttpResponse:
    """Two moving parts: the fires every five seconds, who covers (`?part=cover`) every minute."""
    user = viewer(request)
    if is_partial(request) and request.GET.get("part") == "cover":
        return page_or_partial(request, "web/now.html", {"cover": queries.cover(user)}, partial="web/_cover.html")
    found = queries.calls_of(user)
    called = {call.alert.pk for call in found}
    mine = [line for line in queries.owned_lines(user) if line.pk not in called]
    rows = {row.alert.pk: row for row in rows_of(request, [call.alert for call in found] + mine)}
    others, count = _open(request, queries.seen_teams(user))
    context: dict[str, Any] = {
        "calls": [(call, rows[call.alert.pk]) for call in found],
        "mine": [rows[line.pk] for line in mine],
        "others": [row for row in others if row.alert.pk not in rows][: queries.ALERTS_SHOWN],
        "open_count": count,
        "may_act": user.may_act,
        "top_panels": panels("now.top", request, user),
    }
    if not is_partial(request):
        context["cover"] = queries.cover(user)
    shows = tuple(context[name] for name in ("calls", "mine", "others", "open_count", "may_act", "top_panels"))
    return page_or_partial(request, "web/now.html", context, shows=shows)


def _open(request: HttpRequest, teams: tuple[int, ...] | None) -> tuple[list[Row], int]:
    """(open alerts of these teams, how many there are in all).

    Those who only poll, each with the tag of what they have, share one answer a second: half the house leaves this page
    open. What calls a person and what they have is read for each, and whoever opens the page reads everything.
    """
    is_poll = bool(request.headers.get("HX-PTag"))
    now = time.monotonic()
    known = _shared.get(teams)
    if is_poll and known is not None and now < known[0]:
        return known[1]
    answer = rows_of(request, queries.open_lines(teams)), open_count(teams)
    if len(_shared) >= SHARED_MAX:
        _shared.clear()
    _shared[teams] = (now + SHARED_SECONDS, answer)
    return answer


@login_required
@require_safe
def calls(request: HttpRequest) -> HttpResponse:
    """The badge of the page's head, for htmx only."""
    if not is_partial(request):
        return redirect("web:now")
    return page_or_partial(request, "web/calls.html", {}, shows=queries.calls_count(viewer(request)))
