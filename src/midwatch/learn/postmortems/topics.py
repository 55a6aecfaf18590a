"""What can be followed: a post-mortem that is open in a browser."""

from __future__ import annotations

from midwatch.core.topics import Topic
from midwatch.learn.postmortems.queries import visible_to
from midwatch.people.models import User


def _may_follow(user: User, key: str) -> bool:
    is_number = key.isascii() and key.isdigit() and len(key) < 16
    return is_number and visible_to(user).filter(incident=int(key)).exists()


TOPICS = (Topic("postmortem", _may_follow, has_presence=True),)
