"""What lower rooms ask about an incident that they know only by its number."""

from __future__ import annotations

from typing import Any

from midwatch.core.contribute import Condition
from midwatch.people.models import User
from midwatch.respond.incidents.permits import Level, level_of
from midwatch.respond.incidents.queries import visible_to


def _led_by(asked: Any) -> bool:
    """(person, number): does this person lead it now?"""
    user, number = asked
    incident = _seen(user, number)
    return incident is not None and level_of(user, incident) >= Level.LEAD


def _seen_by(asked: Any) -> bool:
    """(person, number): may they see it?"""
    return _seen(*asked) is not None


def _seen(user: User, number: int) -> Any:
    return visible_to(user).filter(number=number).first()


CONDITIONS = (Condition("incident.led-by", _led_by), Condition("incident.seen-by", _seen_by))
