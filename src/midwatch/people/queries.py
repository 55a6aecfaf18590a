"""Reads of people."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Q, QuerySet

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.integration import DeliveryError
from midwatch.people import tokens
from midwatch.people.models import AccessLink, ApiToken, ContactMethod, Role, Team, User

SCRIPT_USER = "admin-token"  # who acts by the installation's MIDWATCH_API_TOKEN; nobody logs in as it, nobody pages it
RESERVED_NAMES = frozenset({SCRIPT_USER, "nobody"})
REFERENCE_PREFIX = "MIDWATCH_REF_"
SECRET_BYTES_MAX = 10_000


class SecretUnreadableError(ValueError):
    """A secret is only referred to, and what is referred to cannot be read. Says what is missing."""


def actor_of(user: User, via: str, *, on_behalf_of: str = "") -> Actor:
    """`via`: web, api, cli, link, sms, voice, chat, code."""
    return Actor(name=str(user), via=via, user_id=user.pk, on_behalf_of=on_behalf_of)


def people() -> QuerySet[User]:
    """Everybody but the identity of the installation's token, by name."""
    return User.objects.exclude(name=SCRIPT_USER).order_by("display_name", "name")


def active_people() -> QuerySet[User]:
    return people().filter(is_active=True)


def user_for_login(name_or_email: str) -> User | None:
    """By name, else by e-mail when exactly one active person has it."""
    wanted = name_or_email.strip()
    if not wanted or len(wanted) > 254 or "\0" in wanted:
        return None
    by_name = User.objects.filter(name=wanted.lower()).exclude(name=SCRIPT_USER).first()
    if by_name is not None:
        return by_name
    by_email = list(active_people().filter(email__iexact=wanted)[:2])
    return by_email[0] if len(by_email) == 1 else None


def administrators() -> QuerySet[User]:
    """Active administrators who are people."""
    return active_people().filter(role=Role.ADMINISTRATOR)


def has_administrator() -> bool:
    """Whether some administrator can log in: one from code has no password until they took an invitation."""
    return administrators().exclude(password="").exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()


def is_manager(user: User, team: Team) -> bool:
    return team.memberships.filter(user=user, role="manager").exists()


def may_edit_team(user: User, team: Team) -> bool:
    """Administrators edit everything; members edit what belongs to their own teams; viewers nothing."""
    if not user.may_act:
        return False
    return user.is_administrator or team.memberships.filter(user=user).exclude(role="observer").exists()


def managers_of(team: Team) -> list[User]:
    return list(active_people().filter(memberships__team=team, memberships__role="manager"))


def leads_of(team: Team | None) -> list[User]:
    """Who answers for what is a team's: its managers; an administrator where it has none, or where there is no team."""
    return (managers_of(team) if team is not None else []) or list(administrators()[:1])


def user_of_token(token: str, now: datetime | None = None) -> ApiToken | None:
    """The valid API token with this text, with its person."""
    at = now or clock.now()
    found = ApiToken.objects.select_related("user").filter(digest=tokens.digest(token), revoked_at=None)
    return found.filter(Q(expires_at=None) | Q(expires_at__gt=at), user__is_active=True).first()


def access_link(token: str, kind: str | None = None) -> AccessLink | None:
    """The unused link with this token that has not run out."""
    found = AccessLink.objects.select_related("user").filter(
        digest=tokens.digest(token), used_at=None, expires_at__gt=clock.now()
    )
    return (found.filter(kind=kind) if kind else found).first()


def users_by_phone(number: str) -> list[User]:
    """Whose number it is: one person, or none. `number` as the provider writes it, +420..."""
    return list(people().filter(contact_methods__type__in=("sms", "voice"), contact_methods__address=number).distinct())


def contact_secret(contact: ContactMethod) -> str:
    """The secret of a contact method, read now if it is a reference.

    Raises a permanent `DeliveryError`: without its secret nothing is sent, and the person's next method goes out.
    """
    if not contact.secret_reference:
        return contact.secret
    try:
        return resolve_reference(contact.secret_reference, Path(contact.secret_directory))
    except SecretUnreadableError as error:
        raise DeliveryError(f"the secret of {contact.name}: {error}", permanent=True) from error


def resolve_reference(reference: object, directory: Path) -> str:
    """What `{env: NAME}` or `{file: PATH}` holds. Raises `SecretUnreadableError`: a sentence, never a secret."""
    match reference:
        case {"env": str(name)}:
            if not name.startswith(REFERENCE_PREFIX):
                raise SecretUnreadableError(
                    f"env: a reference may only name variables that begin with {REFERENCE_PREFIX}"
                )
            found = os.environ.get(name)
            if not found:
                raise SecretUnreadableError(f"{name} is not set in the environment of this process")
            return found.strip()
        case {"file": str(path)}:
            return _file_text(path, directory)
        case _:
            raise SecretUnreadableError(f"write {{env: {REFERENCE_PREFIX}NAME}} or {{file: PATH}}")


def _file_text(path: str, directory: Path) -> str:
    try:
        root = directory.resolve()
        found = (root / path).resolve()
        if not found.is_relative_to(root) or Path(path).is_absolute():
            raise SecretUnreadableError(f"file: {path} leaves the configuration directory: give a path below it")
        if not found.is_file() and found.exists():
            raise SecretUnreadableError(f"file: {path} is no ordinary file: give one that holds the secret")
        with found.open("rb") as file:
            data = file.read(SECRET_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, SecretUnreadableError):
            raise
        why = error.strerror if isinstance(error, OSError) else "no path"
        raise SecretUnreadableError(
            f"file: {path} cannot be read ({why}): put it into the configuration directory"
        ) from error
    if len(data) > SECRET_BYTES_MAX:
        raise SecretUnreadableError(f"file: {path} is too large for a secret: at most {SECRET_BYTES_MAX} bytes")
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise SecretUnreadableError(f"file: {path} is no UTF-8 text") from error


def team_names(user: User) -> Sequence[str]:
    return list(Team.objects.filter(memberships__user=user).values_list("name", flat=True))
