"""What an incident is linked with: alerts, and other incidents; duplicates merge."""

from __future__ import annotations

from django.db import transaction

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.respond.alerts.actions import note as note_on_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import Incident, LinkedAlert, LinkedIncident, LinkKind, Phase, RoleHolding


def link_alert(incident: Incident, alert: Alert, by: Actor) -> bool:
    """False: it was linked already. Both timelines say so."""
    with transaction.atomic():
        _, is_new = LinkedAlert.objects.get_or_create(
            incident=incident, alert=alert, defaults={"at": clock.now(), "who": str(by)[:200]}
        )
        if is_new:
            note(incident, "alert", f"{alert} {alert.title}", by, alert=alert.number, status=alert.status)
            hidden = "a private incident" if incident.is_private else _shown(incident)
            note_on_alert(alert.pk, "incident", f"part of {hidden}", by, incident=incident.number)
    return is_new


def unlink_alert(incident: Incident, alert: Alert, by: Actor) -> None:
    with transaction.atomic():
        if LinkedAlert.objects.filter(incident=incident, alert=alert).delete()[0]:
            note(incident, "alert", f"{alert} does not belong to it", by, alert=alert.number)
            note_on_alert(alert.pk, "incident", f"not part of {incident} any more", by, incident=incident.number)


def link_incident(incident: Incident, other: Incident, by: Actor, *, kind: LinkKind = LinkKind.RELATED) -> None:
    if incident.pk == other.pk:
        raise ValueError("this is the incident itself")
    with transaction.atomic():
        _, is_new = LinkedIncident.objects.get_or_create(
            incident=incident, other=other, defaults={"kind": kind, "at": clock.now(), "who": str(by)[:200]}
        )
        if is_new:
            note(incident, "link", f"{kind.label} to {_shown(other)}", by, other=other.number, link=kind)
            audit.record(by, "link", "incident", str(incident), {"other": other.number, "kind": kind})


def merge(duplicate: Incident, into: Incident, by: Actor) -> None:
    """The same incident twice: one goes on. Alerts move over, the other is closed and says where it went; its people are
    asked into the one that goes on by its IC. Raises ValueError with a sentence."""
    if duplicate.pk == into.pk:
        raise ValueError("an incident cannot be merged into itself")
    now = clock.now()
    with transaction.atomic():
        if not Incident.objects.filter(pk=into.pk, closed_at=None).exists():
            raise ValueError(f"{into} is closed: link them instead")
        taken = Incident.objects.filter(pk=duplicate.pk, closed_at=None, merged_into=None).update(
            merged_into=into, phase=Phase.CLOSED, closed_at=now, resolved_at=now, prompted_at=None
        )
        if not taken:
            raise ValueError(f"{duplicate} is closed already")
        note(duplicate, "merged", f"goes on as {_shown(into)}", by, other=into.number)
        RoleHolding.objects.filter(incident=duplicate, ended_at=None).update(ended_at=now)
        for linked in LinkedAlert.objects.filter(incident=duplicate).select_related("alert"):
            link_alert(into, linked.alert, by)
        link_incident(into, duplicate, by, kind=LinkKind.DUPLICATE)
        audit.record(by, "merge", "incident", str(duplicate), {"into": into.number})
        outbox.emit("incident.closed", {"incident": duplicate.pk, "merged_into": into.pk})


def _shown(incident: Incident) -> str:
    """For the timeline of another one, whose readers may not see this one."""
    return f"{incident} (private)" if incident.is_private else f"{incident}: {incident.title}"
