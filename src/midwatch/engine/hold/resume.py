"""How what waited goes on after a release: late, and said to be late, but no two things at once that belong apart.

The time of the hold counts for nothing: a message is not overdue because it was held, a person's next method waits its
minutes from when the one before really left, and so does the next step of a policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db.models import Max, Q, QuerySet

from midwatch.core.rows import update_columns
from midwatch.respond.escalation.actions.running import SUFFIXES, origin_of
from midwatch.respond.escalation.models import Escalation, EscalationState
from midwatch.respond.notify.actions.claiming import OUTSTANDING
from midwatch.respond.notify.models import Delivery, Page, PageState

AT_ONCE = 500


def resume(now: datetime) -> None:
    """In the transaction that releases the hold."""
    _shift_pages(now)
    _shift_escalations(now)
    held = Delivery.objects.filter(state__in=OUTSTANDING, passed_on_at=None, wanted_at__lt=now)
    held.update(wanted_at=now)  # the words keep saying how late it is: `context` has the moment it was due


def _parts(found: QuerySet[Page]) -> Iterator[Sequence[Page]]:
    last = 0
    while part := list(found.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield part
        last = part[-1].pk


def _shift_pages(now: datetime) -> None:
    running = Page.objects.filter(state=PageState.RUNNING)
    for part in _parts(running):
        outstanding = Delivery.objects.filter(page__in=part, state__in=OUTSTANDING, wanted_at__lt=now).order_by()
        left_waiting = dict(outstanding.values("page_id").annotate(at=Max("wanted_at")).values_list("page_id", "at"))
        changed = []
        for page in part:
            waits_since = left_waiting.get(page.pk)
            if waits_since is not None:  # its last message did not leave: what follows counts from now
                page.cycle_started_at += now - waits_since
                page.due_at = page.due_at + (now - waits_since) if page.due_at is not None else None
            elif page.due_at is not None and page.due_at < now:  # its next message is due, and says since when
                page.cycle_started_at += now - page.due_at
            else:
                continue
            changed.append(page)
        update_columns(changed, ["cycle_started_at", "due_at"])


def _shift_escalations(now: datetime) -> None:
    """A step whose message did not leave is handed over at the earliest now: the next one keeps its distance to that."""
    last = 0
    due = Escalation.objects.filter(Q(due_at__lte=now), state=EscalationState.PAGING)
    while part := list(due.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        last = part[-1].pk
        origins: dict[str, Escalation] = {}
        for one in part:
            steps: list[int | str] = [one.next_step - 1] if one.sent_at is not None else []
            steps += [f"last-{one.last_resort - 1}"] if one.last_resort_at is not None else []
            for step in steps:
                origins |= {origin_of(one, step) + suffix: one for suffix in ("", *SUFFIXES)}
        pages = Page.objects.filter(origin__in=origins, handed_over_at=None, failed_at=None)
        held = {one.pk: one for origin in pages.values_list("origin", flat=True) for one in [origins[origin]]}
        for one in held.values():
            one.sent_at = now if one.sent_at is not None else None
            one.last_resort_at = now if one.last_resort_at is not None else None
        update_columns(held.values(), ["sent_at", "last_resort_at"])
