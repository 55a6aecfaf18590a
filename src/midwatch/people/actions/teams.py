"""Teams and who is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import MemberRole, Membership, Team, TeamMode, User

DISPLAY_NAME_MAX = 200
MEMBERS_MAX = 500


@dataclass(frozen=True, slots=True)
class Member:
    user: User
    role: str = MemberRole.RESPONDER
    is_paged: bool = True


def create_team(
    name: str, display_name: str, by: Actor, *, mode: str = TeamMode.LIVE, mark: Mark | None = None
) -> Team:
    """Raises `ValueError`."""
    check_name(name)
    values = _values(display_name or name, mode)
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name, created_at=clock.now(), **values, **mark_values(mark))
            audit.record(by, "create", "team", name, values)
    except IntegrityError as error:
        raise ValueError(f"there is a team called {name} already: give another name") from error
    return team


def change_team(team: Team, display_name: str, by: Actor, *, mode: str | None = None, mark: Mark | None = None) -> Team:
    guard(team, mark)
    values = _values(display_name or team.name, mode or team.mode)
    with transaction.atomic():
        current = Team.objects.select_for_update().get(pk=team.pk)
        changed = {key: new for key, new in values.items() if getattr(current, key) != new}
        if changed:
            for key, new in changed.items():
                setattr(current, key, new)
            current.save(update_fields=list(changed))
            audit.record(by, "change", "team", team.name, changed)
    return current


def set_members(team: Team, members: Sequence[Member], by: Actor, *, mark: Mark | None = None) -> None:
    """The whole list, in this order. Raises `ValueError`."""
    guard(team, mark)
    if len(members) > MEMBERS_MAX:
        raise ValueError(f"a team has at most {MEMBERS_MAX} members: make several teams")
    if len({member.user.pk for member in members}) != len(members):
        raise ValueError("somebody is in the list twice: name each person once")
    for member in members:
        if member.role not in MemberRole.values:
            raise ValueError(f"{member.role!r} is no role in a team: give {', '.join(MemberRole.values)}")
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)
        before = {known.user_id: known for known in team.memberships.all()}
        gone = set(before) - {member.user.pk for member in members}
        team.memberships.filter(user_id__in=gone).delete()
        for position, member in enumerate(members):
            Membership.objects.update_or_create(
                team=team,
                user=member.user,
                defaults={"role": member.role, "is_paged": member.is_paged, "position": position},
            )
        audit.record(by, "set members", "team", team.name, {"members": [member.user.name for member in members]})


def add_member(team: Team, member: Member, by: Actor) -> None:
    """Or change their role, when they are in the team already."""
    others = [one for one in members_of(team) if one.user.pk != member.user.pk]
    set_members(team, [*others, member], by)


def remove_member(team: Team, user: User, by: Actor) -> None:
    set_members(team, [one for one in members_of(team) if one.user.pk != user.pk], by)


def members_of(team: Team) -> list[Member]:
    return [Member(one.user, one.role, one.is_paged) for one in team.memberships.select_related("user")]


def delete_team(team: Team, by: Actor, *, mark: Mark | None = None) -> None:
    """The database refuses while the team owns something (`ProtectedError`)."""
    guard(team, mark)
    with transaction.atomic():
        audit.record(by, "delete", "team", team.name)
        team.delete()


def _values(display_name: str, mode: str) -> dict[str, Any]:
    cleaned = clean(display_name, DISPLAY_NAME_MAX, is_one_line=True)
    if not cleaned:
        raise ValueError("the display name is empty: give a name such as Payments")
    if mode not in TeamMode.values:
        raise ValueError(f"{mode!r} is no mode: give {', '.join(TeamMode.values)}")
    return {"display_name": cleaned, "mode": mode}
