"""Reads: how a person is reached, row by row, with what may be shown to whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from midwatch.core import clock, integration
from midwatch.people.actions import Rule, default_rules
from midwatch.people.models import ContactMethod, Membership, NotificationRule, User
from midwatch.people.queries import people
from midwatch.respond.notify.models import Delivery, DeliveryKind, DeliveryState
from midwatch.respond.notify.queries import MethodState, Reachability, channel_config, reachabilities

TESTS_SHOWN_FOR = timedelta(minutes=30)
TESTS_MAX = 40
PEOPLE_SHOWN = 500


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One way to reach somebody. `address` is "" for those who may not see it. `test`: the last one, lately."""

    state: MethodState
    title: str
    address: str
    has_secret: bool
    test: Delivery | None
    is_confirmable: bool

    @property
    def contact(self) -> ContactMethod:
        return self.state.contact

    @property
    def word(self) -> str:
        """A state that the skin knows by icon, word and colour."""
        if self.contact.disabled_at is not None:
            return "disabled"
        if self.contact.confirmed_at is None:
            return "unconfirmed"
        if not self.state.is_usable:
            return "problem"
        return "warning" if self.contact.failing_since is not None else "ok"


def missing_settings() -> dict[str, str]:
    """Why a type of contact method cannot send here, by type; only those that cannot."""
    found = {}
    for type_, channel in integration.channels().items():
        why = channel.missing_settings(type_, channel_config(type_))
        if why:
            found[type_] = why
    return found


def type_name(type_: str) -> str:
    channel = integration.channels().get(type_)
    return channel.NAMES[type_] if channel is not None else type_


def method_rows(reach: Reachability, *, shows_addresses: bool, is_me: bool) -> list[MethodRow]:
    tests = last_tests(reach.user)
    rows = []
    for state in reach.methods:
        contact, test = state.contact, tests.get(state.contact.pk)
        rows.append(
            MethodRow(
                state=state,
                title=type_name(contact.type),
                address=contact.address if shows_addresses else "",
                has_secret=bool(contact.secret or contact.secret_reference),
                test=test,
                is_confirmable=is_me
                and contact.confirmed_at is None
                and contact.disabled_at is None
                and test is not None
                and test.state == DeliveryState.HANDED_OVER,
            )
        )
    return rows


def last_tests(person: User) -> dict[int, Delivery]:
    """The last test page of each method within half an hour, by the method's id."""
    found = Delivery.objects.filter(
        user=person, kind=DeliveryKind.TEST, created_at__gt=clock.now() - TESTS_SHOWN_FOR
    ).exclude(contact=None)
    newest_last = sorted(found.order_by("-pk")[:TESTS_MAX], key=lambda one: one.pk)
    return {one.contact_id: one for one in newest_last if one.contact_id is not None}


def rules_of(person: User) -> list[Rule]:
    return [
        Rule(one.urgency, one.after_seconds, one.contact.name, one.opens_at, one.closes_at)
        for one in person.notification_rules.select_related("contact")
    ]


def has_usual_rules(person: User) -> bool:
    """Nobody has changed them by hand: they are what a new person gets, or none at all."""
    rules = rules_of(person)
    usual = default_rules(list(person.contact_methods.all()))
    return not rules or sorted(rules, key=_order) == sorted(usual, key=_order)


def _order(rule: Rule) -> tuple[str, int, str, str]:
    return (rule.urgency, rule.after_seconds, rule.contact, str(rule.opens_at))


@dataclass(frozen=True, slots=True)
class RuleLine:
    rule: NotificationRule
    at: timedelta
    state: str  # as of MethodRow.word
    is_ringing: bool


def rule_lines(person: User, rows: Sequence[MethodRow]) -> dict[str, list[RuleLine]]:
    """By urgency, in the order in which they go out."""
    by_contact = {row.contact.pk: row for row in rows}
    found: dict[str, list[RuleLine]] = {"high": [], "low": []}
    for rule in person.notification_rules.all():
        row = by_contact[rule.contact_id]
        found[rule.urgency].append(
            RuleLine(rule, timedelta(seconds=rule.after_seconds), row.word, row.state.is_ringing)
        )
    return found


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A line of the reachability table."""

    person: User
    reach: Reachability
    memberships: Sequence[Membership]
    methods: Sequence[MethodRow]

    @property
    def last_at(self) -> datetime | None:
        given = [row.contact.last_handed_over_at for row in self.methods if row.contact.last_handed_over_at]
        return max(given, default=None)


def person_rows(wanted: Iterable[User], seen: set[int] | None) -> list[PersonRow]:
    """`seen`: whose addresses may be shown, None for everybody's. Three queries, however many people."""
    listed = list(wanted)
    reach = reachabilities(listed)
    memberships: dict[int, list[Membership]] = {}
    for one in Membership.objects.filter(user__in=listed).select_related("team").order_by("team__display_name"):
        memberships.setdefault(one.user_id, []).append(one)
    rows = []
    for person in listed:
        shows = seen is None or person.pk in seen
        methods = [
            MethodRow(state, type_name(state.contact.type), state.contact.address if shows else "", False, None, False)
            for state in reach[person.pk].methods
        ]
        rows.append(PersonRow(person, reach[person.pk], memberships.get(person.pk, []), methods))
    return rows


def find_people(*, query: str = "", is_active: bool = True, team: str = "") -> list[User]:
    """By name, at most `PEOPLE_SHOWN`."""
    found = people().filter(is_active=is_active)
    if query:
        found = found.filter(Q(display_name__icontains=query) | Q(name__icontains=query) | Q(email__iexact=query))
    if team:
        found = found.filter(memberships__team__name=team)
    return list(found[:PEOPLE_SHOWN])


def by_state(rows: Iterable[PersonRow]) -> Mapping[bool, list[PersonRow]]:
    """Who can be woken (True) and who cannot (False)."""
    found: dict[bool, list[PersonRow]] = {True: [], False: []}
    for row in rows:
        found[row.reach.is_reachable_high].append(row)
    return found
