"""Taking deliveries that are due: nothing leaves that was answered meanwhile, and nobody is flooded.

What is over a person's storm limit is bundled: the most urgent messages leave alone, the rest as one message that counts
and links; what has no slot at all waits until one is free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from midwatch.core import clock, leases
from midwatch.core.rows import insert_rows, update_columns
from midwatch.core.statements import Select
from midwatch.people.models import User
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus
from midwatch.respond.notify import plan
from midwatch.respond.notify.models import CoveredAlert, Delivery, DeliveryKind, DeliveryState, PageState
from midwatch.respond.notify.outlet import Outlet, at_hand, wake_senders
from midwatch.respond.notify.tokens import digest_of, token_of
from midwatch.settings import settings

DELIVERY_LEASE = timedelta(seconds=20)  # a channel's time-out of 10 s, and 5 s to write the receipt, fit in it
BUNDLE_MAX = 500
SOON = timedelta(
    seconds=2
)  # due within it shares the last slot: a moment later it would wait for a whole one (calls: 2 min)
NEWS = (DeliveryKind.UPDATE, DeliveryKind.RESOLVED)
NEWS_SHOWN_MAX = 10
OUTSTANDING = (DeliveryState.WAITING, DeliveryState.SENDING)
CLAIMABLE = leases.Claimable(
    lambda now, channel: (
        Delivery.objects.filter(channel=channel, state__in=OUTSTANDING, due_at__lte=now)
        .select_related("alert__service", "user", "contact", "page")
        .order_by("rank", "due_at", "pk")
    )
)
LEFT_SINCE = Select(
    lambda users, channel, since: Delivery.objects.filter(
        user_id__in=users, channel=channel, handed_over_at__gt=since
    ).values_list("pk", "user_id", "handed_over_at")
)
UNDER_WAY = Select(
    lambda users, channel, now: Delivery.objects.filter(
        user_id__in=users, channel=channel, state=DeliveryState.SENDING, claimed_until__gt=now
    ).values_list("pk", "user_id")
)
AHEAD = Select(
    lambda users, channel, soon: (
        Delivery.objects.filter(user_id__in=users, channel=channel, state__in=OUTSTANDING, due_at__lte=soon)
        .filter(state=DeliveryState.WAITING)
        .values_list("user_id", flat=True)
    )
)


def storm_limits() -> Mapping[str, plan.StormLimit]:
    own = settings()
    return {
        "voice": plan.StormLimit(1, timedelta(seconds=own.storm_voice_gap_seconds)),
        "sms": plan.StormLimit(own.storm_sms_per_minute, timedelta(minutes=1)),
        "*": plan.StormLimit(own.storm_other_per_minute, timedelta(minutes=1)),
    }


def claim_deliveries(channel: str, *, by: str, limit: int, **narrow: int) -> list[Delivery]:
    """Up to `limit` messages of one channel to send now, leased to `by`. One short transaction.

    `narrow`: only these, as a filter (`alert_id=5`); then nothing else leaves, in no bundle either.
    """
    now = clock.now()
    with transaction.atomic():
        candidates = leases.claim(CLAIMABLE, now=now, lease=DELIVERY_LEASE, limit=limit, values=(channel,), **narrow)
        live = _drop_answered(candidates, now)
        leaving = live if narrow else _within_limits(live, channel, now)
        _mark(leaving, by, now)
        released = {d.pk for d in candidates} - {d.pk for d in leaving}
        Delivery.objects.filter(pk__in=released).update(claimed_until=None)
        _cover(leaving)
    return leaving


def write_new(deliveries: Sequence[Delivery], now: datetime) -> None:
    """New messages of new pages, in the caller's transaction. What may leave at once is written as claimed already, when
    senders are at hand, and leaves with the commit; the rest waits to be claimed."""
    if not deliveries:
        return
    outlet = at_hand()
    leaving = _claimed_at_birth(deliveries, outlet, now) if outlet is not None else []
    insert_rows(deliveries)
    _cover(leaving)
    if outlet is not None and leaving:
        transaction.on_commit(lambda: outlet.send(leaving))
    waiting = {d.channel for d in deliveries if d.state == DeliveryState.WAITING and d.due_at <= now}
    if waiting:
        wake_senders(waiting)


def _claimed_at_birth(deliveries: Sequence[Delivery], outlet: Outlet, now: datetime) -> list[Delivery]:
    """Marks, on rows that are not written yet, what may leave: whatever needs a choice is left to `claim_deliveries`."""
    by_channel: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in sorted(deliveries, key=lambda d: (d.rank, d.due_at)):
        if delivery.due_at <= now and not _is_answered(delivery):
            by_channel[delivery.channel].append(delivery)
    _one_node_at_a_time({d.user_id for wanted in by_channel.values() for d in wanted})
    leaving: list[Delivery] = []
    for channel, wanted in by_channel.items():
        fitting = _fitting(wanted, channel, now)
        leaving += fitting[: outlet.reserve(channel, len(fitting))] if fitting else []
    for delivery in leaving:
        delivery.attempts = 1
        delivery.state = DeliveryState.SENDING
        delivery.claimed_by = outlet.node
        delivery.claimed_until = now + DELIVERY_LEASE
    return leaving


def _fitting(wanted: Sequence[Delivery], channel: str, now: datetime) -> list[Delivery]:
    """The messages of those people whose storm limit has room for all of theirs, and for what waits already: a slot that is
    just free belongs to that. Bundles are made elsewhere."""
    limit = plan.storm_limit(channel, storm_limits())
    by_user: dict[int, int] = defaultdict(int)
    for delivery in wanted:
        by_user[delivery.user_id] += 1
    recent = _recent(by_user, channel, now - limit.within, ())
    free = {user_id: limit.at_most - len(recent[user_id]) - count for user_id, count in by_user.items()}
    fits = {user_id for user_id, left in free.items() if left >= 0}
    for user_id in AHEAD(fits, channel, now + SOON) if fits else ():
        free[user_id] -= 1
    fits = {user_id for user_id in fits if free[user_id] >= 0}
    return [delivery for delivery in wanted if delivery.user_id in fits]


def _drop_answered(candidates: Sequence[Delivery], now: datetime) -> list[Delivery]:
    live: list[Delivery] = []
    ended: list[Delivery] = []
    for delivery in candidates:
        (ended if _is_answered(delivery) else live).append(delivery)
    if ended:
        Delivery.objects.filter(pk__in=[d.pk for d in ended]).update(
            state=DeliveryState.CANCELLED, finished_at=now, receipt_detail="answered before it left"
        )
    return live


def _is_answered(delivery: Delivery) -> bool:
    if delivery.kind == DeliveryKind.BUNDLE:
        listed = CoveredAlert.objects.filter(delivery=delivery)
        return not listed.filter(alert__status=AlertStatus.FIRING).exists()
    if delivery.kind != DeliveryKind.PAGE:
        return False
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
    _one_node_at_a_time(by_user)
    recent = _recent(by_user, channel, now - limit.within, {d.pk for d in live})
    leaving: list[Delivery] = []
    for user_id, wanted in by_user.items():
        free = max(0, limit.at_most - len(recent[user_id]))
        if len(wanted) < free:
            leaving += wanted
        else:
            free_at = max(plan.storm_free_at(recent[user_id], limit, now), now + timedelta(seconds=1))
            leaving += _squeeze(wanted, free, free_at, now)
    return leaving


def _one_node_at_a_time(user_ids: Iterable[int]) -> None:
    """Two nodes that count one person's messages at once would each send what is left of the limit."""
    if connection.features.has_select_for_update:
        list(
            User.objects.select_for_update(no_key=True).filter(pk__in=sorted(user_ids)).order_by("pk").values_list("pk")
        )


def _recent(user_ids: Iterable[int], channel: str, since: datetime, but: Collection[int]) -> dict[int, list[datetime]]:
    """When messages left lately, by person; those under way right now count as just left."""
    now = clock.now()
    users = set(user_ids)
    found: dict[int, list[datetime]] = defaultdict(list)
    # In this order: one that another node hands over between the two questions is found twice, and not in neither.
    under_way = {pk: user_id for pk, user_id in UNDER_WAY(users, channel, now) if pk not in but}
    for pk, user_id, at in LEFT_SINCE(users, channel, since):
        under_way.pop(pk, None)
        if at is None or at <= now + SOON:  # later: the clock was set back, and nobody is to wait for that moment
            found[user_id].append(at or now)
    for user_id in under_way.values():
        found[user_id].append(now)
    return found


def _squeeze(wanted: Sequence[Delivery], free: int, free_at: datetime, now: datetime) -> list[Delivery]:
    """More wants to leave than may: urgent ones first, what can be bundled shares a slot, the rest waits."""
    first = wanted[0]
    everything = list(
        Delivery.objects.filter(user_id=first.user_id, channel=first.channel, state__in=OUTSTANDING)
        .filter(Q(claimed_until=None) | Q(pk__in=[d.pk for d in wanted]))
        .filter(due_at__lte=now + SOON)
        .select_related("alert__service", "user", "contact", "page")
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("rank", "due_at", "pk")[:BUNDLE_MAX]
    )
    waiting = _drop_answered(everything, now)
    leaving: list[Delivery] = []
    while waiting and len(leaving) < free:
        units = _units(waiting)
        is_scarce = len(units) >= free - len(leaving)  # from here on each slot is needed for a whole bundle
        unit = units[0] if is_scarce or waiting[0].kind in NEWS else waiting[:1]
        leaving.append(_joint(unit, now) if len(unit) > 1 else unit[0])
        gone = {d.pk for d in unit}
        waiting = [d for d in waiting if d.pk not in gone]
    # What waits for a slot was not refused by its method: it does not count as failed meanwhile.
    Delivery.objects.filter(pk__in=[d.pk for d in waiting]).update(
        due_at=free_at, wanted_at=free_at, claimed_until=None
    )
    return leaving


def _units(waiting: Sequence[Delivery]) -> list[list[Delivery]]:
    """What could leave as one message each, the most urgent first: pages to one method, news, and "still on it?"."""
    units: dict[tuple[object, ...], list[Delivery]] = {}
    for delivery in waiting:
        key: tuple[object, ...] = ("alone", delivery.pk)
        if delivery.kind == DeliveryKind.PAGE:
            key = ("pages", delivery.contact_id)
        elif delivery.kind in NEWS and delivery.context.get("asks"):
            key = ("questions", delivery.contact_id)
        elif delivery.kind in NEWS and not delivery.context.get("covers"):
            key = ("news", delivery.contact_id)
        units.setdefault(key, []).append(delivery)
    return list(units.values())


def _joint(unit: Sequence[Delivery], now: datetime) -> Delivery:
    """One message in the place of several."""
    first = unit[0]
    is_pages = first.kind == DeliveryKind.PAGE
    is_question = bool(first.context.get("asks"))  # one answer for all that it lists; it wakes nobody, so it is no page
    context = _bundle_context(unit) if is_pages else _question(unit) if is_question else {"sentence": _news(unit)}
    key = f"bundle/{first.user_id}/{first.channel}/{first.pk}/{len(unit)}/{now.timestamp():.3f}"[:200]
    bundle = Delivery.objects.create(
        idempotency_key=key,
        kind=DeliveryKind.BUNDLE if is_pages else DeliveryKind.UPDATE,
        user=first.user,
        contact=first.contact,
        channel=first.channel,
        method_name=first.method_name,
        alert=first.alert if is_question else None,
        urgency=min((d.urgency for d in unit), key=lambda urgency: urgency != "high"),
        rank=first.rank,
        context=context,
        created_at=now,
        due_at=now,
        wanted_at=now,
        claimed_until=now + DELIVERY_LEASE,
        token_digest=digest_of(token_of(key)) if is_pages or is_question else None,
    )
    if is_pages:
        listed = {d.alert_id for d in unit if d.alert_id} | {pk for d in unit for pk in d.context.get("covers", [])}
        known = Alert.objects.filter(pk__in=listed, status__in=OPEN).order_by("pk").values_list("pk", flat=True)
        CoveredAlert.objects.bulk_create([CoveredAlert(delivery=bundle, alert_id=pk) for pk in known[:BUNDLE_MAX]])
    Delivery.objects.filter(pk__in=[d.pk for d in unit]).update(
        state=DeliveryState.BUNDLED, bundle=bundle, claimed_until=None, finished_at=now
    )
    return bundle


def _bundle_context(unit: Sequence[Delivery]) -> dict[str, object]:
    """The bundle is as late as the latest of what it holds, and says who has what was acknowledged already."""
    wanted = sorted(str(d.context["wanted_at"]) for d in unit if d.context.get("wanted_at"))
    taken = list(dict.fromkeys(str(d.context["who"]) for d in unit if d.context.get("who")))
    who = f"{taken[0]}, and {len(taken) - 1} more are taken" if len(taken) > 1 else "".join(taken)
    return {
        "step": unit[0].context.get("step", ""),
        **({"wanted_at": wanted[0]} if wanted else {}),
        **({"who": who} if who else {}),
    }


def _question(unit: Sequence[Delivery]) -> dict[str, object]:
    """ "Still on these 12 alerts? #4, #5, #6 and 9 more": acknowledged together, or their time-outs met."""
    listed: dict[int, Alert | None] = {d.alert.pk: d.alert for d in unit if d.alert is not None}
    listed |= {pk: None for d in unit for pk in d.context.get("covers", []) if pk not in listed}
    shown = ", ".join(str(alert) for alert in list(listed.values())[:NEWS_SHOWN_MAX] if alert is not None)
    more = f" and {len(listed) - NEWS_SHOWN_MAX} more" if len(listed) > NEWS_SHOWN_MAX else ""
    sentence = f"still on these {len(listed)} alerts? Acknowledge them again, or they page anew: {shown}{more}"
    return {"asks": True, "sentence": sentence, "covers": sorted(listed)}


def _news(unit: Sequence[Delivery]) -> str:
    """ "12 updates: Bo has #1042, go back to sleep; #1043 is resolved by db-prometheus; and 10 more"."""
    sentences = list(dict.fromkeys(str(d.context.get("sentence", "")) for d in unit))
    more = f"; and {len(sentences) - NEWS_SHOWN_MAX} more" if len(sentences) > NEWS_SHOWN_MAX else ""
    return f"{len(unit)} updates: {'; '.join(sentences[:NEWS_SHOWN_MAX])}{more}"


def _mark(leaving: Sequence[Delivery], by: str, now: datetime) -> None:
    for delivery in leaving:
        delivery.was_cut_off = delivery.state == DeliveryState.SENDING  # its lease ran out before a receipt was written
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
