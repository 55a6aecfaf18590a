"""What the wire heard: no message twice without a reason, and no new page after an acknowledgement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from midwatch.simulation.checks.view import View, covered
from midwatch.simulation.wire import Ring

MARKS = ("sent again", "will be tried again", "failed", "not handed over")
MARKED_WITHIN = 60.0  # seconds with a node


@dataclass
class Ears:
    """`lives`: how often the sender's node had died or been stopped when it sent."""

    first: dict[str, tuple[Ring, int]] = field(default_factory=dict)
    doubles: list[tuple[int, str, float]] = field(default_factory=list)  # delivery, words, to be marked by
    quiet_since: dict[int, int] = field(default_factory=dict)  # alert -> commits when its quiet was committed

    def no_key_is_sent_twice(self, view: View) -> Iterator[str]:
        for ring, about in view.rings:
            name = ring.token or ring.key
            if not name:
                continue
            lives = _lives(view, ring)
            before = self.first.get(name)
            self.first[name] = (ring, lives)
            if before is None:
                continue
            old, old_lives = before
            cut_off = not old.answered or old_lives != _lives(view, old) or ring.was_stopped
            if not cut_off:
                yield f"{ring.who} got {ring.text[:60]!r} by {ring.channel} twice, at {old.at} and {ring.at}, and nothing broke"
            elif about is not None and about.alert:
                self.doubles.append((about.delivery, f"{ring.who} by {ring.channel}", view.up + MARKED_WITHIN))
        yield from self._marked(view)

    def _marked(self, view: View) -> Iterator[str]:
        waiting = []
        for delivery, words, until in self.doubles:
            if any(
                entry["detail"].get("delivery") == delivery and any(mark in entry["text"].lower() for mark in MARKS)
                for entries in view.timeline.values()
                for entry in entries
            ):
                continue
            if view.up > until:
                yield f"delivery {delivery} to {words} went out twice, and no timeline says so"
            else:
                waiting.append((delivery, words, until))
        self.doubles = waiting

    def acknowledged_is_quiet(self, view: View) -> Iterator[str]:
        """A page whose claim was committed after the acknowledgement was, and which does not say who has it."""
        for entry in view.entries:
            if entry["kind"] in {"unacknowledged", "snooze_ended"}:  # its page may leave with the very same commit
                self.quiet_since.pop(entry["alert_id"], None)
        for ring, about in view.rings:
            if about is None or about.kind not in {"page", "bundle"}:
                continue
            alerts = list(covered(about.delivery)) if about.kind == "bundle" else [about.alert]
            since = [self.quiet_since.get(alert) for alert in alerts]
            if not since or any(at is None or ring.claimed_at <= at for at in since):
                continue
            if not _says_who_has_it(ring):
                yield f"{ring.who} was paged by {ring.channel} at {ring.at} for {alerts}, which was answered before"
        for alert in view.alerts.values():
            if alert["status"] == "firing":
                self.quiet_since.pop(alert["id"], None)
            else:
                self.quiet_since.setdefault(alert["id"], view.baton.commits)


def _says_who_has_it(ring: Ring) -> bool:
    return " has " in ring.text.replace("+", " ") or ring.channel == "voice"


def _lives(view: View, ring: Ring) -> int:
    name = ring.sender.partition(".")[0]
    return sum(one.node.deaths + one.node.naps for one in view.nodes if one.node.name == name)
