"""What needs several rooms to be shown: an alert with its timeline, deliveries and escalation; who I am."""

from __future__ import annotations

from datetime import datetime

from midwatch.api import shapes
from midwatch.catalog.models import Service
from midwatch.core.zones import zone
from midwatch.people.models import User
from midwatch.people.queries import team_names
from midwatch.respond.alerts import grouping
from midwatch.respond.alerts.models import Alert
from midwatch.respond.alerts.queries import similar, timeline
from midwatch.respond.escalation.queries import DryRun, Progress, progress
from midwatch.respond.notify.queries import deliveries_of, pages_of, reachability
from midwatch.respond.oncall.queries import OnCallRow, ShiftRow


def detail_of(alert: Alert) -> shapes.AlertDetailOut:
    return shapes.AlertDetailOut(
        **shapes.alert_values(alert),
        description=alert.description,
        dedup_key=alert.dedup_key,
        resolved_by=shapes.PersonRef.of(alert.resolved_by) if alert.resolved_by else None,
        is_resolved_by_source=alert.is_resolved_by_source,
        previous=alert.previous.number if alert.previous else None,
        escalation=progress_out(progress(alert)),
        timeline=[shapes.TimelineOut.of(entry) for entry in timeline(alert)],
        pages=[shapes.PageOut.of(page) for page in pages_of(alert)],
        deliveries=[shapes.DeliveryOut.of(delivery) for delivery in deliveries_of(alert)],
        similar=[
            shapes.SimilarOut(
                number=found.alert.number or 0,
                title=found.alert.title,
                resolved_at=found.alert.resolved_at,
                what_helped=found.what_helped,
            )
            for found in similar(alert)
        ],
    )


def progress_out(found: Progress | None) -> shapes.ProgressOut | None:
    if found is None:
        return None
    return shapes.ProgressOut(
        policy=found.policy.name if found.policy else None,
        round=found.round,
        next_at=found.next_at,
        state=found.state,
        next_step=found.next_step,
        why=found.why,
        joined_count=found.joined_count,
        leader=found.leader.number if found.leader else None,
        steps=[
            shapes.StepStateOut(name=step.name, at=step.at, state=step.state, targets=step.targets_text)
            for step in found.steps
        ],
    )


def on_call_out(row: OnCallRow) -> shapes.OnCallOut:
    return shapes.OnCallOut(
        schedule=row.schedule.name,
        team=row.schedule.team.name,
        users=[shapes.PersonRef.of(user) for user in row.users],
        until=row.until,
        next_users=[shapes.PersonRef.of(user) for user in row.next_users],
        next_from=row.next_from,
        quiet_until=row.quiet_until,
    )


def dry_run_out(found: DryRun) -> shapes.DryRunOut:
    return shapes.DryRunOut(
        is_all_reachable=found.is_all_reachable,
        problems=list(found.problems),
        lines=[
            shapes.DryLineOut(
                at=line.at,
                step=line.step,
                user=line.user.name if line.user else None,
                method=line.method,
                is_reachable=line.is_reachable,
                text=line.text,
            )
            for line in found.lines
        ],
    )


def me_out(user: User) -> shapes.MeOut:
    found = reachability(user)
    methods = [
        shapes.ContactOut.of(state.contact, is_usable=state.is_usable, is_ringing=state.is_ringing, why=state.why)
        for state in found.methods
    ]
    return shapes.MeOut(
        **shapes.user_values(user),
        teams=list(team_names(user)),
        contact_methods=methods,
        is_reachable_high=found.is_reachable_high,
        why=found.why,
    )


def shift_out(shift: ShiftRow) -> shapes.ShiftOut:
    return shapes.ShiftOut(
        user=shapes.PersonRef.of(shift.user),
        start=shift.start,
        end=shift.end,
        layer=shift.layer,
        is_override=shift.is_override,
    )


def urgency_of(priority: str, service: Service | None, at: datetime) -> str:
    """The urgency an alert of this priority would have: the service's support hours count."""
    if service is None:
        return "high" if priority in grouping.HIGH else "low"
    hours = service.support_hours
    return grouping.urgency_of(
        priority,
        service_urgency=service.urgency,
        support_hours=hours,
        now=at,
        zone=zone(str(hours.get("timeZone", "UTC"))) if hours else None,
    )
