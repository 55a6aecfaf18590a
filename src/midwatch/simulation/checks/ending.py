"""The end of a run. The world is healed and the people are silent: is everything that fires still rung for? Then
everything is resolved: is nothing left behind?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from midwatch.simulation.checks.view import View

LATELY = timedelta(minutes=3)


def everything_urgent_still_rings(view: View, since_up: float) -> Iterator[str]:
    """Nobody answered since: every urgent alert that fires has rung somebody, by itself or with the one it joined."""
    held = {edit.what for edit in view.record.edits if edit.what.startswith("service ") and edit.until >= view.now}
    rung = {alert for (alert, _), rings in view.heard.items() if any(at >= since_up for at, _ in rings)}
    reachable = any({"webhook", "ntfy", "sms", "voice"} & set(person.methods) for person in view.world.people)
    for alert in view.alerts.values():
        if alert["status"] != "firing" or alert["is_test"] or alert["urgency"] != "high" or not reachable:
            continue
        row = view.escalations.get(alert["id"])
        leader = row["leader__alert_id"] if row else None
        if f"service {alert['service__name']}" in held or alert["id"] in rung or leader in rung:
            continue
        why = f"{row['state']} ({row['why']}), due {row['due_at']}" if row else "no escalation"
        yield f"#{alert['number']} fires, nobody has it, and nobody was rung for it for 25 minutes: {why}"


def nothing_is_left(view: View) -> Iterator[str]:
    """Everything is resolved, and time has passed."""
    for alert in view.alerts.values():
        if alert["status"] != "resolved" and not alert["dedup_key"].startswith("midwatch/"):
            yield f"#{alert['number']} is still {alert['status']}"
    for row in view.escalations.values():
        if row["state"] != "ended" and view.alerts[row["alert_id"]]["status"] == "resolved":
            yield f"the escalation of the resolved alert {row['alert_id']} is {row['state']}"
    for row in view.deliveries:
        if row["kind"] == "handoff" and row["wanted_at"] > view.now - LATELY:
            continue  # shifts go on
        yield f"delivery {row['id']} ({row['kind']} by {row['channel']}) is still {row['state']}"
    for row in view.pages:
        if view.alerts[row["alert_id"]]["status"] == "resolved":
            yield f"somebody is still being called for the resolved alert {row['alert_id']}"
    undone = [one for one in view.outbox if one["due_at"] is None or one["due_at"] <= view.now]
    if undone:  # the end of a maintenance that is still to come is not
        yield f"{len(undone)} reactions are undone, first {undone[0]['name']}"
    if view.backlog:
        yield f"{view.backlog} events of the log were never read"
