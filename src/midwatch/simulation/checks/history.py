"""Audit and timeline are append-only, and agree with the state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from midwatch.simulation.checks.view import View, audit_rows, timeline_rows

# What each entry makes of an alert, and what it may follow.
AFTER = {
    "opened": ("firing", {""}),
    "acknowledged": ("acknowledged", {"firing", "machine"}),
    "unacknowledged": ("firing", {"acknowledged", "machine", "snoozed"}),
    "snoozed": ("snoozed", {"firing", "acknowledged", "machine", "snoozed"}),
    "snooze_ended": ("firing", {"snoozed"}),
    "resolved": ("resolved", {"firing", "acknowledged", "machine", "snoozed"}),
    "still_firing": ("acknowledged", {"resolved"}),
    "still_on_it": ("acknowledged", {"acknowledged"}),
}
COMPARE_EVERY = 25
SHOWN = {"machine": "acknowledged", "snoozed": "acknowledged"}


@dataclass
class Memory:
    """Copies of what was written once, and what each alert's timeline says so far."""

    timeline: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    audit: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    steps: int = 0

    def history_is_append_only(self, view: View) -> Iterator[str]:
        """Everything is compared every so many steps, and at the end: what was changed stays changed until then."""
        self.steps += 1
        if self.steps % COMPARE_EVERY == 0:
            yield from self.nothing_was_rewritten(view)

    def nothing_was_rewritten(self, _view: View) -> Iterator[str]:
        for name, known, rows in (
            ("timeline", self.timeline, timeline_rows()),
            ("audit", self.audit, audit_rows()),
        ):
            found = {row[0]: row for row in rows}
            for pk, row in known.items():
                if found.get(pk) != row:
                    yield f"{name} entry {pk} was {row[1:]}, and is now {found.get(pk, ('gone',))[1:]}"
            known.update(found)

    def timelines_agree_with_the_state(self, view: View) -> Iterator[str]:
        for entry in view.entries:
            if entry["kind"] not in AFTER:
                continue
            alert = entry["alert_id"]
            state, allowed = AFTER[entry["kind"]]
            before = self.states.get(alert, "")
            if before not in allowed:
                yield f"alert {alert} is {entry['kind']} ({entry['text']}) although it was {before or 'not there'}"
            is_machine = entry["kind"] == "acknowledged" and entry["user_id"] is None
            self.states[alert] = "machine" if is_machine else state
        for alert in view.alerts.values():
            said = self.states.get(alert["id"], "nothing")
            if SHOWN.get(said, said) != alert["status"]:
                yield f"#{alert['number']} is {alert['status']}, and its timeline says {said}"
