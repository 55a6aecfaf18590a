"""Landing pages: a link in a message acts as the person it was sent to, on exactly what that message listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.statements import Select, Update
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import (
    Outcome,
    acknowledge_alert,
    acknowledge_alerts,
    resolve_alert,
    resolve_alerts,
)
from midwatch.respond.alerts.actions.people import who_has
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation.actions.acts import decline, escalate_now, paged_as
from midwatch.respond.escalation.actions.answers import alerts_joined_to
from midwatch.respond.notify.actions.deliveries import covered_alerts, find_delivery
from midwatch.respond.notify.actions.messages import confirm_method
from midwatch.respond.notify.models import Delivery, DeliveryKind

JOINED = Select(
    lambda ids: (
        Alert.objects.filter(pk__in=ids, status=AlertStatus.FIRING)
        .select_related("service", "acknowledged_by", "resolved_by")
        .order_by("pk")
    )
)
ANSWERED = Update(lambda pk: (Delivery.objects.filter(pk=pk), {"receipt": "answered"}))
ACTS_AFTER_RESOLVE = timedelta(hours=1)
MANY = {"acknowledge": acknowledge_alerts, "resolve": resolve_alerts}
ACTIONS = ("acknowledge", "resolve", "escalate", "decline")


@dataclass(frozen=True, slots=True)
class Landing:
    """What a token opens. `alerts`: the message's own first, then what it listed, then what has joined its page since.

    `can_act`: until an hour after the resolve. `upto`: what a page shows is exactly the alerts up to this id. `listed`:
    the ids that the message itself listed.
    """

    delivery: Delivery
    user: User
    alerts: Sequence[Alert]
    is_test: bool
    can_act: bool
    state: str  # "Bo has #1042 since 02:14 UTC"
    upto: int = 0
    listed: frozenset[int] = frozenset()


def landing(token: str) -> Landing | None:
    """None for an unknown token."""
    delivery = find_delivery(token)
    if delivery is None:
        return None
    alerts = covered_alerts(delivery)
    listed = frozenset(alert.pk for alert in alerts)
    alerts += _joined_since(delivery, alerts)
    is_test = delivery.kind == DeliveryKind.TEST
    resolved = [a.resolved_at for a in alerts if a.status == AlertStatus.RESOLVED and a.resolved_at is not None]
    is_over = bool(alerts) and len(resolved) == len(alerts) and clock.now() - max(resolved) > ACTS_AFTER_RESOLVE
    can_act = delivery.user.is_active and delivery.user.may_act and not is_over and (is_test or bool(alerts))
    state = who_has(alerts[0]) if alerts else ""
    upto = max((alert.pk for alert in alerts), default=0)
    return Landing(delivery, delivery.user, alerts, is_test, can_act, state, upto, listed)


def _joined_since(delivery: Delivery, listed: Sequence[Alert]) -> list[Alert]:
    """A page that is opened later shows what pages with it now. A bundle is what it was when it was written."""
    if delivery.alert is None or delivery.kind == DeliveryKind.BUNDLE or delivery.alert.status != AlertStatus.FIRING:
        return []
    known = {alert.pk for alert in listed}
    return JOINED([pk for pk in alerts_joined_to(delivery.alert) if pk not in known])


def act_on_landing(
    token: str, action: str, *, scope: str = "this", via: str = "link", upto: int = 0
) -> tuple[Landing, str]:
    """Do it as the person the message went to. `scope`: this, or all that the message listed; with `upto`, all that the
    page showed which carried it. Never one that came later.

    Returns the landing as it is now and the sentence to show. Raises LookupError for an unknown token, ValueError for an
    unknown action.
    """
    found = landing(token)
    if found is None:
        raise LookupError("this link is not known: open Midwatch to see the alert")
    return act_on(found, token, action, scope=scope, via=via, upto=upto)


def act_on(
    found: Landing, token: str, action: str, *, scope: str = "this", via: str = "link", upto: int = 0
) -> tuple[Landing, str]:
    """As `act_on_landing`, for whoever has looked at what the token opens in this very request."""
    if found.is_test and action == "acknowledge":
        confirm_method(found.delivery, actor_of(found.user, via))
        return landing(token) or found, "Confirmed: this method reaches you."
    if action not in ACTIONS:
        raise ValueError(f"action={action[:40]!r}: give one of {', '.join(ACTIONS)}")
    if not found.can_act:
        return found, found.state or "This link has expired."
    actor = actor_of(found.user, via)
    targets = found.alerts[:1]
    if scope == "all" or found.delivery.kind == DeliveryKind.BUNDLE:
        targets = [alert for alert in found.alerts if alert.pk in found.listed or alert.pk <= upto]
    if action in {"escalate", "decline"}:  # of a page, whatever joined it
        targets = list({paged_as(alert).pk: alert for alert in reversed(targets)}.values())[::-1]
    with transaction.atomic():
        ANSWERED(found.delivery.pk)
        outcomes = _act_on_all(targets, action, found.user, actor)
    return landing(token) or found, _sentence(outcomes, action)


def _act_on_all(targets: Sequence[Alert], action: str, user: User, actor: Actor) -> list[Outcome]:
    if len(targets) > 1 and action in MANY:
        return MANY[action](targets, actor)
    return [_act(alert, action, user, actor) for alert in targets]


def _act(alert: Alert, action: str, user: User, actor: Actor) -> Outcome:
    match action:
        case "acknowledge":
            return acknowledge_alert(alert, actor)
        case "resolve":
            return resolve_alert(alert, actor)
        case "escalate":
            return escalate_now(alert, actor)
        case _:
            return decline(alert, user, actor)


def _sentence(outcomes: Sequence[Outcome], action: str) -> str:
    if len(outcomes) == 1:
        return outcomes[0].sentence
    changed = sum(outcome.is_changed for outcome in outcomes)
    words = {"acknowledge": "acknowledged", "resolve": "resolved", "escalate": "escalated", "decline": "passed on"}
    return f"{changed} of {len(outcomes)} {words[action]}."
