"""What would be paged if the hold were released now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet

from midwatch.core import clock
from midwatch.engine.hold.gate import Held, gate
from midwatch.respond.alerts.models import OPEN, Alert
from midwatch.respond.escalation.models import Escalation, EscalationState
from midwatch.respond.escalation.queries import OnCallNow, steps_by_policy
from midwatch.respond.notify.actions.claiming import OUTSTANDING
from midwatch.respond.notify.models import Delivery, DeliveryKind, Page, PageState

SHOWN_MAX = 200
PEOPLE_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """One alert, whom it would page, and as what: "level 2", "acknowledgement ran out", "message waiting"."""

    alert: Alert
    what: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """`alerts_count` and `messages_count` are of everything; `waiting` is cut at `SHOWN_MAX`, the most urgent first."""

    held: Held | None
    now: datetime
    alerts_count: int
    messages_count: int
    waiting: tuple[Waiting, ...] = ()

    @property
    def sentence(self) -> str:
        alerts = f"{self.alerts_count} alert{'' if self.alerts_count == 1 else 's'}"
        messages = f"{self.messages_count} message{'' if self.messages_count == 1 else 's'}"
        return f"{alerts} would page on release, {messages} wait."


def _due(now: datetime, but: int | None) -> tuple[QuerySet[Escalation], QuerySet[Page], QuerySet[Delivery]]:
    escalations = Escalation.objects.filter(due_at__lte=now, alert__status__in=OPEN).exclude(
        state__in=[EscalationState.HELD, EscalationState.SNOOZED]
    )
    pages = Page.objects.filter(state=PageState.RUNNING, due_at__lte=now, alert__status="firing")
    kinds = [DeliveryKind.PAGE, DeliveryKind.BUNDLE]
    messages = Delivery.objects.filter(state__in=OUTSTANDING, due_at__lte=now, kind__in=kinds)
    messages = messages.filter(
        Q(alert=None) | Q(alert__status="firing") | Q(alert__status="acknowledged", page__note__gt="")
    )
    # A canary under way is nobody's page: it has no number, and is in no list.
    escalations, pages = escalations.filter(alert__is_test=False), pages.filter(alert__is_test=False)
    messages = messages.exclude(alert__is_test=True)
    if but is not None:
        escalations, pages = escalations.exclude(alert=but), pages.exclude(alert=but)
        messages = messages.exclude(alert=but)
    return escalations, pages, messages


def _ids(*found: QuerySet[Escalation] | QuerySet[Page] | QuerySet[Delivery]) -> set[int]:
    return {pk for one in found for pk in one.values_list("alert_id", flat=True) if pk is not None}


def summary(*, is_listed: bool = False) -> Summary:
    """Counts, and with `is_listed` the alerts too. Works whether or not anything is on hold."""
    now = clock.now()
    held = gate()
    escalations, pages, messages = _due(now, held.alert_id if held is not None else None)
    ids = _ids(escalations, pages, messages)
    waiting = tuple(_waiting(ids, escalations, pages, messages, now)) if is_listed else ()
    return Summary(held, now, len(ids), messages.count(), waiting)


def _waiting(
    ids: Iterable[int],
    escalations: QuerySet[Escalation],
    pages: QuerySet[Page],
    messages: QuerySet[Delivery],
    now: datetime,
) -> Iterable[Waiting]:
    alerts = Alert.objects.filter(pk__in=ids).select_related("service").order_by("priority", F("number").desc())
    shown = list(alerts[:SHOWN_MAX])
    keys = [alert.pk for alert in shown]
    what: dict[int, dict[str, None]] = {pk: {} for pk in keys}
    people: dict[int, dict[str, None]] = {pk: {} for pk in keys}
    for message in messages.filter(alert__in=keys).select_related("user"):
        what[message.alert_id or 0]["a message that did not leave"] = None
        people[message.alert_id or 0][str(message.user)] = None
    for page in pages.filter(alert__in=keys).select_related("user"):
        what[page.alert_id]["the next method of who is being called"] = None
        people[page.alert_id][str(page.user)] = None
    for alert_id, step, names in _steps(escalations.filter(alert__in=keys), now):
        what[alert_id][step] = None
        people[alert_id] |= dict.fromkeys(names)
    for alert in shown:
        yield Waiting(alert, "; ".join(what[alert.pk]), tuple(people[alert.pk])[:PEOPLE_SHOWN_MAX])


def _steps(due: QuerySet[Escalation], now: datetime) -> Iterable[tuple[int, str, list[str]]]:
    """(alert, words, people) of what escalation would do: its next step, or a new round."""
    found = list(due.select_related("alert", "direct_user", "direct_schedule"))
    steps = steps_by_policy({one.policy_id for one in found if one.policy_id is not None})
    on_call = OnCallNow(now)
    for one in found:
        own = steps.get(one.policy_id or 0, [])
        if one.alert.status == "acknowledged":
            owner = [str(one.alert.acknowledged_by)] if one.alert.acknowledged_by_id else []
            yield one.alert_id, "its acknowledgement runs out", owner
        elif one.next_step < len(own):
            step = own[one.next_step]
            yield one.alert_id, step.name, [str(user) for user in on_call.of_step(step)]
        elif one.direct_user is not None:
            yield one.alert_id, "a direct page", [str(one.direct_user)]
        elif one.direct_schedule is not None:
            yield one.alert_id, "a direct page", [str(user) for user in on_call.of_schedule(one.direct_schedule)]
        else:
            yield one.alert_id, "a new round, or the last resort", []
