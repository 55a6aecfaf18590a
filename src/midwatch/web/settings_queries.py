"""Reads of the settings pages: what there is, what wants a look, who did what."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.engine.models import Node
from midwatch.gitops.models import Applied
from midwatch.people.models import ApiToken, Team, User
from midwatch.people.queries import active_people
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.models import EscalationPolicy, TeamPolicy
from midwatch.respond.notify.queries import reachabilities
from midwatch.respond.oncall.models import Schedule
from midwatch.web import wizard_queries

AUDIT_PAGE = 50
AUDIT_KINDS_MAX = 100
DETAIL_MAX = 400
NODES_SHOWN = 50
STALLED_AFTER = timedelta(seconds=10)
PEOPLE_ASKED_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Overview:
    """What the cards of the settings page say."""

    people_count: int
    unreachable_count: int
    team_count: int
    teams_without_policy: int
    source_count: int
    silent_source_count: int  # never sent anything
    policy_count: int
    schedule_count: int
    token_count: int
    applied: Sequence[Applied]
    engine: str  # "ok", "problem"
    engine_ticked_at: datetime | None
    wizard: Sequence[wizard_queries.StepState]

    @property
    def has_configuration_problem(self) -> bool:
        return any(one.problem for one in self.applied)

    @property
    def wizard_done(self) -> int:
        return sum(step.is_done for step in self.wizard)


def overview(user: User, seen: Collection[str] = ()) -> Overview:
    people = list(active_people()[:PEOPLE_ASKED_MAX])
    reach = reachabilities(people)
    last = Node.objects.exclude(ticked_at=None).order_by("-ticked_at").first()
    ticked_at = last.ticked_at if last is not None else None
    tokens = ApiToken.objects.filter(revoked_at=None)
    return Overview(
        people_count=len(people),
        unreachable_count=sum(not one.is_reachable_high for one in reach.values()),
        team_count=Team.objects.count(),
        teams_without_policy=Team.objects.exclude(pk__in=TeamPolicy.objects.values("team")).count(),
        source_count=Source.objects.count(),
        silent_source_count=Source.objects.filter(is_active=True, last_event_at=None).count(),
        policy_count=EscalationPolicy.objects.count(),
        schedule_count=Schedule.objects.count(),
        token_count=(tokens if user.is_administrator else tokens.filter(user=user)).count(),
        applied=list(Applied.objects.order_by("owner")),
        engine="ok" if ticked_at is not None and clock.now() - ticked_at < STALLED_AFTER else "problem",
        engine_ticked_at=ticked_at,
        wizard=wizard_queries.steps(user, seen),
    )


def nodes() -> list[Node]:
    return list(Node.objects.order_by("-ticked_at", "name")[:NODES_SHOWN])


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Newest first. Cursors are ids: rows that arrive meanwhile move nothing."""

    entries: Sequence[tuple[AuditEntry, str]]
    next_cursor: int | None
    previous_cursor: int | None


def audit_page(
    *, kind: str = "", name: str = "", who: User | None = None, cursor: int = 0, before: int = 0
) -> AuditPage:
    """`cursor`: older than this id. `before`: the page of newer ones just above this id."""
    found = AuditEntry.objects.all()
    if kind:
        found = found.filter(object_kind=kind)
    if name:
        # The index begins with the kind.
        found = found.filter(object_name=name, object_kind__in=[kind] if kind else audit_kinds())
    if who is not None:
        found = found.filter(user_id=who.pk)
    if before:
        rows = list(found.filter(pk__gt=before).order_by("pk")[: AUDIT_PAGE + 1])
        has_newer, rows = len(rows) > AUDIT_PAGE, rows[:AUDIT_PAGE][::-1]
        has_older = True
    else:
        older = found.filter(pk__lt=cursor) if cursor else found
        rows = list(older.order_by("-pk")[: AUDIT_PAGE + 1])
        has_older, rows = len(rows) > AUDIT_PAGE, rows[:AUDIT_PAGE]
        has_newer = bool(cursor)
    return AuditPage(
        entries=[(row, detail_text(row.detail)) for row in rows],
        next_cursor=rows[-1].pk if rows and has_older else None,
        previous_cursor=rows[0].pk if rows and has_newer else None,
    )


def detail_text(detail: object) -> str:
    """`role: member, time zone: Europe/Prague`; the template escapes it."""
    if not isinstance(detail, dict):
        return ""
    text = ", ".join(
        f"{str(key).replace('_', ' ')}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in detail.items()
    )
    return text if len(text) <= DETAIL_MAX else text[: DETAIL_MAX - 1] + "\u2026"


def audit_kinds() -> list[str]:
    """Each by one look at the index: what a database does for DISTINCT is to read all of the log."""
    found: list[str] = []
    while len(found) < AUDIT_KINDS_MAX:
        later = AuditEntry.objects.filter(object_kind__gt=found[-1] if found else "").order_by("object_kind")
        kind = later.values_list("object_kind", flat=True).first()
        if kind is None:
            break
        found.append(kind)
    return found


def live_tokens(limit: int = 500) -> list[ApiToken]:
    """Every token that is not revoked, the last used first."""
    found = ApiToken.objects.filter(revoked_at=None).select_related("user")
    return sorted(found.order_by("-pk")[:limit], key=lambda one: one.last_used_at or one.created_at, reverse=True)
