"""Who holds what now, as values for `duties.py` and as seats for the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from midwatch.people.models import User
from midwatch.respond.incidents import duties
from midwatch.respond.incidents.models import Incident, IncidentRole, Responder, RoleHolding


@dataclass(frozen=True, slots=True)
class Seat:
    """One role of an incident as it is shown: "Ana (as IC)" when nobody was given it."""

    role: str
    title: str
    people: Sequence[User]
    held_as: str
    how: str = ""


def holdings_of(incident: Incident) -> list[RoleHolding]:
    """Those of now, or of the moment it was closed."""
    found = RoleHolding.objects.filter(incident=incident).select_related("user").order_by("assumed_at", "id")
    current = [holding for holding in found if holding.ended_at is None]
    return current or _at_the_end([holding for holding in found if holding.ended_at == incident.closed_at])


def _at_the_end(ended: Sequence[RoleHolding]) -> list[RoleHolding]:
    """A role handed over in the very moment of the closing has two holders that ended then: the later one held it."""
    last = {holding.role: holding for holding in ended if holding.is_single}
    return [holding for holding in ended if not holding.is_single or holding is last[holding.role]]


def values(holdings: Iterable[RoleHolding]) -> list[duties.Holding]:
    return [duties.Holding(one.role, one.user_id, one.assumed_at) for one in holdings]


def custom_duties() -> Mapping[str, Sequence[str]]:
    return {role.name: role.duties for role in IncidentRole.objects.all()}


def duties_of(incident: Incident) -> dict[duties.Duty, duties.Holder]:
    return duties.all_duties(values(holdings_of(incident)), custom_duties())


def seats_of(incident: Incident) -> list[Seat]:
    """IC, CM and DC always, custom roles when they are held or configured."""
    holdings = holdings_of(incident)
    commander = [one for one in holdings if one.role == duties.IC]
    titles = {duties.IC: "Incident Commander", duties.CM: "Communication Manager", duties.DC: "Direct Contributors"}
    titles |= {role.name: role.title for role in IncidentRole.objects.all()}
    seats = []
    for role, title in titles.items():
        held = [one for one in holdings if one.role == role]
        shown = held or commander
        seats.append(
            Seat(
                role,
                title,
                [one.user for one in shown],
                "assigned" if held else "undelegated",
                held[0].how if held else "",
            )
        )
    return seats


def participants_of(incident: Incident) -> list[User]:
    """Everybody who held a role or answered a page into it, once each."""
    held = RoleHolding.objects.filter(incident=incident).values("user")
    answered = Responder.objects.filter(incident=incident).exclude(answered_by=None).values("answered_by")
    return list(User.objects.filter(pk__in=held).union(User.objects.filter(pk__in=answered)).order_by("name"))
