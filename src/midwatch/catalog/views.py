"""What we run: the list, one service, its form. What higher rooms know of a service stands there as their panels."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from midwatch.catalog import actions
from midwatch.catalog.forms import DAYS, ServiceForm, initial_of
from midwatch.catalog.models import Service
from midwatch.catalog.queries import changes_of, services
from midwatch.core.contribute import badges, panels
from midwatch.core.integration import Link
from midwatch.core.payload import link
from midwatch.core.render import page_or_partial
from midwatch.core.text import clean
from midwatch.people.models import Team
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.people.viewing import acting_user, editable_teams, editing_user, teams_for_new, viewer

PAGE_SIZE = 100
TEAMS_MAX = 500
NEIGHBOURS_MAX = 200
CHANGES_SHOWN = 10


@login_required
@require_safe
def service_list(request: HttpRequest) -> HttpResponse:
    """`?team=payments&q=shop`; pages by name."""
    user = viewer(request)
    team, words = (clean(request.GET.get(field, ""), 100, is_one_line=True) for field in ("team", "q"))
    after = request.GET.get("cursor", "")[:63]
    found = services().filter(name__gt=after).order_by("name")
    if team:
        found = found.filter(team__name=team)
    if words:
        found = found.filter(Q(name__icontains=words) | Q(display_name__icontains=words))
    rows = list(found[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    beside = badges("service.row", request, shown)
    context = {
        "rows": [(service, beside[service.pk]) for service in shown],
        "next_cursor": shown[-1].name if len(rows) > PAGE_SIZE else "",
        "teams": Team.objects.order_by("display_name", "name").values_list("name", "display_name")[:TEAMS_MAX],
        "team": team,
        "q": words,
        "is_narrow": bool(team or words or after),
        "may_create": bool(editable_teams(user)),
    }
    return page_or_partial(request, "catalog/services.html", context)


@login_required
@require_safe
def service_detail(request: HttpRequest, name: str) -> HttpResponse:
    user = viewer(request)
    service = get_object_or_404(services(), name=name)
    context = {
        "service": service,
        "may_edit": may_edit_team(user, service.team) and not service.is_from_code,
        "links": links_of(service),
        "hours": hours_sentence(service),
        "depends_on": list(service.depends_on.order_by("display_name")[:NEIGHBOURS_MAX]),
        "dependents": list(service.dependents.order_by("display_name")[:NEIGHBOURS_MAX]),
        "changes": [(change, _followed(change.links)) for change in changes_of(service, limit=CHANGES_SHOWN)],
        "state_panels": panels("service.state", request, service),
        "main_panels": panels("service.main", request, service),
        "side_panels": panels("service.side", request, service),
    }
    return page_or_partial(request, "catalog/service.html", context)


def links_of(service: Service) -> list[Link]:
    """What may be followed: http and https alone, whoever wrote it into the row."""
    return _followed(service.links)


def _followed(given: Any) -> list[Link]:
    found = [link(one.get("url"), one.get("title", "")) for one in given if isinstance(one, dict)]
    return [one if one.text else Link(one.href, one.href) for one in found if one is not None]


def hours_sentence(service: Service) -> str:
    """ "Mon, Tue 09:00-17:00 (Europe/Prague); outside of them nothing rings"."""
    hours = service.support_hours
    if not hours:
        return ""
    days = ", ".join(str(word) for day, word in DAYS if day in hours.get("days", ()))
    given = {"days": days, "from": hours.get("from"), "to": hours.get("to"), "zone": hours.get("timeZone", "UTC")}
    if hours.get("outside") == "high":
        return _("%(days)s %(from)s–%(to)s (%(zone)s); outside of them everything rings") % given
    return _("%(days)s %(from)s–%(to)s (%(zone)s); outside of them nothing rings") % given


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    user = acting_user(request)
    teams = teams_for_new(user, _("A service belongs to a team, and you are in none: ask an administrator."))
    if request.method != "POST":
        return _form(request, ServiceForm(teams=teams, initial={"team": request.GET.get("team", "")}))
    form = ServiceForm(request.POST, teams=teams)
    if not form.is_valid():
        return _form(request, form, status=422)
    by = actor_of(user, "web")
    try:
        with transaction.atomic():
            service = actions.create_service(form.cleaned_data["name"], form.fields_of_service(), by)
            actions.set_dependencies(service, form.dependencies(), by)
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _form(request, form, status=422)
    messages.success(request, _("Made. Next: connect a source, so that its alerts arrive."))
    return HttpResponseRedirect(reverse("catalog:service", args=[service.name]))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    service = get_object_or_404(services(), name=name)
    user = editing_user(request, service.team)
    if service.is_from_code:
        place = {"owner": service.code_owner, "file": service.code_file}
        raise PermissionDenied(
            _("This comes from configuration as code (%(owner)s, %(file)s): change it there.") % place
        )
    teams = editable_teams(user)
    if request.method != "POST":
        return _form(request, ServiceForm(initial=initial_of(service), teams=teams, service=service))
    form = ServiceForm(request.POST, teams=teams, service=service)
    if not form.is_valid():
        return _form(request, form, status=422)
    by = actor_of(user, "web")
    try:
        with transaction.atomic():
            actions.change_service(service, form.fields_of_service(), by)
            wanted = form.dependencies()
            if {one.pk for one in wanted} != set(service.depends_on.values_list("pk", flat=True)):
                actions.set_dependencies(service, wanted, by)
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _form(request, form, status=422)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("catalog:service", args=[service.name]))


def _form(request: HttpRequest, form: ServiceForm, *, status: int = 200) -> HttpResponse:
    context = {"form": form, "service": form.service}
    return page_or_partial(request, "catalog/edit.html", context, partial="catalog/edit.html", status=status)
