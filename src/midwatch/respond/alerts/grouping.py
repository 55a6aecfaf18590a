"""What an event does to the alerts there are. Pure: values in, a decision out.

The order of events of one key is the order in which they were written to the log. Within one batch the decisions are
folded one after another over `Known`, so a batch gives the same alerts as its events one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from midwatch.core.integration import PRIORITY_DEFAULT, PRIORITY_WORDS, Event

REOPEN_WITHIN = timedelta(minutes=10)
HIGH = frozenset({"P1", "P2"})
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Known:
    """The newest alert of a (source, key), as far as a decision needs it."""

    status: str
    starts_at: datetime | None
    resolved_at: datetime | None
    is_resolved_by_person: bool
    was_acknowledged: bool


@dataclass(frozen=True, slots=True)
class Open:
    """A new alert. `is_linked`: the same condition fired again within ten minutes of its source's own resolve;
    `is_owner_first`: it had an owner, who is paged first."""

    is_linked: bool = False
    is_owner_first: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """An open alert was reported again."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """A person resolved it, the source still fires the same condition: re-opened as theirs, "still firing"."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A machine says that somebody has it."""


@dataclass(frozen=True, slots=True)
class Resolve:
    pass


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing to do; `reason` is counted."""

    reason: str


Decision = Open | Count | Reopen | Acknowledge | Resolve | Drop


def decide(event: Event, known: Known | None, *, now: datetime) -> Decision:
    """`known` is the newest alert of the event's source and key, or None."""
    is_open = known is not None and known.status != "resolved"
    if event.status == "resolved":
        return Resolve() if is_open else Drop("resolve of nothing open")
    if event.status == "acknowledged":
        return Acknowledge() if is_open else Drop("acknowledgement of nothing open")
    if known is None:
        return Open()
    if is_open:
        return Count()
    if known.is_resolved_by_person and event.starts_at is not None and event.starts_at == known.starts_at:
        return Reopen()
    if not known.is_resolved_by_person and known.resolved_at is not None and now - known.resolved_at <= REOPEN_WITHIN:
        return Open(is_linked=True, is_owner_first=known.was_acknowledged)
    return Open()


def priority_of(event: Event, *, priority_label: str, priorities: Mapping[str, str]) -> str:
    """P1 to P5 from the source's label or the vendor's word; the source's own table wins over the common words."""
    words = [event.labels.get(priority_label, ""), event.priority_word] if priority_label else [event.priority_word]
    for word in words:
        for table in (priorities, PRIORITY_WORDS):
            found = table.get(word) or table.get(word.strip().lower())
            if found:
                return found
    return PRIORITY_DEFAULT


def group_of(event: Event, group_by: Sequence[str]) -> str:
    """The key whose pages join, or "": the source's `groupBy` labels, `groupKey` meaning the vendor's own."""
    if not group_by or "groupKey" in group_by:
        return event.group_key
    values = [f"{name}={event.labels.get(name, '')}" for name in group_by]
    return ",".join(values) if any(event.labels.get(name) for name in group_by) else ""


def urgency_of(
    priority: str,
    *,
    service_urgency: str,
    support_hours: Mapping[str, Any] | None,
    now: datetime,
    zone: ZoneInfo | None,
) -> str:
    """high or low. `support_hours` (see the catalog) may lower it outside the hours when the service says so."""
    urgency = ("high" if priority in HIGH else "low") if service_urgency == "by-priority" else service_urgency
    if support_hours and zone is not None and urgency == "high" and not is_within(support_hours, now.astimezone(zone)):
        return str(support_hours.get("outside", "low"))
    return urgency


def is_within(support_hours: Mapping[str, Any], local: datetime) -> bool:
    """Whether `local` (wall clock in the hours' zone) lies in them. A span over midnight belongs to the day it starts."""
    days = support_hours.get("days") or WEEKDAYS
    opens = time.fromisoformat(str(support_hours.get("from", "00:00")))
    closes = time.fromisoformat(str(support_hours.get("to", "00:00")))
    today, yesterday = WEEKDAYS[local.weekday()], WEEKDAYS[local.weekday() - 1]
    clock = local.time().replace(tzinfo=None)
    if opens < closes:
        return today in days and opens <= clock < closes
    return (today in days and clock >= opens) or (yesterday in days and clock < closes)


def higher(priority: str, than: str) -> bool:
    """P1 is higher than P2."""
    return priority < than
