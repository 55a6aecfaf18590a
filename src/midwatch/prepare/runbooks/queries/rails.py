"""The guard-rails, as questions: may this start now, may what is queued begin, and if not, why and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from midwatch.core import clock
from midwatch.core.statements import Select
from midwatch.prepare.runbooks.models import (
    Brake,
    Execution,
    ExecutionKind,
    Freeze,
    FreezeOverride,
    Permit,
    Runbook,
    TargetUse,
    TriggeredBy,
)
from midwatch.prepare.runbooks.models.trust import TARGET_MAX
from midwatch.settings import settings

AUTOMATIC = frozenset({TriggeredBy.ALERT, TriggeredBy.SCHEDULE, TriggeredBy.WEBHOOK})
HOUR = timedelta(hours=1)
FREEZES_MAX = 200
BRAKE = Select(lambda: Brake.objects.filter(is_on=True)[:1])


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish to start. `trigger`: who or what wishes it."""

    runbook: Runbook
    trigger: str
    kind: str = ExecutionKind.REAL
    incident_number: int | None = None


def brake() -> Brake | None:
    """The "stop everything" that is on now. One prepared query: it is asked before each claim."""
    return next(iter(BRAKE()), None)


def brake_words(found: Brake) -> str:
    return f"{found.who} stopped everything at {found.at:%Y-%m-%d %H:%M} UTC: {found.reason}"


def why_not_start(asked: Asked) -> str:
    """ "" when nothing stands in the way; otherwise a sentence that says what does, and what helps."""
    is_automatic = asked.trigger in AUTOMATIC
    on = brake()
    if on is not None and is_automatic:
        return f"nothing starts by itself: {brake_words(on)}"
    if asked.kind != ExecutionKind.DRY_RUN:
        frozen = freeze_of(asked.runbook, asked.incident_number)
        if frozen is not None:
            return frozen_words(frozen)
    if is_automatic:
        return _too_often(asked.runbook)
    return ""


def frozen_words(frozen: Freeze) -> str:
    return (
        f"frozen until {frozen.ends_at:%Y-%m-%d %H:%M} UTC ({frozen}: {frozen.reason}): wait, end the freeze, or let the IC "
        "of the incident override it there"
    )


def freeze_of(runbook: Runbook, incident_number: int | None = None, at: datetime | None = None) -> Freeze | None:
    """The freeze that is in force for it, and that nobody overrode for this incident."""
    now = at or clock.now()
    found = Freeze.objects.filter(starts_at__lte=now, ends_at__gt=now).filter(
        Q(team=None, service=None)
        | Q(team_id=runbook.team_id, service=None)
        | Q(service_id=runbook.service_id, service__isnull=False)
    )
    if incident_number is not None:
        overridden = FreezeOverride.objects.filter(incident_number=incident_number).values("freeze_id")
        found = found.exclude(pk__in=overridden)
    return found.order_by("-ends_at").first()


def freezes(*, since: datetime | None = None) -> Sequence[Freeze]:
    """The calendar: those of now and later, and older ones `since` then."""
    found = Freeze.objects.select_related("team", "service").filter(ends_at__gt=since or clock.now())
    return list(found.prefetch_related("overrides")[:FREEZES_MAX])


def _too_often(runbook: Runbook) -> str:
    most = settings().runbook_starts_per_hour
    recent = Execution.objects.filter(
        runbook=runbook, trigger__in=AUTOMATIC, created_at__gt=clock.now() - HOUR
    ).order_by("-number")
    count = len(recent.values_list("pk", flat=True)[:most])
    if count < most:
        return ""
    return (
        f"it started by itself {count} times in the last hour, which is the most it may: start it by hand, and look why"
    )


def target_waits_until(targets: Sequence[str], now: datetime) -> tuple[datetime, str] | None:
    """When a step may touch these again, if one of them had its share in the last hour; and why."""
    most = settings().target_steps_per_hour
    for target in targets:
        times = list(
            TargetUse.objects.filter(target=target[:TARGET_MAX], at__gt=now - HOUR)
            .order_by("-at")
            .values_list("at", flat=True)[:most]
        )
        if len(times) == most:
            until = times[-1] + HOUR
            return until, f"{target} was touched {most} times in the last hour: waits until {until:%H:%M} UTC"
    return None


def may_run_by_itself(runbook: Runbook) -> bool:
    """Whether `auto` steps run without a person: its text was reviewed as configuration as code, or somebody allowed it."""
    return runbook.is_trusted or Permit.objects.filter(runbook=runbook).exists()
