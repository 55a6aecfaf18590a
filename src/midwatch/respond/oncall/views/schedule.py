"""One schedule: who now, two weeks of it, its overrides and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from midwatch.core import clock
from midwatch.core.contribute import panels
from midwatch.core.render import is_partial, page_or_partial
from midwatch.core.zones import YEAR_MAX, YEAR_MIN, wall_at
from midwatch.people.models import User
from midwatch.people.queries import may_edit_team
from midwatch.people.viewing import viewer
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.forms import OverrideForm, override_initial, people_groups, restrictions_text
from midwatch.respond.oncall.models import Override, Schedule
from midwatch.respond.oncall.queries import (
    OnCallRow,
    named,
    next_change,
    overrides_of,
    quiet_until,
    resolvable,
    schedules,
)
from midwatch.respond.oncall.views import timeline
from midwatch.respond.oncall.views.moments import Moment, moment, next_clock_change
from midwatch.respond.oncall.views.who import card_of

BACK_MAX = timedelta(days=62)  # so far back overrides are read


@dataclass(frozen=True, slots=True)
class OverrideRow:
    override: Override
    words: str
    starts: Moment | None
    ends: Moment | None
    is_running: bool


@login_required
@require_safe
def schedule_detail(request: HttpRequest, name: str) -> HttpResponse:
    """`?from=2026-01-05` moves the two weeks, `?in=mine` shows them in the viewer's zone."""
    return schedule_page(request, get_object_or_404(schedules(), name=name))


def schedule_page(
    request: HttpRequest, schedule: Schedule, *, form: OverrideForm | None = None, status: int = 200
) -> HttpResponse:
    user = viewer(request)
    now = clock.now()
    in_zone = user.time_zone if request.GET.get("in") == "mine" else schedule.time_zone
    today = wall_at(now, in_zone)
    first = _first_day(request.GET.get("from", ""), today)
    span = timeline.window(first, in_zone)
    values = resolvable(schedule, since=min(now, span.start) - timedelta(days=1))
    people = named(_names(values))
    change = next_change(values, now)
    row = OnCallRow(
        schedule,
        [people[name] for name in change.people],
        change.until,
        [people[name] for name in change.next_people],
        change.next_from,
        None if change.people else quiet_until(values, now, change.until),
    )
    context: dict[str, Any] = {
        "schedule": schedule,
        "card": card_of(row, values, user, now),
        "span": span,
        "days": timeline.days_of(span, now),
        "strips": timeline.strips(values, span, people),
        "agenda": timeline.agenda(values, span, people, now),
        "now_mark": timeline.now_mark(span, now),
        "in_zone": in_zone,
        "is_mine": in_zone != schedule.time_zone,
        "has_other_zone": user.time_zone != schedule.time_zone,
        "earlier": _link_from(span, -timeline.DAYS) if first.date() > (today - BACK_MAX).date() else "",
        "later": _link_from(span, timeline.DAYS),
        "is_moved": first.date() != today.date(),
        "clock_change": next_clock_change(schedule.time_zone, now),
        "overrides": [_row(one, schedule, now) for one in overrides_of(schedule, now=now)],
        "layers": [layer_words(layer, people) for layer in values.layers],
        "panels": panels("schedule.main", request, schedule),
        "may_act": user.may_act,
        "may_edit": may_edit_team(user, schedule.team) and not schedule.is_from_code,
    }
    if user.may_act and not is_partial(request):
        context["form"] = _override_form(form, schedule, user, now)
    return page_or_partial(request, "oncall/schedule.html", context, status=status)


def _override_form(form: OverrideForm | None, schedule: Schedule, user: User, now: datetime) -> OverrideForm:
    groups = people_groups(schedule.team)
    if form is None:
        return OverrideForm(initial=override_initial(schedule, user, now), groups=groups)
    form.choose(groups)
    return form


def _names(values: resolve.Schedule) -> set[str]:
    found = {name for layer in values.layers for turn in layer.participants for name in turn}
    return found | {name for one in values.overrides for name in (one.user, one.replaces) if name}


def _first_day(text: str, today: datetime) -> datetime:
    """Today for what is no day, or lies too far away."""
    try:
        wanted = datetime.combine(date.fromisoformat(text[:10]), time(0))
    except ValueError:
        return today
    is_near = YEAR_MIN + 1 < wanted.year < YEAR_MAX - 1 and wanted >= today - BACK_MAX - timedelta(days=timeline.DAYS)
    return wanted if is_near else today


def _link_from(span: timeline.Window, days: int) -> str:
    return f"{wall_at(span.start, span.zone_name) + timedelta(days=days):%Y-%m-%d}"


def _row(override: Override, schedule: Schedule, now: datetime) -> OverrideRow:
    user, replaces = (str(one) if one else "" for one in (override.user, override.replaces))
    words = timeline.override_words(override.kind, user, replaces)
    starts, ends = moment(override.starts_at, schedule), moment(override.ends_at, schedule)
    return OverrideRow(override, words, starts, ends, override.starts_at <= now)


@dataclass(frozen=True, slots=True)
class LayerWords:
    name: str
    turns: Sequence[str]
    rhythm: str
    hours: str


def layer_words(layer: resolve.Layer, people: Mapping[str, User]) -> LayerWords:
    """How a rotation reads: who in which order, how often, when."""
    turns = [", ".join(str(people.get(name, name)) for name in turn) or _("nobody") for turn in layer.participants]
    return LayerWords(layer.name, turns, _rhythm(layer), restrictions_text(map(_document, layer.restrictions)))


def _rhythm(layer: resolve.Layer) -> str:
    match layer.unit:
        case "weeks":
            every = ngettext("every week", "every %(n)d weeks", layer.every)
        case "days":
            every = ngettext("every day", "every %(n)d days", layer.every)
        case _:
            every = ngettext("every hour", "every %(n)d hours", layer.every)
    start = f"{layer.start:%Y-%m-%d %H:%M}"
    given = {"every": every % {"n": layer.every}, "start": start, "weekday": layer.start.strftime("%a")}
    return _("%(every)s, from %(weekday)s %(start)s on") % given


def _document(one: resolve.Restriction | resolve.WeeklyRestriction) -> dict[str, Any]:
    if isinstance(one, resolve.WeeklyRestriction):
        first, last = resolve.DAYS[one.from_day], resolve.DAYS[one.to_day]
        return {"from": f"{first} {one.from_time:%H:%M}", "to": f"{last} {one.to_time:%H:%M}"}
    days = [resolve.DAYS[day] for day in one.days or ()]
    return {"days": days, "from": f"{one.start:%H:%M}", "to": f"{one.end:%H:%M}"}
