"""Declaring an incident: a title and a severity are enough, and it has its IC in the same transaction (R1).

From an alert that somebody acknowledged, they are the IC. From an unanswered one, or by rule, it is level 1 of that alert's
own policy, until somebody answers. Whoever declares without any of these leads until the one on call accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.numbers import next_numbers
from midwatch.core.text import clean
from midwatch.people.models import Team, User
from midwatch.people.queries import administrators, managers_of
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.escalation.queries import OnCallNow, policy_for, steps_of
from midwatch.respond.incidents import phases
from midwatch.respond.incidents.actions.channels import refresh_channels
from midwatch.respond.incidents.actions.impact import affect_service
from midwatch.respond.incidents.actions.linking import link_alert
from midwatch.respond.incidents.actions.promises import set_clocks, start_clocks
from midwatch.respond.incidents.actions.roles import give, offer_role
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.duties import IC
from midwatch.respond.incidents.models import (
    DeclarationRule,
    How,
    Incident,
    IncidentNumber,
    IncidentType,
    Phase,
    Severity,
    Task,
)
from midwatch.respond.incidents.models.command import TITLE_MAX
from midwatch.respond.incidents.queries.finding import open_incident_of

SUMMARY_MAX = 8_000


@dataclass(frozen=True, slots=True)
class Declaration:
    """What somebody says when they declare. `moments`: of a back-filled one, by name of the phase, and "started"."""

    title: str
    severity: str
    service: Service | None = None
    team: Team | None = None
    alert: Alert | None = None
    type: IncidentType | None = None
    summary: str = ""
    is_private: bool = False
    is_drill: bool = False
    commander: User | None = None  # of a back-filled one: who led
    moments: Mapping[str, datetime] = field(default_factory=dict)


def declare_incident(wanted: Declaration, by: Actor) -> Incident:
    """Raises ValueError with a sentence. The incident, its IC, its links and its first entries are one transaction."""
    title = clean(wanted.title, TITLE_MAX, is_one_line=True)
    if not title:
        raise ValueError("give a title: what does somebody who joins see is wrong?")
    if wanted.severity not in Severity.values:
        raise ValueError(f"{wanted.severity!r} is no severity: give one of {', '.join(Severity.values)}")
    with transaction.atomic():
        service = wanted.service or (wanted.alert.service if wanted.alert else None)
        team = wanted.team or (service.team if service else wanted.alert.team if wanted.alert else None)
        user, how = _first_commander(wanted, service, team, by)
        incident = _write(wanted, title, service, team, by)
        give(incident, IC, user, how, by)
        if wanted.alert is not None:
            link_alert(incident, wanted.alert, by)
        if service is not None:
            affect_service(incident, service, by, starts_at=incident.started_at, ends_at=incident.resolved_at)
        if not incident.is_backfilled:
            _offer_to_on_call(incident, user, how, by)
            _open_tasks(incident, by)
            start_clocks(incident)
        _audit(incident, by)
        outbox.emit("incident.declared", {"incident": incident.pk, "by": by.user_id})
    return incident


def _audit(incident: Incident, by: Actor) -> None:
    detail = {"severity": incident.severity, "title": incident.title}
    if incident.is_private:
        detail["title"] = "(private)"
    audit.record(by, "declare", "incident", str(incident), detail)


def _write(wanted: Declaration, title: str, service: Service | None, team: Team | None, by: Actor) -> Incident:
    now = clock.now()
    moments, started = _moments(wanted, now)
    kind = "back-filled" if wanted.moments else "declared"
    incident = Incident.objects.create(
        number=next_numbers(IncidentNumber),
        title=title,
        summary=clean(wanted.summary, SUMMARY_MAX),
        severity=wanted.severity,
        type=wanted.type,
        service=service,
        team=team,
        phase=phases.phase_of(moments),
        is_private=wanted.is_private or bool(wanted.type and wanted.type.is_private),
        is_drill=wanted.is_drill,
        is_backfilled=bool(wanted.moments),
        declared_at=now,
        declared_by=str(by)[:200],
        started_at=started,
        **{f"{rung}_at": moment for rung, moment in moments.items() if rung != Phase.CLOSED},
        prompted_at=None if wanted.moments else now,
    )
    drill = "a drill: " if incident.is_drill else ""
    note(incident, "declared", f"{by} {kind} {drill}{incident.severity} {title}", by, severity=incident.severity)
    return incident


def _moments(wanted: Declaration, now: datetime) -> tuple[dict[str, datetime | None], datetime]:
    """(by rung, start of the impact). Raises ValueError when they are out of order or in the future."""
    given = dict(wanted.moments)
    alert = wanted.alert
    began = alert.starts_at or alert.created_at if alert else now
    detected = given.pop("detected", None) or (alert.created_at if alert else given.get("started", now))
    started = min(given.pop("started", began), detected)
    moments: dict[str, datetime | None] = {"detected": detected}
    if alert is not None and alert.acknowledged_at and not wanted.moments:
        moments["acknowledged"] = alert.acknowledged_at
    if "closed" in given:
        raise ValueError("a back-filled incident is closed like any other, once its post-mortem is decided on")
    for rung, at in sorted(
        given.items(), key=lambda one: phases.LADDER.index(one[0]) if one[0] in phases.LADDER else -1
    ):
        moments = phases.with_rung(moments, rung, at, now)
    return {rung: moments.get(rung) for rung in phases.LADDER}, started


def _first_commander(wanted: Declaration, service: Service | None, team: Team | None, by: Actor) -> tuple[User, How]:
    alert = wanted.alert
    if wanted.commander is not None:
        return wanted.commander, How.ASSIGNED
    if alert is not None and alert.acknowledged_by is not None and alert.acknowledged_by.may_act:
        return alert.acknowledged_by, How.ACKNOWLEDGED
    declarer = User.objects.filter(pk=by.user_id).first() if by.user_id is not None else None
    level_1 = on_call_of(alert, service, team)
    if declarer is not None and declarer.may_act:
        if not level_1:
            return declarer, How.ASSIGNED  # there is nobody to wait for
        return declarer, How.ACKNOWLEDGED if declarer.pk in {user.pk for user in level_1} else How.DECLARED
    if level_1:
        return level_1[0], How.ON_CALL
    for user in (*(managers_of(team) if team else ()), *administrators()):
        if user.may_act:
            return user, How.LAST_RESORT
    raise ValueError("nobody could lead it: no one is on call, and there is no manager and no administrator")


def on_call_of(alert: Alert | None, service: Service | None, team: Team | None) -> list[User]:
    """Level 1 at this instant: of the alert's own policy, else of the service's or the team's."""
    escalation = Escalation.objects.select_related("policy").filter(alert=alert).first() if alert else None
    policy = escalation.policy if escalation else policy_for(service, team)
    if escalation is not None and escalation.direct_user is not None:
        return [escalation.direct_user] if escalation.direct_user.may_act else []
    if policy is None:
        return []
    now = OnCallNow(clock.now())
    for step in steps_of(policy):
        if found := [user for user in now.of_step(step) if user.may_act]:
            return found
    return []


def _offer_to_on_call(incident: Incident, user: User, how: How, by: Actor) -> None:
    """A declarer leads only until the one on call accepts."""
    if how != How.DECLARED:
        return
    others = [one for one in on_call_of(None, incident.service, incident.team) if one.pk != user.pk]
    if others:
        offer_role(incident, IC, others[0], by, why="on call for it")


def _open_tasks(incident: Incident, by: Actor) -> None:
    for task in incident.type.tasks if incident.type else ():
        Task.objects.create(
            incident=incident,
            title=str(task["title"])[:300],
            role=str(task.get("role", "dc")),
            created_by=str(incident.type),
            created_at=incident.declared_at,
            box_seconds=int(task["minutes"]) * 60 if task.get("minutes") else None,
        )


def declare_by_rule(rule: DeclarationRule, alert: Alert, by: Actor) -> Incident:
    """An alert that a rule names: it joins the open incident of its service, or a new one is declared. Severities only
    rise this way. In one transaction."""
    with transaction.atomic():
        incident = open_incident_of(alert.service) if alert.service else None
        if incident is None:
            return declare_incident(
                Declaration(title=alert.title, severity=rule.severity, alert=alert, type=rule.type), by
            )
        link_alert(incident, alert, by)
        return incident


def change_severity(incident: Incident, severity: str, by: Actor, *, why: str = "") -> None:
    """Roles and the IC stay as they are (R1)."""
    if severity not in Severity.values:
        raise ValueError(f"{severity!r} is no severity: give one of {', '.join(Severity.values)}")
    with transaction.atomic():
        before = Incident.objects.select_for_update().get(pk=incident.pk).severity
        if before == severity or not Incident.objects.filter(pk=incident.pk, closed_at=None).update(severity=severity):
            return
        because = f": {clean(why, 300, is_one_line=True)}" if why.strip() else ""
        incident.refresh_from_db()
        if incident.is_active:
            set_clocks(incident)
        Incident.objects.filter(pk=incident.pk).update(prompted_at=clock.now())
        note(incident, "severity", f"{before} is now {severity}{because}", by, before=before, severity=severity)
        audit.record(by, "change severity", "incident", str(incident), {"from": before, "to": severity})
        outbox.emit("incident.severity_changed", {"incident": incident.pk, "before": before})


def rename(incident: Incident, by: Actor, *, title: str | None = None, summary: str | None = None) -> None:
    """The title, and what is known now."""
    changes: dict[str, str] = {}
    if title is not None:
        changes["title"] = clean(title, TITLE_MAX, is_one_line=True)
        if not changes["title"]:
            raise ValueError("give a title")
    if summary is not None:
        changes["summary"] = clean(summary, SUMMARY_MAX)
    with transaction.atomic():
        before = Incident.objects.select_for_update().get(pk=incident.pk)
        changes = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if changes and Incident.objects.filter(pk=incident.pk).update(**changes):
            words = {"title": f"renamed to {changes.get('title')}", "summary": changes.get("summary", "")}
            for name in changes:
                note(incident, name, words[name], by)
            audit.record(by, "change", "incident", str(incident), {"fields": sorted(changes)})
            refresh_channels(incident)
