"""The list of incidents: open ones first, filtered by its address, paged by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from midwatch.catalog.models import Service
from midwatch.core.render import page_or_partial
from midwatch.core.text import clean, whole_number
from midwatch.people.models import Team, User
from midwatch.people.viewing import viewer
from midwatch.respond.incidents.models import Incident, Severity
from midwatch.respond.incidents.queries import IncidentFilter, commanders_of, incidents

PAGE_SIZE = 50
OPEN_SHOWN = 100  # of the first page's upper part; more open incidents than that are a list of their own
CHOICES_MAX = 500
VIEWS: dict[str, str | Promise] = {"": _("All"), "open": _("Open"), "closed": _("Closed"), "mine": _("Mine")}


@dataclass(frozen=True, slots=True)
class Filters:
    """The list's address, read: whatever is not understood is left out, so that an old bookmark still opens."""

    view: str = ""
    severities: tuple[str, ...] = ()
    service: str = ""
    team: str = ""
    q: str = ""

    def for_query(self, user: User) -> IncidentFilter:
        return IncidentFilter(
            state="open" if self.view == "mine" else self.view,
            severities=self.severities,
            service=self.service,
            team=self.team,
            q=self.q,
            mine=user if self.view == "mine" else None,
        )

    @property
    def is_narrow(self) -> bool:
        return bool(self.severities or self.service or self.team or self.q)

    def address(self) -> str:
        pairs = [("view", self.view)] if self.view else []
        pairs += [("severity", one) for one in self.severities]
        pairs += [(name, one) for name, one in (("service", self.service), ("team", self.team), ("q", self.q)) if one]
        return f"{reverse('incidents:list')}?{urlencode(pairs)}"


@dataclass(frozen=True, slots=True)
class Chip:
    title: str
    url: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Row:
    incident: Incident
    commander: User | None


def filters_from(query: QueryDict) -> Filters:
    view, severities = query.get("view", ""), set(query.getlist("severity"))
    return Filters(
        view=view if view in VIEWS else "",
        severities=tuple(one for one in Severity.values if one in severities),
        service=clean(query.get("service", ""), 63, is_one_line=True),
        team=clean(query.get("team", ""), 63, is_one_line=True),
        q=clean(query.get("q", ""), 200, is_one_line=True),
    )


@login_required
@require_safe
def incident_list(request: HttpRequest) -> HttpResponse:
    """ "All" begins with what is open; `before`: the closed ones go on below that number."""
    user, filters = viewer(request), filters_from(request.GET)
    before = whole_number(request.GET.get("before", ""))
    opened: list[Incident] = []
    by = filters.for_query(user)
    if by.state == "":
        if before is None:
            opened = list(incidents(user, replace(by, state="open"))[:OPEN_SHOWN])
        by = replace(by, state="closed")
    found = incidents(user, by)
    if before is not None:
        found = found.filter(number__lt=before)
    rest = list(found[: PAGE_SIZE + 1])
    shown = [*opened, *rest[:PAGE_SIZE]]
    leaders = commanders_of(shown)
    here = filters.address()
    context = {
        "filters": filters,
        "opened": _rows(opened, leaders),
        "rest": _rows(rest[:PAGE_SIZE], leaders),
        "has_parts": filters.for_query(user).state == "",
        "is_first_page": before is None,
        "here": here,
        "poll_url": f"{here}&before={before}" if before else here,
        "older_url": f"{here}&before={rest[PAGE_SIZE - 1].number}" if len(rest) > PAGE_SIZE else "",
        "may_act": user.may_act,
        "views": [
            Chip(str(title), replace(filters, view=view).address(), view == filters.view)
            for view, title in VIEWS.items()
        ],
        "severities": [
            Chip(one, _toggled(filters, one).address(), one in filters.severities) for one in Severity.values
        ],
        "services": Service.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "teams": Team.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "clear_url": Filters(filters.view).address(),
    }
    return page_or_partial(request, "incidents/list.html", context)


def _rows(found: Sequence[Incident], leaders: dict[int, User]) -> list[Row]:
    return [Row(incident, leaders.get(incident.pk)) for incident in found]


def _toggled(filters: Filters, severity: str) -> Filters:
    wanted = set(filters.severities) ^ {severity}
    return replace(filters, severities=tuple(one for one in Severity.values if one in wanted))
