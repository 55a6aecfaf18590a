"""How a person is reached: contact methods and notification rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time

from django.db import transaction

from midwatch.core import audit, clock, integration
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.actions.users import NeededError, say_needed
from midwatch.people.managed import FromCodeError, check_name
from midwatch.people.models import ContactMethod, NotificationRule, Urgency, User

CONTACTS_MAX = 20
RULES_MAX = 30
AFTER_SECONDS_MAX = 24 * 3600
REPEAT_SECONDS_MAX = 24 * 3600
SECRET_MAX = 500
PHONE_TYPES = frozenset({"sms", "voice"})
DEFAULT_GAP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact method as somebody gives it. `secret_reference`: {"env": ...} or {"file": ...}, only from code."""

    name: str
    type: str
    address: str
    secret: str = field(default="", repr=False)
    secret_reference: Mapping[str, str] | None = None
    secret_directory: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """After so long, by the contact method of this name; `opens_at`/`closes_at`: held until the window is open."""

    urgency: str
    after_seconds: int
    contact: str
    opens_at: time | None = None
    closes_at: time | None = None


def check_contact(contact: Contact) -> Contact:
    """As it will be stored. Raises `ValueError` with a sentence that says what to write."""
    check_name(contact.name)
    known = integration.channels()
    if contact.type not in known:
        raise ValueError(f"{clean(contact.type, 40)!r} is no type of contact method: give {', '.join(sorted(known))}")
    address = known[contact.type].check_address(contact.type, contact.address)
    if len(contact.secret) > SECRET_MAX:
        raise ValueError(f"the secret is too long: at most {SECRET_MAX} characters")
    return Contact(
        contact.name, contact.type, address, contact.secret, contact.secret_reference, contact.secret_directory
    )


def add_contact(user: User, contact: Contact, by: Actor) -> ContactMethod:
    """Not usable until confirmed by answering a test page. Raises `ValueError`."""
    _guard_contacts(user)
    checked = check_contact(contact)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        known = list(user.contact_methods.all())
        if len(known) >= CONTACTS_MAX:
            raise ValueError(f"a person has at most {CONTACTS_MAX} contact methods: remove one first")
        if any(other.name == checked.name for other in known):
            raise ValueError(f"there is a contact method called {checked.name} already: give another name")
        check_phone_owner(user, checked)
        made = ContactMethod.objects.create(
            user=user,
            name=checked.name,
            type=checked.type,
            address=checked.address,
            secret=checked.secret,
            position=max((other.position for other in known), default=-1) + 1,
        )
        audit.record(by, "add contact method", "user", user.name, {"name": made.name, "type": made.type})
    return made


def change_contact(contact: ContactMethod, address: str, by: Actor, *, secret: str | None = None) -> ContactMethod:
    """Another address has to be confirmed again. `secret` None keeps it. Raises `ValueError`."""
    _guard_contacts(contact.user)
    checked = check_contact(Contact(contact.name, contact.type, address, contact.secret if secret is None else secret))
    with transaction.atomic():
        current = ContactMethod.objects.select_for_update().select_related("user").get(pk=contact.pk)
        check_phone_owner(current.user, checked)
        if current.address != checked.address:
            _start_anew(current, checked.address)
        current.secret = checked.secret
        current.secret_reference = None
        current.save(update_fields=["secret", "secret_reference"])
        audit.record(by, "change contact method", "user", current.user.name, {"name": current.name})
    return current


def remove_contact(
    contact: ContactMethod, by: Actor, *, needed_by: Sequence[str] = (), is_forced: bool = False
) -> None:
    """`needed_by` as in `deactivate_user`: given when it is the person's last method. Raises `NeededError`."""
    user = contact.user
    _guard_contacts(user)
    is_last = not user.contact_methods.exclude(pk=contact.pk).filter(disabled_at=None).exists()
    if is_last and needed_by and not is_forced:
        raise NeededError(
            f"this is the last way to reach {user}, the only one who would be paged: {'; '.join(needed_by[:5])}. "
            "Add another method first, or force it, which tells the team",
            needed_by,
        )
    with transaction.atomic():
        audit.record(by, "remove contact method", "user", user.name, {"name": contact.name, "type": contact.type})
        ContactMethod.objects.filter(pk=contact.pk).delete()
        if is_last and needed_by:
            say_needed(user, by, needed_by, "lost the last contact method")


def confirm_contact(contact: ContactMethod, by: Actor) -> bool:
    """The person answered by it. False when it was confirmed before."""
    with transaction.atomic():
        changed = ContactMethod.objects.filter(pk=contact.pk, confirmed_at=None).update(confirmed_at=clock.now())
        if changed:
            audit.record(by, "confirm contact method", "user", contact.user.name, {"name": contact.name})
    return bool(changed)


def disable_contact(contact: ContactMethod, why: str, by: Actor) -> bool:
    """Nothing goes out by it any more, for example after a STOP. False when it was off already."""
    with transaction.atomic():
        changed = ContactMethod.objects.filter(pk=contact.pk, disabled_at=None).update(
            disabled_at=clock.now(), problem=clean(why, 300, is_one_line=True)
        )
        if changed:
            audit.record(
                by, "disable contact method", "user", contact.user.name, {"name": contact.name, "why": why[:300]}
            )
    return bool(changed)


def enable_contact(contact: ContactMethod, by: Actor) -> bool:
    with transaction.atomic():
        changed = ContactMethod.objects.filter(pk=contact.pk, disabled_at__isnull=False).update(
            disabled_at=None, problem="", failing_since=None
        )
        if changed:
            audit.record(by, "enable contact method", "user", contact.user.name, {"name": contact.name})
    return bool(changed)


def check_phone_owner(user: User, contact: Contact) -> None:
    """One phone number belongs to one person, or a reply could not be told apart. Raises `ValueError`."""
    if contact.type not in PHONE_TYPES:
        return
    other = (
        ContactMethod.objects.filter(type__in=PHONE_TYPES, address=contact.address)
        .exclude(user=user)
        .select_related("user")
        .first()
    )
    if other is not None:
        raise ValueError(f"{contact.address} belongs to {other.user} already: one phone number belongs to one person")


def set_contacts_from_code(user: User, contacts: Sequence[Contact], by: Actor) -> None:
    """The whole list as configuration gives it; they count as confirmed. Methods of the same name keep their rules."""
    checked = [check_contact(contact) for contact in contacts]
    now = clock.now()
    with transaction.atomic():
        known = {method.name: method for method in user.contact_methods.select_for_update()}
        user.contact_methods.exclude(name__in=[contact.name for contact in checked]).delete()
        for position, contact in enumerate(checked):
            method = known.get(contact.name) or ContactMethod(user=user, name=contact.name)
            if method.pk is None or (method.type, method.address) != (contact.type, contact.address):
                method.disabled_at, method.failing_since, method.problem = None, None, ""
            method.type, method.address, method.position = contact.type, contact.address, position
            method.secret = contact.secret
            method.secret_reference = dict(contact.secret_reference) if contact.secret_reference else None
            method.secret_directory = contact.secret_directory if contact.secret_reference else ""
            method.is_from_code, method.confirmed_at = True, method.confirmed_at or now
            method.save(update_fields=None if method.pk is None else _FROM_CODE_FIELDS)
        User.objects.filter(pk=user.pk).update(are_contacts_from_code=True)
        audit.record(by, "set contact methods", "user", user.name, {"names": [contact.name for contact in checked]})


_FROM_CODE_FIELDS = [
    "type",
    "address",
    "position",
    "secret",
    "secret_reference",
    "secret_directory",
    "is_from_code",
    "confirmed_at",
    "disabled_at",
    "failing_since",
    "problem",
]


def release_contacts(user: User, by: Actor) -> None:
    """Configuration says nothing of them any more: they are the person's own from now on."""
    with transaction.atomic():
        user.contact_methods.update(is_from_code=False)
        User.objects.filter(pk=user.pk).update(are_contacts_from_code=False)
        audit.record(by, "release contact methods", "user", user.name)


def set_rules(
    user: User,
    rules: Sequence[Rule],
    by: Actor,
    *,
    repeat_after_seconds: int | None = None,
    is_from_code: bool = False,
) -> None:
    """All rules of both urgencies. Raises `ValueError`; a `FromCodeError` when they come from code."""
    if user.are_rules_from_code and not is_from_code:
        raise FromCodeError(f"the notification rules of {user} come from configuration as code: change them there")
    repeat = user.repeat_after_seconds if repeat_after_seconds is None else repeat_after_seconds
    if not 0 <= repeat <= REPEAT_SECONDS_MAX:
        raise ValueError("repeat after: give 0 for never, or 1 second to 24 hours")
    with transaction.atomic():
        methods = {method.name: method for method in user.contact_methods.all()}
        made = [_rule(user, rule, methods, position) for position, rule in enumerate(rules)]
        for urgency in Urgency.values:
            if sum(1 for rule in made if rule.urgency == urgency) > RULES_MAX:
                raise ValueError(f"at most {RULES_MAX} rules for {urgency} urgency")
        user.notification_rules.all().delete()
        NotificationRule.objects.bulk_create(made)
        User.objects.filter(pk=user.pk).update(repeat_after_seconds=repeat, are_rules_from_code=is_from_code)
        audit.record(by, "set notification rules", "user", user.name, {"count": len(made), "repeat_after": repeat})


def release_rules(user: User, by: Actor) -> None:
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(are_rules_from_code=False)
        audit.record(by, "release notification rules", "user", user.name)


def default_rules(contacts: Sequence[ContactMethod]) -> list[Rule]:
    """For a new person. Urgent: all that rings a minute apart, a call last, then the rest; else the quietest one."""
    channels = integration.channels()

    def rings(method: ContactMethod) -> bool:
        return method.type in channels and channels[method.type].RINGS[method.type]

    loud = sorted(contacts, key=lambda one: (not rings(one), one.type == "voice", one.position))
    quiet = sorted(contacts, key=lambda one: (rings(one), one.type == "voice", one.position))
    high = [Rule(Urgency.HIGH, at * DEFAULT_GAP_SECONDS, method.name) for at, method in enumerate(loud)]
    return [*high, *(Rule(Urgency.LOW, 0, method.name) for method in quiet[:1])]


def ensure_default_rules(user: User, by: Actor) -> bool:
    """Give somebody who has methods but no rules the default ones. False when there was nothing to do."""
    if user.are_rules_from_code or user.notification_rules.exists():
        return False
    rules = default_rules(list(user.contact_methods.all()))
    if rules:
        set_rules(user, rules, by)
    return bool(rules)


def _guard_contacts(user: User) -> None:
    if user.are_contacts_from_code:
        raise FromCodeError(f"the contact methods of {user} come from configuration as code: change them there")


def _start_anew(contact: ContactMethod, address: str) -> None:
    contact.address = address
    contact.confirmed_at = contact.disabled_at = contact.failing_since = None
    contact.problem = ""
    contact.save(update_fields=["address", "confirmed_at", "disabled_at", "failing_since", "problem"])


def _rule(user: User, rule: Rule, methods: Mapping[str, ContactMethod], position: int) -> NotificationRule:
    if rule.urgency not in Urgency.values:
        raise ValueError(f"{rule.urgency!r} is no urgency: give high or low")
    if rule.contact not in methods:
        known = ", ".join(methods) or "none yet"
        raise ValueError(f"{user} has no contact method called {rule.contact!r}: give one of {known}")
    if not 0 <= rule.after_seconds <= AFTER_SECONDS_MAX:
        raise ValueError("after: give 0 seconds to 24 hours")
    if (rule.opens_at is None) != (rule.closes_at is None):
        raise ValueError("between: give both ends, such as 08:00-22:00")
    return NotificationRule(
        user=user,
        urgency=rule.urgency,
        position=position,
        after_seconds=rule.after_seconds,
        contact=methods[rule.contact],
        opens_at=rule.opens_at,
        closes_at=rule.closes_at,
    )
