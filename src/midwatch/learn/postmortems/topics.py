"""What can be followed: a post-mortem that is open in a browser."""

from __future__ import annotations

from midwatch.core.text import whole_number
from midwatch.core.topics import Topic
from midwatch.learn.postmortems.queries import visible_to
from midwatch.people.models import User


def _may_follow(user: User, key: str) -> bool:
    number = whole_number(key)
    return number is not None and visible_to(user).filter(incident=number).exists()


TOPICS = (Topic("postmortem", _may_follow, has_presence=True),)
