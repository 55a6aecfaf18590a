"""What the people of an incident are reminded of, and when. Pure: facts and time in, prompts out.

A prompt is a sentence to somebody who takes part. It wakes nobody: whoever must be woken is paged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from midwatch.respond.incidents.cadence import LONG_AFTER

NAME_ROLES_AFTER = timedelta(minutes=10)
CHECK_CLIENTS_AFTER = timedelta(hours=1)
CLOSE_AFTER = timedelta(days=1)
LOOK_AGAIN = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one incident. `asked`: keys of the prompts that went out already."""

    severity: str
    declared_at: datetime
    has_cm: bool
    has_dc: bool
    is_long: bool
    has_external_promise: bool
    resolved_at: datetime | None
    clients_checked: bool
    needs_final_update: bool  # clients were told of it, and not yet of its end
    asked: Collection[str]
    candidates: Sequence[str] = ()  # who is on call, for naming a CM or DCs


@dataclass(frozen=True, slots=True)
class Prompt:
    """`key`: at most one of each in an incident. `role`: who is asked (duties.role_holder finds them)."""

    key: str
    role: str
    sentence: str
    at: datetime


def prompts(facts: Facts) -> list[Prompt]:
    """All that this incident will ask for as things stand, each with its moment, the soonest first."""
    found: list[Prompt] = []
    is_grave = facts.severity in {"SEV1", "SEV2"}
    if facts.resolved_at is None:
        missing = " and ".join(
            words
            for words, is_there in (("a Communication Manager", facts.has_cm), ("a Direct Contributor", facts.has_dc))
            if not is_there
        )
        if missing and is_grave:
            on_call = f" On call now: {', '.join(facts.candidates)}." if facts.candidates else ""
            sentence = f"nobody is {missing} yet, so it is all yours. Name somebody.{on_call}"
            found.append(Prompt("roles", "ic", sentence, facts.declared_at + NAME_ROLES_AFTER))
        if facts.has_external_promise and not facts.is_long:
            sentence = "it has lasted two hours: decide whether clients hear every hour from now on (long incident)"
            found.append(Prompt("long", "ic", sentence, facts.declared_at + LONG_AFTER))
    else:
        if facts.needs_final_update:
            found.append(Prompt("final", "cm", "it is resolved: tell those who were told of it", facts.resolved_at))
        if not facts.clients_checked and is_grave:
            sentence = "which clients were affected? Register them, or say that you checked and none was"
            found.append(Prompt("clients", "dc", sentence, facts.resolved_at + CHECK_CLIENTS_AFTER))
        sentence = "it was resolved a day ago: close it, once its post-mortem is decided on"
        found.append(Prompt("close", "ic", sentence, facts.resolved_at + CLOSE_AFTER))
    return sorted((one for one in found if one.key not in facts.asked), key=lambda one: one.at)


def due(facts: Facts, now: datetime) -> tuple[list[Prompt], datetime]:
    """(what to ask now, when to look again)."""
    found = prompts(facts)
    ahead = [one.at for one in found if one.at > now]
    return [one for one in found if one.at <= now], min([*ahead, now + LOOK_AGAIN])
