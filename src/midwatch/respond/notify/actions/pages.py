"""Calling people: a page runs a person's rules until somebody answers. Everything here works on many pages at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, models, transaction
from django.db.models import Q

from midwatch.core import clock, leases, outbox
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.guard import guarded
from midwatch.core.rows import insert_rows, update_columns
from midwatch.core.statements import Select, Update, fetch
from midwatch.core.zones import zone
from midwatch.people.models import ContactMethod, User
from midwatch.respond.alerts.actions.timeline import entry, note_many
from midwatch.respond.alerts.models import Alert, AlertStatus, TimelineEntry
from midwatch.respond.notify import plan
from midwatch.respond.notify.actions.claiming import write_new
from midwatch.respond.notify.models import Delivery, DeliveryKind, DeliveryState, Page, PageState
from midwatch.respond.notify.outlet import wake_senders
from midwatch.respond.notify.queries import CallPlan, call_plans, rings
from midwatch.respond.notify.tokens import digest_of, token_of

PAGE_LEASE = timedelta(seconds=5)
BATCH = 200
FAILED_PAUSE = timedelta(minutes=1)
KNOWN = Select(lambda origins: Page.objects.filter(origin__in=origins).values_list("origin", "user_id"))
RUNNING = Select(
    lambda alerts: Page.objects.filter(alert_id__in=alerts, state=PageState.RUNNING).values_list(
        "pk", "alert_id", "user_id"
    )
)
DUE = Select(lambda now: _due(now)[:BATCH])
REACHED = Update(
    lambda ids, now: (
        Page.objects.filter(pk__in=ids, handed_over_at=None),
        {"handed_over_at": now, "failed_at": None},
    )
)
CALLING = Select(
    lambda alerts: Page.objects.filter(alert_id__in=alerts, state=PageState.RUNNING).select_related("user")
)
STOP = Update(
    lambda pages, state, now: (Page.objects.filter(pk__in=pages), {"state": state, "ended_at": now, "due_at": None})
)
CANCEL = Update(
    lambda pages, now: (
        Delivery.objects.filter(page__in=pages, state=DeliveryState.WAITING, kind=DeliveryKind.PAGE),
        {"state": DeliveryState.CANCELLED, "finished_at": now, "receipt_detail": "answered before it left"},
    )
)
RANKS = {"P1": 1, "P2": 2, "P3": 3, "P4": 4, "P5": 5}
RANK_OTHER = 6  # updates and the like never go before a page


@dataclass(frozen=True, slots=True)
class NewPage:
    """Call this person for this alert. `origin` makes it unique with the person; `wanted_at`: when it was due."""

    alert: Alert
    user: User
    origin: str
    step_name: str
    wanted_at: datetime
    note: str = ""  # "Bo has #1042", for steps that go out after an acknowledgement
    context: Mapping[str, Any] = field(default_factory=dict)


def start_pages(wanted: Sequence[NewPage]) -> list[Page]:
    """Start calling. In the caller's transaction. A person who is being called for the same alert starts anew.

    A page comes back with `failed_at` set when its person has no method that is enough for the urgency; whatever
    methods there are get the message all the same.
    """
    if not wanted:
        return []
    now = clock.now()
    known = set(KNOWN({one.origin for one in wanted}))
    wanted = [one for one in wanted if (one.origin, one.user.pk) not in known]
    plans = call_plans(((one.user.pk, one.alert.urgency) for one in wanted), users=[one.user for one in wanted])
    pages: list[Page] = []
    for one in wanted:
        enough = plans[one.user.pk, one.alert.urgency].is_enough(one.alert.urgency)
        pages.append(
            Page(
                alert=one.alert,
                user=one.user,
                origin=one.origin,
                step_name=one.step_name[:100],
                urgency=one.alert.urgency,
                started_at=now,
                cycle_started_at=now,
                due_at=now,
                failed_at=None if enough else now,
                note=one.note[:300],
                context={**one.context, "step": one.step_name, "wanted_at": one.wanted_at.isoformat()},
            )
        )
    _supersede(pages, now)
    deliveries = _planned(pages, plans, now)
    insert_rows(pages)
    write_new(deliveries, now)  # a new page's messages are new
    note_many(_start_notes(pages, now))
    return pages


def _supersede(pages: Sequence[Page], now: datetime) -> None:
    alert_ids = {page.alert_id for page in pages}
    pairs = {(page.alert_id, page.user_id) for page in pages}
    old = [pk for pk, alert_id, user_id in RUNNING(alert_ids) if (alert_id, user_id) in pairs]
    if old:
        Page.objects.filter(pk__in=old).update(state=PageState.SUPERSEDED, ended_at=now, due_at=None)


def _start_notes(pages: Sequence[Page], now: datetime) -> list[TimelineEntry]:
    by_step: dict[tuple[int, str], list[Page]] = defaultdict(list)
    for page in pages:
        by_step[page.alert_id, page.step_name].append(page)
    notes = []
    for (alert_id, step), group in by_step.items():
        names = ", ".join(str(page.user) for page in group)
        notes.append(
            entry(
                alert_id,
                "paged",
                f"{step or 'Page'}: paging {names}",
                ENGINE,
                at=now,
                users=[p.user.name for p in group],
            )
        )
        for page in group:
            if page.failed_at is not None:
                notes.append(
                    entry(
                        alert_id,
                        "unreachable",
                        f"{page.user} has no usable method for {page.urgency} urgency",
                        ENGINE,
                        at=now,
                    )
                )
    return notes


def _advance(
    pages: Sequence[Page],
    plans: Mapping[tuple[int, str], CallPlan],
    now: datetime,
    pulled: frozenset[int] = frozenset(),
) -> None:
    """Write the messages that are due and when the next ones are. `pulled`: pages whose last method failed."""
    deliveries = _planned(pages, plans, now, pulled)
    _take_the_place_of_waiting(deliveries, now)
    _write_deliveries(deliveries)
    update_columns(pages, ["next_rule", "cycle", "cycle_started_at", "due_at"])


def _write_deliveries(deliveries: Sequence[Delivery]) -> None:
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)  # the same decision twice writes once
    if deliveries:
        wake_senders({delivery.channel for delivery in deliveries})


def _planned(
    pages: Sequence[Page],
    plans: Mapping[tuple[int, str], CallPlan],
    now: datetime,
    pulled: frozenset[int] = frozenset(),
) -> list[Delivery]:
    """The messages that are due, unsaved; the pages know when their next ones are, unsaved too."""
    deliveries: list[Delivery] = []
    steps: dict[tuple[object, ...], plan.Next] = {}  # those of one person who are at one point have one plan
    for page in pages:
        call_plan = plans.get((page.user_id, page.urgency))
        if call_plan is None:
            page.due_at = None
            continue
        was_due_at = now if page.pk in pulled or page.due_at is None else min(page.due_at, now)
        is_repeating, is_pulled = page.urgency == "high" and not page.note, page.pk in pulled
        at = (page.user_id, page.urgency, page.next_rule, page.cycle, page.cycle_started_at, is_repeating, is_pulled)
        step = steps.get(at)
        if step is None:
            step = steps[at] = plan.advance(
                call_plan.rules,
                next_rule=page.next_rule,
                cycle=page.cycle,
                cycle_started_at=page.cycle_started_at,
                now=now,
                repeat_after=call_plan.repeat_after,
                is_repeating=is_repeating,
                zone=zone(call_plan.user.time_zone),
                is_pulled=is_pulled,
            )
        page.next_rule, page.cycle, page.cycle_started_at, page.due_at = (
            step.next_rule,
            step.cycle,
            step.cycle_started_at,
            step.due_at,
        )
        deliveries += [
            _delivery(page, call, step.cycle, call_plan.contacts[call.contact_id], now, was_due_at)
            for call in step.calls
        ]
    return deliveries


def _take_the_place_of_waiting(deliveries: Sequence[Delivery], now: datetime) -> None:
    """What a method could not take in the cycle before need not be said twice: the new message is as late as the old."""
    again = {(d.page_id, d.contact_id): d for d in deliveries if d.page is not None and d.page.cycle}
    if not again:
        return
    waiting = Delivery.objects.filter(
        page_id__in={page_id for page_id, _ in again}, state=DeliveryState.WAITING, kind=DeliveryKind.PAGE
    ).order_by("id")
    old = [one for one in waiting if (one.page_id, one.contact_id) in again]
    for one in reversed(old):
        again[one.page_id, one.contact_id].context["wanted_at"] = one.context.get("wanted_at")
    Delivery.objects.filter(pk__in=[one.pk for one in old], state=DeliveryState.WAITING).update(
        state=DeliveryState.CANCELLED, finished_at=now, receipt_detail="another try took its place"
    )


def _delivery(
    page: Page, call: plan.Call, cycle: int, contact: ContactMethod, now: datetime, was_due_at: datetime
) -> Delivery:
    """`was_due_at`: what the words measure lateness by, when a delay of our own came between."""
    key = f"{page.origin}/{page.user_id}/{call.rule}/{cycle}"
    wanted_at = max(call.not_before, now)
    context = dict(page.context)
    if cycle or call.rule or call.not_before > now:
        late_from = wanted_at if call.not_before > now else was_due_at
        context["wanted_at"] = late_from.isoformat()  # the step's own lateness belongs to its first message
    return Delivery(
        idempotency_key=key,
        kind=DeliveryKind.PAGE,
        user=page.user,
        contact=contact,
        channel=contact.type,
        method_name=contact.name,
        page=page,
        alert=page.alert,
        urgency=page.urgency,
        rank=RANKS.get(page.alert.priority, 3),
        context={**context, "who": page.note},
        created_at=now,
        due_at=wanted_at,
        wanted_at=wanted_at,
        token_digest=digest_of(token_of(key)),
    )


def advance_due_pages(*, limit: int = BATCH, **narrow: int) -> int:
    """The engine: rules whose time has come, in one short transaction; one by one when that fails.

    `narrow`: only these, as a filter (`alert_id=5`). Returns how many pages moved.
    """
    failures: list[Exception] = []
    done = guarded(
        "pages of a batch", lambda: _advance_claimed(limit, **narrow), otherwise=-1, on_failure=failures.append
    )
    if done >= 0:
        return done
    if isinstance(failures[0], OperationalError):
        return 0  # the database, not the rows: the next tick tries again
    due = Page.objects.filter(state=PageState.RUNNING, due_at__lte=clock.now(), **narrow).order_by("due_at")
    return sum(_advance_alone(pk) for pk in list(due.values_list("pk", flat=True)[:limit]))


def _advance_claimed(limit: int, **narrow: int) -> int:
    now = clock.now()
    with transaction.atomic():
        pages = DUE(now) if limit == BATCH and not narrow else fetch(_due(now).filter(**narrow)[:limit])
        _stop_answered(pages, now)
        live = [page for page in pages if page.state == PageState.RUNNING]
        _advance(live, call_plans((page.user_id, page.urgency) for page in live), now)
    return len(pages)


def _due(now: datetime) -> models.QuerySet[Page]:
    due = Page.objects.exclude(due_at=None).filter(state=PageState.RUNNING, due_at__lte=now)
    return leases.held(due.select_related("alert", "user").order_by("due_at"), now)


def _advance_alone(pk: int) -> int:
    """One that fails alone is put off and tried again; it stops no other."""
    done = guarded("page", lambda: _advance_claimed(1, pk=pk), otherwise=-1)
    if done < 0:
        with transaction.atomic():
            Page.objects.filter(pk=pk).update(due_at=clock.now() + FAILED_PAUSE, claimed_until=None)
    return 1


def _stop_answered(pages: Iterable[Page], now: datetime) -> None:
    """A timer is not cancelled by an acknowledgement: whoever wakes reads the state, and the state says stop."""
    ended = [page for page in pages if _is_over(page)]
    for page in ended:
        page.state = PageState.ANSWERED
    Page.objects.filter(pk__in=[page.pk for page in ended]).update(state=PageState.ANSWERED, ended_at=now, due_at=None)


def _is_over(page: Page) -> bool:
    """Nobody needs this person any more. A page that says who has it goes on until the resolve."""
    return page.alert.status != AlertStatus.FIRING and (page.alert.status == AlertStatus.RESOLVED or not page.note)


def method_failed(pages: Sequence[Page], now: datetime) -> None:
    """The last method of these pages failed: the next rule goes out now. In the caller's transaction.

    A page whose cycle holds no more rules and was never handed over has failed: escalation hears of it and passes on.
    """
    running = [page for page in pages if page.state == PageState.RUNNING and not _is_over(page)]
    plans = call_plans((page.user_id, page.urgency) for page in running)
    pulled, failed = [], []
    for page in running:
        call_plan = plans.get((page.user_id, page.urgency))
        if call_plan is not None and page.next_rule < len(call_plan.rules):
            pulled.append(page)
        elif page.handed_over_at is None and page.failed_at is None and not _is_under_way(page):
            failed.append(page)
    _advance(pulled, plans, now, frozenset(page.pk for page in pulled))
    if failed:
        Page.objects.filter(pk__in=[page.pk for page in failed]).update(failed_at=now)
        note_many(
            entry(page.alert_id, "unreachable", f"Every method of {page.user} failed", ENGINE, at=now)
            for page in failed
        )
        outbox.emit_many("page.failed", [{"alert": page.alert_id, "user": page.user_id} for page in failed])


def _is_under_way(page: Page) -> bool:
    alone = Q(state__in=[DeliveryState.WAITING, DeliveryState.SENDING], passed_on_at=None)
    in_a_bundle = Q(
        state=DeliveryState.BUNDLED,
        bundle__state__in=[DeliveryState.WAITING, DeliveryState.SENDING],
        bundle__passed_on_at=None,
    )
    return page.deliveries.filter(alone | in_a_bundle, kind=DeliveryKind.PAGE).exists()


def handed_over(deliveries: Sequence[Delivery], now: datetime) -> None:
    """These messages were taken by a provider. What rings (or anything, for low urgency) counts as reaching the person."""
    reached = [d.page_id for d in deliveries if d.page_id and (d.urgency == "low" or rings(d.channel))]
    if reached:
        REACHED(reached, now)


def stop_pages(
    alert_ids: Iterable[int], *, state: str, user: User | None = None, keep_notes: bool = False
) -> list[Page]:
    """Stop calling, in the caller's transaction. Returns the pages that were running."""
    pages = [
        page
        for page in CALLING(list(alert_ids))
        if (user is None or page.user_id == user.pk) and not (keep_notes and page.note)
    ]
    if pages:
        STOP([page.pk for page in pages], str(state), clock.now())
        CANCEL([page.pk for page in pages], clock.now())
    return pages


def decline_page(alert: Alert, user: User, by: Actor) -> bool:
    """This person cannot take it. Whether it passes on to the next is escalation's to decide."""
    stopped = stop_pages([alert.pk], state=PageState.DECLINED, user=user)
    note_many([entry(alert.pk, "declined", f"{user} cannot take it", by, via=by.via)])
    return bool(stopped)


def raise_urgency(alert: Alert) -> None:
    """The alert became urgent: everybody who is being called for it starts over with the high rules, now."""
    now = clock.now()
    pages = list(
        Page.objects.filter(alert=alert, state=PageState.RUNNING, urgency="low").select_related("alert", "user")
    )
    again = [
        NewPage(alert, page.user, f"{page.origin}/raised", page.step_name, now, context=page.context) for page in pages
    ]
    start_pages(again)
