"""Who may see and change what of people and teams. Views ask here; actions check what is true for everybody."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from midwatch.people.models import MemberRole, Membership, Team, User
from midwatch.people.queries import is_manager
from midwatch.people.viewing import viewer

View = Callable[..., HttpResponse]


def administrators_only(view: View) -> View:
    """Others get 403 with a sentence."""

    @wraps(view)
    @login_required
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not viewer(request).is_administrator:
            raise PermissionDenied(_("This page is for administrators."))
        return view(request, *args, **kwargs)

    return guarded


def seen_people(user: User) -> set[int] | None:
    """Whose numbers and addresses this person may see, by id; None: everybody's.

    Their own, those of the teams they manage, and everybody's for administrators.
    """
    if user.is_administrator:
        return None
    managed = Membership.objects.filter(user=user, role=MemberRole.MANAGER).values("team")
    return {user.pk, *Membership.objects.filter(team__in=managed).values_list("user_id", flat=True)}


def may_see_addresses(user: User, person: User) -> bool:
    seen = seen_people(user)
    return seen is None or person.pk in seen


def may_edit_reach(user: User, person: User) -> bool:
    """Ways to reach somebody and when: the person's own, and administrators'."""
    return user.pk == person.pk or user.is_administrator


def may_test(user: User, person: User) -> bool:
    """Test pages go to oneself; managers and administrators send them to others (not at night)."""
    return user.pk == person.pk or (user.may_act and may_see_addresses(user, person))


def may_edit_members(user: User, team: Team) -> bool:
    """Who is in a team decides who sees whose numbers, so that is for its managers and administrators."""
    if team.is_from_code or not user.may_act:
        return False
    return user.is_administrator or is_manager(user, team)
