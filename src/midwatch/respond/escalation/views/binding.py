"""Which policy a service's alerts are escalated by, and who is paged when a policy reaches nobody."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.catalog.models import Service
from midwatch.people.models import Team
from midwatch.people.queries import actor_of
from midwatch.people.viewing import editing_user, viewer
from midwatch.respond.escalation.actions.policies import bind_service, set_duty_schedule
from midwatch.respond.escalation.actions.team_channels import choose_channel
from midwatch.respond.escalation.models import EscalationPolicy
from midwatch.respond.oncall.models import Schedule


@require_POST
@login_required
def bind(request: HttpRequest, name: str) -> HttpResponse:
    """`policy`: its name; empty: the team's."""
    service = get_object_or_404(Service.objects.select_related("team"), name=name)
    user = editing_user(request, service.team)
    wanted = request.POST.get("policy", "")[:63]
    policy = get_object_or_404(EscalationPolicy, name=wanted) if wanted else None
    try:
        bind_service(service, policy, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Its alerts go by %s now.") % (policy or _("the policy of its team")))
    return HttpResponseRedirect(reverse("catalog:service", args=[name]))


@require_POST
@login_required
def choose_team_channel(request: HttpRequest, name: str, provider: str) -> HttpResponse:
    """`place`: where the team reads along; empty: nowhere. `shifts`: "yes" says who begins a shift, too."""
    team = get_object_or_404(Team, name=name)
    user = editing_user(request, team)
    place, shifts = request.POST.get("place", "")[:100], request.POST.get("shifts") == "yes"
    try:
        chosen = choose_channel(team, provider, place, actor_of(user, "web"), shows_shifts=shifts)
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        said = _("Its alerts are shown in %s from now on.") % chosen.place if chosen else _("It has no alert channel.")
        messages.success(request, said)
    return HttpResponseRedirect(reverse("people:team", args=[name]))


@require_POST
@login_required
def set_duty(request: HttpRequest) -> HttpResponse:
    """`schedule`: its name; empty: none. Administrators only: it is the whole organisation's."""
    user = viewer(request)
    if not user.is_administrator:
        raise PermissionDenied(_("Only administrators choose the organisation's duty schedule."))
    wanted = request.POST.get("schedule", "")[:63]
    schedule = get_object_or_404(Schedule, name=wanted) if wanted else None
    set_duty_schedule(schedule, actor_of(user, "web"))
    messages.success(request, _("When nobody is reached, %s is paged first.") % (schedule or _("the team's managers")))
    return HttpResponseRedirect(reverse("escalation:policies"))
