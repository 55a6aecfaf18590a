"""What a row of a list shows of an alert, and the reads that fetch just that.

Whole alerts with their service, team, source and person are four objects a row; a page of fifty spent most of its time on
making them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from midwatch.core.statements import Select
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus
from midwatch.respond.alerts.queries import AlertFilter, numbers

FIELDS = (
    "pk",
    "number",
    "title",
    "status",
    "priority",
    "count",
    "created_at",
    "snoozed_until",
    "is_acknowledged_by_machine",
    "is_still_firing",
    "is_test",
    "acknowledged_by_id",
    "service__display_name",
    "service__name",
    "team__display_name",
    "team__name",
    "acknowledged_by__display_name",
    "acknowledged_by__name",
)


@dataclass(frozen=True, slots=True)
class Line:
    """`service`, `team`, `acknowledged_by`: the words shown for them; "" for none."""

    pk: int
    number: int
    title: str
    status: str
    priority: str
    count: int
    created_at: datetime
    snoozed_until: datetime | None
    is_acknowledged_by_machine: bool
    is_still_firing: bool
    is_test: bool
    acknowledged_by_id: int | None
    service: str
    team: str
    acknowledged_by: str

    @property
    def is_open(self) -> bool:
        return self.status != AlertStatus.RESOLVED


def line_from(row: Sequence[Any]) -> Line:
    """From the values of FIELDS."""
    service, service_slug, team, team_slug, person, person_slug = row[-6:]
    names = service or service_slug or "", team or team_slug or "", person or person_slug or ""
    return Line(*row[:-6], *names)  # type: ignore[call-arg]  # the order of FIELDS is the order of the class


def lines(by: AlertFilter, *, before_number: int | None = None, limit: int = 50) -> list[Line]:
    """Newest first, as `queries.alerts`."""
    return lines_by_number(numbers(by, before_number=before_number, limit=limit))


def lines_by_number(wanted: Sequence[int]) -> list[Line]:
    """In the order asked for; unknown ones are left out."""
    by_number = {row[1]: line_from(row) for row in _NUMBERED(wanted)}
    return [by_number[number] for number in wanted if number in by_number]


_NUMBERED = Select(lambda numbers: Alert.objects.filter(number__in=numbers, is_test=False).values_list(*FIELDS))


# --- the reads of the Now page: always the same few, so they are compiled once ---

SHOWN_MAX = 40
COUNTED_MAX = 1_000


def _open(
    status: Sequence[str], priority: Sequence[str] | None, teams: Sequence[int] | None, user: int | None
) -> QuerySet[Alert]:
    """None does not narrow."""
    found = Alert.objects.filter(is_test=False, status__in=status)
    if priority is not None:
        found = found.filter(priority__in=priority)
    if teams is not None:
        found = found.filter(team_id__in=teams)
    if user is not None:
        found = found.filter(acknowledged_by=user)
    return found.order_by("-number")


_NEWEST = Select(lambda *by: _open(*by).values_list(*FIELDS)[:SHOWN_MAX])
_COUNTED = Select(lambda *by: _open(*by).order_by().values_list("pk", flat=True)[:COUNTED_MAX])


def newest(
    *,
    status: Sequence[str] = OPEN,
    priority: Sequence[str] | None = None,
    teams: Sequence[int] | None = None,
    user: int | None = None,
) -> list[Line]:
    """At most SHOWN_MAX, newest first. `user`: who has them. What is left out does not narrow."""
    return [line_from(row) for row in _NEWEST(status, priority, teams, user)]


def open_count(teams: Sequence[int] | None = None) -> int:
    """Open alerts, counted up to COUNTED_MAX."""
    return len(_COUNTED(OPEN, None, teams, None))
