"""What must hold of the live data, whatever crashed: each promise of the paging core as one bounded query.

`midwatch doctor --deep` asks it of an installation, the simulation after every step. A question looks at open alerts,
at what is outstanding, and at the newest rows of what only grows, so its cost follows what is going on now and not how
much ever happened. An act whose reaction has not run yet is under way and breaks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    Max,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat

from midwatch.core.models import AuditEntry, OutboxEvent
from midwatch.engine import hold
from midwatch.engine.models import Node
from midwatch.engine.reactions import LEASE as REACTION_LEASE
from midwatch.intake import log
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus, NumberCounter, Source, TimelineEntry
from midwatch.respond.escalation.actions.running import ESCALATION_LEASE
from midwatch.respond.escalation.models import Escalation, EscalationState
from midwatch.respond.notify.actions.claiming import DELIVERY_LEASE, OUTSTANDING
from midwatch.respond.notify.actions.pages import PAGE_LEASE
from midwatch.respond.notify.models import Delivery, DeliveryKind, DeliveryState, Page, PageState
from midwatch.respond.notify.plan import FAILED_AFTER

TICK = timedelta(seconds=2)  # a job runs each second at the latest, and takes its time
ALIVE = timedelta(seconds=10)  # a node that ticked within is at work
EXPIRY_EVERY = timedelta(seconds=5)
LEASE_MAX = timedelta(minutes=1)  # none of ours is longer: a row claimed beyond it would never be worked on
RECENT_TIMELINE = 100_000  # newest rows of what only grows
RECENT_DELIVERIES = 100_000
RECENT_RESOLVED = 20_000
PENDING_MAX = 100_000
LEADING = (EscalationState.PAGING, EscalationState.EXHAUSTED, EscalationState.HELD)
SAYS_FIRING = ("opened", "unacknowledged", "snooze_ended")
SAYS_ACKNOWLEDGED = ("acknowledged", "snoozed", "still_firing")
SAYS_RESOLVED = ("resolved",)
AGAIN = "(sent again"  # how the timeline marks a message that may have gone out twice


@dataclass(frozen=True, slots=True)
class Violation:
    """`name`: stable, "escalation.missing". `sentence`: what is so. `remedy`: what to do. `rows`: those concerned, the
    first of them; `is_more`: there are others."""

    name: str
    sentence: str
    remedy: str
    rows: tuple[str, ...]
    is_more: bool = False


class Pending:
    """What reactions will see to that have not run yet: the engine is at it, or is late with it, which is asked apart."""

    @cached_property
    def _payloads(self) -> list[dict[str, int]]:
        waiting = OutboxEvent.objects.filter(done_at=None, quarantined_at=None).order_by("due_at", "id")
        return list(waiting.values_list("payload", flat=True)[:PENDING_MAX])

    @cached_property
    def alerts(self) -> set[int]:
        return {payload["alert"] for payload in self._payloads if "alert" in payload}

    @cached_property
    def services(self) -> set[int]:
        return {payload["service"] for payload in self._payloads if "service" in payload}


@dataclass(slots=True)
class Look:
    """One look at the data: its moment, and what several questions need."""

    now: datetime
    limit: int
    is_engine_alive: bool
    is_held: bool = False  # during a hold nobody is paged, and what waits for it is not late
    pending: Pending = field(default_factory=Pending)


Question = Callable[[Look], Violation | None]
M = TypeVar("M", bound=Model)


def look_at(*, now: datetime, limit: int = 20, is_engine_alive: bool | None = None) -> Look:
    """`is_engine_alive`: whether lateness is to be judged; left out, whether a node ticked in the last ten seconds."""
    if is_engine_alive is None:
        is_engine_alive = Node.objects.filter(ticked_at__gt=now - ALIVE, stopped_at=None).exists()
    return Look(now, limit, is_engine_alive, is_held=hold.gate() is not None)


def violations(*, now: datetime, limit: int = 20, is_engine_alive: bool | None = None) -> list[Violation]:
    """Every promise that does not hold, each with up to `limit` rows. An empty list: all is well. See `look_at`."""
    look = look_at(now=now, limit=limit, is_engine_alive=is_engine_alive)
    return [found for ask in QUESTIONS if (found := ask(look)) is not None]


def _found(look: Look, name: str, sentence: str, remedy: str, rows: Iterable[str]) -> Violation | None:
    shown: list[str] = []
    for row in rows:
        if len(shown) == look.limit:
            return Violation(name, sentence, remedy, tuple(shown), is_more=True)
        shown.append(row)
    return Violation(name, sentence, remedy, tuple(shown)) if shown else None


def _rows(look: Look, found: QuerySet[M]) -> list[M]:
    return list(found[: look.limit + 1])


REPORT = "report it with the log and `midwatch doctor --deep --json`"
PAGE_AGAIN = f"{REPORT}; escalate these alerts by hand meanwhile, so that somebody is called"


# -- every unanswered alert is being escalated, or says why not ----------------------------------------------------------


def every_open_alert_is_escalated(look: Look) -> Violation | None:
    bare = Alert.objects.filter(status__in=OPEN, is_test=False).filter(
        ~Exists(Escalation.objects.filter(alert=OuterRef("pk")))
    )
    text = "open alerts have no escalation, so nobody will ever be called for them"
    return _found(look, "escalation.missing", text, PAGE_AGAIN, map(str, _rows(look, bare.order_by("pk"))))


def unanswered_ones_go_on(look: Look) -> Violation | None:
    """A due time, or a reason for none: joined to a page that goes on, or every round ran."""
    standing = (
        Q(state__in=[EscalationState.ENDED, EscalationState.ACKNOWLEDGED, EscalationState.SNOOZED])
        | Q(state__in=[EscalationState.PAGING, EscalationState.HELD], due_at=None)
        | Q(state=EscalationState.EXHAUSTED, why="")
        | (Q(state=EscalationState.JOINED) & (Q(leader=None) | ~Q(leader__state__in=LEADING)))
        | (Q(state=EscalationState.JOINED) & ~Q(leader__alert__status=AlertStatus.FIRING))
    )
    found = (
        Escalation.objects.filter(alert__status=AlertStatus.FIRING, alert__is_test=False)
        .filter(standing)
        .select_related("alert", "leader")
        .order_by("pk")
    )
    rows = (f"{one.alert} ({one.state})" for one in found.iterator(chunk_size=500) if not _is_under_way(one, look))
    text = "nobody has these alerts, and their escalation stands still without a reason"
    return _found(look, "escalation.still", text, PAGE_AGAIN, rows)


def _is_under_way(escalation: Escalation, look: Look) -> bool:
    """Its own state, or its leader's, is about to be seen to."""
    if escalation.alert_id in look.pending.alerts or escalation.alert.service_id in look.pending.services:
        return True
    return escalation.leader is not None and escalation.leader.alert_id in look.pending.alerts


# -- nothing is late while a node lives ----------------------------------------------------------------------------------


def _late(look: Look, name: str, what: str, lease: timedelta, found: QuerySet[Model], at: str) -> Violation | None:
    """`at`: the column that says when it was due."""
    if not look.is_engine_alive:
        return None  # the doctor says so, and everything would be late
    grace = lease + TICK
    late = found.filter(**{f"{at}__lt": look.now - grace}).order_by(at)
    rows = (f"{_name(one)} by {(look.now - getattr(one, at)).total_seconds():.0f} s" for one in _rows(look, late))
    text = f"{what} are late by more than {grace.total_seconds():.0f} s though an engine runs"
    remedy = "is the engine overloaded or the database slow? midwatch_job_seconds shows which job; " + REPORT
    return _found(look, name, text, remedy, rows)


def _name(row: Model) -> str:
    match row:
        case Alert():
            return str(row)
        case Escalation():
            return f"escalation {row.pk} of {row.alert}"
        case Source():
            return f"source {row.name}"
        case OutboxEvent():
            return f"{row.name} {row.follower} {row.pk}".replace("  ", " ")
    return f"{type(row).__name__.lower()} {row.pk}"


def no_step_is_late(look: Look) -> Violation | None:
    if look.is_held:
        return None
    due = Escalation.objects.exclude(due_at=None).select_related("alert")
    return _late(look, "late.escalations", "steps", ESCALATION_LEASE, due, "due_at")


def no_rule_is_late(look: Look) -> Violation | None:
    if look.is_held:
        return None
    due = Page.objects.filter(state=PageState.RUNNING).exclude(due_at=None)
    return _late(look, "late.pages", "people's notification rules", PAGE_LEASE, due, "due_at")


def no_delivery_waits_in_vain(look: Look) -> Violation | None:
    """A page not handed over within 60 s has passed on to the next method."""
    if look.is_held:
        return None
    waiting = Delivery.objects.filter(
        state__in=OUTSTANDING, passed_on_at=None, kind__in=[DeliveryKind.PAGE, DeliveryKind.BUNDLE]
    )
    return _late(look, "late.deliveries", "pages neither handed over nor passed on", FAILED_AFTER, waiting, "wanted_at")


def no_reaction_is_late(look: Look) -> Violation | None:
    due = OutboxEvent.objects.filter(done_at=None, quarantined_at=None)
    return _late(look, "late.reactions", "reactions", REACTION_LEASE, due, "due_at")


def no_snooze_is_late(look: Look) -> Violation | None:
    snoozed = Alert.objects.filter(status=AlertStatus.ACKNOWLEDGED).exclude(snoozed_until=None)
    return _late(look, "late.snoozes", "ends of snoozes", ESCALATION_LEASE, snoozed, "snoozed_until")


def no_expiry_is_late(look: Look) -> Violation | None:
    expiring = Alert.objects.filter(status__in=OPEN).exclude(expires_at=None)
    return _late(look, "late.expiries", "resolves of silent sources", EXPIRY_EVERY, expiring, "expires_at")


def no_silence_is_late(look: Look) -> Violation | None:
    expected = Source.objects.filter(is_active=True).exclude(expected_at=None)
    return _late(look, "late.silences", "silences of sources", timedelta(0), expected, "expected_at")


def every_event_is_read(look: Look) -> Violation | None:
    """An accepted event becomes an alert, is counted or is visibly refused: it waits for none of these for long."""
    waits_since = log.event_log().waits_since() if look.is_engine_alive else None
    if waits_since is None or look.now - waits_since <= ESCALATION_LEASE + TICK:
        return None
    waited = (look.now - waits_since).total_seconds()
    text = f"accepted events have waited for {waited:.0f} s to become alerts though an engine runs"
    remedy = "midwatch_intake_backlog shows whether it shrinks; the engine's log says why not: `job failed: events`"
    return Violation("late.events", text, remedy, (f"the oldest came at {waits_since:%Y-%m-%d %H:%M:%S} UTC",))


# -- each step reaches its people, or the failure is on the timeline -------------------------------------------------------


def every_step_called_somebody(look: Look) -> Violation | None:
    """The step that went out last: there are its pages, of this very round, or the timeline says that there was nobody."""
    origin = Concat(
        Cast("pk", CharField()),
        Value("/"),
        Cast("round", CharField()),
        Value("/"),
        Cast(F("next_step") - 1, CharField()),
    )
    silent = (
        Escalation.objects.filter(
            state=EscalationState.PAGING, next_step__gt=0, alert__status=AlertStatus.FIRING, alert__is_test=False
        )
        .exclude(sent_at=None)
        .annotate(origin=origin)
        .filter(~Exists(Page.objects.filter(origin=OuterRef("origin"), started_at__gte=OuterRef("round_started_at"))))
        .filter(~Exists(TimelineEntry.objects.filter(alert=OuterRef("alert"), kind="nobody")))
        .select_related("alert")
        .order_by("pk")
    )
    rows = (
        f"{one.alert} round {one.round} step {one.next_step}"
        for one in silent.iterator(chunk_size=500)
        if not _is_under_way(one, look)
    )
    text = "a step went out that called nobody, and the timeline does not say why"
    return _found(look, "step.silent", text, PAGE_AGAIN, rows)


def every_person_is_being_called(look: Look) -> Violation | None:
    """A running page has a message under way, a next rule, a hand-over or its failure written down."""
    under_way = Delivery.objects.filter(page=OuterRef("pk")).filter(
        Q(state__in=OUTSTANDING) | Q(state=DeliveryState.BUNDLED, bundle__state__in=OUTSTANDING)
    )
    stuck = Page.objects.filter(
        state=PageState.RUNNING, due_at=None, handed_over_at=None, failed_at=None, alert__status=AlertStatus.FIRING
    ).filter(~Exists(under_way))
    ended = Page.objects.filter(
        state=PageState.RUNNING,
        due_at=None,
        failed_at=None,
        urgency="high",
        note="",
        alert__status=AlertStatus.FIRING,
        user__is_active=True,
        user__repeat_after_seconds__gt=0,
    ).exclude(handed_over_at=None)
    found = [*_rows(look, stuck.select_related("user", "alert").order_by("pk"))]
    found += _rows(look, ended.select_related("user", "alert").order_by("pk"))
    rows = (f"{page.user.name} for {page.alert}" for page in found if page.alert_id not in look.pending.alerts)
    text = "people are being called, but no message is under way and none will follow"
    return _found(look, "page.stuck", text, PAGE_AGAIN, rows)


def every_failure_is_told(look: Look) -> Violation | None:
    told = TimelineEntry.objects.filter(alert=OuterRef("alert"), kind="unreachable")
    failed = Page.objects.filter(state=PageState.RUNNING, alert__status=AlertStatus.FIRING).exclude(failed_at=None)
    silent = _rows(look, failed.filter(~Exists(told)).select_related("user", "alert").order_by("pk"))
    text = "somebody could not be reached, and the timeline does not say so"
    return _found(look, "page.failed_silently", text, REPORT, (f"{p.user.name} for {p.alert}" for p in silent))


def every_message_belongs_to_a_page(look: Look) -> Violation | None:
    lost = Delivery.objects.filter(state__in=OUTSTANDING, kind=DeliveryKind.PAGE).filter(Q(page=None) | Q(alert=None))
    text = "messages are to call somebody, but the page or alert they belong to is gone: they will be dropped"
    rows = (f"delivery {one.pk}" for one in _rows(look, lost.order_by("pk")))
    return _found(look, "delivery.orphan", text, REPORT, rows)


# -- nothing goes out twice unmarked, and nothing after an answer ----------------------------------------------------------


def no_message_left_twice(look: Look) -> Violation | None:
    """Twice is what a crash between send and receipt costs; then the timeline says "sent again"."""
    newest = TimelineEntry.objects.aggregate(pk=Max("pk"))["pk"] or 0
    twice = (
        TimelineEntry.objects.filter(pk__gt=newest - RECENT_TIMELINE, kind="delivery")
        .exclude(text__contains=AGAIN)
        .exclude(detail__delivery=None)
        .order_by()
        .values("alert__number", "detail__delivery")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    rows = (f"delivery {row['detail__delivery']} of #{row['alert__number']}" for row in twice[: look.limit + 1])
    text = "messages were handed over twice, and the timeline does not say that they were sent again"
    return _found(look, "delivery.doubled", text, REPORT, rows)


def nothing_left_after_an_answer(look: Look) -> Violation | None:
    """Bar what was in flight when somebody answered, and steps that go out until the resolve (they carry a note)."""
    newest = Delivery.objects.aggregate(pk=Max("pk"))["pk"] or 0
    in_flight = DELIVERY_LEASE + TICK
    late = (
        Delivery.objects.filter(
            pk__gt=newest - RECENT_DELIVERIES, kind=DeliveryKind.PAGE, state=DeliveryState.HANDED_OVER, page__note=""
        )
        .filter(
            Q(alert__status=AlertStatus.ACKNOWLEDGED, handed_over_at__gt=F("alert__acknowledged_at") + in_flight)
            | Q(alert__status=AlertStatus.RESOLVED, handed_over_at__gt=F("alert__resolved_at") + in_flight)
        )
        .select_related("alert", "user")
        .order_by("pk")
    )
    text = "pages left after the alert was answered"
    remedy = "was a node paused or cut off while it sent, or the clock set back? Its log says so; otherwise " + REPORT
    rows = (f"delivery {one.pk} to {one.user.name} for {one.alert}" for one in _rows(look, late))
    return _found(look, "page.after_answer", text, remedy, rows)


# -- the books agree -----------------------------------------------------------------------------------------------------


def the_timeline_agrees(look: Look) -> Violation | None:
    """The last entry that says how an alert stands says what the alert says."""
    standing = TimelineEntry.objects.filter(
        alert=OuterRef("pk"), kind__in=[*SAYS_FIRING, *SAYS_ACKNOWLEDGED, *SAYS_RESOLVED]
    )
    newest = Alert.objects.aggregate(pk=Max("pk"))["pk"] or 0
    said = (
        Alert.objects.filter(Q(status__in=OPEN) | Q(pk__gt=newest - RECENT_RESOLVED))
        .annotate(said=Subquery(standing.order_by("-id").values("kind")[:1]))
        .annotate(
            is_said=Case(
                When(status=AlertStatus.FIRING, said__in=SAYS_FIRING, then=True),
                When(status=AlertStatus.ACKNOWLEDGED, said__in=SAYS_ACKNOWLEDGED, then=True),
                When(status=AlertStatus.RESOLVED, said__in=SAYS_RESOLVED, then=True),
                default=False,
                output_field=BooleanField(),
            )
        )
        .filter(is_said=False)
        .order_by("pk")
    )
    rows = (f"{one} is {one.status}, its timeline says {one.said or 'nothing'}" for one in _rows(look, said))  # type: ignore[attr-defined]
    text = "alerts stand otherwise than their timeline says"
    return _found(look, "timeline.disagrees", text, REPORT, rows)


def the_audit_knows_who(look: Look) -> Violation | None:
    named = AuditEntry.objects.filter(object_kind="alert", object_name=OuterRef("name"))
    unknown = (
        Alert.objects.filter(status=AlertStatus.ACKNOWLEDGED, is_test=False)
        .exclude(acknowledged_by=None)
        .annotate(name=Concat(Value("#"), Cast("number", CharField())))
        .filter(~Exists(named))
        .order_by("pk")
    )
    text = "people have these alerts, and the audit log knows of nothing they did"
    return _found(look, "audit.silent", text, REPORT, map(str, _rows(look, unknown)))


def numbers_are_given(look: Look) -> Violation | None:
    """Every alert has a number and no test has; the next number is free."""
    wrong = Alert.objects.filter(Q(number=None, is_test=False) | Q(is_test=True, number__isnull=False))
    rows = [f"alert {pk}" for pk in wrong.order_by("pk").values_list("pk", flat=True)[: look.limit + 1]]
    highest = Alert.objects.aggregate(number=Max("number"))["number"] or 0
    given = NumberCounter.objects.filter(pk=1).values_list("last", flat=True).first() or 0
    if given < highest:
        rows.insert(0, f"the counter stands at {given}, alert #{highest} exists: the next alert cannot be made")
    text = "alerts are numbered wrongly"
    return _found(look, "numbers", text, f"{REPORT}; never write to the database by hand", rows)


def no_lease_is_far(look: Look) -> Violation | None:
    """A claim that runs longer than any of ours holds its row for good: a clock jumped back, or a bug."""
    until = look.now + LEASE_MAX
    held: list[QuerySet[Model]] = [
        Escalation.objects.filter(claimed_until__gt=until).exclude(due_at=None).select_related("alert"),
        Page.objects.filter(claimed_until__gt=until, state=PageState.RUNNING).exclude(due_at=None),
        Delivery.objects.filter(claimed_until__gt=until, state__in=OUTSTANDING),
        OutboxEvent.objects.filter(claimed_until__gt=until, done_at=None, quarantined_at=None),
    ]
    rows = [_name(one) for found in held for one in _rows(look, found.order_by("pk"))]
    text = "work is claimed until far in the future, so nobody does it"
    remedy = "did a clock jump? Set it right; the rows are worked on when their claim runs out. Otherwise " + REPORT
    return _found(look, "lease.far", text, remedy, rows)


def every_reaction_ran(look: Look) -> Violation | None:
    aside = OutboxEvent.objects.exclude(quarantined_at=None).filter(done_at=None).order_by("pk")
    rows = (f"{_name(one)}: {one.problem[:100]}" for one in _rows(look, aside))
    text = "what follows from something that happened kept failing and was put aside"
    return _found(look, "outbox.quarantined", text, REPORT, rows)


QUESTIONS: tuple[Question, ...] = (
    every_open_alert_is_escalated,
    unanswered_ones_go_on,
    no_step_is_late,
    no_rule_is_late,
    no_delivery_waits_in_vain,
    no_reaction_is_late,
    no_snooze_is_late,
    no_expiry_is_late,
    no_silence_is_late,
    every_event_is_read,
    every_step_called_somebody,
    every_person_is_being_called,
    every_failure_is_told,
    every_message_belongs_to_a_page,
    no_message_left_twice,
    nothing_left_after_an_answer,
    the_timeline_agrees,
    the_audit_knows_who,
    numbers_are_given,
    no_lease_is_far,
    every_reaction_ran,
)
