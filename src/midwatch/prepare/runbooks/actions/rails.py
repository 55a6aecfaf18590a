"""Guard-rails: "stop everything", freezes and who overrode them, and who lets a runbook run by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import Team
from midwatch.prepare.runbooks.actions.answering import cancel
from midwatch.prepare.runbooks.models import (
    Brake,
    Execution,
    Freeze,
    FreezeOverride,
    Permit,
    Runbook,
    TargetUse,
)
from midwatch.prepare.runbooks.models.trust import REASON_MAX, TARGET_MAX
from midwatch.prepare.runbooks.queries import rails

CANCELLED_MAX = 1_000
FREEZE_MAX = timedelta(days=90)
USES_KEPT = timedelta(days=1)


def _reason(text: str, what: str) -> str:
    found = clean(text, REASON_MAX, is_one_line=True).strip()
    if not found:
        raise ValueError(f"say why: {what} is read by whoever wonders why nothing runs")
    return found


def stop_everything(by: Actor, reason: str, *, cancels_running: bool = False) -> Brake:
    """Nothing starts by itself and nothing queued begins, until it is released. What runs is left, or cancelled.

    Raises ValueError with a sentence.
    """
    why = _reason(reason, "the reason")
    try:
        with transaction.atomic():
            made = Brake.objects.create(
                reason=why, cancels_running=cancels_running, who=str(by)[:200], user_id=by.user_id, at=clock.now()
            )
            audit.record(by, "stop everything", "runbooks", "runbooks", {"reason": why, "cancels": cancels_running})
            if cancels_running:
                _cancel_all(by, f"everything is stopped: {why}")
    except IntegrityError as error:
        on = rails.brake()
        raise ValueError(
            f"everything is stopped already: {rails.brake_words(on) if on else 'release it first'}"
        ) from error
    return made


def _cancel_all(by: Actor, reason: str) -> None:
    """Those that belong to another one end with it."""
    under_way = Execution.objects.filter(ended_at=None, parent=None).order_by("number")
    for execution in list(under_way[:CANCELLED_MAX]):
        cancel(execution, by, reason)


def release_everything(by: Actor, reason: str) -> Brake:
    """What waits goes on. Raises ValueError with a sentence."""
    why = _reason(reason, "the reason")
    with transaction.atomic():
        on = Brake.objects.select_for_update().filter(is_on=True).first()
        if on is None:
            raise ValueError("nothing is stopped")
        on.is_on, on.released_at, on.released_by, on.release_reason = False, clock.now(), str(by)[:200], why
        on.save(update_fields=["is_on", "released_at", "released_by", "release_reason"])
        audit.record(by, "release everything", "runbooks", "runbooks", {"reason": why})
    return on


@dataclass(frozen=True, slots=True)
class FreezeFields:
    """Of a team, of a service, or (neither) of everything."""

    title: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    team: Team | None = None
    service: Service | None = None


def add_freeze(fields: FreezeFields, by: Actor) -> Freeze:
    """Raises ValueError with a sentence."""
    if fields.ends_at <= fields.starts_at:
        raise ValueError("ends: give a time after the start")
    if fields.ends_at - fields.starts_at > FREEZE_MAX:
        raise ValueError(f"ends: a freeze lasts {FREEZE_MAX.days} days at most; add another one after it")
    why = _reason(fields.reason, "the reason")
    with transaction.atomic():
        made = Freeze.objects.create(
            title=clean(fields.title, 200, is_one_line=True).strip() or "Freeze",
            reason=why,
            team=fields.team,
            service=fields.service,
            starts_at=fields.starts_at,
            ends_at=fields.ends_at,
            who=str(by)[:200],
            user_id=by.user_id,
            created_at=clock.now(),
        )
        audit.record(by, "freeze", "runbooks", str(made), {"reason": why, "until": fields.ends_at.isoformat()})
    return made


def end_freeze(freeze: Freeze, by: Actor, reason: str) -> None:
    """Now. One that has not begun is taken out of the calendar; one that was in force stays there, shortened."""
    why = _reason(reason, "the reason")
    now = clock.now()
    with transaction.atomic():
        current = Freeze.objects.select_for_update().get(pk=freeze.pk)
        audit.record(by, "end freeze", "runbooks", str(current), {"reason": why})
        if current.starts_at >= now:
            current.delete()
        elif current.ends_at > now:
            Freeze.objects.filter(pk=current.pk).update(ends_at=now)


def override_freeze(freeze: Freeze, incident_number: int, by: Actor, reason: str) -> FreezeOverride:
    """The IC's word for one incident; that `by` is its IC (or stands in) is the caller's to know, who may ask incidents."""
    why = _reason(reason, "the reason")
    with transaction.atomic():
        made, _ = FreezeOverride.objects.get_or_create(
            freeze=freeze,
            incident_number=incident_number,
            defaults={"reason": why, "who": str(by)[:200], "user_id": by.user_id, "at": clock.now()},
        )
        audit.record(by, "override freeze", "runbooks", str(freeze), {"incident": incident_number, "reason": why})
    return made


def allow_automatic(runbook: Runbook, by: Actor, reason: str) -> Permit:
    """Its `auto` steps may run by themselves from now on."""
    why = _reason(reason, "the reason")
    with transaction.atomic():
        made, _ = Permit.objects.update_or_create(
            runbook=runbook,
            defaults={"reason": why, "who": str(by)[:200], "user_id": by.user_id, "at": clock.now()},
        )
        audit.record(by, "allow automatic steps", "runbook", runbook.name, {"reason": why})
    return made


def forbid_automatic(runbook: Runbook, by: Actor, reason: str) -> None:
    why = _reason(reason, "the reason")
    with transaction.atomic():
        Permit.objects.filter(runbook=runbook).delete()
        audit.record(by, "forbid automatic steps", "runbook", runbook.name, {"reason": why})


def note_targets(targets: Sequence[str], execution_number: int) -> None:
    """A step is about to touch these. In the transaction of its claim."""
    now = clock.now()
    TargetUse.objects.bulk_create(
        [TargetUse(target=target[:TARGET_MAX], at=now, execution_number=execution_number) for target in targets]
    )


def forget_target_uses(limit: int = 500) -> int:
    """Retention: what no limit counts any more."""
    with transaction.atomic():
        old = TargetUse.objects.filter(at__lt=clock.now() - USES_KEPT).order_by("at").values_list("pk", flat=True)
        count, _ = TargetUse.objects.filter(pk__in=list(old[:limit])).delete()
    return count
