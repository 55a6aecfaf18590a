"""The list: what is open and when it is due, and all there are."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from midwatch.core import clock
from midwatch.core.render import page_or_partial
from midwatch.core.text import clean, whole_number
from midwatch.learn.postmortems.models import OPEN_STATES
from midwatch.learn.postmortems.queries import visible_to
from midwatch.people.viewing import viewer

PAGE_SIZE = 50
VIEWS = ("open", "late", "mine", "all")


@login_required
@require_safe
def postmortem_list(request: HttpRequest) -> HttpResponse:
    """`?view=open|late|mine|all&q=words&cursor=number`; the newest incident first."""
    user, now = viewer(request), clock.now()
    view = request.GET.get("view", "open")
    view = view if view in VIEWS else "open"
    words = clean(request.GET.get("q", ""), 100, is_one_line=True)
    found = visible_to(user)
    if view != "all":
        found = found.filter(state__in=OPEN_STATES)
    if view == "late":
        found = found.filter(due_at__lt=now)
    if view == "mine":
        found = found.filter(owner=user) | found.filter(facilitator=user)
    if words:
        found = found.filter(incident__title__icontains=words)
    cursor = whole_number(request.GET.get("cursor", ""))
    if cursor is not None:
        found = found.filter(incident__number__lt=cursor)
    rows = list(found.order_by("-incident__number")[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    context = {
        "rows": shown,
        "now": now,
        "view": view,
        "views": VIEWS,
        "q": words,
        "next_cursor": str(shown[-1].number) if len(rows) > PAGE_SIZE else "",
    }
    return page_or_partial(request, "postmortems/list.html", context)
