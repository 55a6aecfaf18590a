"""Who is accountable for each duty of an incident. Pure, and total: as long as there is an IC, every duty has exactly one
accountable holder, because "the commander holds all positions that they have not delegated" (seed; R4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal

IC, CM, DC = "ic", "cm", "dc"


class Duty(Enum):
    """The value is what configuration calls it; a custom role may take it over."""

    COMMAND = "command"
    TELL_TEAMS = "tell-teams"
    TELL_CLIENTS = "tell-clients"
    RESTORE = "restore"
    CHECK_CLIENTS = "check-clients"
    KEEP_TIMELINE = "keep-timeline"
    PRESERVE_EVIDENCE = "preserve-evidence"
    PLAN_POSTMORTEM = "plan-postmortem"


USUAL: Mapping[Duty, str] = {
    Duty.COMMAND: IC,
    Duty.TELL_TEAMS: CM,
    Duty.TELL_CLIENTS: CM,
    Duty.RESTORE: DC,
    Duty.CHECK_CLIENTS: DC,
    Duty.KEEP_TIMELINE: IC,
    Duty.PRESERVE_EVIDENCE: IC,
    Duty.PLAN_POSTMORTEM: IC,
}


@dataclass(frozen=True, slots=True)
class Holding:
    """Somebody holds a role. `person`: any value that names them."""

    role: str
    person: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """`held_as`: assigned to them, or undelegated: theirs because they are the IC. `role`: by which they have it."""

    person: int
    held_as: Literal["assigned", "undelegated"]
    role: str


def holder(duty: Duty, holdings: Sequence[Holding], custom: Mapping[str, Sequence[str]] | None = None) -> Holder:
    """Exactly one person for a duty. `custom`: role -> values of the duties that it takes over.

    Of several who hold the role it is the one who holds it longest. Raises ValueError without exactly one IC: that is the
    one thing an incident may never be without.
    """
    commander = commander_of(holdings)
    if duty is Duty.COMMAND:
        return Holder(commander.person, "assigned", IC)
    for role in (*sorted(name for name, taken in (custom or {}).items() if duty.value in taken), USUAL[duty]):
        if held := sorted((one.since, one.person) for one in holdings if one.role == role):
            # The IC's own duty is theirs by their role, not for want of somebody else.
            return Holder(held[0][1], "assigned", role)
    return Holder(commander.person, "undelegated", IC)


def commander_of(holdings: Sequence[Holding]) -> Holding:
    found = [one for one in holdings if one.role == IC]
    if len(found) != 1:
        raise ValueError(f"an incident has exactly one IC, and this one has {len(found)}")
    return found[0]


def all_duties(holdings: Sequence[Holding], custom: Mapping[str, Sequence[str]] | None = None) -> dict[Duty, Holder]:
    return {duty: holder(duty, holdings, custom) for duty in Duty}


def role_holder(role: str, holdings: Sequence[Holding]) -> Holder:
    """Whom to ask for a role: who was given it first, else the IC."""
    held = sorted((one.since, one.person) for one in holdings if one.role == role)
    if held:
        return Holder(held[0][1], "assigned", role)
    return Holder(commander_of(holdings).person, "undelegated", IC)
