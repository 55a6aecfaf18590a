"""Reads of alerts. Every one of them is bounded, and goes by an index of `models.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BigIntegerField, ExpressionWrapper, F, Max, Q, QuerySet
from django.db.models.sql import Query

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.statements import Select
from midwatch.core.text import whole_number
from midwatch.core.zones import zone
from midwatch.people.models import Membership, Team, User
from midwatch.respond.alerts import grouping
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus, Maintenance, Source, SourceProblem, TimelineEntry

PAGE_MAX = 200
TIMELINE_MAX = 500
SIMILAR_MAX = 5
COUNT_MAX = 1_000
BRANCH_TEAMS_MAX = 50
SHORT_WORD = 3  # what the indexes of titles know: any three letters that follow each other
SHORT_WORD_AMONG = 20_000
TRIGRAMS_MAX = 24


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """`view`: all, mine (I have it), teams (my teams'). Empty tuples and words do not narrow."""

    status: tuple[str, ...] = ()
    service: str = ""
    team: str = ""
    q: str = ""
    view: str = "all"
    user: User | None = None
    priority: tuple[str, ...] = ()


def _narrowed(by: AlertFilter) -> list[QuerySet[Alert]]:
    """Each of these is one walk of one index, newest first. Names become ids, and what is one of several (two teams,
    firing or acknowledged) becomes a query each: `IN` makes a database sort all it finds before it shows the first row."""
    found = Alert.objects.filter(number__isnull=False)  # tests have none; and every index here knows the number
    teams: list[int] | None = None
    if by.service:
        service = Service.objects.filter(name=by.service).values_list("pk", flat=True).first()
        found = found.filter(service_id=service) if service is not None else found.none()
    if by.team:
        teams = list(Team.objects.filter(name=by.team).values_list("pk", flat=True))
    if by.view == "teams" and by.user is not None:
        own = set(team_ids(by.user))
        teams = sorted(own if teams is None else own & set(teams))
    if by.view == "mine" and by.user is not None:
        found = found.filter(acknowledged_by=by.user)
    statuses = sorted(set(by.status)) if len(set(by.status)) < len(AlertStatus) else []
    priorities = sorted(set(by.priority))
    has_index = teams is not None or bool(statuses or by.service) or by.view == "mine"
    # Of a service, or of what somebody has, there is less than of a team: the team only passes judgement then. Hidden in a
    # sum, it tempts no database to walk the team's index instead.
    found = found.alias(judged_team=ExpressionWrapper(F("team_id") + 0, output_field=BigIntegerField()))
    name = "judged_team" if by.service or by.view == "mine" else "team_id"
    branches: list[QuerySet[Alert]] = (
        [found] if teams is None else [found.filter(**{name: pk}) for pk in teams[:BRANCH_TEAMS_MAX]]
    )
    if statuses:
        branches = [branch.filter(status=status) for branch in branches for status in statuses]
    if priorities and has_index:
        branches = [branch.filter(priority__in=priorities) for branch in branches]
    elif priorities:
        branches = [branch.filter(priority=priority) for branch in branches for priority in priorities]
    return branches


def _numbers(branches: Sequence[QuerySet[Alert]], limit: int, *, is_ascending: bool = False) -> list[int]:
    """The first `limit` numbers of all branches together, in one statement: each gives its own first ones."""
    order = "number" if is_ascending else "-number"
    asked = [branch.order_by(order).values_list("number")[:limit].query for branch in branches]
    compiled = [part for part in map(_compiled, asked) if part is not None]
    if not compiled:
        return []
    parts = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS part{index}" for index, (sql, _) in enumerate(compiled))  # noqa: S608 - of Django's own making
    direction = "ASC" if is_ascending else "DESC"
    with connection.cursor() as cursor:
        values = [*(value for _, given in compiled for value in given), limit]
        cursor.execute(f"{parts} ORDER BY 1 {direction} LIMIT %s", values)
        return [int(row[0]) for row in cursor.fetchall()]


def _compiled(query: Query) -> tuple[str, tuple[Any, ...]] | None:
    try:
        return query.sql_with_params()
    except EmptyResultSet:  # a service that nobody knows
        return None


def _searched(branches: Sequence[QuerySet[Alert]], by: AlertFilter, before_number: int | None, limit: int) -> list[int]:
    """Words of the title, a dedup key, or a number. Fewer than three letters are looked for in the newest alerts alone:
    no index knows them, and what is that short stands in many."""
    text = by.q
    exact = Q(dedup_key=text, source_id__in=list(Source.objects.values_list("pk", flat=True)))
    exact |= Q(dedup_key=text, source=None)
    number = whole_number(text.removeprefix("#"))
    found = set(_numbers([branch.filter(exact) for branch in branches], limit))
    if number is not None:
        found |= set(_numbers([branch.filter(number=number) for branch in branches], 1))
    if before_number is not None:
        found = {number for number in found if number < before_number}
    titled = [branch.filter(title__icontains=text) for branch in branches]
    if by.status and set(by.status) <= set(OPEN):
        found |= set(_numbers(titled, limit))  # few are open: their own index finds them
    elif len(text) < SHORT_WORD:
        newest = Alert.objects.filter(is_test=False).aggregate(last=Max("number"))["last"] or 0
        top = min(newest, before_number or newest)
        found |= set(_numbers([branch.filter(number__gt=top - SHORT_WORD_AMONG) for branch in titled], limit))
    elif connection.vendor == "sqlite":
        found |= set(_by_trigrams(titled, text, limit))
    else:
        found |= set(_numbers(titled, limit))
    return sorted(found, reverse=True)[:limit]


def _by_trigrams(titled: Sequence[QuerySet[Alert]], text: str, limit: int) -> list[int]:
    """SQLite: the search table gives candidates newest first, and each is looked at until enough have passed the filter.
    CROSS JOIN is SQLite's word for "in this order"."""
    folded = text.lower()
    words = [folded[start : start + SHORT_WORD].replace('"', '""') for start in range(len(folded) - SHORT_WORD + 1)]
    match = " AND ".join(f'"{word}"' for word in dict.fromkeys(words[:TRIGRAMS_MAX]))
    found: set[int] = set()
    for branch in titled:
        compiled = _compiled(branch.values_list("number").query)
        if compiled is None:
            continue
        sql, values = compiled
        head, _, conditions = sql.partition(" WHERE ")
        joined = head.replace(
            'FROM "alerts_alert"', 'FROM alerts_search CROSS JOIN "alerts_alert" ON "number" = alerts_search.rowid'
        )
        statement = f"{joined} WHERE alerts_search MATCH %s AND {conditions} ORDER BY alerts_search.rowid DESC LIMIT %s"
        with connection.cursor() as cursor:
            cursor.execute(statement, [match, *values, limit])
            found |= {int(row[0]) for row in cursor.fetchall()}
    return sorted(found, reverse=True)[:limit]


def numbers(by: AlertFilter, *, before_number: int | None = None, limit: int = 50) -> list[int]:
    """Newest first. An index alone answers that; rows are read only for what is shown."""
    limit = min(limit, PAGE_MAX)
    branches = _narrowed(by)
    if before_number is not None:
        branches = [branch.filter(number__lt=before_number) for branch in branches]
    return _searched(branches, by, before_number, limit) if by.q else _numbers(branches, limit)


def alerts(by: AlertFilter, *, before_number: int | None = None, limit: int = 50) -> list[Alert]:
    """Newest first. The next page starts below the last number shown, so rows that arrive meanwhile move nothing."""
    found = Alert.objects.filter(number__in=numbers(by, before_number=before_number, limit=limit))
    return list(found.select_related("service", "team", "acknowledged_by", "source").order_by("-number"))


def newer_than(by: AlertFilter, number: int, *, at_most: int = 100) -> int:
    """How many alerts came after `number`, counted up to `at_most`."""
    branches = [branch.filter(number__gt=number) for branch in _narrowed(by)]
    if by.q:
        return len(_searched(branches, by, None, at_most))
    return len(_numbers(branches, at_most, is_ascending=True))


def get_alert(number: int) -> Alert:
    return Alert.objects.select_related("service", "team", "acknowledged_by", "resolved_by", "source", "previous").get(
        number=number
    )


def timeline(alert: Alert, *, before_id: int | None = None, limit: int = TIMELINE_MAX) -> list[TimelineEntry]:
    """Oldest first; the newest `limit` of them when there are more. `before_id`: only what was written before that one."""
    found = TimelineEntry.objects.filter(alert=alert)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return list(reversed(found.order_by("-id")[: min(limit, TIMELINE_MAX)]))


def team_ids(user: User) -> QuerySet[Membership, int]:
    return Membership.objects.filter(user=user).values_list("team_id", flat=True)


def open_count(by: AlertFilter | None = None, *, at_most: int = COUNT_MAX) -> int:
    """Open alerts, counted up to `at_most`."""
    return len(_numbers(_narrowed(replace(by or AlertFilter(), status=tuple(OPEN))), at_most))


@dataclass(frozen=True, slots=True)
class Similar:
    alert: Alert
    what_helped: str  # the last note before it was resolved, or ""


def _like_it(same: QuerySet[Alert], since: datetime, pk: int) -> QuerySet[Alert]:
    lately = same.filter(created_at__gte=since, is_test=False).exclude(pk=pk)
    return lately.select_related("resolved_by").order_by("-id")[:SIMILAR_MAX]


_SAME_KEY = Select(
    lambda source, key, since, pk: _like_it(Alert.objects.filter(source_id=source, dedup_key=key), since, pk)
)
_SAME_TITLE = Select(
    lambda service, title, since, pk: _like_it(Alert.objects.filter(service_id=service, title=title), since, pk)
)
_NOTES = Select(
    lambda alerts: (
        TimelineEntry.objects.filter(alert_id__in=alerts, kind="note")
        .order_by("id")
        .values_list("alert_id", "text")[:TIMELINE_MAX]
    )
)


def similar(alert: Alert) -> list[Similar]:
    """The same condition in the last 30 days (same source and key, else same service and title), with what fixed it."""
    since = clock.now() - timedelta(days=30)
    if alert.source_id:
        found = _SAME_KEY(alert.source_id, alert.dedup_key, since, alert.pk)
    else:
        found = _SAME_TITLE(alert.service_id, alert.title, since, alert.pk)
    notes = dict(_NOTES([one.pk for one in found]))
    return [Similar(one, notes.get(one.pk, "")) for one in found]


def urgency_now(priority: str, service: Service | None, now: datetime) -> str:
    """high or low, as the service says for this priority at this hour."""
    if service is None:
        return "high" if priority in grouping.HIGH else "low"
    hours = service.support_hours
    return grouping.urgency_of(
        priority,
        service_urgency=service.urgency,
        support_hours=hours,
        now=now,
        zone=zone(hours.get("timeZone", "UTC")) if hours else None,
    )


def maintenance_of(service_ids: Iterable[int], at: datetime) -> dict[int, Maintenance]:
    """The maintenance in force at `at`, by service."""
    return {window.service_id: window for window in _IN_FORCE(set(service_ids), at)}


_IN_FORCE = Select(
    lambda services, at: Maintenance.objects.filter(
        service_id__in=services, starts_at__lte=at, ends_at__gt=at
    ).order_by("ends_at")
)


def maintenances(service: Service | None = None, *, limit: int = 50) -> list[Maintenance]:
    """Running and planned ones, soonest first. One that was called off ends when it begins, and is none."""
    found = (
        Maintenance.objects.filter(ends_at__gt=clock.now()).exclude(ends_at=F("starts_at")).select_related("service")
    )
    return list((found.filter(service=service) if service else found).order_by("starts_at")[:limit])


def problems(source: Source, *, limit: int = 20) -> list[SourceProblem]:
    return list(SourceProblem.objects.filter(source=source).order_by("-id")[:limit])


def snoozed_and_over(now: datetime) -> list[Alert]:
    return _SNOOZED_AND_OVER(now)


def expired(now: datetime) -> list[Alert]:
    """Open alerts whose source fell silent for as long as it said that means resolved."""
    return _EXPIRED(now)


def silent_sources(now: datetime) -> list[Source]:
    return _SILENT(now)


# Asked by the engine every second.
_SNOOZED_AND_OVER = Select(
    lambda now: Alert.objects.filter(status=AlertStatus.ACKNOWLEDGED, snoozed_until__lte=now)[:100]
)
_EXPIRED = Select(lambda now: Alert.objects.filter(expires_at__lte=now, status__in=OPEN).order_by("expires_at")[:100])
_SILENT = Select(
    lambda now: (
        Source.objects.filter(expected_at__lte=now, is_active=True)
        .select_related("service__team")
        .order_by("expected_at")[:50]
    )
)
