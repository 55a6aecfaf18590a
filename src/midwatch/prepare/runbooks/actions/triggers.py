"""What starts runbooks without a person: triggers made, changed, and fired by the clock or by a webhook."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, leases
from midwatch.core.actor import Actor
from midwatch.core.guard import guarded
from midwatch.core.text import clean
from midwatch.core.zones import zone
from midwatch.people import tokens
from midwatch.people.managed import check_name
from midwatch.prepare.runbooks import timing
from midwatch.prepare.runbooks.actions.starting import Reference, start
from midwatch.prepare.runbooks.document import parse
from midwatch.prepare.runbooks.models import Execution, ExecutionKind, Runbook, Trigger, TriggerKind
from midwatch.prepare.runbooks.models.trust import REASON_MAX

HOLD_SECONDS_MAX = 300
LABELS_MAX = 20
OPTIONS_MAX = 50
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
LEASE = timedelta(seconds=30)
POST_GAP = timedelta(seconds=5)  # of one webhook; starts an hour are limited beside it
DUE = leases.Claimable(
    lambda now: (
        Trigger.objects.select_related("runbook")
        .exclude(due_at=None)
        .filter(due_at__lte=now, is_active=True)
        .order_by("due_at", "pk")
    )
)


@dataclass(frozen=True, slots=True)
class TriggerFields:
    """Of an alert: `service`, and what narrows it down. Of a schedule: `every` or `cron`. Of a webhook: nothing more."""

    runbook: Runbook
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)
    run_as: str = ExecutionKind.REAL
    is_active: bool = True
    service: Service | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    title_has: str = ""
    priorities: Sequence[str] = ()
    hold_page_seconds: int = 0
    every_seconds: int | None = None
    cron: str = ""
    time_zone: str = "UTC"


class UnknownTokenError(ValueError):
    """No webhook has this token."""


class TooOftenError(ValueError):
    """It was posted to more often than a minute allows."""


def create_trigger(name: str, fields: TriggerFields, by: Actor) -> tuple[Trigger, str]:
    """With the token of a webhook, which is shown this one time; "" for others. Raises ValueError with a sentence."""
    check_name(name)
    values = _values(fields)
    token = tokens.new_link_token() if fields.kind == TriggerKind.WEBHOOK else ""
    now = clock.now()
    try:
        with transaction.atomic():
            made = Trigger(
                name=name,
                token_digest=tokens.digest(token) if token else "",
                who=str(by)[:200],
                user_id=by.user_id,
                created_at=now,
                **values,
            )
            made.due_at = _next(made, now)
            made.save(force_insert=True)
            audit.record(by, "create", "runbook trigger", name, _facts(fields))
    except IntegrityError as error:
        raise ValueError(f"there is a trigger called {name} already: give another name") from error
    return made, token


def delete_trigger(trigger: Trigger, by: Actor) -> None:
    with transaction.atomic():
        audit.record(by, "delete", "runbook trigger", trigger.name)
        trigger.delete()


def new_token(trigger: Trigger, by: Actor) -> str:
    """The old one is void from now on."""
    if trigger.kind != TriggerKind.WEBHOOK:
        raise ValueError(f"{trigger} is no webhook: it has no token")
    token = tokens.new_link_token()
    with transaction.atomic():
        Trigger.objects.filter(pk=trigger.pk).update(token_digest=tokens.digest(token))
        audit.record(by, "new token", "runbook trigger", trigger.name)
    return token


def _values(fields: TriggerFields) -> dict[str, Any]:
    if fields.kind not in TriggerKind.values:
        raise ValueError(f"kind: give {', '.join(TriggerKind.values)}")
    if fields.run_as not in ExecutionKind.values:
        raise ValueError(f"run as: give {', '.join(ExecutionKind.values)}")
    if fields.runbook.is_link:
        raise ValueError("this runbook is a link: it has no steps that could start")
    if len(fields.options) > OPTIONS_MAX or len(fields.labels) > LABELS_MAX:
        raise ValueError(f"at most {OPTIONS_MAX} options and {LABELS_MAX} labels")
    _check_alert(fields)
    _check_schedule(fields)
    return {
        "runbook": fields.runbook,
        "kind": fields.kind,
        "run_as": fields.run_as,
        "is_active": fields.is_active,
        "options": {str(name): str(value) for name, value in fields.options.items()},
        "service": fields.service,
        "labels": {str(name): str(value) for name, value in fields.labels.items()},
        "title_has": clean(fields.title_has, 200, is_one_line=True).strip(),
        "priorities": [priority for priority in PRIORITIES if priority in fields.priorities],
        "hold_page_seconds": fields.hold_page_seconds,
        "every_seconds": fields.every_seconds,
        "cron": fields.cron.strip(),
        "time_zone": fields.time_zone,
    }


def _check_alert(fields: TriggerFields) -> None:
    is_alert = fields.kind == TriggerKind.ALERT
    if is_alert and fields.service is None:
        raise ValueError("service: name the service whose alerts start it")
    if not is_alert and (fields.service or fields.labels or fields.title_has or fields.priorities):
        raise ValueError("service, labels, title and priorities are for alerts: leave them out here")
    if not 0 <= fields.hold_page_seconds <= HOLD_SECONDS_MAX or (fields.hold_page_seconds and not is_alert):
        raise ValueError(f"hold page: give 0 seconds to {HOLD_SECONDS_MAX // 60} minutes, for alerts alone")
    if unknown := set(fields.priorities) - set(PRIORITIES):
        raise ValueError(f"priorities: {', '.join(sorted(unknown))[:60]!r}: give P1 to P5")
    if fields.hold_page_seconds and set(fields.priorities) == {"P1"}:
        raise ValueError("hold page: a P1 never waits for a runbook; leave it out, and it runs beside the page")
    if fields.hold_page_seconds and fields.run_as != ExecutionKind.REAL:
        raise ValueError("hold page: only a real run can fix anything")


def _check_schedule(fields: TriggerFields) -> None:
    is_schedule = fields.kind == TriggerKind.SCHEDULE
    if not is_schedule:
        if fields.every_seconds or fields.cron:
            raise ValueError("every and cron are for schedules: leave them out here")
        return
    zone(fields.time_zone)  # raises with a sentence
    if bool(fields.every_seconds) == bool(fields.cron.strip()):
        raise ValueError("give either every or cron")
    if fields.cron.strip():
        timing.parse_cron(fields.cron)
    elif not timing.EVERY_MIN <= timedelta(seconds=fields.every_seconds or 0) <= timing.EVERY_MAX:
        raise ValueError("every: give 1 minute to 366 days")


def _facts(fields: TriggerFields) -> dict[str, Any]:
    return {"runbook": fields.runbook.name, "kind": fields.kind, "hold": fields.hold_page_seconds}


def schedule_of(trigger: Trigger) -> timing.Schedule:
    every = timedelta(seconds=trigger.every_seconds) if trigger.every_seconds else None
    return timing.Schedule(trigger.created_at, every, trigger.cron, trigger.time_zone)


def _next(trigger: Trigger, after: datetime) -> datetime | None:
    if trigger.kind != TriggerKind.SCHEDULE or not trigger.is_active:
        return None
    return timing.next_at(schedule_of(trigger), after)


# -- the clock -----------------------------------------------------------------------------------------------------------


def fire_due(*, limit: int = 20) -> int:
    """The engine: schedules whose moment has come. One that was missed is counted and not made up for."""
    found = leases.claim_due(DUE, now=clock.now(), lease=LEASE, limit=limit)
    for trigger in found:
        guarded("scheduled runbook", partial(_fire, trigger), otherwise=None)
    return len(found)


def _fire(trigger: Trigger) -> None:
    now = clock.now()
    schedule = schedule_of(trigger)
    skipped = timing.missed(schedule, trigger.due_at or now, now)
    with transaction.atomic():
        mine = Trigger.objects.filter(pk=trigger.pk, claimed_until=trigger.claimed_until)
        if not mine.update(due_at=timing.next_at(schedule, now), claimed_until=None, missed=trigger.missed + skipped):
            return
        execution, problem = _start(trigger, trigger.options, "schedule")
        _note_start(trigger, execution, problem)


def _start(trigger: Trigger, options: Mapping[str, str], via: str) -> tuple[Execution | None, str]:
    if not trigger.runbook.is_active:
        return None, f"the runbook {trigger.runbook.name} is switched off"
    try:
        with transaction.atomic():
            started = start(
                trigger.runbook,
                options,
                Actor(f"Trigger {trigger}", "engine" if via == "schedule" else "api"),
                kind=trigger.run_as,
                trigger=via,
                reference=Reference(service=trigger.runbook.service.name if trigger.runbook.service else ""),
            )
    except ValueError as error:
        return None, str(error)
    return started, ""


def _note_start(trigger: Trigger, execution: Execution | None, problem: str) -> None:
    number = execution.number if execution is not None else trigger.last_execution
    Trigger.objects.filter(pk=trigger.pk).update(
        last_at=clock.now(), last_execution=number, problem=problem[:REASON_MAX]
    )


# -- webhooks ------------------------------------------------------------------------------------------------------------


def fire_webhook(token: str, given: Mapping[str, Any]) -> Execution:
    """Whoever has the token starts it; what it says fills options by their names, and anything else is left alone.

    Raises `UnknownTokenError`, or ValueError with a sentence.
    """
    digest = tokens.digest(token)
    trigger = (
        Trigger.objects.select_related("runbook__service", "runbook__current")
        .filter(token_digest=digest, kind=TriggerKind.WEBHOOK)
        .first()
    )
    if trigger is None or not hmac.compare_digest(trigger.token_digest, digest):
        raise UnknownTokenError("no webhook has this token: look at the runbook's triggers")
    if not trigger.is_active:
        raise ValueError("this webhook is switched off")
    if trigger.last_at is not None and clock.now() - trigger.last_at < POST_GAP:
        raise TooOftenError(f"this webhook was used less than {POST_GAP.seconds} s ago: try again later")
    known = option_names(trigger.runbook)
    options = {name: _text(value) for name, value in given.items() if name in known and value is not None}
    with transaction.atomic():
        execution, problem = _start(trigger, {**trigger.options, **options}, "webhook")
        _note_start(trigger, execution, problem)
    if execution is None:
        raise ValueError(problem)
    return execution


def option_names(runbook: Runbook) -> frozenset[str]:
    if runbook.current is None:
        return frozenset()
    return frozenset(option.name for option in parse(runbook.current.body).front.options)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("options are texts, numbers or true and false: lists and objects fit none")
