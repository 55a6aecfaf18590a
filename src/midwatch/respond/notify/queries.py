"""Reads of notification: who can be reached, by what, and what became of each message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from midwatch.core import feeds, integration
from midwatch.core.integration import ChannelConfig
from midwatch.core.statements import Select
from midwatch.people.models import ContactMethod, NotificationRule, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.notify.models import Delivery, Page, PageState
from midwatch.respond.notify.plan import Rule
from midwatch.settings import channel_values

SEND_TIMEOUT_SECONDS = 10.0
_CONTACTS = Select(lambda users: ContactMethod.objects.filter(user_id__in=users))
_RULES = Select(lambda users: NotificationRule.objects.filter(user_id__in=users))
_PAGES = Select(lambda alert: Page.objects.filter(alert_id=alert).select_related("user").order_by("id")[:500])
DEFAULT_GAP = timedelta(minutes=1)


@cache
def channel_config(type_: str) -> ChannelConfig:
    channel = integration.senders()[type_]
    return ChannelConfig(values=channel_values(tuple(channel.SETTINGS)), timeout_seconds=SEND_TIMEOUT_SECONDS)


def chat_config(provider: str) -> ChannelConfig:
    """The installation's settings of a chat provider."""
    settings_read = tuple(integration.chats()[provider].SETTINGS)
    return ChannelConfig(values=channel_values(settings_read), timeout_seconds=SEND_TIMEOUT_SECONDS)


def feed_config(provider: str) -> ChannelConfig:
    """The installation's settings of a provider of teams' channels."""
    settings_read = tuple(feeds.feeds()[provider].SETTINGS)
    return ChannelConfig(values=channel_values(settings_read), timeout_seconds=SEND_TIMEOUT_SECONDS)


def rings(type_: str) -> bool:
    """Whether a message by this type of method wakes somebody."""
    channel = integration.senders().get(type_)
    return bool(channel and channel.RINGS.get(type_))


def why_unusable(contact: ContactMethod) -> str:
    """ "" when a message can go out by it, else a sentence that says what to do."""
    channel = integration.senders().get(contact.type)
    if channel is None:
        return f"there is no channel for {contact.type!r}"
    if contact.disabled_at is not None:
        return contact.problem or "it is switched off"
    if contact.confirmed_at is None:
        return "it is not confirmed: send a test page and answer it"
    return channel.missing_settings(contact.type, channel_config(contact.type))


@dataclass(frozen=True, slots=True)
class MethodState:
    contact: ContactMethod
    is_usable: bool
    is_ringing: bool
    why: str  # why it is not usable


@dataclass(frozen=True, slots=True)
class Reachability:
    """`is_reachable_high`: at least one usable method that rings."""

    user: User
    methods: Sequence[MethodState]
    is_reachable_high: bool
    is_reachable_low: bool
    why: str


def reachability(user: User) -> Reachability:
    return reachabilities([user])[user.pk]


def reachabilities(users: Iterable[User]) -> dict[int, Reachability]:
    """For many people, in one query."""
    people = list(users)
    contacts: dict[int, list[ContactMethod]] = defaultdict(list)
    for contact in ContactMethod.objects.filter(user__in=people):
        contacts[contact.user_id].append(contact)
    return {user.pk: _reachability(user, contacts[user.pk]) for user in people}


def _reachability(user: User, contacts: Sequence[ContactMethod]) -> Reachability:
    states = []
    for contact in contacts:
        why = why_unusable(contact)
        states.append(MethodState(contact, not why, rings(contact.type), why))
    usable = [state for state in states if state.is_usable]
    ringing = [state for state in usable if state.is_ringing]
    if not user.is_active:
        return Reachability(user, states, False, False, "the account is switched off")
    why = ""
    if not states:
        why = "no contact method"
    elif not usable:
        why = "; ".join(f"{state.contact.name}: {state.why}" for state in states)
    elif not ringing:
        why = "e-mail alone wakes nobody: add a phone, ntfy or a webhook"
    return Reachability(user, states, bool(ringing), bool(usable), why)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One person's rules for one urgency, as `plan.py` takes them; only usable methods. `has_ringing`: one of them rings."""

    user: User
    rules: tuple[Rule, ...]
    contacts: Mapping[int, ContactMethod]
    has_ringing: bool
    repeat_after: timedelta

    def is_enough(self, urgency: str) -> bool:
        return self.has_ringing if urgency == "high" else bool(self.rules)


def call_plans(
    wanted: Iterable[tuple[int, str]], *, users: Iterable[User] | None = None
) -> dict[tuple[int, str], CallPlan]:
    """Rules by (user id, urgency), for many people in three queries; in two when their rows are at hand in `users`."""
    keys = set(wanted)
    known = {user.pk: user for user in users} if users is not None else User.objects.in_bulk({pk for pk, _ in keys})
    contacts: dict[int, dict[int, ContactMethod]] = defaultdict(dict)
    for contact in _CONTACTS(known.keys()):
        contacts[contact.user_id][contact.pk] = contact
    rules: dict[tuple[int, str], list[NotificationRule]] = defaultdict(list)
    for rule in _RULES(known.keys()):
        rules[rule.user_id, rule.urgency].append(rule)
    plans = {}
    for user_id, urgency in keys:
        user = known.get(user_id)
        if user is None:
            continue
        usable = {
            pk: contact for pk, contact in contacts[user_id].items() if user.is_active and not why_unusable(contact)
        }
        plans[user_id, urgency] = _call_plan(user, urgency, rules[user_id, urgency], usable)
    return plans


def _call_plan(
    user: User, urgency: str, rules: Sequence[NotificationRule], usable: Mapping[int, ContactMethod]
) -> CallPlan:
    planned = _usable_rules(sorted(rules, key=lambda r: (r.after_seconds, r.position, r.pk)), usable)
    if not planned or (urgency == "high" and not any(rings(usable[rule.contact_id].type) for rule in planned)):
        planned = planned + _default_rules(urgency, usable, {rule.contact_id for rule in planned})
    return CallPlan(
        user=user,
        rules=tuple(planned),
        contacts=usable,
        has_ringing=any(rings(usable[rule.contact_id].type) for rule in planned),
        repeat_after=timedelta(seconds=user.repeat_after_seconds),
    )


def _usable_rules(rules: Sequence[NotificationRule], usable: Mapping[int, ContactMethod]) -> list[Rule]:
    """A method that cannot be used has failed before it is tried: the next one goes in its place."""
    planned: list[Rule] = []
    failed_after: int | None = None
    for rule in rules:
        if rule.contact_id not in usable:
            failed_after = rule.after_seconds if failed_after is None else failed_after
            continue
        after = rule.after_seconds if failed_after is None else failed_after
        planned.append(Rule(timedelta(seconds=after), rule.contact_id, rule.opens_at, rule.closes_at))
        failed_after = None
    return planned


def _default_rules(urgency: str, usable: Mapping[int, ContactMethod], used: set[int]) -> list[Rule]:
    """For somebody without (enough) rules of their own: what rings, a minute apart, when it is urgent; else the quietest."""
    ordered = sorted(
        (contact for contact in usable.values() if contact.pk not in used),
        key=lambda contact: (
            rings(contact.type) != (urgency == "high"),
            contact.type == "voice",
            contact.position,
            contact.pk,
        ),
    )
    if urgency == "low":
        ordered = ordered[:1]
    return [Rule(DEFAULT_GAP * index, contact.pk) for index, contact in enumerate(ordered)]


def deliveries_of(alert: Alert, *, limit: int = 300) -> list[Delivery]:
    return list(Delivery.objects.filter(alert=alert).select_related("user").order_by("id")[:limit])


def running_pages(user: User, *, limit: int = 50) -> list[Page]:
    """Pages that call this person now, newest alert first."""
    found = Page.objects.filter(user=user, state=PageState.RUNNING, alert__is_test=False)
    return list(found.select_related("alert__service", "alert__team").order_by("-alert_id")[:limit])


def pages_of(alert: Alert) -> list[Page]:
    return _PAGES(alert.pk)
