"""Taking deliveries that are due: nothing leaves that was answered meanwhile, and nobody is flooded.

What is over a person's storm limit is bundled: the most urgent messages leave alone, the rest as one message that counts
and links; what has no slot at all waits until one is free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from midwatch.core import clock, leases
from midwatch.core.rows import update_columns
from midwatch.respond.alerts.models import AlertStatus
from midwatch.respond.notify import plan
from midwatch.respond.notify.models import CoveredAlert, Delivery, DeliveryKind, DeliveryState, PageState
from midwatch.respond.notify.tokens import digest_of, token_of
from midwatch.settings import settings

DELIVERY_LEASE = timedelta(seconds=20)  # a channel's time-out of 10 s, and 5 s to write the receipt, fit in it
BUNDLE_MAX = 500
OUTSTANDING = (DeliveryState.WAITING, DeliveryState.SENDING)


def storm_limits() -> Mapping[str, plan.StormLimit]:
    own = settings()
    return {
        "voice": plan.StormLimit(1, timedelta(seconds=own.storm_voice_gap_seconds)),
        "sms": plan.StormLimit(own.storm_sms_per_minute, timedelta(minutes=1)),
        "*": plan.StormLimit(own.storm_other_per_minute, timedelta(minutes=1)),
    }


def claim_deliveries(channel: str, *, by: str, limit: int) -> list[Delivery]:
    """Up to `limit` messages of one channel to send now, leased to `by`. One short transaction."""
    now = clock.now()
    with transaction.atomic():
        due = (
            Delivery.objects.filter(channel=channel, state__in=OUTSTANDING, due_at__lte=now)
            .select_related("alert__service", "user", "contact", "page")
            .order_by("rank", "due_at")
        )
        candidates = leases.claim(due, now=now, lease=DELIVERY_LEASE, limit=limit)
        live = _drop_answered(candidates, now)
        leaving = _within_limits(live, channel, now)
        _mark(leaving, by, now)
        released = {d.pk for d in candidates} - {d.pk for d in leaving}
        Delivery.objects.filter(pk__in=released).update(claimed_until=None)
        _cover(leaving)
    return leaving


def _drop_answered(candidates: Sequence[Delivery], now: datetime) -> list[Delivery]:
    live, ended = [], []
    for delivery in candidates:
        (ended if delivery.kind == DeliveryKind.PAGE and _is_answered(delivery) else live).append(delivery)
    if ended:
        Delivery.objects.filter(pk__in=[d.pk for d in ended]).update(
            state=DeliveryState.CANCELLED, finished_at=now, receipt_detail="answered before it left"
        )
    return live


def _is_answered(delivery: Delivery) -> bool:
    alert, page = delivery.alert, delivery.page
    if alert is None or alert.status == AlertStatus.RESOLVED:
        return True
    if page is None or page.state not in {PageState.RUNNING, PageState.USED_UP}:
        return True
    return alert.status == AlertStatus.ACKNOWLEDGED and not page.note


def _within_limits(live: Sequence[Delivery], channel: str, now: datetime) -> list[Delivery]:
    limit = plan.storm_limit(channel, storm_limits())
    by_user: dict[int, list[Delivery]] = defaultdict(list)
    for delivery in live:
        by_user[delivery.user_id].append(delivery)
    recent = _recent(by_user, channel, now - limit.within, [d.pk for d in live])
    leaving: list[Delivery] = []
    for user_id, wanted in by_user.items():
        free = max(0, limit.at_most - len(recent[user_id]))
        if len(wanted) <= free:
            leaving += wanted
        else:
            free_at = max(plan.storm_free_at(recent[user_id], limit, now), now + timedelta(seconds=1))
            leaving += _squeeze(wanted, free, free_at, now)
    return leaving


def _recent(user_ids: Iterable[int], channel: str, since: datetime, but: Sequence[int]) -> dict[int, list[datetime]]:
    """When messages left lately, by person; those under way right now count as just left."""
    now = clock.now()
    found: dict[int, list[datetime]] = defaultdict(list)
    left = Delivery.objects.filter(user_id__in=list(user_ids), channel=channel)
    for user_id, at in left.filter(handed_over_at__gt=since).values_list("user_id", "handed_over_at"):
        found[user_id].append(at or now)
    under_way = left.filter(state=DeliveryState.SENDING, claimed_until__gt=now).exclude(pk__in=but)
    for user_id in under_way.values_list("user_id", flat=True):
        found[user_id].append(now)
    return found


def _squeeze(wanted: Sequence[Delivery], free: int, free_at: datetime, now: datetime) -> list[Delivery]:
    """More wants to leave than may: urgent ones first, what can be bundled shares the last slot, the rest waits."""
    first = wanted[0]
    everything = list(
        Delivery.objects.filter(user_id=first.user_id, channel=first.channel, state__in=OUTSTANDING)
        .filter(Q(claimed_until=None) | Q(pk__in=[d.pk for d in wanted]))
        .filter(due_at__lte=now)
        .select_related("alert__service", "user", "contact", "page")
        .order_by("rank", "due_at")[:BUNDLE_MAX]
    )
    singles = list(everything[: max(0, free - 1)])
    rest = everything[len(singles) :]
    joint = [d for d in rest if d.kind == DeliveryKind.PAGE and d.contact_id == first.contact_id]
    leaving = singles
    if free and len(joint) > 1:
        leaving = [*singles, _bundle(joint, now)]
        bundled = {d.pk for d in joint}
        rest = [d for d in rest if d.pk not in bundled]
    elif free:
        leaving, rest = [*singles, rest[0]], rest[1:]
    # What waits for a slot was not refused by its method: it does not count as failed meanwhile.
    Delivery.objects.filter(pk__in=[d.pk for d in rest]).update(due_at=free_at, wanted_at=free_at, claimed_until=None)
    return leaving


def _bundle(joint: Sequence[Delivery], now: datetime) -> Delivery:
    first = joint[0]
    key = f"bundle/{first.user_id}/{first.channel}/{first.pk}/{len(joint)}/{now.timestamp():.3f}"[:200]
    bundle = Delivery.objects.create(
        idempotency_key=key,
        kind=DeliveryKind.BUNDLE,
        user=first.user,
        contact=first.contact,
        channel=first.channel,
        method_name=first.method_name,
        urgency=min((d.urgency for d in joint), key=lambda urgency: urgency != "high"),
        rank=first.rank,
        context={"step": first.context.get("step", "")},
        created_at=now,
        due_at=now,
        wanted_at=now,
        claimed_until=now + DELIVERY_LEASE,
        token_digest=digest_of(token_of(key)),
    )
    ids = sorted({d.alert_id for d in joint if d.alert_id})
    CoveredAlert.objects.bulk_create([CoveredAlert(delivery=bundle, alert_id=alert_id) for alert_id in ids])
    Delivery.objects.filter(pk__in=[d.pk for d in joint]).update(
        state=DeliveryState.BUNDLED, bundle=bundle, claimed_until=None, finished_at=now
    )
    return bundle


def _mark(leaving: Sequence[Delivery], by: str, now: datetime) -> None:
    for delivery in leaving:
        delivery.attempts += 1
        delivery.state = DeliveryState.SENDING
        delivery.claimed_by = by
        delivery.claimed_until = now + DELIVERY_LEASE
    update_columns(leaving, ["attempts", "state", "claimed_by", "claimed_until"])


def _cover(leaving: Sequence[Delivery]) -> None:
    """Write down which alerts a message lists: its landing page acknowledges these and no later ones."""
    rows = [
        CoveredAlert(delivery=delivery, alert_id=alert_id)
        for delivery in leaving
        if delivery.kind != DeliveryKind.BUNDLE and delivery.attempts == 1
        for alert_id in delivery.context.get("covers", [])
    ]
    CoveredAlert.objects.bulk_create(rows, ignore_conflicts=True)
