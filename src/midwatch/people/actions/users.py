"""People: made, changed, turned off and on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F

from midwatch.core import audit, clock, outbox, zones
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import ApiToken, Role, User
from midwatch.people.queries import RESERVED_NAMES, SCRIPT_USER, administrators

DISPLAY_NAME_MAX = 200
EMAIL_MAX = 254
_EMAIL = re.compile(r"[^@\s<>,;:\"()\\]+@[^@\s<>,;:\"()\\]+")


class NeededError(ValueError):
    """Without this person a step would page nobody. `reasons`: sentences; doing it with `is_forced` tells the teams."""

    def __init__(self, message: str, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Profile:
    """What is said about a person."""

    display_name: str
    email: str = ""
    time_zone: str = "UTC"
    role: str = Role.MEMBER


def check_email(text: str) -> str:
    """Raises `ValueError`. "" is no e-mail."""
    email = text.strip()
    if email and (len(email) > EMAIL_MAX or not _EMAIL.fullmatch(email) or clean(email, EMAIL_MAX) != email):
        raise ValueError(f"{clean(email, 80)!r} is no e-mail address: give one such as ana@example.com")
    return email


def check_profile(profile: Profile) -> Profile:
    """As it will be stored. Raises `ValueError`."""
    display_name = clean(profile.display_name, DISPLAY_NAME_MAX, is_one_line=True)
    if not display_name:
        raise ValueError("the display name is empty: give the name people know, such as Ana Novak")
    zones.zone(profile.time_zone)
    if profile.role not in Role.values:
        raise ValueError(f"{profile.role!r} is no role: give {', '.join(Role.values)}")
    return Profile(display_name, check_email(profile.email), profile.time_zone, profile.role)


def create_user(name: str, profile: Profile, by: Actor, *, mark: Mark | None = None, password: str = "") -> User:
    """Without a password the person logs in by an invitation link. Raises `ValueError`."""
    check_name(name, RESERVED_NAMES)
    checked = check_profile(profile)
    try:
        with transaction.atomic():
            user = User.objects.create(
                name=name,
                password=make_password(password or None),
                created_at=clock.now(),
                **asdict(checked),
                **mark_values(mark),
            )
            audit.record(by, "create", "user", name, asdict(checked))
    except IntegrityError as error:
        raise ValueError(f"there is a person called {name} already: give another name") from error
    return user


def change_user(user: User, profile: Profile, by: Actor, *, mark: Mark | None = None) -> User:
    """Raises `ValueError`; a `FromCodeError` when the person comes from code."""
    guard(user, mark)
    checked = asdict(check_profile(profile))
    with transaction.atomic():
        current = User.objects.select_for_update().get(pk=user.pk)
        if checked["role"] != Role.ADMINISTRATOR and mark is None:
            _keep_an_administrator(current)
        changed = {key: new for key, new in checked.items() if getattr(current, key) != new}
        _update(current, changed)
        if changed:
            audit.record(by, "change", "user", current.name, changed)
    return current


def change_preferences(
    user: User, by: Actor, *, notify_on: Mapping[str, Any] | None = None, has_shortcuts: bool | None = None
) -> User:
    """A person's own choices, which stay theirs when they come from code. `notify_on` as in configuration."""
    wanted = {"notify_on": None if notify_on is None else dict(notify_on), "has_shortcuts": has_shortcuts}
    with transaction.atomic():
        current = User.objects.select_for_update().get(pk=user.pk)
        changed = {key: new for key, new in wanted.items() if new is not None and getattr(current, key) != new}
        _update(current, changed)
        if changed:
            audit.record(by, "change", "user", current.name, changed)
    return current


def deactivate_user(
    user: User, by: Actor, *, needed_by: Sequence[str] = (), is_forced: bool = False, mark: Mark | None = None
) -> User:
    """Turn somebody off: sessions, tokens, links and calendar feeds end, and nobody pages them.

    `needed_by`: the steps of the next 30 days that would page nobody else, as sentences; the caller knows
    (`respond.escalation.coverage.sole_target_of`). Refused with `NeededError` while there are some, unless forced.
    """
    guard(user, mark)
    if needed_by and not is_forced:
        raise NeededError(
            f"{user} is the only one who would be paged: {'; '.join(needed_by[:5])}. "
            "Put somebody beside or instead of them first, or force it, which tells the team",
            needed_by,
        )
    now = clock.now()
    with transaction.atomic():
        current = User.objects.select_for_update().get(pk=user.pk)
        if mark is None:
            _keep_an_administrator(current)
        if not current.is_active:
            return current
        _update(current, {"is_active": False})
        end_access(current)
        ApiToken.objects.filter(user=current, revoked_at=None).update(revoked_at=now)
        current.access_links.filter(used_at=None).update(used_at=now)
        audit.record(by, "deactivate", "user", current.name, {"needed_by": list(needed_by[:20])} if needed_by else None)
        if needed_by:
            say_needed(current, by, needed_by, "was turned off")
    return current


def activate_user(user: User, by: Actor, *, mark: Mark | None = None) -> User:
    guard(user, mark)
    with transaction.atomic():
        current = User.objects.select_for_update().get(pk=user.pk)
        if not current.is_active:
            _update(current, {"is_active": True})
            audit.record(by, "activate", "user", current.name)
    return current


def say_needed(user: User, by: Actor, needed_by: Sequence[str], what: str) -> None:
    """Forced: it becomes an alert to the teams that counted on this person."""
    outbox.emit(
        "person.missing",
        {
            "user": user.pk,
            "name": user.name,
            "teams": list(user.memberships.values_list("team_id", flat=True)),
            "needed_by": list(needed_by[:20]),
            "sentence": f"{user} {what} by {by} and is the only one who would be paged: {'; '.join(needed_by[:5])}",
        },
    )


def end_access(user: User) -> None:
    """End every session and calendar feed of this person."""
    User.objects.filter(pk=user.pk).update(credentials_epoch=F("credentials_epoch") + 1)
    user.refresh_from_db(fields=["credentials_epoch"])


def sign_out_everywhere(user: User, by: Actor) -> None:
    with transaction.atomic():
        end_access(user)
        audit.record(by, "sign out everywhere", "user", user.name)


def delete_user(user: User, by: Actor, *, mark: Mark) -> None:
    """Only for configuration as code, of somebody without history; the database refuses while they are referred to."""
    guard(user, mark)
    with transaction.atomic():
        audit.record(by, "delete", "user", user.name)
        user.delete()


def ensure_api_token_user() -> User:
    """The identity behind MIDWATCH_API_TOKEN: an administrator that is no person."""
    found = User.objects.filter(name=SCRIPT_USER).first()
    if found is not None:
        return found
    with transaction.atomic():
        made, _ = User.objects.get_or_create(
            name=SCRIPT_USER,
            defaults={
                "display_name": "Administrator's token",
                "role": Role.ADMINISTRATOR,
                "password": make_password(None),
                "created_at": clock.now(),
            },
        )
    return made


def _keep_an_administrator(user: User) -> None:
    if user.role != Role.ADMINISTRATOR or not user.is_active:
        return
    if not administrators().exclude(pk=user.pk).exists():
        raise ValueError(f"{user} is the only administrator: make somebody else one first")


def _update(user: User, values: Mapping[str, Any]) -> None:
    if values:
        for key, new in values.items():
            setattr(user, key, new)
        user.save(update_fields=list(values))
