"""Getting in: tokens, links, the set-up code, passwords, and slowing down who guesses."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people import tokens
from midwatch.people.actions.users import Profile, check_profile, create_user, end_access, ensure_api_token_user
from midwatch.people.models import AccessLink, ApiToken, LoginFailures, Role, User
from midwatch.people.queries import access_link, has_administrator, user_of_token
from midwatch.settings import api_token

SETUP = Actor("Set-up", "web")
SETUP_CODE_LIFE = timedelta(days=7)
INVITATION_LIFE = timedelta(days=7)
RESET_LIFE = timedelta(hours=24)
TOKENS_MAX = 50
USED_EVERY = timedelta(minutes=1)  # how exactly we remember when a token was last used

FAILURES_FREE = 5  # in a minute
FAILURES_WITHIN = timedelta(minutes=1)
FAILURES_REMEMBERED = timedelta(hours=1)
DELAY_FIRST = timedelta(seconds=30)
DELAY_MAX = timedelta(minutes=15)


def create_token(user: User, name: str, by: Actor, *, expires_at: datetime | None = None) -> str:
    """The text of a new API token; only its digest is kept, so this is the one time it can be shown."""
    label = clean(name, 100, is_one_line=True)
    if not label:
        raise ValueError("say what the token is for, such as deploy pipeline")
    if expires_at is not None and expires_at <= clock.now():
        raise ValueError("the token would have run out already: give a time in the future")
    if not user.is_active:
        raise ValueError(f"{user} is turned off: turn the person on first")
    text = tokens.new_api_token()
    with transaction.atomic():
        if user.api_tokens.filter(revoked_at=None).count() >= TOKENS_MAX:
            raise ValueError(f"a person has at most {TOKENS_MAX} tokens: revoke one first")
        ApiToken.objects.create(
            user=user, name=label, digest=tokens.digest(text), created_at=clock.now(), expires_at=expires_at
        )
        audit.record(by, "create token", "user", user.name, {"name": label})
    return text


def revoke_token(token: ApiToken, by: Actor) -> bool:
    with transaction.atomic():
        changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now())
        if changed:
            audit.record(by, "revoke token", "user", token.user.name, {"name": token.name})
    return bool(changed)


def authenticate_token(text: str) -> User | None:
    """Whose token it is, or None. The installation's own is an administrator that is no person."""
    own = api_token()
    if own and hmac.compare_digest(text.encode("utf-8", "surrogatepass"), own.encode()):
        return ensure_api_token_user()
    found = user_of_token(text)
    if found is None:
        return None
    now = clock.now()
    if found.last_used_at is None or found.last_used_at < now - USED_EVERY:
        with transaction.atomic():
            ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found.user


def setup_code() -> str | None:
    """A new one-time code that opens the set-up page; None once an administrator can log in. Ends the codes before."""
    if has_administrator():
        return None
    code = tokens.new_code()
    now = clock.now()
    with transaction.atomic():
        AccessLink.objects.filter(kind=AccessLink.Kind.SETUP, used_at=None).delete()
        AccessLink.objects.create(
            kind=AccessLink.Kind.SETUP,
            digest=tokens.digest(code),
            created_at=now,
            expires_at=now + SETUP_CODE_LIFE,
        )
    return code


def is_setup_code(text: str) -> bool:
    return not has_administrator() and access_link(tokens.typed_code(text), AccessLink.Kind.SETUP) is not None


def use_setup_code(text: str, name: str, profile: Profile, password: str) -> User:
    """The first administrator. A person of this name who came from code and has no password yet becomes it."""
    checked = check_profile(Profile(profile.display_name, profile.email, profile.time_zone, Role.ADMINISTRATOR))
    with transaction.atomic():
        link = access_link(tokens.typed_code(text), AccessLink.Kind.SETUP)
        if link is None or has_administrator() or not _use(link):
            raise ValueError("this code is not valid any more: `midwatch setup-code` prints a new one")
        known = User.objects.select_for_update().filter(name=name, is_active=True).first()
        if known is not None and not known.has_usable_password():
            check_password(password, known)
            User.objects.filter(pk=known.pk).update(role=Role.ADMINISTRATOR, password=make_password(password))
            audit.record(SETUP, "set up", "user", name)
            known.refresh_from_db()
            return known
        check_password(password, User(name=name, display_name=checked.display_name, email=checked.email))
        user = create_user(name, checked, SETUP, password=password)
        audit.record(SETUP, "set up", "user", name)
    return user


def invite(user: User, by: Actor) -> str:
    """The token of a link by which a person sets their first password; ends the invitations before."""
    return _new_link(user, AccessLink.Kind.INVITATION, INVITATION_LIFE, by)


def reset_password(user: User, by: Actor) -> str:
    """The token of a link for a new password."""
    return _new_link(user, AccessLink.Kind.RESET, RESET_LIFE, by)


def use_link(token: str, password: str) -> User:
    """Set the password by an invitation or reset link. Every session ends. Raises `ValueError`."""
    with transaction.atomic():
        link = access_link(token)
        if link is None or link.user is None or not link.user.is_active:
            raise ValueError("this link is not valid any more: ask an administrator for a new one")
        user = User.objects.select_for_update().get(pk=link.user.pk)
        check_password(password, user)
        if not _use(link):
            raise ValueError("this link was used already: ask an administrator for a new one")
        _set_password(user, password)
        end_access(user)
        audit.record(Actor(str(user), "web", user.pk), f"use {link.kind} link", "user", user.name)
    return user


def change_password(user: User, old: str, new: str, by: Actor) -> User:
    """Raises `ValueError`. Other sessions end, since a session holds a hash of the password's hash."""
    if not user.check_password(old):
        raise ValueError("the old password is not right")
    check_password(new, user)
    with transaction.atomic():
        current = User.objects.select_for_update().get(pk=user.pk)
        _set_password(current, new)
        audit.record(by, "change password", "user", user.name)
    return current


def check_password(password: str, user: User) -> None:
    """Raises `ValueError` with all that is wrong with it."""
    if len(password) > 1_000:
        raise ValueError("the password is too long: at most 1000 characters")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from error


def login_wait(account: str, address: str) -> timedelta:
    """How long to wait before this account may be tried from this address again; zero: now."""
    found = LoginFailures.objects.filter(key=_failures_key(account, address)).first()
    if found is None or found.blocked_until is None:
        return timedelta(0)
    return max(found.blocked_until - clock.now(), timedelta(0))


def note_login_failure(account: str, address: str) -> timedelta:
    """Five failures in a minute are free; then each makes the next wait longer, up to 15 minutes. Returns the wait."""
    now = clock.now()
    key = _failures_key(account, address)
    with transaction.atomic():
        LoginFailures.objects.filter(last_at__lt=now - FAILURES_REMEMBERED, count__gt=0).delete()
        found, _ = LoginFailures.objects.select_for_update().get_or_create(key=key, defaults={"last_at": now})
        is_over = found.count < FAILURES_FREE and found.last_at < now - FAILURES_WITHIN
        found.count = 1 if is_over else found.count + 1
        beyond = found.count - FAILURES_FREE
        wait = min(DELAY_FIRST * 2 ** min(beyond, 10), DELAY_MAX) if beyond >= 0 else timedelta(0)
        found.last_at, found.blocked_until = now, (now + wait if wait else None)
        found.save(update_fields=["count", "last_at", "blocked_until"])
    return wait


def forget_login_failures(account: str, address: str) -> None:
    """After a log-in that was right."""
    key = _failures_key(account, address)
    if LoginFailures.objects.filter(key=key).exists():
        with transaction.atomic():
            LoginFailures.objects.filter(key=key).delete()


def forget_old_access(now: datetime) -> int:
    """Housekeeping: links that ran out or were used a month ago, and old failures. How many rows went."""
    with transaction.atomic():
        month = now - timedelta(days=30)
        links, _ = AccessLink.objects.filter(Q(expires_at__lt=month) | Q(used_at__lt=month)).delete()
        failures, _ = LoginFailures.objects.filter(last_at__lt=now - FAILURES_REMEMBERED, count__gt=0).delete()
    return links + failures


def _failures_key(account: str, address: str) -> str:
    return hashlib.sha256(f"{account.strip().lower()}\0{address}".encode("utf-8", "surrogatepass")).hexdigest()


def _new_link(user: User, kind: str, life: timedelta, by: Actor) -> str:
    if not user.is_active:
        raise ValueError(f"{user} is turned off: turn the person on first")
    token = tokens.new_link_token()
    now = clock.now()
    with transaction.atomic():
        AccessLink.objects.filter(user=user, used_at=None).delete()
        AccessLink.objects.create(
            kind=kind, user=user, digest=tokens.digest(token), created_at=now, expires_at=now + life
        )
        audit.record(by, f"make {kind} link", "user", user.name)
    return token


def _use(link: AccessLink) -> bool:
    return AccessLink.objects.filter(pk=link.pk, used_at=None).update(used_at=clock.now()) == 1


def _set_password(user: User, password: str) -> None:
    user.password = make_password(password)
    user.save(update_fields=["password"])
