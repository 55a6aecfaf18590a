"""What action items demand of a post-mortem: nobody approves one while something was decided that nobody has (R16)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from midwatch.core.contribute import Obstacle
from midwatch.learn.actions.models import ActionItem, ItemState

SHOWN_MAX = 10


def ownerless(postmortem: Any) -> Sequence[str]:
    drafts = ActionItem.objects.filter(incident=postmortem.incident_id, state=ItemState.DRAFT).order_by("number")
    return [f"{item} “{item.title}” has no owner: give it one, and a date" for item in drafts[:SHOWN_MAX]]


OBSTACLES = (Obstacle("postmortem.approve", ownerless),)
