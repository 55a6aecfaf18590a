"""Sentences to the people of an incident. They wake nobody: whoever must be woken is paged (`responders.py`)."""

from __future__ import annotations

from collections.abc import Iterable

from midwatch.people.models import User
from midwatch.respond.incidents.actions.roles import role_title
from midwatch.respond.incidents.models import HandOver, HandOverState, Incident, RoleHolding
from midwatch.respond.notify.actions import Told, tell_many
from midwatch.respond.notify.models import DeliveryKind


def tell(incident: Incident, people: Iterable[User], sentence: str, key: str) -> int:
    """Once for each `key`, by a method that does not ring where there is one. In the caller's transaction."""
    shown = f"{'DRILL ' if incident.is_drill else ''}{incident.severity} {incident}: {sentence}"
    return tell_many(
        Told(user, f"incident/{incident.pk}/{key}/{user.pk}", DeliveryKind.UPDATE, shown) for user in people
    )


def on_role_taken(incident_id: int, role: str, user_id: int, by_id: int | None) -> None:
    """Whoever was given a role by somebody else hears of it."""
    held = (
        RoleHolding.objects.select_related("incident", "user")
        .filter(incident=incident_id, role=role, user=user_id, ended_at=None)
        .first()
    )
    if held is not None and user_id != by_id:
        tell(held.incident, [held.user], f"you are {role_title(role)}", f"role/{held.pk}")


def on_role_offered(offer_id: int) -> None:
    offer = _offer(offer_id)
    if offer is not None and offer.state == HandOverState.OFFERED:
        sentence = f"{offer.leaving} offers you {role_title(offer.role)}; accept or decline it in the room"
        tell(offer.incident, [offer.taking], sentence, f"offer/{offer.pk}")


def on_role_declined(offer_id: int) -> None:
    offer = _offer(offer_id)
    if offer is not None:
        sentence = f"{offer.taking} declined {role_title(offer.role)}; you hold it on"
        tell(offer.incident, [offer.leaving], sentence, f"declined/{offer.pk}")


def _offer(offer_id: int) -> HandOver | None:
    return HandOver.objects.select_related("incident", "leaving", "taking").filter(pk=offer_id).first()
