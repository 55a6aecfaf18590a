"""How things stand, in a few lines: what somebody who takes over must know."""

from __future__ import annotations

from datetime import datetime

from midwatch.respond.incidents.models import Entry, Incident, Promise, RoleHolding, Task

DECISIONS_SHOWN = 5


def brief_of(incident: Incident, now: datetime) -> str:
    """Markdown: state, roles, open tasks, what is promised next, the last decisions."""
    length = int((now - incident.started_at).total_seconds() // 60)
    lines = [
        f"**{incident.severity}: {incident.title}** ({incident.get_phase_display()}, for {length} min)",
        "",
    ]
    if incident.summary:
        lines += [incident.summary, ""]
    roles = RoleHolding.objects.filter(incident=incident, ended_at=None).select_related("user")
    lines += [f"- {holding.role.upper()}: {holding.user} since {holding.assumed_at:%H:%M} UTC" for holding in roles]
    for task in Task.objects.filter(incident=incident, done_at=None, is_dropped=False).select_related("doer"):
        until = f", until {task.due_at:%H:%M} UTC" if task.due_at else ""
        lines.append(f"- open task: {task.title} ({task.doer or task.role.upper()}{until})")
    for promise in Promise.objects.filter(incident=incident).exclude(promised_at=None):
        lines.append(f"- next {promise.audience} update promised for {promise.promised_at:%H:%M} UTC")
    decisions = Entry.objects.filter(incident=incident, kind="decision").order_by("-id")[:DECISIONS_SHOWN]
    lines += [f"- decided at {entry.happened_at:%H:%M} UTC: {entry.text}" for entry in reversed(decisions)]
    return "\n".join(lines)
