"""Leading: roles and hand-overs, tasks, and paging help."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from midwatch.core.actor import Actor
from midwatch.people.models import User
from midwatch.people.viewing import viewer
from midwatch.respond.incidents import actions, permits
from midwatch.respond.incidents.models import HandOver, HandOverState, Incident, Task
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.views.common import (
    incident_act,
    one_of,
    person,
    service,
    team,
    whole_in,
)


@incident_act(Act.ROLE, "roles")
def give_role(request: HttpRequest, incident: Incident, by: Actor) -> str:
    user, role = person(request.POST.get("user", "")), request.POST.get("role", "")[:30]
    actions.assign_role(incident, role, user, by)
    return _("%(who)s is %(role)s.") % {"who": user, "role": actions.role_title(role)}


@incident_act(Act.ROLE, "roles")
def end_role(request: HttpRequest, incident: Incident, by: Actor) -> str:
    actions.end_role(incident, request.POST.get("role", "")[:30], person(request.POST.get("user", "")), by)
    return _("The role is the IC's again.")


@incident_act(Act.OFFER, "roles")
def leave_role(request: HttpRequest, incident: Incident, by: Actor) -> str:
    """One's own."""
    actions.end_role(incident, request.POST.get("role", "")[:30], viewer(request), by)
    return _("You have left the role; what it covered is the IC's again.")


@incident_act(Act.OFFER, "roles")
def offer_role(request: HttpRequest, incident: Incident, by: Actor) -> str:
    role, taking = request.POST.get("role", "")[:30], person(request.POST.get("user", ""))
    if not permits.may_offer(viewer(request), incident, role):
        raise PermissionDenied(permits.why_not(Act.ROLE))
    offer = actions.offer_role(incident, role, taking, by, why=request.POST.get("why", ""))
    return _("Offered to %(who)s. %(leaving)s holds it until they accept.") % {"who": taking, "leaving": offer.leaving}


def _offer(incident: Incident, pk: int) -> HandOver:
    return one_of(HandOver.objects.select_related("incident", "leaving", "taking"), incident, pk)


@incident_act(Act.ANSWER_OFFER, "roles")
def accept_role(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    offer = actions.answer_offer(_offer(incident, pk), by, is_accepted=True)
    if offer.state != HandOverState.ACCEPTED:
        raise ValueError(_("Too late: the offer is %s.") % offer.get_state_display().lower())
    return _("You are %s.") % actions.role_title(offer.role)


@incident_act(Act.ANSWER_OFFER, "roles")
def decline_role(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    offer = actions.answer_offer(_offer(incident, pk), by, is_accepted=False)
    if offer.state != HandOverState.DECLINED:
        raise ValueError(_("Too late: the offer is %s.") % offer.get_state_display().lower())
    return _("Declined: %s holds it on.") % offer.leaving


@incident_act(Act.OFFER, "roles")
def withdraw_offer(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    offer = _offer(incident, pk)
    if not permits.may_withdraw(viewer(request), incident, offer):
        raise PermissionDenied(_("Only who made the offer, or who leads, takes it back."))
    actions.withdraw_offer(offer, by)
    return ""


# --- tasks ---


@incident_act(Act.TASK, "tasks")
def open_task(request: HttpRequest, incident: Incident, by: Actor) -> str:
    """`user` empty: for whoever holds the role."""
    doer = person(request.POST.get("user", "")) if request.POST.get("user") else None
    role = request.POST.get("role", "dc")[:30]
    actions.open_task(
        incident, by, request.POST.get("title", ""), role=role, doer=doer, minutes=whole_in(request, "minutes")
    )
    _warn(request, incident, role, doer)
    return ""


def _warn(request: HttpRequest, incident: Incident, role: str, doer: User | None) -> None:
    warning = actions.warning_of(incident, role, doer)
    if warning:
        messages.warning(request, warning)


def _task(incident: Incident, pk: int) -> Task:
    return one_of(Task.objects.select_related("incident", "doer"), incident, pk)


@incident_act(Act.TASK, "tasks")
def acknowledge_task(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    actions.acknowledge_task(_task(incident, pk), viewer(request), by)
    return ""


@incident_act(Act.TASK, "tasks")
def assign_task(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    task, doer = _task(incident, pk), person(request.POST.get("user", ""))
    actions.assign_task(task, doer, by)
    _warn(request, incident, task.role, doer)
    return ""


@incident_act(Act.TASK, "tasks")
def finish_task(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    actions.finish_task(_task(incident, pk), by, outcome=request.POST.get("outcome", ""))
    return ""


@incident_act(Act.TASK, "tasks")
def drop_task(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    actions.finish_task(_task(incident, pk), by, outcome=request.POST.get("outcome", ""), is_dropped=True)
    return ""


# --- help ---


@incident_act(Act.RESPONDER, "responders")
def ask_responder(request: HttpRequest, incident: Incident, by: Actor) -> str:
    """`target`: user:NAME, team:NAME or service:NAME, as the one list of choices sends it."""
    kind, _colon, name = request.POST.get("target", "").partition(":")
    target: Any
    match kind:
        case "user":
            target = person(name)
        case "team":
            target = team(name)
        case "service":
            target = service(name)
        case _unknown:
            raise ValueError(_("Choose whom to page: a service, a team or a person."))
    asked = actions.add_responder(incident, by, message=request.POST.get("message", ""), **{kind: target})
    return _("%(target)s is paged (%(alert)s).") % {"target": target, "alert": asked.alert}
