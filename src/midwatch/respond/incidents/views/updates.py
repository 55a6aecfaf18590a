"""The Communication Manager's console: one text for the room, the stakeholders and the status pages, and the IC's approval."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.contribute import panels
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.respond.incidents import actions, permits, wording
from midwatch.respond.incidents.actions import Composed
from midwatch.respond.incidents.models import Incident, Phase, Update, UpdateState
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.queries import seats_of, severity_rule
from midwatch.respond.incidents.views.common import (
    incident_act,
    incident_or_404,
    one_of,
    permitted,
    room_url,
    whole_in,
)

COMPONENT = "component-"
NEXT_MINUTES = (15, 20, 30, 60, 120, 240)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def compose(request: HttpRequest, number: int, pk: int | None = None) -> HttpResponse:
    """`pk`: other words for one that waits or was sent back. `preview`: show it as it will be read, send nothing."""
    incident, user = permitted(request, number, Act.PUBLISH)
    before = one_of(Update.objects.select_related("incident"), incident, pk) if pk is not None else None
    if request.method != "POST":
        return _shown(request, incident, user, before, _initial(request, incident, before))
    is_preview = "preview" in request.POST
    try:
        composed = _composed(request)
        if not is_preview:
            by = actor_of(user, "web")
            made = (
                actions.change_update(before, composed, by)
                if before
                else actions.compose_update(incident, composed, by)
            )
            said = _("The update is out.") if made.state == UpdateState.PUBLISHED else _("The update waits for the IC.")
            messages.success(request, said)
            return HttpResponseRedirect(room_url(incident, "timeline"))
    except ValueError as refusal:
        return _shown(request, incident, user, before, request.POST.dict(), problem=str(refusal), status=422)
    return _shown(request, incident, user, before, request.POST.dict(), is_preview=True)


def _composed(request: HttpRequest) -> Composed:
    given = request.POST
    minutes = whole_in(request, "next_minutes")
    return Composed(
        stage=given.get("stage", ""),
        internal_text=given.get("internal_text", ""),
        external_text=given.get("external_text", ""),
        title=given.get("title", ""),
        targets=given.getlist("target")[:60],
        components={
            name.removeprefix(COMPONENT): value
            for name, value in given.items()
            if name.startswith(COMPONENT) and isinstance(value, str) and value
        },
        next_at=clock.now() + timedelta(minutes=minutes) if minutes else None,
    )


def _initial(request: HttpRequest, incident: Incident, before: Update | None) -> Mapping[str, Any]:
    if before is not None:
        return {
            "stage": before.stage,
            "title": before.title,
            "internal_text": before.internal_text,
            "external_text": before.external_text,
            "stakeholders": "stakeholders" in before.targets,
        }
    stage = request.GET.get("stage", "")
    stage = stage if stage in wording.STAGES else stage_of(incident)
    last = Update.objects.filter(incident=incident, state=UpdateState.PUBLISHED).exclude(title="").last()
    now = clock.now()
    minutes = _usual_minutes(incident)
    facts = _facts(incident, now + timedelta(minutes=minutes) if minutes else None, now)
    return {
        "stage": stage,
        "title": last.title if last else "",
        "internal_text": wording.draft(stage, "internal", facts),
        "external_text": "",
        "external_draft": wording.draft(stage, "external", facts),
        "stakeholders": True,
        "next_minutes": minutes if stage != "resolved" else "",
    }


def stage_of(incident: Incident) -> str:
    """In the outside's words, how far it is."""
    match incident.phase:
        case Phase.MITIGATED:
            return "monitoring"
        case Phase.RESOLVED | Phase.CLOSED:
            return "resolved"
        case _:
            return "investigating"


def _usual_minutes(incident: Incident) -> int | None:
    rule = severity_rule(incident.severity)
    return rule.external_every_minutes or rule.internal_every_minutes


def _facts(incident: Incident, next_at: datetime | None, now: datetime) -> dict[str, str]:
    people = dict.fromkeys(str(one) for seat in seats_of(incident) for one in seat.people)
    ended = incident.resolved_at
    return {
        "service": str(incident.service) if incident.service else "",
        "title": incident.title,
        "people": ", ".join(people),
        "next": _clock_text(next_at) if next_at else "",
        "resolved": _clock_text(ended) if ended else "",
        "length": f"{int((ended - incident.started_at).total_seconds() // 60)} min" if ended else "",
    }


def _clock_text(at: datetime) -> str:
    """With its zone: clients live in others."""
    return f"{timezone.localtime(at):%H:%M %Z}"


def _shown(
    request: HttpRequest,
    incident: Incident,
    user: User,
    before: Update | None,
    given: Mapping[str, Any],
    *,
    problem: str = "",
    is_preview: bool = False,
    status: int = 200,
) -> HttpResponse:
    if request.method == "POST":
        given = {**given, "stakeholders": "stakeholders" in request.POST.getlist("target")}
    rule = severity_rule(incident.severity)
    context = {
        "incident": incident,
        "before": before,
        "given": given,
        "problem": problem,
        "is_preview": is_preview,
        "hints": wording.hints(str(given.get("external_text", ""))) if is_preview or problem else [],
        "stages": wording.STAGES,
        "target_panels": panels("incident.update", request, incident),
        "minutes": NEXT_MINUTES,
        "next_minutes": str(given.get("next_minutes", "") or ""),
        "needs_approval": rule.is_approval_demanded and not _leads(user, incident),
        "facts_entries": list(
            incident.timeline.filter(kind__in=["decision", "observation", "note"]).order_by("-id")[:10]
        ),
        "to": reverse("incidents:change-update", args=[incident.number, before.pk])
        if before
        else reverse("incidents:update", args=[incident.number]),
    }
    return render(request, "incidents/compose.html", context, status=status)


def _leads(user: User, incident: Incident) -> bool:
    return any(seat.role == "ic" and user in seat.people for seat in seats_of(incident))


@login_required
@require_safe
def update(request: HttpRequest, number: int, pk: int) -> HttpResponse:
    """One update as it was or will be read, and the IC's answer."""
    user = viewer(request)
    incident = incident_or_404(user, number)
    found = one_of(Update.objects.select_related("incident"), incident, pk)
    context = {
        "incident": incident,
        "update": found,
        "may_answer": found.state == UpdateState.WAITING and _leads(user, incident) and user.may_act,
        "may_change": found.state != UpdateState.PUBLISHED and permits.may(user, incident, Act.PUBLISH),
        "hints": wording.hints(found.external_text),
        "deliveries": found.deliveries.select_related("stakeholder").order_by("id")[:200],
    }
    return render(request, "incidents/update.html", context)


@incident_act(Act.APPROVE, "timeline")
def approve(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    """Of these very words: the form carries their digest."""
    found = one_of(Update.objects.select_related("incident"), incident, pk)
    actions.approve_update(found, by, digest=request.POST.get("digest", ""))
    return _("Approved: the update is out.")


@incident_act(Act.APPROVE, "timeline")
def refuse(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    found = one_of(Update.objects.select_related("incident"), incident, pk)
    actions.refuse_update(found, by, request.POST.get("why", ""))
    return _("Sent back.")


@incident_act(Act.PUBLISH)
def rhythm(request: HttpRequest, incident: Incident, by: Actor) -> str:
    """The explicit decision of a long incident."""
    actions.decide_on_long(incident, by, is_long=request.POST.get("long") == "1")
    return ""
