"""Who may do what in an incident: one table, asked by the pages, the API and the command line.

In an emergency nobody is kept from helping: whoever may act and may see the incident writes notes, pages help, registers
clients. Those who take part say how far it is; the IC alone (and administrators) names roles and closes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from midwatch.people.models import User
from midwatch.people.queries import is_manager
from midwatch.respond.incidents.duties import CM, IC
from midwatch.respond.incidents.models import HandOver, Incident, RoleHolding
from midwatch.respond.incidents.queries import may_see


class Level(IntEnum):
    """How far somebody reaches into an incident; each includes those before it."""

    NOTHING = 0
    LOOK = 1
    HELP = 2  # members
    TAKE_PART = 3  # who holds a role, and managers of its team
    SPEAK = 4  # the CM, and the IC who has not named one
    LEAD = 5  # the IC, and administrators


class Act(StrEnum):
    DECLARE = "declare"
    NOTE = "note"
    STAR = "star"
    ATTACH = "attach"
    RESPONDER = "responder"
    LINK = "link"
    IMPACT = "impact"
    CLIENT = "client"
    TASK = "task"
    ANSWER_OFFER = "answer an offer"
    OFFER = "offer a role"
    SEVERITY = "severity"
    RENAME = "rename"
    PHASE = "phase"
    PUBLISH = "publish an update"
    APPROVE = "approve an update"
    ROLE = "role"
    MERGE = "merge"
    CLOSE = "close"
    POWERS = "powers"


NEEDED: Mapping[Act, Level] = {
    Act.DECLARE: Level.HELP,
    Act.NOTE: Level.HELP,
    Act.STAR: Level.HELP,
    Act.ATTACH: Level.HELP,
    Act.RESPONDER: Level.HELP,
    Act.LINK: Level.HELP,
    Act.IMPACT: Level.HELP,
    Act.CLIENT: Level.HELP,
    Act.TASK: Level.HELP,
    Act.ANSWER_OFFER: Level.HELP,
    Act.OFFER: Level.TAKE_PART,
    Act.SEVERITY: Level.TAKE_PART,
    Act.RENAME: Level.TAKE_PART,
    Act.PHASE: Level.TAKE_PART,
    Act.PUBLISH: Level.SPEAK,
    Act.APPROVE: Level.LEAD,
    Act.ROLE: Level.LEAD,
    Act.MERGE: Level.LEAD,
    Act.CLOSE: Level.LEAD,
    Act.POWERS: Level.LEAD,
}
WHY: Mapping[Level, str] = {
    Level.HELP: "You may look, not act: your role is viewer. An administrator can change it.",
    Level.TAKE_PART: "This is for those who hold a role in it, and for managers of its team: ask the IC for a role.",
    Level.SPEAK: "This is the Communication Manager's, or the IC's.",
    Level.LEAD: "This is the Incident Commander's: ask them, or an administrator.",
}


def level_of(user: User, incident: Incident) -> Level:
    """How far this person reaches into this incident now."""
    if not may_see(user, incident):
        return Level.NOTHING
    if not user.may_act:
        return Level.LOOK
    if user.is_administrator:
        return Level.LEAD
    roles = set(
        RoleHolding.objects.filter(incident=incident, user=user, ended_at=None).values_list("role", flat=True)
    ) or _last_roles(user, incident)
    if IC in roles:
        return Level.LEAD
    if CM in roles:
        return Level.SPEAK
    if roles or (incident.team is not None and is_manager(user, incident.team)):
        return Level.TAKE_PART
    return Level.HELP


def _last_roles(user: User, incident: Incident) -> set[str]:
    """After the end the roles are over; who held them then may still set right what was written, and reopen it."""
    if incident.closed_at is None:
        return set()
    ended = RoleHolding.objects.filter(incident=incident, user=user, ended_at=incident.closed_at)
    return set(ended.values_list("role", flat=True))


def may(user: User, incident: Incident, act: Act) -> bool:
    return level_of(user, incident) >= NEEDED[act]


def leads(user: User, number: int) -> bool:
    """Whether this person leads the incident of this number: for rooms that know it by its number alone."""
    incident = Incident.objects.select_related("team").filter(number=number).first()
    return incident is not None and level_of(user, incident) >= Level.LEAD


def may_offer(user: User, incident: Incident, role: str) -> bool:
    """The IC offers any role, everybody else the one that they hold."""
    if may(user, incident, Act.ROLE):
        return True
    return RoleHolding.objects.filter(incident=incident, user=user, role=role, ended_at=None).exists()


def may_withdraw(user: User, incident: Incident, offer: HandOver) -> bool:
    """Who made it, whose role it is about, or who leads: nobody else's word took it back."""
    return offer.leaving_id == user.pk or offer.offered_by == str(user)[:200] or may(user, incident, Act.ROLE)


def why_not(act: Act) -> str:
    """The sentence for somebody who may not."""
    return WHY[NEEDED[act]]
