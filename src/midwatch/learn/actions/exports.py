"""Action items in the files that a post-mortem is taken along in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from midwatch.core.contribute import Export
from midwatch.learn.actions.models import ActionItem

LINES_MAX = 200


def _of_postmortem(postmortem: Any) -> Sequence[str]:
    items = ActionItem.objects.select_related("owner").filter(incident=postmortem.incident_id).order_by("number")
    return [
        f"{item}: {item.title} ({item.type}; {item.owner or 'nobody has it'}; by {item.due_on or '-'}; {item.state})"
        for item in items[:LINES_MAX]
    ]


EXPORTS = (Export("postmortem.actions", _of_postmortem),)
