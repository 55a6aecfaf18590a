"""Who is on call, from when, until when: pure, for any instant and range.

Comes after the tables of a schedule (`models.py`, read by `queries.py`), before everything that pages or shows people.
Paging, pages, API, calendar feed and command line all ask here, so they cannot disagree.

Rules, and where they are kept true:

* Turns step in wall-clock time from the layer's start, restrictions only hide: they never move the rotation.
* A wall time that DST removes comes at the jump, one that DST doubles comes once, the first time (`core.zones`). So an
  hourly turn across a doubled hour lasts an hour more, across a removed one has no length and is left out.
* `cover`: later layers win where they cover; a turn of nobody covers nothing. `all`: everyone of every layer.
* Overrides come last, in their order (`values.Override`).
"""

from .answers import (
    LOOK_DAYS_MAX,
    RANGE_DAYS_MAX,
    conflicts,
    current,
    gaps,
    next_people,
    on_call_at,
    previous_people,
    shifts,
    stretches,
    turn_at,
    with_participants,
)
from .values import (
    DAYS,
    Conflict,
    Layer,
    OnCall,
    Override,
    OverrideKind,
    Restriction,
    Schedule,
    Shift,
    Turn,
    Unit,
    WeeklyRestriction,
    restriction_from,
)

__all__ = [
    "DAYS",
    "LOOK_DAYS_MAX",
    "RANGE_DAYS_MAX",
    "Conflict",
    "Layer",
    "OnCall",
    "Override",
    "OverrideKind",
    "Restriction",
    "Schedule",
    "Shift",
    "Turn",
    "Unit",
    "WeeklyRestriction",
    "conflicts",
    "current",
    "gaps",
    "next_people",
    "on_call_at",
    "previous_people",
    "restriction_from",
    "shifts",
    "stretches",
    "turn_at",
    "with_participants",
]
