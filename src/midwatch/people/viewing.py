"""Who looks at a page, and may they do more than look? For the views of every room."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from midwatch.people.models import Team, User
from midwatch.people.queries import may_edit_team


def viewer(request: HttpRequest) -> User:
    """Who is logged in; for views behind `login_required`."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def acting_user(request: HttpRequest) -> User:
    """The same, when they may do more than look."""
    user = viewer(request)
    if not user.may_act:
        raise PermissionDenied(_("You may look, not act: your role is viewer. An administrator can change it."))
    return user


def editing_user(request: HttpRequest, team: Team) -> User:
    """The same, when they may edit what belongs to this team."""
    user = acting_user(request)
    if not may_edit_team(user, team):
        raise PermissionDenied(_("This belongs to %s: its members and administrators may change it.") % team)
    return user


def administering_user(request: HttpRequest) -> User:
    """The same, when they are an administrator."""
    user = acting_user(request)
    if not user.is_administrator:
        raise PermissionDenied(_("Administrators do this."))
    return user


def teams_for_new(user: User, if_none: str) -> list[Team]:
    """The teams that something new may belong to. In none of them: refused with the sentence `if_none`."""
    teams = editable_teams(user)
    if not teams:
        raise PermissionDenied(if_none)
    return teams


def editable_teams(user: User) -> list[Team]:
    """The teams whose things this person may edit."""
    if not user.may_act:
        return []
    found = Team.objects.order_by("display_name", "name")
    if not user.is_administrator:
        found = found.filter(memberships__in=user.memberships.exclude(role="observer"))
    return list(found)


def where_next(request: HttpRequest, otherwise: str) -> str:
    """The path of ours that the form named, so that an act on a list leads back to the list."""
    wanted = request.POST.get("next", "")
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours else otherwise
