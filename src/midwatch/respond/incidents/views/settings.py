"""Settings of incidents, for administrators: what severities mean, types, roles, and alerts that declare by themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from midwatch.catalog.models import Service
from midwatch.core.actor import Actor
from midwatch.core.text import whole_number
from midwatch.people.models import Team
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.respond.incidents.actions import add_stakeholder as write_stakeholder
from midwatch.respond.incidents.actions import remove_stakeholder as take_stakeholder_off
from midwatch.respond.incidents.actions import settings as actions
from midwatch.respond.incidents.duties import DC, Duty
from midwatch.respond.incidents.models import DeclarationRule, IncidentRole, IncidentType, Severity, Stakeholder
from midwatch.respond.incidents.queries import severity_rules
from midwatch.respond.incidents.views.common import NUMBER_MAX, service, team, whole_in

TASKS_TEXT_MAX = 10_000
CHOICES_MAX = 500
# What each duty is, in the page's words.
DUTIES = {
    Duty.TELL_TEAMS: gettext_lazy("keeps the teams informed"),
    Duty.TELL_CLIENTS: gettext_lazy("keeps the clients informed"),
    Duty.RESTORE: gettext_lazy("works on the repair"),
    Duty.CHECK_CLIENTS: gettext_lazy("lists the affected clients"),
    Duty.KEEP_TIMELINE: gettext_lazy("keeps the timeline"),
    Duty.PRESERVE_EVIDENCE: gettext_lazy("preserves the evidence"),
    Duty.PLAN_POSTMORTEM: gettext_lazy("plans the post-mortem"),
}


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    _administrator(request)
    context = {
        "severities": severity_rules(),
        "types": IncidentType.objects.all(),
        "roles": IncidentRole.objects.all(),
        "rules": DeclarationRule.objects.select_related("service", "team", "type").order_by("name"),
        "duties": [(duty.value, words) for duty, words in DUTIES.items()],
        "services": Service.objects.order_by("name")[:CHOICES_MAX],
        "teams": Team.objects.order_by("name")[:CHOICES_MAX],
        "priorities": actions.PRIORITIES,
        "severity_names": Severity.values,
        "stakeholders": Stakeholder.objects.filter(removed_at=None)
        .select_related("team", "service")
        .order_by("name", "pk")[:CHOICES_MAX],
    }
    return render(request, "incidents/settings.html", context)


def _administrator(request: HttpRequest) -> Actor:
    user = viewer(request)
    if not user.is_administrator:
        raise PermissionDenied(_("This page is for administrators."))
    return actor_of(user, "web")


def _act(do: Callable[..., None]) -> Callable[..., HttpResponse]:
    @wraps(do)
    @require_POST
    @login_required
    def view(request: HttpRequest, **more: int) -> HttpResponse:
        by = _administrator(request)
        try:
            do(request, by, **more)
        except ValueError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("incidents:settings"))

    return view


@_act
def change_severity(request: HttpRequest, by: Actor) -> None:
    given = request.POST
    fields = actions.SeverityFields(
        meaning=given.get("meaning", ""),
        internal_every_minutes=whole_in(request, "internal_every"),
        first_external_minutes=whole_in(request, "first_external"),
        external_every_minutes=whole_in(request, "external_every"),
        is_postmortem_demanded=given.get("postmortem") == "1",
        is_approval_demanded=given.get("approval") == "1",
    )
    actions.change_severity_rule(given.get("severity", ""), fields, by)


@_act
def add_type(request: HttpRequest, by: Actor) -> None:
    given = request.POST
    is_private = given.get("private") == "1"
    fields = actions.TypeFields(
        given.get("title", ""), given.get("description", ""), _tasks(given.get("tasks", "")), is_private
    )
    actions.add_type(given.get("name", ""), fields, by)


def _tasks(text: str) -> list[actions.TypeTask]:
    """One a line: what is to be done, and after bars the role and its minutes. Raises ValueError with a sentence."""
    found = []
    for line in text[:TASKS_TEXT_MAX].splitlines():
        title, role, minutes, *more = [*(part.strip() for part in line.split("|")), "", ""][:4]
        if not line.strip():
            continue
        length = whole_number(minutes) if minutes else None
        if (minutes and length is None) or any(more):
            raise ValueError(f"{line[:80]!r}: write what is to be done, | and the role, | and whole minutes")
        found.append(actions.TypeTask(title, role.lower() or DC, length))
    return found


@_act
def change_type_tasks(request: HttpRequest, by: Actor, *, pk: int) -> None:
    """`tasks`: what incidents of the type open at once, one a line."""
    found = get_object_or_404(IncidentType, pk=min(pk, NUMBER_MAX))
    actions.change_type_tasks(found, _tasks(request.POST.get("tasks", "")), by)


@_act
def remove_type(request: HttpRequest, by: Actor, *, pk: int) -> None:
    actions.remove_type(get_object_or_404(IncidentType, pk=min(pk, NUMBER_MAX)), by)


@_act
def add_role(request: HttpRequest, by: Actor) -> None:
    given = request.POST
    actions.add_role(
        given.get("name", ""),
        given.get("title", ""),
        given.get("description", ""),
        given.getlist("duty")[:20],
        by,
        is_single=given.get("single") == "1",
    )


@_act
def remove_role(request: HttpRequest, by: Actor, *, pk: int) -> None:
    actions.remove_role(get_object_or_404(IncidentRole, pk=min(pk, NUMBER_MAX)), by)


@_act
def add_rule(request: HttpRequest, by: Actor) -> None:
    """`target`: service:NAME or team:NAME."""
    given = request.POST
    kind, _colon, name = given.get("target", "").partition(":")
    fields = actions.RuleFields(
        service=service(name) if kind == "service" else None,
        team=team(name) if kind == "team" else None,
        priorities=given.getlist("priority")[:5],
        step=whole_in(request, "step"),
        severity=given.get("severity", ""),
    )
    actions.add_rule(given.get("name", ""), fields, by)


@_act
def remove_rule(request: HttpRequest, by: Actor, *, pk: int) -> None:
    actions.remove_rule(get_object_or_404(DeclarationRule, pk=min(pk, NUMBER_MAX)), by)


@_act
def add_stakeholder(request: HttpRequest, by: Actor) -> None:
    """`target`: everything (empty), service:NAME or team:NAME."""
    given = request.POST
    kind, _colon, name = given.get("target", "").partition(":")
    write_stakeholder(
        by,
        kind=given.get("kind", ""),
        address=given.get("address", ""),
        name=given.get("name", ""),
        audience=given.get("audience", ""),
        team=team(name) if kind == "team" else None,
        service=service(name) if kind == "service" else None,
        severity_at_most=given.get("severity", ""),
        secret=given.get("secret", "")[:500],
    )


@_act
def remove_stakeholder(request: HttpRequest, by: Actor, *, pk: int) -> None:
    take_stakeholder_off(get_object_or_404(Stakeholder, pk=min(pk, NUMBER_MAX)), by)
