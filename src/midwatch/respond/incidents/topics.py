"""What of an incident can be followed: the room itself, and the list of all."""

from __future__ import annotations

from midwatch.core.topics import Topic
from midwatch.people.models import User
from midwatch.respond.incidents.queries import incident_number, visible_to

LIST = "incidents"


def _may_follow(user: User, key: str) -> bool:
    number = incident_number(key)
    return number is not None and visible_to(user).filter(number=number).exists()


TOPICS = [
    Topic("incident", _may_follow, has_presence=True),
    Topic(LIST, lambda user, key: key == ""),
]
