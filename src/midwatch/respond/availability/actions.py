"""Every write of availability. A refusal is a `ValueError` whose text says what to do instead.

Who keeps windows of its own (incidents: which service was hit from when to when) writes them here, with its `origin`,
and keeps the row's id. What was worked out from them is made anew by the event "outage.changed".
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.respond.availability.models import Outage, OutageLevel

ORIGIN_MAX = 100
NOTE_MAX = 1_000
AHEAD_MAX = timedelta(minutes=5)  # clocks of people and machines
LENGTH_MAX = timedelta(days=3_650)


class _Unset:
    """The field stays as it is; None means "still open"."""


UNSET = _Unset()


@dataclass(frozen=True, slots=True)
class Correction:
    """What is to be changed of an outage; what is left out stays."""

    level: str | _Unset = UNSET
    starts_at: datetime | _Unset = UNSET
    ends_at: datetime | _Unset | None = UNSET
    note: str | _Unset = UNSET
    is_private: bool | _Unset = UNSET

    def values(self) -> dict[str, Any]:
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in given.items() if not isinstance(value, _Unset)}


def open_outage(
    service: Service,
    by: Actor,
    *,
    level: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    origin: str = "",
    note: str = "",
    is_private: bool = False,
) -> Outage:
    """From `starts_at` (now), until `ends_at` or until it is closed. Several of one service may overlap: what is worked
    out takes the worst of them. Raises `ValueError`."""
    now = clock.now()
    start = starts_at or now
    _check(level, start, ends_at, now)
    with transaction.atomic():
        outage = Outage.objects.create(
            service=service,
            level=level,
            starts_at=start,
            ends_at=ends_at,
            origin=clean(origin, ORIGIN_MAX, is_one_line=True),
            note=clean(note, NOTE_MAX),
            is_private=is_private,
            created_by=str(by)[:200],
            created_at=now,
        )
        audit.record(by, "open outage", "service", service.name, {"outage": outage.pk, **_shown(outage)})
        _tell(outage)
    return outage


def close_outage(outage: Outage, by: Actor, *, ends_at: datetime | None = None) -> Outage:
    """It is over, since `ends_at` (now). One that is over already stays as it is. Raises `ValueError`."""
    with transaction.atomic():
        current = Outage.objects.select_for_update().get(pk=outage.pk)
        if current.ends_at is not None or current.withdrawn_at is not None:
            return current
        end = ends_at or max(clock.now(), current.starts_at)
        return _change(current, by, "close outage", {"ends_at": end})


def correct_outage(outage: Outage, by: Actor, correction: Correction) -> Outage:
    """Say it better: what it was before stands in the audit log. Raises `ValueError`."""
    with transaction.atomic():
        current = Outage.objects.select_for_update().get(pk=outage.pk)
        if current.withdrawn_at is not None:
            raise ValueError("this outage was withdrawn: open a new one")
        values = correction.values()
        if "note" in values:
            values["note"] = clean(values["note"], NOTE_MAX)
        return _change(current, by, "correct outage", values)


def withdraw_outage(outage: Outage, by: Actor, reason: str = "") -> Outage:
    """It never happened. The row stays, and counts nowhere."""
    with transaction.atomic():
        current = Outage.objects.select_for_update().get(pk=outage.pk)
        if current.withdrawn_at is not None:
            return current
        current.withdrawn_at = clock.now()
        current.save(update_fields=["withdrawn_at"])
        detail = {"outage": current.pk, "reason": clean(reason, NOTE_MAX), **_shown(current)}
        audit.record(by, "withdraw outage", "service", current.service.name, detail)
        _tell(current)
    return current


def _change(current: Outage, by: Actor, verb: str, values: dict[str, Any]) -> Outage:
    before = _shown(current)
    for name, value in values.items():
        setattr(current, name, value)
    _check(current.level, current.starts_at, current.ends_at, clock.now())
    after = _shown(current)
    changed = sorted(name for name in after if after[name] != before[name])
    if not changed:
        return current
    current.save(update_fields=sorted(values))
    detail = {
        "outage": current.pk,
        "before": {name: before[name] for name in changed},
        "after": {name: after[name] for name in changed},
    }
    audit.record(by, verb, "service", current.service.name, detail)
    _tell(current)
    return current


def _tell(outage: Outage) -> None:
    outbox.emit("outage.changed", {"outage": outage.pk})


def _shown(outage: Outage) -> dict[str, Any]:
    return {
        "level": str(outage.level),
        "starts_at": outage.starts_at.isoformat(),
        "ends_at": outage.ends_at.isoformat() if outage.ends_at else None,
        "origin": outage.origin,
        "note": outage.note,
        "is_private": outage.is_private,
    }


def _check(level: str, starts_at: datetime, ends_at: datetime | None, now: datetime) -> None:
    if level not in OutageLevel.values:
        raise ValueError(f"{clean(level, 40)!r} is no level of an outage: give {', '.join(OutageLevel.values)}")
    if starts_at > now + AHEAD_MAX:
        raise ValueError("an outage cannot begin in the future: plan a maintenance instead")
    if ends_at is not None and ends_at < starts_at:
        raise ValueError("an outage cannot end before it begins: give an end after its start")
    if ends_at is not None and ends_at > now + AHEAD_MAX:
        raise ValueError("an outage cannot be known to end in the future: leave the end open and close it then")
    if (ends_at or now) - starts_at > LENGTH_MAX:
        raise ValueError(f"an outage lasts at most {LENGTH_MAX.days} days: is the year right?")
