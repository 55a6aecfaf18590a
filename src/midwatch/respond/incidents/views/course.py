"""How it goes: phases, severity, what suffered, what it is linked with."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from midwatch.core.actor import Actor
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.models import AffectedClient, AffectedService, Incident, LinkedAlert, LinkKind, Phase
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.queries import visible_to
from midwatch.respond.incidents.views.common import incident_act, moment_in, one_of, service, whole_in


@incident_act(Act.RENAME)
def change(request: HttpRequest, incident: Incident, by: Actor) -> str:
    actions.rename(incident, by, title=request.POST.get("title"), summary=request.POST.get("summary"))
    return ""


@incident_act(Act.SEVERITY)
def severity(request: HttpRequest, incident: Incident, by: Actor) -> str:
    actions.change_severity(incident, request.POST.get("severity", ""), by, why=request.POST.get("why", ""))
    return ""


@incident_act(Act.PHASE)
def phase(request: HttpRequest, incident: Incident, by: Actor) -> str:
    wanted = request.POST.get("phase", "")
    if wanted not in {Phase.DETECTED, Phase.ACKNOWLEDGED, Phase.MITIGATED, Phase.RESOLVED}:
        raise ValueError(_("Choose a phase."))
    actions.set_phase(incident, wanted, by, at=moment_in(request, "at"))
    return ""


@incident_act(Act.PHASE)
def resolve(request: HttpRequest, incident: Incident, by: Actor) -> str:
    """The gate: when was it mitigated, when was it restored, and were the clients checked? One transaction."""
    restored, mitigated = moment_in(request, "resolved_at"), moment_in(request, "mitigated_at", incident.mitigated_at)
    with transaction.atomic():
        if mitigated is not None and mitigated != incident.mitigated_at:
            actions.set_phase(incident, Phase.MITIGATED, by, at=mitigated)
        if request.POST.get("clients") == "none":
            actions.clients_checked(incident, by)
        actions.set_phase(incident, Phase.RESOLVED, by, at=restored)
    if incident.clients_checked_at is None and request.POST.get("clients") != "none":
        return _("Resolved. The clients are not checked yet: who was affected? “None” is an answer.")
    return _("Resolved.")


@incident_act(Act.PHASE)
def reopen(request: HttpRequest, incident: Incident, by: Actor) -> str:
    wanted = request.POST.get("phase", Phase.RESOLVED)
    if wanted not in {Phase.ACKNOWLEDGED, Phase.MITIGATED, Phase.RESOLVED, Phase.CLOSED}:
        raise ValueError(_("Choose a phase."))
    actions.step_back(incident, wanted, by, request.POST.get("why", ""))
    return ""


@incident_act(Act.CLOSE)
def close(request: HttpRequest, incident: Incident, by: Actor) -> str:
    actions.close_incident(incident, by)
    return _("Closed.")


def _other(request: HttpRequest, field: str) -> Incident:
    number = whole_in(request, field)
    found = visible_to(viewer(request)).filter(number=number).first() if number is not None else None
    if found is None:
        raise ValueError(_("Give the number of an incident."))
    return found


@incident_act(Act.MERGE)
def merge(request: HttpRequest, incident: Incident, by: Actor) -> str:
    into = _other(request, "into")
    actions.merge(incident, into, by)
    return _("It goes on as %s.") % into


# --- what suffered ---


@incident_act(Act.IMPACT, "impact")
def add_impact(request: HttpRequest, incident: Incident, by: Actor) -> str:
    actions.affect_service(
        incident,
        service(request.POST.get("service", "")),
        by,
        level=request.POST.get("level", "major"),
        starts_at=moment_in(request, "starts_at"),
        ends_at=moment_in(request, "ends_at"),
        note_text=request.POST.get("note", ""),
    )
    return ""


@incident_act(Act.IMPACT, "impact")
def change_impact(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    window = one_of(AffectedService.objects.select_related("incident", "service"), incident, pk)
    actions.change_window(
        window,
        by,
        level=request.POST.get("level", window.level),
        starts_at=moment_in(request, "starts_at", window.starts_at) or window.starts_at,
        ends_at=moment_in(request, "ends_at", window.ends_at),
    )
    return ""


@incident_act(Act.CLIENT, "clients")
def add_client(request: HttpRequest, incident: Incident, by: Actor) -> str:
    given = {name: request.POST.get(name, "") for name in ("name", "impact", "evidence", "query", "contact")}
    actions.register_client(incident, by, **given)
    return ""


@incident_act(Act.CLIENT, "clients")
def clients_checked(request: HttpRequest, incident: Incident, by: Actor) -> str:
    actions.clients_checked(incident, by)
    return ""


@incident_act(Act.CLIENT, "clients")
def remove_client(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    actions.remove_client(one_of(AffectedClient.objects.select_related("incident"), incident, pk), by)
    return ""


# --- what it is linked with ---


@incident_act(Act.LINK, "alerts")
def link_alert(request: HttpRequest, incident: Incident, by: Actor) -> str:
    number = whole_in(request, "alert")
    alert = Alert.objects.select_related("service").filter(number=number).first() if number else None
    if alert is None:
        raise ValueError(_("Give the number of an alert."))
    actions.link_alert(incident, alert, by)
    return ""


@incident_act(Act.LINK, "alerts")
def unlink_alert(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    actions.unlink_alert(incident, one_of(LinkedAlert.objects.select_related("alert"), incident, pk).alert, by)
    return ""


@incident_act(Act.LINK, "similar")
def link_incident(request: HttpRequest, incident: Incident, by: Actor) -> str:
    kind = request.POST.get("kind", LinkKind.RELATED)
    if kind not in {LinkKind.RELATED, LinkKind.FOLLOWS}:
        raise ValueError(_("Choose how they belong together."))
    actions.link_incident(incident, _other(request, "incident"), by, kind=LinkKind(kind))
    return ""
