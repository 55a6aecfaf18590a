"""A history in the format of mrshu/github-statuses' `parsed/incidents.jsonl`: made up, the same for the same seed.

Its shape follows the public one: one to eight updates an incident, most of them minor, a tenth maintenance, minutes to hours.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

COMPONENTS = ("Actions", "API Requests", "Codespaces", "Git Operations", "Issues", "Packages", "Pages", "Pull Requests")
IMPACTS = ("minor", "minor", "minor", "minor", "minor", "major", "major", "critical", "none", "maintenance")
BEGAN = datetime(2022, 3, 24, tzinfo=UTC)
WORDS = {
    "Investigating": "We look into reports that {} is slow.",
    "Identified": "We found what is wrong with {}.",
    "Update": "{} is still slow for some.",
    "Monitoring": "{} works again; we watch it.",
    "Resolved": "{} works.",
    "Scheduled": "{} will be maintained.",
    "In progress": "{} is being maintained.",
    "Completed": "{} was maintained.",
}


def history(count: int, *, seed: int = 1, began: datetime = BEGAN, days: float = 1_600) -> Iterator[str]:
    """`count` lines without their line ends, oldest first, from `began` on."""
    chance = random.Random(seed)
    for number in range(count):
        started = began + timedelta(days=days * number / count, minutes=chance.randrange(60))
        yield json.dumps(_incident(chance, 9_600_000 + number, started))


def _incident(chance: random.Random, number: int, started: datetime) -> dict[str, object]:
    impact = chance.choice(IMPACTS)
    component = chance.choice(COMPONENTS)
    if impact == "maintenance":
        statuses = ["Scheduled", "In progress", "Completed"]
    else:
        middle = chance.choices(["Update", "Identified", "Monitoring"], [5, 1, 1], k=chance.randrange(7))
        statuses = ["Investigating", *middle, "Resolved"]
    at, updates = started, []
    for status in statuses:
        updates.append({"at": _text(at), "status": status, "message": WORDS[status].format(component)})
        at += timedelta(minutes=1 + min(180, int(chance.expovariate(1 / 30))))
    ended = datetime.fromisoformat(str(updates[-1]["at"]))
    found: dict[str, object] = {
        "id": str(number),
        "entry_id": f"tag:status.example.com,2005:Incident/{number}",
        "title": f"Incident with {component}",
        "url": f"https://status.example.com/incidents/{number:x}",
        "published_at": _text(ended),
        "updated_at": _text(ended),
        "status_sequence": statuses,
        "started_at": _text(started),
        "resolved_at": _text(ended),
        "impact_window": None,
        "downtime_start": _text(started),
        "downtime_end": _text(ended),
        "duration_minutes": int((ended - started).total_seconds() // 60),
        "updates": updates,
        "impact": impact,
    }
    if chance.random() < 0.95:
        found["components"] = [component]
    return found


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
