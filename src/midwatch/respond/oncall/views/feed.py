"""A person's shifts for the calendar in their pocket. Whoever has the address may read it, and nothing else."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from midwatch.core import clock
from midwatch.respond.oncall import calendar
from midwatch.respond.oncall.queries import user_of_calendar_token, whole_shifts_of
from midwatch.respond.oncall.resolve import Shift
from midwatch.settings import settings

BACK, AHEAD = timedelta(days=31), timedelta(days=183)


@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """The tag is of the shifts, not of the bytes, which hold the moment of writing: hence a weak one."""
    user = user_of_calendar_token(token)
    if user is None:
        return HttpResponseNotFound(_("There is no such calendar. Take its address from your profile again."))
    # From midnight, so that a calendar that asks again on the same day is told that nothing changed.
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    shifts: dict[str, list[Shift]] = {}
    titles: dict[str, str] = {}
    for schedule, shift in whole_shifts_of(user, today - BACK, today + AHEAD):
        shifts.setdefault(schedule.name, []).append(shift)
        titles[schedule.name] = schedule.name
    said = repr((str(user), sorted(shifts.items()), sorted(titles.items()), settings().base_url))
    tag = f'W/"{hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]}"'
    answer = get_conditional_response(request, etag=tag)
    if answer is None:
        body = calendar.feed(str(user), shifts, titles, settings().base_url, clock.now())
        answer = HttpResponse(body, content_type=calendar.CONTENT_TYPE)
        answer["Content-Disposition"] = 'inline; filename="on-call.ics"'
    answer["ETag"] = tag
    answer["Cache-Control"] = "private, no-cache"
    return answer
