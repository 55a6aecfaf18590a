"""What one does to a service whose alerts these are: maintenance now or planned, and letting it go."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.catalog.actions import delete_service
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.render import page_or_partial
from midwatch.core.wall_field import WallField
from midwatch.core.zones import comes_at, wall_at
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, editing_user
from midwatch.respond.alerts.actions import end_maintenance, start_maintenance
from midwatch.respond.alerts.actions.sources import release_service
from midwatch.respond.alerts.models import Maintenance
from midwatch.respond.alerts.views.common import NUMBER_MAX

LENGTHS = {"30m": timedelta(minutes=30), "1h": timedelta(hours=1), "4h": timedelta(hours=4)}


class MaintenanceForm(forms.Form):
    """Wall clock in the viewer's zone."""

    starts = WallField(label=gettext_lazy("From"))
    ends = WallField(label=gettext_lazy("To"))
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=300, required=False)

    def moments(self, zone_name: str) -> tuple[datetime, datetime]:
        """Raises `ValueError`."""
        starts, ends = (comes_at(self.cleaned_data[field], zone_name) for field in ("starts", "ends"))
        return starts, ends


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, name: str) -> HttpResponse:
    """`for=1h` starts one now; the form plans one."""
    user = acting_user(request)
    service = get_object_or_404(Service, name=name)
    now = clock.now()
    if request.method != "POST":
        wall = wall_at(now, user.time_zone).replace(second=0, microsecond=0)
        return _planned(request, service, MaintenanceForm(initial={"starts": wall, "ends": wall + LENGTHS["1h"]}))
    by = actor_of(user, "web")
    length = LENGTHS.get(request.POST.get("for", ""))
    if length is not None:
        start_maintenance(service, by, starts_at=now, ends_at=now + length)
        messages.success(request, _("%s is in maintenance: alerts are kept, nobody is paged.") % service)
        return HttpResponseRedirect(reverse("catalog:service", args=[name]))
    form = MaintenanceForm(request.POST)
    if not form.is_valid():
        return _planned(request, service, form, status=422)
    try:
        starts, ends = form.moments(user.time_zone)
        start_maintenance(service, by, starts_at=starts, ends_at=ends, reason=form.cleaned_data["reason"])
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _planned(request, service, form, status=422)
    messages.success(request, _("Planned."))
    return HttpResponseRedirect(reverse("catalog:service", args=[name]))


def _planned(request: HttpRequest, service: Service, form: MaintenanceForm, *, status: int = 200) -> HttpResponse:
    template = "alerts/services/maintenance.html"
    return page_or_partial(request, template, {"service": service, "form": form}, partial=template, status=status)


@require_POST
@login_required
def end(request: HttpRequest, pk: int) -> HttpResponse:
    user = acting_user(request)
    window = get_object_or_404(Maintenance.objects.select_related("service"), pk=min(pk, NUMBER_MAX))
    is_planned = window.starts_at > clock.now()
    end_maintenance(window, actor_of(user, "web"))
    said = _("Cancelled.") if is_planned else _("Maintenance is over: what still fires pages now.")
    messages.success(request, said)
    return HttpResponseRedirect(reverse("catalog:service", args=[window.service.name]))


@require_POST
@login_required
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Its resolved alerts stay, without it. Refused while an alert is open or a source sends to it."""
    service = get_object_or_404(Service.objects.select_related("team"), name=name)
    user = editing_user(request, service.team)
    try:
        with transaction.atomic():
            release_service(service)
            delete_service(service, actor_of(user, "web"))
    except ProtectedError:
        messages.error(request, _("%s has open alerts or a source: resolve and move them first.") % service)
        return HttpResponseRedirect(reverse("catalog:service", args=[name]))
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("catalog:service", args=[name]))
    messages.success(request, _("The service %s is gone; its alerts stay.") % service)
    return HttpResponseRedirect(reverse("catalog:services"))
