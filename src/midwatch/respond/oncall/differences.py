"""What changes for people when a schedule changes: pure, for the preview before anything is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from midwatch.respond.oncall import resolve


@dataclass(frozen=True, slots=True)
class Difference:
    """From `start` to `end` other people are on call. Empty: nobody."""

    start: datetime
    end: datetime
    before: tuple[str, ...]
    after: tuple[str, ...]


def differences(before: resolve.Schedule, after: resolve.Schedule, start: datetime, end: datetime) -> list[Difference]:
    """By time; stretches in which the same people hand over to the same people are one."""
    ends = {start, end}
    for schedule in (before, after):
        for shift in resolve.shifts(schedule, start, end):
            ends |= {shift.start, shift.end}
    moments = sorted(moment for moment in ends if start <= moment <= end)
    found: list[Difference] = []
    for low, high in pairwise(moments):
        old, new = resolve.on_call_at(before, low), resolve.on_call_at(after, low)
        if set(old) == set(new):
            continue
        last = found[-1] if found else None
        if last is not None and last.end == low and (set(last.before), set(last.after)) == (set(old), set(new)):
            found[-1] = Difference(last.start, high, last.before, last.after)
        else:
            found.append(Difference(low, high, old, new))
    return found


def hours_of(schedule: resolve.Schedule, start: datetime, end: datetime) -> Mapping[str, float]:
    """How many hours each person is on call, most first."""
    totals: dict[str, timedelta] = {}
    for stretch in resolve.stretches(schedule, start, end):
        totals[stretch.user] = totals.get(stretch.user, timedelta(0)) + (stretch.end - stretch.start)
    hours = {user: total.total_seconds() / 3600 for user, total in totals.items()}
    return dict(sorted(hours.items(), key=lambda pair: (-pair[1], pair[0])))
