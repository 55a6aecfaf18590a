"""Alerts and pages of a period, counted by the database.

Alerts have no index of their own by time, which would cost each alert that opens; their numbers rise with time, so the first
number of a period is found by halving, and the period is a range of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, models

from midwatch.core.zones import zone
from midwatch.learn.insights import measures
from midwatch.learn.insights.measures import STEP, Lengths
from midwatch.people.models import CANARY_USER, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.notify.models import Page

SLACK = timedelta(minutes=10)  # rows of several nodes are written a little out of order
FIRST_MONDAY = 4 * 86_400  # 1970-01-05, in seconds since 1970
WEEK = 7 * 86_400


@dataclass(slots=True)
class AlertCounts:
    alerts: int = 0
    paging: int = 0  # of high urgency
    ended: int = 0
    untouched: int = 0  # ended, and no person did anything
    repeats: int = 0
    to_acknowledge: Lengths = field(default_factory=Lengths)
    to_resolve: Lengths = field(default_factory=Lengths)
    by_week: dict[datetime, int] = field(default_factory=dict)


@dataclass(slots=True)
class PageCounts:
    pages: int = 0
    out_of_hours: int = 0
    at_night: int = 0
    by_week_at_night: dict[datetime, int] = field(default_factory=dict)


def _seconds(later: str, earlier: str) -> str:
    """SQL for the whole seconds between two columns."""
    if connection.vendor == "sqlite":
        return f"(unixepoch({later}) - unixepoch({earlier}))"
    return f"CAST(EXTRACT(EPOCH FROM ({later} - {earlier})) AS bigint)"


def _hour(column: str) -> str:
    """SQL for the hour, as text 2026-03-03 02 in UTC."""
    if connection.vendor == "sqlite":
        return f"substr({column}, 1, 13)"
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')"


def _week(column: str) -> str:
    """SQL for the number of the week since 1970, from Monday to Monday in UTC."""
    if connection.vendor == "sqlite":
        return f"((unixepoch({column}) - {FIRST_MONDAY}) / {WEEK})"
    return f"CAST(FLOOR((EXTRACT(EPOCH FROM {column}) - {FIRST_MONDAY}) / {WEEK}) AS bigint)"


def first_of(model: type[models.Model], key: str, moment: str, at: datetime) -> int:
    """The smallest `key` from which on rows are not older than `at`, by halving over the key's index; keys rise with time,
    but for `SLACK`."""
    manager = model._default_manager
    known = manager.filter(**{f"{key}__isnull": False})
    # Each end by itself: SQLite reads the whole index for both in one statement.
    low = known.order_by(key).values_list(key, flat=True).first() or 0
    high = (known.order_by(f"-{key}").values_list(key, flat=True).first() or 0) + 1
    wanted = at - SLACK
    while low < high:
        middle = (low + high) // 2
        found = manager.filter(**{f"{key}__gte": middle}).order_by(key).values_list(key, moment)[:1]
        row = next(iter(found), None)
        if row is None or row[1] >= wanted:
            high = middle
        else:
            low = int(row[0]) + 1
    return low


def _where(team: int | None, service: int | None) -> tuple[str, list[Any]]:
    if service is not None:
        return " AND service_id = %s", [service]
    if team is not None:
        return " AND team_id = %s", [team]
    return "", []


def alert_counts(start: datetime, end: datetime, *, team: int | None = None, service: int | None = None) -> AlertCounts:
    """Of one team or service, or of all."""
    narrow, values = _where(team, service)
    numbers = [first_of(Alert, "number", "created_at", start), first_of(Alert, "number", "created_at", end + 2 * SLACK)]
    times = [connection.ops.adapt_datetimefield_value(moment) for moment in (start, end)]
    acted = "(acknowledged_by_id IS NOT NULL OR resolved_by_id IS NOT NULL)"
    where = f"FROM {Alert._meta.db_table} WHERE number >= %s AND number < %s AND created_at >= %s AND created_at < %s{narrow}"
    given = [*numbers, *times, *values]
    weeks = _rows(
        f"""SELECT {_week("created_at")}, COUNT(*), {_sum("urgency = 'high'")}, {_sum("status = 'resolved'")},
            {_sum(f"status = 'resolved' AND NOT {acted}")}, {_sum("previous_id IS NOT NULL")} {where} GROUP BY 1""",
        given,
    )
    found = AlertCounts()
    for week, count, paging, ended, untouched, repeats in weeks:
        found.alerts += count
        found.paging += paging
        found.ended += ended
        found.untouched += untouched
        found.repeats += repeats
        found.by_week[datetime.fromtimestamp(FIRST_MONDAY + int(week) * WEEK, UTC)] = count
    for lengths, later, wanted in (
        (found.to_acknowledge, "acknowledged_at", "acknowledged_by_id IS NOT NULL AND acknowledged_at IS NOT NULL"),
        (found.to_resolve, "resolved_at", "resolved_at IS NOT NULL"),
    ):
        bucket = f"{_seconds(later, 'created_at')} / {STEP}"
        for length, count in _rows(f"SELECT {bucket}, COUNT(*) {where} AND {wanted} GROUP BY 1", given):
            lengths.add(int(length), count)
    return found


def _sum(condition: str) -> str:
    return f"COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"


def _rows(query: str, values: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, list(values))
        return list(cursor.fetchall())


def _moment(hour: str) -> datetime:
    return datetime.fromisoformat(f"{hour}:00:00+00:00")


def page_counts(start: datetime, end: datetime, *, team: int | None = None, service: int | None = None) -> PageCounts:
    """Pages by the hour of whoever was called; of teams, never of people."""
    narrow, values = _where(team, service)
    keys = [first_of(Page, "id", "started_at", start), first_of(Page, "id", "started_at", end + 2 * SLACK)]
    times = [connection.ops.adapt_datetimefield_value(moment) for moment in (start, end)]
    pages, alerts = Page._meta.db_table, Alert._meta.db_table
    join = f"JOIN {alerts} a ON a.id = p.alert_id" if narrow else ""
    query = f"""
        SELECT u.time_zone, {_hour("p.started_at")}, COUNT(*) FROM {pages} p
        JOIN {User._meta.db_table} u ON u.id = p.user_id {join}
        WHERE u.name <> %s AND p.id >= %s AND p.id < %s AND p.started_at >= %s AND p.started_at < %s{narrow}
        GROUP BY 1, 2
    """  # noqa: S608 - names of our own
    found = PageCounts()
    for name, hour, count in _rows(query, [CANARY_USER, *keys, *times, *values]):
        moment, local = _moment(hour), zone(name)
        found.pages += count
        found.out_of_hours += count if measures.is_out_of_hours(moment, local) else 0
        if measures.is_night(moment, local):
            found.at_night += count
            week = measures.week_of(moment)
            found.by_week_at_night[week] = found.by_week_at_night.get(week, 0) + count
    return found
