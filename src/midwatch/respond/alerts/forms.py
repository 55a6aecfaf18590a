"""Forms of the alert pages: the list's filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from midwatch.core.text import clean, whole_number
from midwatch.people.models import User
from midwatch.respond.alerts.actions.people import PRIORITIES
from midwatch.respond.alerts.models import AlertStatus
from midwatch.respond.alerts.queries import AlertFilter

VIEWS: Mapping[str, str | Promise] = {"mine": _("Mine"), "teams": _("My teams"), "all": _("All")}
SEARCH_MAX = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """The list's address, read: whatever is not understood is left out, so that an old bookmark still opens."""

    view: str
    statuses: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    service: str = ""
    team: str = ""
    q: str = ""

    def for_query(self, user: User) -> AlertFilter:
        return AlertFilter(
            status=self.statuses,
            priority=self.priorities,
            service=self.service,
            team=self.team,
            q=self.q,
            view=self.view,
            user=user,
        )

    @property
    def is_narrow(self) -> bool:
        """Does it leave out more than the view does?"""
        return bool(self.statuses or self.priorities or self.service or self.team or self.q)

    def address(self, path: str) -> str:
        pairs: list[tuple[str, str]] = [("view", self.view)]
        pairs += [("status", status) for status in self.statuses]
        pairs += [("priority", priority) for priority in self.priorities]
        pairs += [
            (name, given) for name, given in (("service", self.service), ("team", self.team), ("q", self.q)) if given
        ]
        return f"{path}?{urlencode(pairs)}"

    def with_status(self, status: str) -> Filters:
        """The same, this status turned on or off."""
        return replace(self, statuses=_toggled(self.statuses, status, AlertStatus.values))

    def with_priority(self, priority: str) -> Filters:
        return replace(self, priorities=_toggled(self.priorities, priority, PRIORITIES))

    def with_view(self, view: str) -> Filters:
        return replace(self, view=view)


def _toggled(given: tuple[str, ...], one: str, order: Iterable[str]) -> tuple[str, ...]:
    wanted = set(given) ^ {one}
    return tuple(value for value in order if value in wanted)


def filters_from(query: QueryDict, *, default_view: str) -> Filters:
    view = query.get("view", "")
    statuses, priorities = set(query.getlist("status")), set(query.getlist("priority"))
    return Filters(
        view=view if view in VIEWS else default_view,
        statuses=tuple(status for status in AlertStatus.values if status in statuses),
        priorities=tuple(priority for priority in PRIORITIES if priority in priorities),
        service=clean(query.get("service", ""), 63, is_one_line=True),
        team=clean(query.get("team", ""), 63, is_one_line=True),
        q=clean(query.get("q", ""), SEARCH_MAX, is_one_line=True),
    )


def whole_numbers(texts: Iterable[str], at_most: int) -> list[int]:
    """Without repeats, in the order given."""
    found = dict.fromkeys(number for text in texts if (number := whole_number(text.strip())) is not None)
    return list(found)[:at_most]
