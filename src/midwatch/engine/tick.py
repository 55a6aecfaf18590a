"""The engine's work, as an ordered list of guarded jobs. Read it from top to bottom: that is what happens, in that order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.guard import guarded
from midwatch.core.models import OutboxEvent
from midwatch.core.statements import Select
from midwatch.engine import digest, events, executions, hold, metrics, notices, retention, runners
from midwatch.engine.reactions import react
from midwatch.learn.actions.actions import adopt_orphans, prove_due
from midwatch.learn.actions.actions import remind_due as remind_of_items
from midwatch.learn.postmortems.actions import remind_due
from midwatch.prepare.runbooks.actions.probing import begin_rounds
from midwatch.prepare.runbooks.actions.triggers import fire_due
from midwatch.respond.alerts import queries as alert_queries
from midwatch.respond.alerts.actions import resolve_alert, wake_snoozed
from midwatch.respond.alerts.actions.problems import report_silence
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.escalation.actions import answers, run_due, start, team_channels
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.incidents.actions import ask_for_tasks, declare_by_rule, keep_promises, prompt_due
from midwatch.respond.incidents.models import DeclarationRule
from midwatch.respond.incidents.queries import alerts_that_declare
from midwatch.respond.notify.actions import advance_due_pages, pass_on_overdue
from midwatch.respond.notify.actions.claiming import OUTSTANDING
from midwatch.respond.notify.models import Delivery, Page, PageState
from midwatch.respond.notify.outlet import Outlet, sending_through
from midwatch.respond.statuspage.actions import move_maintenances

ESCALATIONS = Escalation.objects.exclude(due_at=None).order_by("due_at").values_list("due_at", flat=True)
PAGES = (
    Page.objects.filter(state=PageState.RUNNING)
    .exclude(due_at=None)
    .order_by("due_at")
    .values_list("due_at", flat=True)
)
REACTIONS = (
    OutboxEvent.objects.filter(done_at=None, quarantined_at=None).order_by("due_at").values_list("due_at", flat=True)
)
NEXT_ESCALATION = Select(lambda: ESCALATIONS[:1])
NEXT_PAGE = Select(lambda: PAGES[:1])
NEXT_DELIVERY = Select(
    lambda: (
        Delivery.objects.filter(state__in=OUTSTANDING, passed_on_at=None)
        .order_by("wanted_at")
        .values_list("wanted_at", flat=True)[:1]
    )
)
NEXT_REACTION = Select(lambda: REACTIONS[:1])
ESCALATIONS_DUE = Select(lambda now: ESCALATIONS.filter(due_at__lte=now)[:1])
PAGES_DUE = Select(lambda now: PAGES.filter(due_at__lte=now)[:1])


def paging() -> dict[str, int] | None:
    """What may be paged, as a filter: everything; during a hold the one alert that tells of it, or nothing (None)."""
    held = hold.gate()
    if held is None:
        return {}
    return {"alert_id": held.alert_id} if held.alert_id is not None else None


def escalate() -> int:
    only = paging()
    if only is None or not ESCALATIONS_DUE(clock.now()):
        return 0
    return run_due(**only)


def call_people() -> int:
    only = paging()
    if only is None or not PAGES_DUE(clock.now()):
        return 0
    return advance_due_pages(**only)


def pass_on() -> int:
    only = paging()
    return 0 if only is None else pass_on_overdue(**only)


def tell_of_shifts() -> int:
    return 0 if hold.gate() is not None else notices.send_shift_notices()


def tell_of_gaps() -> int:
    return 0 if hold.gate() is not None else notices.send_gap_warnings()


def end_snoozes() -> int:
    over = alert_queries.snoozed_and_over(clock.now())
    return sum(guarded("end of a snooze", partial(_end_snooze, alert), otherwise=0) for alert in over)


def _end_snooze(alert: Alert) -> int:
    with transaction.atomic():
        if not wake_snoozed(alert):
            return 0
        answers.on_unacknowledged(alert.pk)
    return 1


def expire_alerts() -> int:
    """Alerts of sources that fell silent for as long as they said means resolved."""
    by = Actor("The silence of its source", "engine")
    expired = alert_queries.expired(clock.now())
    return sum(guarded("expiry", partial(_expire, alert, by), otherwise=0) for alert in expired)


def _expire(alert: Alert, by: Actor) -> int:
    return int(resolve_alert(alert, by).is_changed)


def listen_for_silence() -> int:
    silent = alert_queries.silent_sources(clock.now())
    return sum(guarded("silence of a source", partial(_tell_of_silence, source), otherwise=0) for source in silent)


def _tell_of_silence(source: Source) -> int:
    with transaction.atomic():
        start(report_silence(source).opened)
    return 1


def remind_of_postmortems() -> int:
    return 0 if hold.gate() is not None else remind_due()


def start_scheduled() -> int:
    return 0 if hold.gate() is not None else fire_due()


def look_at_runbooks() -> int:
    return 0 if hold.gate() is not None else begin_rounds()


DECLARATION_RULES = Select(
    lambda: DeclarationRule.objects.select_related("service", "team", "type").filter(is_active=True).order_by("name")
)


def declare_incidents() -> int:
    """Alerts that a rule names declare an incident, or join the one of their service."""
    by = Actor("A declaration rule", "engine")
    rules = DECLARATION_RULES()
    return sum(
        guarded("declaration rule", partial(_declare, rule, alert, by), otherwise=0)
        for rule in rules
        for alert in alerts_that_declare(rule)
    )


def _declare(rule: DeclarationRule, alert: Alert, by: Actor) -> int:
    declare_by_rule(rule, alert, by)
    return 1


@dataclass(frozen=True, slots=True)
class Job:
    """`work` returns how much it did; the list is run again at once while any job did something."""

    name: str
    work: Callable[[], int]
    every: timedelta = timedelta(0)  # 0: at each tick


JOBS: tuple[Job, ...] = (
    Job("events", events.drain),
    Job("reactions", react),
    Job("escalations", escalate),
    Job("pages", call_people),
    Job("overdue deliveries", pass_on, timedelta(seconds=1)),
    Job("declaration rules", declare_incidents, timedelta(seconds=1)),
    Job("promised updates", keep_promises, timedelta(seconds=1)),
    Job("incident prompts", prompt_due, timedelta(seconds=1)),
    Job("time boxes", ask_for_tasks, timedelta(seconds=1)),
    Job("reminders of action items", remind_of_items, timedelta(seconds=5)),
    Job("items without their owner", adopt_orphans, timedelta(minutes=1)),
    Job("weekly digest", digest.send_due, timedelta(minutes=10)),
    Job("proofs of action items", prove_due, timedelta(seconds=5)),
    Job("team channels", team_channels.watch_channels, timedelta(seconds=1)),
    Job("executions", executions.move, timedelta(seconds=0.5)),
    Job("snoozes", end_snoozes, timedelta(seconds=1)),
    Job("expired alerts", expire_alerts, timedelta(seconds=5)),
    Job("silent sources", listen_for_silence, timedelta(seconds=1)),
    Job("maintenance of status pages", move_maintenances, timedelta(seconds=1)),
    Job("forgotten hold", hold.remind, timedelta(seconds=5)),
    Job("shift messages", tell_of_shifts, timedelta(seconds=30)),
    Job("shifts in team channels", team_channels.watch_shifts, timedelta(seconds=30)),
    Job("post-mortem reminders", remind_of_postmortems, timedelta(minutes=1)),
    Job("gap warnings", tell_of_gaps, timedelta(minutes=10)),
    Job("scheduled runbooks", start_scheduled, timedelta(seconds=1)),
    Job("references of runbooks", look_at_runbooks, timedelta(minutes=1)),
    Job("runners", runners.count, timedelta(seconds=10)),
    Job("retention", retention.forget, timedelta(seconds=1)),
)


@dataclass(slots=True)
class Ticker:
    """Runs the jobs. What they write leaves by `outlet` with its commit, without waiting for the rest."""

    outlet: Outlet | None = None
    last_run: dict[str, datetime] = field(default_factory=dict)

    def tick(self) -> int:
        """Each job once, if its time has come. Returns how much was done."""
        done = 0
        for job in JOBS:
            now = clock.now()
            last = self.last_run.get(job.name)
            if job.every and last is not None and timedelta(0) <= now - last < job.every:
                continue
            self.last_run[job.name] = now
            started = clock.monotonic()
            outlet = self.outlet if guarded("hold", paging, otherwise=None) == {} else None
            with sending_through(outlet):
                count = guarded(job.name, job.work, otherwise=0)
            if self.outlet is not None:
                self.outlet.settle()
            metrics.JOB_SECONDS.labels(job.name).observe(clock.monotonic() - started)
            done += count
        metrics.TICKS.inc()
        return done


def next_due_at() -> datetime | None:
    """When the engine has something to do next, if nothing new happens."""
    moments = (*NEXT_ESCALATION(), *NEXT_PAGE(), *NEXT_REACTION())
    return min((moment for moment in moments if moment is not None), default=None)


def lateness(now: datetime) -> dict[str, float]:
    """How late the latest of each kind of work is, in seconds: indexed look-ups, however much there is."""
    earliest: dict[str, Sequence[datetime | None]] = {
        "escalations": NEXT_ESCALATION(),
        "pages": NEXT_PAGE(),
        "deliveries": NEXT_DELIVERY(),
        "reactions": NEXT_REACTION(),
    }
    return {
        kind: max((max(0.0, (now - at).total_seconds()) for at in found if at is not None), default=0.0)
        for kind, found in earliest.items()
    }
