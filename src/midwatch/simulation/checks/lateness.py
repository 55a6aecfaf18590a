"""Every firing alert has an escalation that is due, or a stated reason; nothing due is late while a node lives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from midwatch.simulation.checks.tables import Row
from midwatch.simulation.checks.view import View

LATE = 32.0  # seconds with a node: the longest lease (20 s), a tick, and what a busy pool takes
LATE_DELIVERY = 90.0  # all senders of a channel may hang for their 10 s, several times in a storm
# Behind a provider that hangs, a message waits for those before it, never for what is less urgent: that is the promise
# (one slow channel delays no other, a waiting P1 goes first), and a queue of hundreds by such a channel has its pool's speed.
HANGS = 11.0
SENDERS = 3
FAILED_AFTER = timedelta(seconds=60)


def every_firing_alert_is_escalated(view: View) -> Iterator[str]:
    for alert in view.alerts.values():
        if alert["status"] != "firing" or alert["is_test"] or view.pending(alert["id"]):
            continue
        row = view.escalations.get(alert["id"])
        problem = "it has no escalation" if row is None else _firing_problem(view, row)
        if problem:
            yield f"#{alert['number']} fires and nobody will be paged: {problem}"


def _firing_problem(view: View, row: Row) -> str:
    """ "" when something is due, or there is a reason that is written down and true."""
    match row["state"]:
        case "paging":
            return "" if row["due_at"] is not None else "its escalation is paging and nothing is due"
        case "joined":
            leader = view.alerts.get(row["leader__alert_id"] or 0)
            if leader is None or leader["status"] != "firing":
                return "it pages with an alert that is answered or gone"
            return ""
        case "held":
            service = view.alerts[row["alert_id"]]["service__name"]
            is_so = view.record.edited([f"service {service}"], view.now, view.now, timedelta(minutes=2))
            return "" if is_so and row["due_at"] is not None else "it is held and there is no maintenance"
        case "exhausted":
            return "" if row["why"] else "every round ran and no reason is given"
        case state:
            return f"its escalation is {state}"


def every_acknowledgement_runs_out(view: View) -> Iterator[str]:
    """An acknowledged alert whose policy has a time-out has a moment when that ends."""
    for alert in view.alerts.values():
        if alert["status"] != "acknowledged" or alert["is_test"] or view.pending(alert["id"]):
            continue
        row = view.escalations.get(alert["id"])
        if row is None:
            yield f"#{alert['number']} is acknowledged and has no escalation"
            continue
        policy = view.record.policies.get(str(row["policy__name"]))
        seconds = policy.ack_timeout_seconds if policy else None
        has_timeout = bool(seconds) or (seconds is None and alert["urgency"] == "high")
        if has_timeout and row["due_at"] is None and not _was_edited(view, alert["id"]):
            yield f"#{alert['number']} is acknowledged, and the time-out of its policy will never come"


def _was_edited(view: View, alert: int) -> bool:
    return any(edit.what == f"policy {view.policy_of(alert)}" for edit in view.record.edits)


@dataclass
class Lateness:
    """Something that is due and stays undone is timed by how long a node was up meanwhile, whatever the clock did."""

    since: dict[tuple[str, object, object], float] = field(default_factory=dict)

    def nothing_due_is_late(self, view: View) -> Iterator[str]:
        due = dict(self._due(view))
        self.since = {key: at for key, at in self.since.items() if key in due}
        for key, limit in due.items():
            late = view.up - self.since.setdefault(key, view.up)
            if late > limit:
                yield f"{key[0]} {key[1]} was due at {key[2]} and is still undone after {late:.0f} s with a node up"

    def _due(self, view: View) -> Iterator[tuple[tuple[str, object, object], float]]:
        now = view.now
        for kind, rows in (
            ("the escalation of alert", view.escalations.values()),
            ("the page", view.pages),
            ("the reaction", [one for one in view.outbox if one["quarantined_at"] is None]),
        ):
            for row in rows:
                if row["due_at"] is not None and row["due_at"] <= now:
                    yield (kind, row.get("alert_id") or row["id"], row["due_at"]), LATE
        ahead: Counter[tuple[str, int]] = Counter()
        for row in view.deliveries:
            if row["due_at"] <= now:
                ahead[row["channel"], row["rank"]] += 1
        for row in view.deliveries:
            held = row["state"] == "sending" and row["claimed_until"] is not None and row["claimed_until"] > now
            if row["due_at"] <= now and not held:
                before = sum(
                    n for (channel, rank), n in ahead.items() if channel == row["channel"] and rank <= row["rank"]
                )
                yield ("the delivery", row["id"], row["due_at"]), LATE_DELIVERY + before * HANGS / SENDERS
            if row["kind"] in {"page", "bundle"} and row["passed_on_at"] is None:
                overdue = row["wanted_at"] + FAILED_AFTER
                if overdue <= now:
                    yield ("passing on from delivery", row["id"], overdue), LATE
        for alert in view.alerts.values():
            for name in ("snoozed_until", "expires_at"):
                if alert[name] is not None and alert[name] <= now and alert["status"] != "resolved":
                    yield (f"{name} of alert", alert["id"], alert[name]), LATE
        if view.backlog:
            yield ("reading the event log, which holds", len(view.record.accepted), ""), LATE


def nothing_was_put_aside(view: View) -> Iterator[str]:
    for one in view.outbox:
        if one["quarantined_at"] is not None:
            yield f"the reaction {one['name']} {one['payload']} failed for good and was put aside"


def leases_are_short(view: View) -> Iterator[str]:
    """A claim that holds longer than its lease would hold what a dead node had for ever."""
    if view.record.has_jumped:
        return
    limits = (("delivery", view.deliveries, 20), ("page", view.pages, 5), ("reaction", view.outbox, 10))
    rows = [*limits, ("escalation", list(view.escalations.values()), 5)]
    for kind, found, seconds in rows:
        for row in found:
            until = row["claimed_until"]
            if until is not None and until > view.now + timedelta(seconds=seconds + 1):
                yield f"the {kind} {row['id']} is claimed until {until}, longer than its lease of {seconds} s"
