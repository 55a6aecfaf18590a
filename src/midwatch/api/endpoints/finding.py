"""Things by the name a caller gave: found, or a problem that names what is missing."""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from midwatch.api.problems import invalid, not_found
from midwatch.catalog.models import Service
from midwatch.people.models import Team, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.alerts.queries import get_alert
from midwatch.respond.oncall.models import Schedule

M = TypeVar("M", bound=models.Model)
NUMBER_MAX = 2**63 - 1


def alert_of(number: int) -> Alert:
    """By the number in the address. Raises a 404 problem."""
    if not 0 < number <= NUMBER_MAX:
        raise not_found("alert", number)
    try:
        return get_alert(number)
    except Alert.DoesNotExist as error:
        raise not_found("alert", number) from error


def by_name(found: models.QuerySet[M], kind: str, name: str) -> M:
    """By the name in the address. Raises a 404 problem."""
    row = found.filter(name=name).first() if "\0" not in name else None
    if row is None:
        raise not_found(kind, name)
    return row


def named(found: models.QuerySet[M], field: str, kind: str, name: str) -> M:
    """By a name inside the request. Raises a 422 problem that names the field."""
    row = found.filter(name=name).first()
    if row is None:
        raise invalid(field, f"there is no {kind} {name[:63]!r}")
    return row


def user_named(field: str, name: str) -> User:
    return named(User.objects.filter(is_active=True), field, "active person", name)


def team_named(field: str, name: str) -> Team:
    return named(Team.objects.all(), field, "team", name)


def service_named(field: str, name: str) -> Service:
    return named(Service.objects.select_related("team"), field, "service", name)


def schedule_named(field: str, name: str) -> Schedule:
    return named(Schedule.objects.select_related("team"), field, "schedule", name)
