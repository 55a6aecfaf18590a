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
from django.db.models import Max, Min

from midwatch.core.zones import zone
from midwatch.learn.insights import measures
from midwatch.learn.insights.measures import STEP, Lengths
from midwatch.people.models import User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.notify.models import Page

SLACK = timedelta(minutes=10)  # rows of several nodes are written a little out of order


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


def first_of(model: type[models.Model], key: str, moment: str, at: datetime) -> int:
    """The smallest `key` from which on rows are not older than `at`, by halving over the key's index; keys rise with time,
    but for `SLACK`."""
    manager = model._default_manager
    ends = manager.filter(**{f"{key}__isnull": False}).aggregate(low=Min(key), high=Max(key))
    low, high = ends["low"] or 0, (ends["high"] or 0) + 1
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
    acted = "acknowledged_by_id IS NOT NULL OR resolved_by_id IS NOT NULL"
    table = Alert._meta.db_table
    query = f"""
        SELECT {_hour("created_at")}, urgency = 'high', status = 'resolved', ({acted}), previous_id IS NOT NULL,
               CASE WHEN acknowledged_by_id IS NULL THEN NULL ELSE {_seconds("acknowledged_at", "created_at")} / {STEP} END,
               CASE WHEN resolved_at IS NULL THEN NULL ELSE {_seconds("resolved_at", "created_at")} / {STEP} END,
               COUNT(*)
        FROM {table} WHERE number >= %s AND number < %s AND created_at >= %s AND created_at < %s{narrow}
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    """  # noqa: S608 - names of our own
    return _alerts_of(_rows(query, [*numbers, *times, *values]))


def _rows(query: str, values: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, list(values))
        return list(cursor.fetchall())


def _alerts_of(rows: Sequence[Any]) -> AlertCounts:
    found = AlertCounts()
    for hour, is_high, is_ended, is_acted, is_repeat, to_acknowledge, to_resolve, count in rows:
        found.alerts += count
        found.paging += count if is_high else 0
        found.ended += count if is_ended else 0
        found.untouched += count if is_ended and not is_acted else 0
        found.repeats += count if is_repeat else 0
        if to_acknowledge is not None:
            found.to_acknowledge.add(int(to_acknowledge), count)
        if to_resolve is not None:
            found.to_resolve.add(int(to_resolve), count)
        week = measures.week_of(_moment(hour))
        found.by_week[week] = found.by_week.get(week, 0) + count
    return found


def _moment(hour: str) -> datetime:
    return datetime.strptime(hour.replace("T", " "), "%Y-%m-%d %H").replace(tzinfo=UTC)


def page_counts(start: datetime, end: datetime, *, team: int | None = None, service: int | None = None) -> PageCounts:
    """Pages by the hour of whoever was called; of teams, never of people."""
    narrow, values = _where(team, service)
    keys = [first_of(Page, "id", "started_at", start), first_of(Page, "id", "started_at", end + 2 * SLACK)]
    times = [connection.ops.adapt_datetimefield_value(moment) for moment in (start, end)]
    pages, alerts = Page._meta.db_table, Alert._meta.db_table
    join = f"JOIN {alerts} a ON a.id = p.alert_id" if narrow else ""
    query = f"""
        SELECT p.user_id, {_hour("p.started_at")}, COUNT(*) FROM {pages} p {join}
        WHERE p.id >= %s AND p.id < %s AND p.started_at >= %s AND p.started_at < %s{narrow}
        GROUP BY 1, 2
    """  # noqa: S608 - names of our own
    zones = {pk: zone(name) for pk, name in User.objects.values_list("pk", "time_zone")}
    found = PageCounts()
    for user, hour, count in _rows(query, [*keys, *times, *values]):
        if user not in zones:
            continue  # the canary's
        moment = _moment(hour)
        found.pages += count
        found.out_of_hours += count if measures.is_out_of_hours(moment, zones[user]) else 0
        if measures.is_night(moment, zones[user]):
            found.at_night += count
            week = measures.week_of(moment)
            found.by_week_at_night[week] = found.by_week_at_night.get(week, 0) + count
    return found
