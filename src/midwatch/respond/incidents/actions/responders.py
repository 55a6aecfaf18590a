"""Asking for help: page a team, a service or a person into the incident, and see who answered."""

from __future__ import annotations

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.statements import Select
from midwatch.core.text import clean
from midwatch.people.models import Team, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import page_somebody
from midwatch.respond.incidents.actions.channels import refresh_channels
from midwatch.respond.incidents.actions.roles import confirm_commander, give
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.duties import DC
from midwatch.respond.incidents.models import How, Incident, LinkedAlert, Phase, Responder, RoleHolding
from midwatch.respond.incidents.queries.finding import may_see
from midwatch.respond.notify.models import Page

PRIORITY = {"SEV1": "P1", "SEV2": "P1", "SEV3": "P2", "SEV4": "P3"}


def add_responder(
    incident: Incident,
    by: Actor,
    *,
    service: Service | None = None,
    team: Team | None = None,
    user: User | None = None,
    message: str = "",
) -> Responder:
    """Page exactly one of service, team, user through its policy or rules. Everybody reads alerts, so that of a private
    incident says nothing of it. Raises ValueError with a sentence."""
    if sum(target is not None for target in (service, team, user)) != 1:
        raise ValueError("give exactly one of service, team, user")
    words = clean(message, 500, is_one_line=True)
    with transaction.atomic():
        if not Incident.objects.filter(pk=incident.pk, closed_at=None).exists():
            raise ValueError(f"{incident} is closed: nobody is paged for it")
        about = "what it is about stands in its room" if incident.is_private else incident.title
        title = f"{incident.severity} incident {incident.number}: {about if incident.is_private else words or about}"
        alert = page_somebody(
            f"DRILL {title}" if incident.is_drill else title,
            by,
            priority=PRIORITY[incident.severity],
            description=f"{by} asks for your help with {incident}: {about}",
            service=service,
            team=team,
            user=user,
        )
        asked = Responder.objects.create(
            incident=incident,
            service=service,
            team=team,
            user=user,
            alert=alert,
            message=words,
            asked_by=str(by)[:200],
            asked_at=clock.now(),
        )
        target = service or team or user
        note(incident, "responder", f"{by} paged {target}", by, target=str(target), alert=alert.number)
        audit.record(by, "add responder", "incident", str(incident), {"target": str(target), "alert": alert.number})
    return asked


# Asked of every alert that is answered or ends, in storms too: prepared.
_OPEN_INCIDENTS = Select(
    lambda alert: LinkedAlert.objects.filter(alert=alert, incident__closed_at=None).values_list("pk", flat=True)[:1]
)
_WAITING_RESPONDERS = Select(
    lambda alert: Responder.objects.filter(alert=alert, answered_at=None).values_list("pk", flat=True)[:1]
)


def concerns_incident(alert_id: int) -> bool:
    """Is this alert part of an open incident, or somebody's page into one that was not answered yet?"""
    return bool(_OPEN_INCIDENTS(alert_id) or _WAITING_RESPONDERS(alert_id))


def on_alert_acknowledged(alert: Alert, by: Actor, user: User) -> None:
    """Somebody answered an alert: of the incidents it is part of they are the IC while that one is provisional (R1), and
    a responder who was asked for is there. In the caller's transaction."""
    for asked in Responder.objects.filter(alert=alert, answered_at=None).select_related("incident"):
        if not _is_called(user, alert, asked.incident):
            continue
        Responder.objects.filter(pk=asked.pk).update(answered_by=user, answered_at=alert.acknowledged_at or clock.now())
        if asked.incident.closed_at is None:
            note(asked.incident, "responder", f"{user} is here", by, user=user.name, alert=alert.number)
            if not RoleHolding.objects.filter(incident=asked.incident, user=user, ended_at=None).exists():
                give(asked.incident, DC, user, How.ACKNOWLEDGED, by)
    for linked in LinkedAlert.objects.filter(alert=alert, incident__closed_at=None).select_related("incident"):
        note(linked.incident, "alert", f"{user} acknowledged {alert}", by, alert=alert.number, status=alert.status)
        _acknowledged(linked.incident, alert)
        if user.may_act and _is_called(user, alert, linked.incident):
            confirm_commander(linked.incident, user, by)
        refresh_channels(linked.incident)


def _is_called(user: User, alert: Alert, incident: Incident) -> bool:
    """Anybody may acknowledge an alert; the door of a private incident it opens to those alone whom it called."""
    return may_see(user, incident) or Page.objects.filter(alert=alert, user=user).exists()


def _acknowledged(incident: Incident, alert: Alert) -> None:
    """The first answer is the incident's own."""
    moment = max(alert.acknowledged_at or clock.now(), incident.detected_at)
    Incident.objects.filter(pk=incident.pk, acknowledged_at=None).update(acknowledged_at=moment)
    Incident.objects.filter(pk=incident.pk, phase=Phase.DETECTED).update(phase=Phase.ACKNOWLEDGED)


def on_alert_resolved(alert: Alert, by: Actor) -> None:
    """The timeline of its incidents says so; resolving the incident stays a person's decision. In the caller's transaction."""
    for linked in LinkedAlert.objects.filter(alert=alert, incident__closed_at=None).select_related("incident"):
        note(linked.incident, "alert", f"{alert} resolved: {alert.title}", by, alert=alert.number, status=alert.status)
