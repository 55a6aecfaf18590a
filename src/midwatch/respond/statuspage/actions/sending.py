"""From one update to thousands of messages: rows first, a few hundred a transaction; then leased, sent, and settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from midwatch.core import clock, leases, net, outbox, wake
from midwatch.core.text import clean
from midwatch.respond.statuspage import words
from midwatch.respond.statuspage.actions.subscribers import failed_for_good
from midwatch.respond.statuspage.models import (
    ComponentChange,
    MessageState,
    Notice,
    NoticeUpdate,
    Subscriber,
    SubscriberKind,
    SubscriberMessage,
    SubscriberState,
)
from midwatch.settings import settings

ROWS_AT_ONCE = 300
TIMEOUT_SECONDS = 10.0
LEASE = timedelta(seconds=60)  # longer than a message takes, with every relay
ATTEMPTS_MAX = 6
KEPT = timedelta(days=30)
GONE = 410
DUE = leases.Claimable(
    lambda now: (
        SubscriberMessage.objects.select_related("subscriber__page", "update__notice", "notice", "change__component")
        .filter(state="waiting", due_at__lte=now)
        .order_by("due_at", "id")
    )
)


def fan_out_update(payload: Mapping[str, Any]) -> None:
    """Reaction to "statuspage.update.published"."""
    update = NoticeUpdate.objects.select_related("notice").filter(pk=payload["update"]).first()
    if update is not None:
        rows = {"kind": "update", "update_id": update.pk}
        _fan_out("statuspage.update.published", payload, update.notice, f"update/{update.pk}", rows)


def fan_out_reminder(payload: Mapping[str, Any]) -> None:
    """Reaction to "statuspage.maintenance.reminder"."""
    notice = Notice.objects.filter(pk=payload["notice"], status="scheduled").first()
    if notice is not None and notice.scheduled_for is not None:
        rows = {"kind": "reminder", "notice_id": notice.pk}
        mark = f"reminder/{notice.pk}/{int(notice.scheduled_for.timestamp())}"
        _fan_out("statuspage.maintenance.reminder", payload, notice, mark, rows)


def fan_out_postmortem(payload: Mapping[str, Any]) -> None:
    """Reaction to "statuspage.postmortem.published"."""
    notice = Notice.objects.filter(pk=payload["notice"], status="postmortem").first()
    if notice is not None:
        rows = {"kind": "postmortem", "notice_id": notice.pk}
        _fan_out("statuspage.postmortem.published", payload, notice, f"postmortem/{notice.pk}", rows)


def fan_out_change(payload: Mapping[str, Any]) -> None:
    """Reaction to "statuspage.component.changed": programs are told; people read it in the notice's update."""
    change = ComponentChange.objects.select_related("component").filter(pk=payload["change"]).first()
    if change is None:
        return
    component = change.component
    told = Subscriber.objects.filter(page_id=component.page_id, kind=SubscriberKind.WEBHOOK)
    told = told.filter(Q(components=None) | Q(components=component))
    rows = {"kind": "component", "change_id": change.pk}
    _write("statuspage.component.changed", payload, told, f"change/{change.pk}", rows)


def _fan_out(event: str, payload: Mapping[str, Any], notice: Notice, mark: str, rows: Mapping[str, Any]) -> None:
    told = Subscriber.objects.filter(page_id=notice.page_id)
    touched = list(notice.components.values_list("pk", flat=True))
    told = told.filter(Q(components=None) | Q(components__in=touched))
    _write(event, payload, told, mark, rows)


def _write(
    event: str, payload: Mapping[str, Any], told: QuerySet[Subscriber], mark: str, rows: Mapping[str, Any]
) -> None:
    """The next few hundred, and the wish to go on: in the reaction's transaction."""
    now = clock.now()
    next_ones = told.filter(state=SubscriberState.ACTIVE, pk__gt=payload["after"]).order_by("pk")
    found: Sequence[int] = list(next_ones.values_list("pk", flat=True).distinct()[:ROWS_AT_ONCE])
    SubscriberMessage.objects.bulk_create(
        [
            SubscriberMessage(subscriber_id=pk, idempotency_key=f"{mark}/{pk}", due_at=now, created_at=now, **rows)
            for pk in found
        ],
        ignore_conflicts=True,
    )
    if len(found) == ROWS_AT_ONCE:
        outbox.emit(event, {**payload, "after": found[-1]})
    transaction.on_commit(wake.wake)


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, ready for the wire: nothing of it needs the database."""

    message: SubscriberMessage
    recipient: str
    mail: EmailMessage | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem`: "" when it was taken."""

    letter: Letter
    problem: str = ""
    is_permanent: bool = False
    is_gone: bool = False


def claim(limit: int) -> list[SubscriberMessage]:
    """What is due, leased, with what it is about."""
    return leases.claim_due(DUE, now=clock.now(), lease=LEASE, limit=limit)


def deliver(message: SubscriberMessage) -> None:
    """Write it out, send it, settle it: three steps, and only the middle one waits for the network."""
    settle(send(_letter(message)))


def _letter(message: SubscriberMessage) -> Letter:
    subscriber = message.subscriber
    if subscriber.kind == SubscriberKind.EMAIL:
        return Letter(message, subscriber.address, mail=words.mail(message))
    return Letter(message, subscriber.address, body=words.webhook(message))


def send(letter: Letter) -> Outcome:
    """On the wire: touches no database."""
    return _send_mail(letter, letter.mail) if letter.mail is not None else _post(letter)


def _send_mail(letter: Letter, mail: EmailMessage) -> Outcome:
    given = settings()
    if not given.email_urls:
        return Outcome(letter, "MIDWATCH_EMAIL_URL is not set: give the mail relay")
    problems: list[net.NetError] = []
    for url in given.email_urls:
        try:
            net.smtp(
                url, parseaddr(given.email_from)[1], letter.recipient, mail, TIMEOUT_SECONDS / len(given.email_urls)
            )
        except net.NetError as error:
            problems.append(error)
        else:
            return Outcome(letter)
    text = "; ".join(dict.fromkeys(str(problem) for problem in problems))
    return Outcome(letter, text, is_permanent=all(problem.permanent for problem in problems))


def _post(letter: Letter) -> Outcome:
    headers = {"Content-Type": "application/json", "X-Midwatch-Delivery": letter.message.idempotency_key}
    try:
        answer = net.http(
            "POST",
            letter.recipient,
            is_trusted=False,
            headers=headers,
            body=letter.body,
            timeout_seconds=TIMEOUT_SECONDS,
        )
    except net.NetError as error:
        return Outcome(letter, str(error), is_permanent=error.permanent)
    if answer.is_ok:
        return Outcome(letter)
    return Outcome(
        letter, f"it answered {answer.status}", is_permanent=answer.status == GONE, is_gone=answer.status == GONE
    )


def settle(outcome: Outcome) -> None:
    """What became of it. A message is tried six times within about half an hour."""
    now = clock.now()
    message = outcome.letter.message
    attempts = message.attempts + 1
    done: dict[str, Any] = {"attempts": attempts, "claimed_until": None, "done_at": now}
    with transaction.atomic():
        mine = SubscriberMessage.objects.filter(
            pk=message.pk, state=MessageState.WAITING, claimed_until=message.claimed_until
        )
        if not outcome.problem:
            mine.update(state=MessageState.SENT, problem="", **done)
            Subscriber.objects.filter(pk=message.subscriber_id, failures__gt=0).update(failures=0, problem="")
            return
        problem = clean(outcome.problem, 300, is_one_line=True)
        if outcome.is_permanent or attempts >= ATTEMPTS_MAX:
            if mine.update(state=MessageState.FAILED, problem=problem, **done):
                failed_for_good(message.subscriber_id, problem, is_gone=outcome.is_gone)
            return
        later = now + timedelta(seconds=30 * 2**attempts)
        mine.update(attempts=attempts, claimed_until=None, due_at=later, problem=problem)


def forget_messages(before: datetime, limit: int) -> int:
    """Those that are done and old. How many went."""
    with transaction.atomic():
        old = SubscriberMessage.objects.filter(done_at__lt=before).order_by("done_at").values_list("pk", flat=True)
        count, _ = SubscriberMessage.objects.filter(pk__in=list(old[:limit])).delete()
    return count
