"""Each step reaches each of its people through some method, or the failure is on the timeline; and they are the right ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from midwatch.simulation.checks.tables import Row
from midwatch.simulation.checks.view import View

HEARD_WITHIN = 150.0  # seconds with a node: 60 s until a method counts as failed, a lease, a storm limit's minute
CALLED_WITHIN = HEARD_WITHIN + 120.0  # one call in two minutes: whose page is a call may wait for the next
# After these an older page need not be heard any more, or the failure has been said.
ANSWERED = frozenset(
    {
        "acknowledged", "resolved", "snoozed", "declined", "reassigned", "unacknowledged", "still_firing",
        "snooze_ended", "whole_team", "unreachable", "delivery_failed", "delivery_overdue",
    }
)  # fmt: skip
EDITS_WITHIN = timedelta(minutes=2)


@dataclass
class Reach:
    """Everybody of whom a timeline says that they are being paged, until they were heard or it says why not."""

    waiting: dict[tuple[int, int], tuple[Row, float]] = field(default_factory=dict)  # alert, user -> entry, up

    def everybody_paged_is_rung(self, view: View) -> Iterator[str]:
        for entry in view.entries:
            if entry["kind"] == "paged":
                for name in entry["detail"].get("users", ()):
                    self.waiting[entry["alert_id"], view.users[name]] = (entry, view.up)
        for key, (entry, up) in list(self.waiting.items()):
            if view.heard_since(*key, up - 1.0) or self._is_answered(view, key[0], entry):
                del self.waiting[key]
            elif view.up - up > HEARD_WITHIN:
                name = next(name for name, pk in view.users.items() if pk == key[1])
                if "voice" in view.world.person(name).methods and view.up - up <= CALLED_WITHIN:
                    continue
                del self.waiting[key]
                number = view.alerts[key[0]]["number"]
                yield f"#{number}: {entry['text']!r} at {entry['at']}, {name} heard nothing, and no failure is on record"

    @staticmethod
    def _is_answered(view: View, alert: int, entry: Row) -> bool:
        if view.alerts[alert]["status"] != "firing":
            return True
        if any(one["id"] > entry["id"] and one["kind"] in ANSWERED for one in view.timeline[alert]):
            return True
        service = f"service {view.alerts[alert]['service__name']}"
        return view.record.edited([service], entry["at"], view.now, EDITS_WITHIN)


def steps_page_the_right_people(view: View) -> Iterator[str]:
    """Whom a step pages, against the rotas worked out a second time."""
    for entry in view.entries:
        if entry["kind"] != "paged":
            continue
        step = _step_of(view, entry)
        if step is None or any(e["kind"] in {"priority", "acknowledged"} for e in view.timeline[entry["alert_id"]]):
            continue
        names = set(entry["detail"]["users"])
        wanted = _people(view, step, entry["at"])
        if names != wanted:
            yield f"{entry['text']!r} at {entry['at']}, and by the rota it is {sorted(wanted) or 'nobody'}"


def _step_of(view: View, entry: Row) -> tuple[str, ...] | None:
    """The targets of the step that this entry tells of; None when they were being changed."""
    policy = view.record.policies.get(view.policy_of(entry["alert_id"]))
    name = entry["text"].partition(":")[0]
    if policy is None or not name.startswith("level "):
        return None
    position = int(name.removeprefix("level ")) - 1
    if position >= len(policy.steps):
        return None
    targets = policy.steps[position].targets
    rotas = [f"rota {target.partition(':')[2]}" for target in targets if target.partition(":")[0] in {"rota", "next"}]
    people = [f"user {person.name}" for person in view.world.people]
    if view.record.edited([f"policy {policy.name}", *rotas, *people], entry["at"], entry["at"], EDITS_WITHIN):
        return None
    return targets


def _people(view: View, targets: tuple[str, ...], at: datetime) -> set[str]:
    rotas = {rota.name: rota for rota in view.world.rotas}
    found: set[str] = set()
    for target in targets:
        kind, _, name = target.partition(":")
        match kind:
            case "user":
                found.add(name)
            case "rota":
                found |= set(rotas[name].on_call(at))
            case "next":
                found |= set(rotas[name].next_on_call(at))
            case "managers":
                found |= {person.name for person in view.world.people if person.is_manager}
            case _:
                found |= {person.name for person in view.world.people}
    return found
