"""Sending what was claimed, outside any transaction, and writing the receipt after. A crash may repeat one message."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from midwatch.core import clock, integration
from midwatch.core.actor import ENGINE
from midwatch.core.guard import guarded
from midwatch.core.integration import DeliveryError, Message, MessageAlert, Receipt, StatusReport
from midwatch.core.rows import update_columns
from midwatch.core.statements import Select, Update, fetch
from midwatch.core.zones import zone
from midwatch.people.models import ContactMethod
from midwatch.people.queries import contact_secret
from midwatch.respond.alerts.actions.timeline import entry, note, note_many
from midwatch.respond.alerts.models import Alert, TimelineEntry
from midwatch.respond.notify import metrics, plan, words
from midwatch.respond.notify.actions.claiming import OUTSTANDING, claim_deliveries
from midwatch.respond.notify.actions.pages import handed_over, method_failed
from midwatch.respond.notify.models import CoveredAlert, Delivery, DeliveryKind, DeliveryState, Page
from midwatch.respond.notify.polling import POLL_EVERY, POLL_FOR, first_poll_at, poll_of
from midwatch.respond.notify.queries import channel_config, why_unusable
from midwatch.respond.notify.tokens import digest_of, token_of
from midwatch.settings import settings

__all__ = [
    "claim_deliveries",
    "claim_polls",
    "pass_on_overdue",
    "poll_claimed",
    "prepare",
    "record_status",
    "send_claimed",
    "transport",
    "write_sent",
]
log = logging.getLogger("midwatch.notify")
BUNDLE_SHOWN_MAX = 500
WIRE_TIME = timedelta(seconds=10)  # a channel's time-out
ADDRESS_HIDDEN_FROM = 6  # characters; a shorter one would be cut out of ordinary words
SENT_WITH = ("user", "alert__service", "contact", "page")
BY_TOKEN = Select(
    lambda digest: Delivery.objects.filter(token_digest=digest).select_related(
        *SENT_WITH, "alert__acknowledged_by", "alert__resolved_by"
    )
)
COVERED = Select(
    lambda delivery: (
        CoveredAlert.objects.filter(delivery_id=delivery)
        .select_related("alert__service", "alert__acknowledged_by", "alert__resolved_by")
        .order_by("alert__priority", "alert_id")[:BUNDLE_SHOWN_MAX]
    )
)
# What is known of a message may only become more certain.
CERTAINTY = {"unknown": 1, "handed over": 2, "delivered": 3, "failed": 4, "opened": 5, "answered": 6}
BETTER = {word for word, certainty in CERTAINTY.items() if certainty > CERTAINTY["handed over"] and word != "failed"}


def message_alert(alert: Alert) -> MessageAlert:
    return MessageAlert(
        id=alert.pk,
        number=alert.number or 0,
        title=alert.title,
        priority=alert.priority,
        status=alert.status,
        service=str(alert.service) if alert.service else "",
        url=f"{settings().base_url}/alerts/{alert.number}" if alert.number else settings().base_url,
        description=alert.description,
        since=alert.created_at,
        service_name=alert.service.name if alert.service else "",
    )


def covered_alerts(delivery: Delivery) -> list[Alert]:
    """The alerts a message is about, its own first."""
    found = {row.alert_id: row.alert for row in COVERED(delivery.pk)}
    own = delivery.alert
    return ([own] if own is not None else []) + [alert for pk, alert in found.items() if own is None or pk != own.pk]


def compose(delivery: Delivery, now: datetime) -> Message:
    """The words, as of now."""
    contact = delivery.contact
    assert contact is not None, "a delivery without a contact method is failed before it is composed"
    alerts = (
        covered_alerts(delivery) if delivery.kind == DeliveryKind.BUNDLE else [delivery.alert] if delivery.alert else []
    )
    token = token_of(delivery.idempotency_key)
    public = settings().public_url
    wanted = delivery.context.get("wanted_at")
    own = settings()
    return words.compose(
        words.Facts(
            kind=delivery.kind,
            delivery=delivery.idempotency_key,
            person=delivery.user.name,
            person_name=str(delivery.user),
            address=contact.address,
            zone=zone(delivery.user.time_zone),
            now=now,
            alerts=[message_alert(alert) for alert in alerts],
            count=max(1, len(alerts)),
            urgency=delivery.urgency,
            ack_url=f"{public}/p/{token}" if delivery.token_digest else "",
            late=now - datetime.fromisoformat(wanted) if wanted else timedelta(0),
            context=delivery.context,
            has_callbacks=own.has_public_url,
            callback_url=f"{public}/hooks/{_provider(delivery.channel)}/{token}" if own.has_public_url else "",
            secret=contact_secret(contact),
            is_address_trusted=contact.is_from_code,
        )
    )


def _provider(channel: str) -> str:
    return str(getattr(integration.senders()[channel], "PROVIDER", channel))


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed message with its words, ready for the wire; or why it cannot go."""

    delivery: Delivery
    message: Message | None
    problem: DeliveryError | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a parcel: a receipt or an error; neither when it was not sent."""

    delivery: Delivery
    receipt: Receipt | None
    error: DeliveryError | None
    seconds: float = 0.0


def prepare(delivery: Delivery) -> Parcel:
    """Look whether it can go, and find the words as of now. Reads the database, and writes nothing."""
    contact = delivery.contact
    channel = integration.senders().get(delivery.channel)
    if contact is None or channel is None:
        return Parcel(delivery, None, DeliveryError("the contact method was removed", permanent=True))
    why = (
        channel.missing_settings(delivery.channel, channel_config(delivery.channel))
        if delivery.kind == DeliveryKind.TEST  # a test is how a method gets confirmed
        else why_unusable(contact)
    )
    if why:
        return Parcel(delivery, None, DeliveryError(why, permanent=True))
    return Parcel(delivery, compose(delivery, clock.now()))


def transport(parcel: Parcel) -> Sent:
    """Only the wire: no database, so that a sender's thread waits for its provider and for nothing else.

    A node that stood still since it took the message leaves it to whoever takes it next: with less than a provider's
    time-out left of the lease, both might send it.
    """
    delivery = parcel.delivery
    if parcel.message is None:
        return Sent(delivery, None, parcel.problem)
    if delivery.claimed_until is not None and clock.now() > delivery.claimed_until - WIRE_TIME:
        log.warning("a message by %s was left to another node: this one stood still after taking it", delivery.channel)
        return Sent(delivery, None, None)
    started = clock.monotonic()
    try:
        channel = integration.senders()[delivery.channel]
        receipt = channel.send(delivery.channel, parcel.message, channel_config(delivery.channel))
    except DeliveryError as error:
        return Sent(delivery, None, error, clock.monotonic() - started)
    return Sent(delivery, receipt, None, clock.monotonic() - started)


def write_sent(sent: Sequence[Sent]) -> None:
    """All receipts in one transaction; each failure, which may call on further methods, in its own."""
    _write_receipts([(one.delivery, one.receipt) for one in sent if one.receipt is not None])
    for one in sent:
        if one.receipt is not None and one.delivery.channel != integration.NULL_CHANNEL:  # the canary counts nowhere
            metrics.DELIVERIES.labels(one.delivery.channel, "handed over").inc()
            metrics.SEND_SECONDS.labels(one.delivery.channel).observe(one.seconds)
        elif one.error is not None:
            metrics.DELIVERIES.labels(one.delivery.channel, "failed" if one.error.permanent else "again").inc()
            _write_failure(one.delivery, one.error)


def send_claimed(delivery: Delivery) -> Receipt | None:
    """One message from claim to receipt, here and now. None: it failed, and its next try or next method is planned; or
    it was taken so long ago that it was not sent."""
    sent = transport(prepare(delivery))
    write_sent([sent])
    return sent.receipt


def _mine(delivery: Delivery) -> dict[str, object]:
    """The claim is still ours: nobody else took the row after a lease ran out."""
    return {"pk": delivery.pk, "state": DeliveryState.SENDING, "claimed_until": delivery.claimed_until}


def _write_receipts(handed: Sequence[tuple[Delivery, Receipt]]) -> None:
    if not handed:
        return
    now = clock.now()
    tried = {d.pk for d, _ in handed if d.is_receipt_tried}
    for delivery, _ in handed:
        delivery.is_receipt_tried = True
    with transaction.atomic():
        # A provider has them, whoever holds the rows now: that must be written even when a lease ran out.
        stored = STORED([d.pk for d, _ in handed])
        known = {pk: attempts for pk, state, _, attempts in stored if state == DeliveryState.HANDED_OVER}
        better = {pk: word for pk, _, word, _ in stored if word in BETTER}  # answered before its receipt was written
        for delivery, receipt in handed:
            delivery.state = DeliveryState.HANDED_OVER
            delivery.handed_over_at = delivery.finished_at = now
            delivery.claimed_until = None
            delivery.receipt = better.get(delivery.pk, receipt.word)
            delivery.receipt_detail = receipt.detail[:500]
            delivery.provider_id = receipt.provider_id[:200]
            delivery.poll_at = first_poll_at(delivery.channel, receipt.provider_id, now)
        update_columns([d for d, _ in handed if d.pk not in known], RECEIPT_FIELDS)
        contacts = {d.contact_id for d, _ in handed if d.contact_id}
        CONTACTS_WORK(contacts, now)
        CONTACTS_WORK_AGAIN(contacts)
        handed_over([one for d, _ in handed for one in (d, *_carried(d))], now)
        # Known from this very try: its commit was not heard of, as when PostgreSQL is gone in that moment.
        fresh = [(d, receipt) for d, receipt in handed if not (d.pk in tried and known.get(d.pk) == d.attempts)]
        note_many([line for d, receipt in fresh for line in _receipt_lines(d, receipt, is_second=d.pk in known)])
    for delivery, _ in handed:
        if delivery.kind == DeliveryKind.PAGE and delivery.channel != integration.NULL_CHANNEL:
            metrics.PAGE_LATENCY.observe(max(0.0, (now - _wanted(delivery)).total_seconds()))


STORED = Select(lambda ids: Delivery.objects.filter(pk__in=ids).values_list("pk", "state", "receipt", "attempts"))
CONTACTS_WORK = Update(lambda ids, now: (ContactMethod.objects.filter(pk__in=ids), {"last_handed_over_at": now}))
CONTACTS_WORK_AGAIN = Update(
    lambda ids: (
        ContactMethod.objects.filter(pk__in=ids, disabled_at=None).exclude(failing_since=None, problem=""),
        {"failing_since": None, "problem": ""},
    )
)
RECEIPT_FIELDS = (
    "state",
    "handed_over_at",
    "finished_at",
    "claimed_until",
    "receipt",
    "receipt_detail",
    "provider_id",
    "poll_at",
)


def _receipt_lines(delivery: Delivery, receipt: Receipt, *, is_second: bool) -> list[TimelineEntry]:
    again = " (sent again: the try before was cut off)" if delivery.was_cut_off else ""
    if is_second and not again:
        again = " (sent again: another node had sent it while this one stood still)"
    text = f"{_what(delivery)} to {delivery.user} by {delivery.method_name} ({delivery.channel}): {receipt.word}{again}"
    return [
        entry(alert_id, "delivery", text, ENGINE, delivery=delivery.pk, receipt=receipt.word)
        for alert_id in _alert_ids(delivery)
    ]


def _wanted(delivery: Delivery) -> datetime:
    wanted = delivery.context.get("wanted_at")
    return datetime.fromisoformat(wanted) if wanted else delivery.created_at


def _what(delivery: Delivery) -> str:
    names = {
        "page": "Page",
        "update": "Update",
        "resolved": "Resolved message",
        "test": "Test",
        "bundle": "Bundle",
        "handoff": "Hand-off",
    }
    return names[delivery.kind]


def _carried(delivery: Delivery) -> list[Delivery]:
    if delivery.kind != DeliveryKind.BUNDLE:
        return []
    return list(Delivery.objects.filter(bundle=delivery))


def _alert_ids(delivery: Delivery) -> list[int]:
    if delivery.kind == DeliveryKind.BUNDLE:
        return list(
            CoveredAlert.objects.filter(delivery=delivery).values_list("alert_id", flat=True)[:BUNDLE_SHOWN_MAX]
        )
    return [delivery.alert_id] if delivery.alert_id else []


def _pages(delivery: Delivery) -> list[Page]:
    ids = [d.page_id for d in _carried(delivery)] if delivery.kind == DeliveryKind.BUNDLE else [delivery.page_id]
    return list(Page.objects.filter(pk__in=[pk for pk in ids if pk]).select_related("alert", "user"))


def _without_address(words: str, delivery: Delivery) -> str:
    """Relays and providers repeat whom they refuse; timelines are read by more people than may see somebody's number."""
    address = delivery.contact.address if delivery.contact is not None else ""
    for written in {address, address.removeprefix("+")}:
        if len(written) >= ADDRESS_HIDDEN_FROM:
            words = words.replace(written, "(address)")
    return words


def _write_failure(delivery: Delivery, error: DeliveryError) -> None:
    now = clock.now()
    is_over = error.permanent or plan.gives_up(kind=delivery.kind, created_at=delivery.created_at, now=now)
    detail = _without_address(str(error), delivery)[:300]
    with transaction.atomic():
        changes: dict[str, object] = {"claimed_until": None, "receipt_detail": detail}
        if is_over:
            changes |= {"state": DeliveryState.FAILED, "finished_at": now, "receipt": "failed"}
        else:
            retry = plan.retry_at(attempts=delivery.attempts, now=now, jitter=_jitter(delivery))
            changes |= {"state": DeliveryState.WAITING, "due_at": retry}
        if not Delivery.objects.filter(**_mine(delivery)).update(**changes):
            return  # the lease ran out and another node has it
        ContactMethod.objects.filter(pk=delivery.contact_id or 0, failing_since=None).update(
            failing_since=now, problem=detail
        )
        if delivery.attempts == 1 or delivery.was_cut_off or is_over:  # what may come twice says so
            outcome = "failed" if is_over else "failed, will be tried again"
            for alert_id in _alert_ids(delivery):
                text = f"{_what(delivery)} to {delivery.user} by {delivery.method_name} ({delivery.channel}): {outcome}: {detail}"
                note(alert_id, "delivery_failed", text, ENGINE, delivery=delivery.pk)
        if is_over and delivery.passed_on_at is None:
            method_failed(_pages(delivery), now)


def _jitter(delivery: Delivery) -> float:
    """Spreads retries as chance would, and is the same each time it is told: 0 to 1, by the message and the attempt."""
    return zlib.crc32(f"{delivery.idempotency_key}/{delivery.attempts}".encode()) / 2**32


def _overdue(before: datetime) -> QuerySet[Delivery]:
    kinds = [DeliveryKind.PAGE, DeliveryKind.BUNDLE]
    waiting = Delivery.objects.filter(state__in=OUTSTANDING, passed_on_at=None, kind__in=kinds)
    return waiting.filter(wanted_at__lte=before).order_by("wanted_at")


OVERDUE = Select(lambda before: _overdue(before).values_list("pk", flat=True)[:1])


def pass_on_overdue(*, limit: int = 200, **narrow: int) -> int:
    """Sixty seconds without a hand-over count as failed: the next method goes out while this one keeps trying.

    `narrow`: only these, as a filter (`alert_id=5`).
    """
    before = clock.now() - plan.FAILED_AFTER
    if not OVERDUE(before):
        return 0
    found = fetch(_overdue(before).filter(**narrow).select_related("user")[:limit])
    return sum(guarded("overdue delivery", partial(_pass_on, delivery), otherwise=0) for delivery in found)


def _pass_on(delivery: Delivery) -> int:
    now = clock.now()
    with transaction.atomic():
        waiting = Delivery.objects.filter(pk=delivery.pk, state__in=OUTSTANDING, passed_on_at=None)
        if not waiting.update(passed_on_at=now):
            return 0
        text = (
            f"Not handed over to {delivery.user} by {delivery.method_name} ({delivery.channel}) within 60 s: passing on"
        )
        for alert_id in _alert_ids(delivery):
            note(alert_id, "delivery_overdue", text, ENGINE, delivery=delivery.pk)
        method_failed(_pages(delivery), now)
    return 1


def find_delivery(reference: str, provider_id: str = "") -> Delivery | None:
    """By the landing token (which callbacks carry as their reference), else by the provider's own id."""
    if reference:
        return next(iter(BY_TOKEN(digest_of(reference))), None)
    if not provider_id:
        return None
    found = Delivery.objects.select_related(*SENT_WITH)
    return next(iter(fetch(found.exclude(provider_id="").filter(provider_id=provider_id).order_by("-id")[:1])), None)


def record_status(report: StatusReport) -> bool:
    """What a provider tells of a message. A failure sends the person's next method at once. False: we know of no such message."""
    delivery = find_delivery(report.delivery, report.provider_id)
    if delivery is None:
        return False
    now = clock.now()
    with transaction.atomic():
        delivery = Delivery.objects.select_related(*SENT_WITH).select_for_update(of=("self",)).get(pk=delivery.pk)
        if CERTAINTY.get(delivery.receipt, 0) >= CERTAINTY[report.receipt.word]:
            return True  # known, or better known: providers repeat themselves, and not in order
        detail = _without_address(report.receipt.detail, delivery)
        Delivery.objects.filter(pk=delivery.pk).update(
            receipt=report.receipt.word,
            receipt_detail=detail[:500],
            poll_at=None,
            **({"finished_at": now} if report.is_failure else {}),
        )
        for alert_id in _alert_ids(delivery):
            text = f"{_what(delivery)} to {delivery.user} by {delivery.method_name} ({delivery.channel}): {report.receipt.word}"
            if detail:
                text += f" ({detail})"
            note(alert_id, "receipt", text, ENGINE, delivery=delivery.pk, receipt=report.receipt.word)
        if report.is_failure:
            ContactMethod.objects.filter(pk=delivery.contact_id or 0, failing_since=None).update(
                failing_since=now, problem=detail[:300]
            )
            _unreach(delivery, now)
    return True


def claim_polls(channel: str, *, limit: int = 20) -> list[Delivery]:
    """Messages whose provider is to be asked now what became of them. The next time to ask is the lease."""
    if poll_of(channel) is None:
        return []
    now = clock.now()
    with transaction.atomic():
        due = Delivery.objects.exclude(poll_at=None).filter(channel=channel, poll_at__lte=now).order_by("poll_at")
        claimed = fetch(due.select_for_update(skip_locked=True, of=("self",))[:limit])
        Delivery.objects.filter(pk__in=[d.pk for d in claimed]).update(poll_at=now + POLL_EVERY)
    return claimed


def poll_claimed(delivery: Delivery) -> None:
    """Ask, outside any transaction, and write down the answer. Nobody who cannot say it in ten minutes ever will."""
    poll = poll_of(delivery.channel)
    report = None
    if poll is not None:
        with suppress(DeliveryError):
            report = poll(delivery.channel, delivery.provider_id, channel_config(delivery.channel))
    if report is not None:
        record_status(report)
    elif delivery.handed_over_at is None or clock.now() - delivery.handed_over_at >= POLL_FOR:
        with transaction.atomic():
            Delivery.objects.filter(pk=delivery.pk, receipt="handed over").update(receipt="unknown")
            Delivery.objects.filter(pk=delivery.pk).update(poll_at=None)


def _unreach(delivery: Delivery, now: datetime) -> None:
    """A hand-over that came to nothing is none: unless another message got through, the page has reached nobody yet."""
    pages = _pages(delivery)
    for page in pages:
        others = (
            page.deliveries.filter(state=DeliveryState.HANDED_OVER).exclude(pk=delivery.pk).exclude(receipt="failed")
        )
        if not others.exists():
            Page.objects.filter(pk=page.pk).update(handed_over_at=None)
            page.handed_over_at = None
    method_failed(pages, now)
