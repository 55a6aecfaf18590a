"""What a page says on the whole, and what follows from what: pure.

Words and their order are Statuspage's, so that its clients read them: component statuses, impacts, indicators.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

STATUSES: Sequence[str] = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
)  # the worst last
IMPACTS: Sequence[str] = ("none", "maintenance", "minor", "major", "critical")  # the worst last
IMPACT_OF: Mapping[str, str] = dict(zip(STATUSES, IMPACTS, strict=True))
LEVEL_OF: Mapping[str, str] = {"degraded_performance": "degraded", "partial_outage": "partial", "major_outage": "major"}
STATUS_OF_LEVEL: Mapping[str, str] = {level: status for status, level in LEVEL_OF.items()}
INCIDENT_STATUSES: Sequence[str] = ("investigating", "identified", "monitoring", "resolved", "postmortem")
MAINTENANCE_STATUSES: Sequence[str] = ("scheduled", "in_progress", "verifying", "completed")
REMIND_BEFORE = timedelta(minutes=60)
WORDS: Mapping[str, str] = {
    "operational": "Operational",
    "under_maintenance": "Under maintenance",
    "degraded_performance": "Degraded performance",
    "partial_outage": "Partial outage",
    "major_outage": "Major outage",
    "investigating": "Investigating",
    "identified": "Identified",
    "monitoring": "Monitoring",
    "resolved": "Resolved",
    "postmortem": "Post-mortem",
    "scheduled": "Scheduled",
    "in_progress": "In progress",
    "verifying": "Verifying",
    "completed": "Completed",
}
TEMPLATES: Mapping[str, str] = {
    "investigating": "We are looking into this. The next update follows within 20 minutes.",
    "identified": "We know the cause and are working on it. The next update follows within 20 minutes.",
    "monitoring": "A fix is in place and we are watching it.",
    "resolved": "This is resolved.",
    "scheduled": "We will work on this at the time given here.",
    "in_progress": "The work has begun. We will tell here when it is done.",
    "verifying": "The work is done and we are checking it.",
    "completed": "The work is completed.",
}


def worst_status(statuses: Iterable[str]) -> str:
    return max(statuses, key=STATUSES.index, default="operational")


def worst_impact(impacts: Iterable[str]) -> str:
    return max(impacts, key=IMPACTS.index, default="none")


def impact_of(statuses: Iterable[str]) -> str:
    """Of an incident whose components are so."""
    return IMPACT_OF[worst_status(statuses)]


@dataclass(frozen=True, slots=True)
class Standing:
    """`indicator`: none, maintenance, minor, major, critical. `description`: the sentence over the page."""

    indicator: str
    description: str


def standing(statuses: Collection[str], impacts: Collection[str], *, is_maintained: bool) -> Standing:
    """`statuses`: of all components; `impacts`: of what is open; `is_maintained`: a maintenance is under way."""
    indicator = worst_impact([impact_of(statuses), *impacts])
    if is_maintained and IMPACTS.index(indicator) < IMPACTS.index("maintenance"):
        indicator = "maintenance"
    sentence = {
        "none": "All Systems Operational",
        "maintenance": "Service Under Maintenance",
        "minor": "Partially Degraded Service" if "degraded_performance" in statuses else "Minor Service Outage",
        "major": "Partial System Outage",
        "critical": "Major Service Outage",
    }[indicator]
    return Standing(indicator, sentence)


def next_move(
    status: str,
    *,
    scheduled_for: datetime | None,
    scheduled_until: datetime | None,
    starts_by_itself: bool,
    ends_by_itself: bool,
    is_reminder_due: bool,
) -> datetime | None:
    """When the engine has something to do for a maintenance; None: never, a person moves it."""
    if status == "scheduled" and scheduled_for is not None:
        moments = [scheduled_for - REMIND_BEFORE] if is_reminder_due else []
        if starts_by_itself:
            moments.append(scheduled_for)
        return min(moments, default=None)
    if status in {"in_progress", "verifying"} and ends_by_itself:
        return scheduled_until
    return None


def shown_percent(percent: float | None) -> str:
    """Two digits, cut and not rounded: 99.999 is not 100."""
    if percent is None:
        return ""
    cut = int(percent * 100 + 1e-9) / 100
    return "100" if percent >= 100 else f"{cut:.2f}"
