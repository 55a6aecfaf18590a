"""What can be followed: an alert, by its id. Told at once is what people do; who has it open is kept."""

from __future__ import annotations

from midwatch.core.topics import Topic
from midwatch.people.models import User


def _may_follow(user: User, key: str) -> bool:
    """Whoever may log in sees every alert."""
    return user.is_active and key.isascii() and key.isdigit()


TOPICS = (Topic("alert", _may_follow, has_presence=True),)
