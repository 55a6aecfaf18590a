"""Who calls: a Bearer token, or the browser session of somebody who is logged in (with CSRF protection)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.utils import check_csrf

from midwatch.api.problems import ProblemError
from midwatch.core.actor import Actor
from midwatch.people.actions import authenticate_token
from midwatch.people.models import MemberRole, Membership, User
from midwatch.people.queries import actor_of

TOKEN_MAX = 500
HOW = "send `Authorization: Bearer TOKEN`; `midwatch user token NAME` or your settings make one"


class Caller(HttpBearer):
    """Puts the `User` into `request.auth`."""

    def __call__(self, request: HttpRequest) -> User:
        given = request.headers.get(self.header, "")
        if given:
            return self._by_token(given)
        user = request.user
        if not isinstance(user, User) or not user.is_active:
            raise ProblemError("unauthorized", HOW)
        if check_csrf(request) is not None:
            raise ProblemError("csrf", "send the page's CSRF token as X-CSRFToken, or use a token of your own")
        return user

    def authenticate(self, request: HttpRequest, token: str) -> User:
        """Not called: `__call__` does it all."""
        return self._by_token(f"Bearer {token}")

    @staticmethod
    def _by_token(given: str) -> User:
        scheme, _, token = given.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ProblemError("unauthorized", HOW)
        user = authenticate_token(token.strip()) if len(token) <= TOKEN_MAX else None
        if user is None:
            raise ProblemError("unauthorized", "this token is unknown, has ended, or its owner is switched off")
        return user


def caller_of(request: HttpRequest) -> User:
    user: Any = getattr(request, "auth", None)
    assert isinstance(user, User), "an operation without Caller"
    return user


def acting(request: HttpRequest) -> Actor:
    """The caller as one who may act. Viewers may not."""
    user = caller_of(request)
    if not user.may_act:
        raise ProblemError("forbidden", "viewers look; ask an administrator to make you a member")
    return actor_of(user, "api")


def acting_for(request: HttpRequest, person: User | None) -> Actor:
    """The caller, or somebody for whom the caller may answer, as administrator or their manager. Both names stay."""
    by = acting(request)
    caller = caller_of(request)
    if person is None or person.pk == caller.pk:
        return by
    if not (caller.is_administrator or is_manager_of(caller, person)):
        raise ProblemError("forbidden", f"only a manager of {person.name}'s team may do this for {person.name}")
    if not person.may_act:
        raise ProblemError("refused", f"{person.name} may not act on alerts (a viewer, or switched off)")
    return Actor(name=str(person), via="api", user_id=person.pk, on_behalf_of=str(caller))


def is_manager_of(manager: User, person: User) -> bool:
    managed = Membership.objects.filter(user=manager, role=MemberRole.MANAGER).values("team")
    return Membership.objects.filter(user=person, team__in=managed).exists()


def is_manager(user: User) -> bool:
    return user.is_administrator or Membership.objects.filter(user=user, role=MemberRole.MANAGER).exists()
