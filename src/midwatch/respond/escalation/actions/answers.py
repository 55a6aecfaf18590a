"""What follows when an alert was answered, given back, resolved, held or joined: the engine's reactions call these.

Each reads the state as it is now, so one that is late or comes twice does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from midwatch.core import clock
from midwatch.core.actor import ENGINE
from midwatch.core.rows import update_columns
from midwatch.core.statements import Select
from midwatch.people.models import User
from midwatch.respond.alerts.actions.timeline import entry, note_many
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus
from midwatch.respond.escalation import fixing
from midwatch.respond.escalation.actions import remedies
from midwatch.respond.escalation.actions.running import (
    begin_round,
    context_of,
    end,
    joined_alert_ids,
    load,
    origin_of,
    run,
)
from midwatch.respond.escalation.models import Escalation, EscalationState
from midwatch.respond.escalation.queries import unique
from midwatch.respond.notify.actions import NewPage, Told, start_pages, stop_pages, tell_many
from midwatch.respond.notify.actions.pages import raise_urgency
from midwatch.respond.notify.models import Delivery, DeliveryKind, DeliveryState, Page, PageState

JOINED_TO = Select(
    lambda alert: Escalation.objects.filter(leader__alert_id=alert, alert__status__in=OPEN).values_list(
        "alert_id", flat=True
    )[:500]
)
LEFT = (DeliveryState.HANDED_OVER, DeliveryState.SENDING)
ALERT = Select(
    lambda alert: Alert.objects.select_related("service", "team", "source", "acknowledged_by", "resolved_by").filter(
        pk=alert
    )
)
CALLED = Select(
    lambda alert: (
        Delivery.objects.filter(
            Q(state__in=LEFT) | Q(state=DeliveryState.BUNDLED, bundle__state__in=LEFT),
            alert=alert,
            kind=DeliveryKind.PAGE,
        )
        .select_related("user")
        .order_by("id")
    )
)
FOLLOWING = Select(
    lambda leader: (
        Escalation.objects.filter(leader=leader, state=EscalationState.JOINED, alert__status=AlertStatus.FIRING)
        .order_by("alert__priority", "alert_id")
        .values_list("pk", "alert_id")
    )
)


def _alert(alert_id: int) -> Alert | None:
    return next(iter(ALERT(alert_id)), None)


def people_told(alert: Alert) -> dict[int, tuple[User, tuple[str, ...]]]:
    """Who got a page about it, and by which channels, newest last."""
    told: dict[int, tuple[User, tuple[str, ...]]] = {}
    for delivery in CALLED(alert.pk):
        user, channels = told.get(delivery.user_id, (delivery.user, ()))
        told[delivery.user_id] = (user, (*[c for c in channels if c != delivery.channel], delivery.channel))
    return told


def on_acknowledged(alert_id: int) -> None:
    """Pages stop, everybody else who was paged may go back to sleep, the time-out runs."""
    alert = _alert(alert_id)
    if alert is None or alert.status != AlertStatus.ACKNOWLEDGED:
        return
    stop_pages([alert.pk], state=PageState.ANSWERED, keep_notes=True)
    moment = alert.acknowledged_at or clock.now()
    _tell_all(
        alert,
        _taken_words(alert),
        DeliveryKind.UPDATE,
        f"ack/{moment.timestamp():.3f}",
        alert.acknowledged_by_id,
        "acknowledged",
    )
    escalations = load([alert.pk])
    for escalation in escalations:
        escalation.asked_at = None
        _promote(escalation)
        if escalation.leader_id:
            Escalation.objects.filter(pk=escalation.pk).update(leader=None)
    run(escalations)


def _taken_words(alert: Alert) -> str:
    if alert.acknowledged_by is not None:
        return f"{alert.acknowledged_by} has {alert}, go back to sleep"
    return f"{alert} is acknowledged by source, no person: it pages again unless somebody takes it"


def on_confirmed(alert_id: int) -> None:
    """The owner is still on it: the time-out starts anew. Nothing when it was given back since: that has its own round."""
    alert = _alert(alert_id)
    if alert is None or alert.status != AlertStatus.ACKNOWLEDGED:
        return
    for escalation in (escalations := load([alert_id])):
        escalation.asked_at = None
    run(escalations)


def on_unacknowledged(alert_id: int) -> None:
    """Given back, or a snooze ended: a new round."""
    alert = _alert(alert_id)
    if alert is None or alert.status != AlertStatus.FIRING:
        return
    stop_pages([alert_id], state=PageState.STOPPED)  # what is left of the round before
    for escalation in (escalations := load([alert_id])):
        begin_round(escalation, clock.now())
    run(escalations)


def on_resolved(alert_id: int) -> None:
    alert = _alert(alert_id)
    if alert is None or alert.status != AlertStatus.RESOLVED:
        return
    called = [page.user for page in stop_pages([alert.pk], state=PageState.ANSWERED)]
    who = str(alert.resolved_by) if alert.resolved_by else remedies.fixed_by(alert) or str(alert.source or "its source")
    _tell_all(
        alert,
        f"{alert} is resolved by {who}",
        DeliveryKind.RESOLVED,
        f"resolved/{alert.resolved_at}",
        alert.resolved_by_id,
        "resolved",
    )
    escalations = load([alert.pk])
    for escalation in escalations:
        _promote(escalation, called)
        end(escalation)
    update_columns(escalations, ["state", "due_at", "why"])


def on_reopened(alert_id: int) -> None:
    """Resolved by a person while its source still fires: theirs again, and the time-out runs."""
    alert = _alert(alert_id)
    if alert is None or alert.status != AlertStatus.ACKNOWLEDGED:
        return
    owner = alert.acknowledged_by
    if owner is not None:
        sentence = f"{alert} still fires: it is open again, as yours"
        key = f"reopened/{alert.pk}/{clock.now().timestamp():.0f}"
        tell_many([Told(owner, key, DeliveryKind.UPDATE, sentence, alert=alert, context={"asks": True})])
    escalations = load([alert_id])
    for escalation in escalations:
        begin_round(escalation, clock.now())
    run(escalations)


def on_snoozed(alert_id: int) -> None:
    stop_pages([alert_id], state=PageState.STOPPED)
    on_acknowledged(alert_id)


def on_page_failed(alert_id: int) -> None:
    """Every method of somebody failed: the step may have to pass on now. Nobody's time is waited for in vain."""
    paging = [e for e in load([alert_id]) if e.state == EscalationState.PAGING]
    if any(escalation.next_by is not None for escalation in paging):
        live = Page.objects.filter(alert=alert_id, state=PageState.RUNNING, failed_at=None)
        for escalation in paging if not live.exists() else ():
            escalation.next_by = clock.now()
    run(paging)


def on_raised(alert_id: int) -> None:
    """The priority was raised: what is urgent now goes by the high rules, what joined a lesser page pages by itself.

    Somebody may have it: what is urgent now has a time-out of the acknowledgement, which low urgency has not.
    """
    alert = _alert(alert_id)
    if alert is not None and alert.status == AlertStatus.ACKNOWLEDGED:
        run(load([alert_id]))
    if alert is not None and alert.status == AlertStatus.FIRING:
        if alert.priority == fixing.NEVER:
            remedies.release(alert_id, f"raised to {alert.priority}, which never waits for a runbook")
        if alert.urgency == "high":
            raise_urgency(alert)
        leave_group(alert)


def leave_group(alert: Alert) -> None:
    """A joined alert that became more urgent than its page pages by itself."""
    now = clock.now()
    for escalation in load([alert.pk]):
        leader = escalation.leader.alert if escalation.leader is not None else None
        is_more_urgent = leader is None or (alert.priority, alert.urgency != "high") < (
            leader.priority,
            leader.urgency != "high",
        )
        if escalation.state == EscalationState.JOINED and is_more_urgent:
            escalation.leader = None
            begin_round(escalation, now)
            Escalation.objects.filter(pk=escalation.pk).update(leader=None)
            run([escalation])


def on_maintenance_started(service_id: int) -> None:
    """Nobody is called for this service any more until it ends."""
    alerts = list(
        Alert.objects.filter(service_id=service_id, status=AlertStatus.FIRING).values_list("pk", flat=True)[:5_000]
    )
    stop_pages(alerts, state=PageState.STOPPED)
    run([e for e in load(alerts) if e.state in {EscalationState.PAGING, EscalationState.EXHAUSTED}])


def on_maintenance_ended(service_id: int) -> None:
    """What still fires pages now, unless another maintenance goes on."""
    alerts = list(Alert.objects.filter(service_id=service_id, status__in=OPEN).values_list("pk", flat=True)[:5_000])
    run([e for e in load(alerts) if e.state == EscalationState.HELD])


def on_joined(escalation_id: int) -> None:
    """ "+213 more" to everybody whose page about this group is unanswered; its landing page offers all that are shown."""
    leader = (
        Escalation.objects.select_related("alert__service", "policy")
        .select_for_update(of=("self",))
        .filter(pk=escalation_id)
        .first()
    )
    if leader is None or leader.joined_count <= leader.joined_told_count:
        return
    Escalation.objects.filter(pk=leader.pk).update(joined_told_count=leader.joined_count)
    alert = leader.alert
    if alert.status != AlertStatus.FIRING:
        return
    covers = joined_alert_ids(leader)
    if not covers:
        return
    count = Escalation.objects.filter(leader=leader, alert__status=AlertStatus.FIRING).count()
    sentence = f"+{count} more of the same group as {alert}"
    messages = [
        Told(
            user,
            f"joined/{leader.pk}/{leader.joined_count}/{user.pk}",
            DeliveryKind.UPDATE,
            sentence,
            alert=alert,
            used_types=channels,
            context={"covers": covers, "more": count},
        )
        for user, channels in people_told(alert).values()
    ]
    tell_many(messages)
    note_many([entry(alert.pk, "more", sentence, ENGINE)])


def _tell_all(alert: Alert, sentence: str, kind: str, key: str, but_user_id: int | None, preference: str) -> None:
    told = people_told(alert)
    messages = [
        Told(
            user,
            f"{key}/{alert.pk}/{user.pk}",
            kind,
            sentence,
            alert=alert,
            preference=str(user.notify_on.get(preference, "")),
            used_types=channels,
        )
        for user_id, (user, channels) in told.items()
        if user_id != but_user_id and alert.number
    ]
    tell_many(messages)


def _promote(leader: Escalation, called: Sequence[User] = ()) -> None:
    """The page of a group ended, but others of the group still fire unanswered: the oldest of them leads on.

    After an answer a new round begins, for whoever answered left these out on purpose. After a resolve the round goes
    on where it was: those who were `called` are called for the new one, and the next step keeps its time, or a group
    whose first alerts come and go would never reach level 2.
    """
    waiting = FOLLOWING(leader.pk)
    if not waiting:
        return
    now = clock.now()
    ((new_pk, alert_id), *rest) = waiting
    new = load([alert_id])[0]
    Escalation.objects.filter(pk__in=[pk for pk, _ in rest]).update(leader=new, why=f"pages with {new.alert}")
    Escalation.objects.filter(pk=new_pk).update(leader=None, joined_count=len(rest), joined_told_count=len(rest))
    new.joined_count = new.joined_told_count = len(rest)
    if called and leader.state == EscalationState.PAGING:
        _lead_on(leader, new, called)
    else:
        begin_round(new, max(now, new.round_started_at))  # it may have a pause of its own before its first page
    run([new])


def _lead_on(leader: Escalation, new: Escalation, called: Sequence[User]) -> None:
    now = clock.now()
    new.state = EscalationState.PAGING
    new.round, new.rounds_limit = leader.round, leader.rounds_limit
    new.round_started_at, new.pulled_seconds = leader.round_started_at, leader.pulled_seconds
    new.next_step, new.next_by = leader.next_step, leader.next_by or leader.due_at
    new.sent_at, new.has_reached = now, leader.has_reached
    origin, name = origin_of(new, new.next_step - 1), f"goes on from {leader.alert}"
    start_pages([NewPage(new.alert, user, origin, name, now, context=context_of(new)) for user in unique(called)])


def alerts_joined_to(alert: Alert) -> Sequence[int]:
    return JOINED_TO(alert.pk)
