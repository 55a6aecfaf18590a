"""People, teams and how each is reached."""

from __future__ import annotations

from typing import Any

from ninja import Schema

from midwatch.people.models import ContactMethod, Membership, Team, User


class PersonRef(Schema):
    name: str
    display_name: str

    @classmethod
    def of(cls, user: User) -> PersonRef:
        return cls(name=user.name, display_name=user.display_name)


class UserOut(Schema):
    """`email` and `time_zone` as the person set them."""

    name: str
    display_name: str
    email: str
    time_zone: str
    role: str
    is_active: bool
    is_from_code: bool

    @classmethod
    def of(cls, user: User) -> UserOut:
        return cls(**user_values(user))


def user_values(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "display_name": user.display_name,
        "email": user.email,
        "time_zone": user.time_zone,
        "role": user.role,
        "is_active": user.is_active,
        "is_from_code": user.is_from_code,
    }


class ContactOut(Schema):
    """`why`: why it cannot be used, "" when it can. `is_ringing`: it wakes somebody."""

    name: str
    type: str
    address: str
    is_usable: bool
    is_ringing: bool
    why: str

    @classmethod
    def of(cls, contact: ContactMethod, *, is_usable: bool, is_ringing: bool, why: str) -> ContactOut:
        return cls(
            name=contact.name,
            type=contact.type,
            address=contact.address,
            is_usable=is_usable,
            is_ringing=is_ringing,
            why=why,
        )


class MeOut(UserOut):
    teams: list[str]
    contact_methods: list[ContactOut]
    is_reachable_high: bool
    why: str


class MemberOut(Schema):
    user: PersonRef
    role: str
    is_paged: bool

    @classmethod
    def of(cls, membership: Membership) -> MemberOut:
        user = PersonRef.of(membership.user)
        return cls(user=user, role=membership.role, is_paged=membership.is_paged)


class TeamOut(Schema):
    name: str
    display_name: str
    mode: str
    escalation_policy: str | None
    members: list[MemberOut]
    is_from_code: bool

    @classmethod
    def of(cls, team: Team, policy: str | None) -> TeamOut:
        return cls(
            name=team.name,
            display_name=team.display_name,
            mode=team.mode,
            escalation_policy=policy,
            members=[MemberOut.of(membership) for membership in team.memberships.all()],
            is_from_code=team.is_from_code,
        )
