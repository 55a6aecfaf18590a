"""Everybody, and whether a page would wake them; and a new person."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from midwatch.core.render import page_or_partial
from midwatch.people import actions, forms
from midwatch.people.models import AccessLink, Team, User
from midwatch.people.queries import actor_of, people
from midwatch.people.viewing import viewer
from midwatch.web.people import reach_queries as queries
from midwatch.web.people.common import check_email_is_free, link_url, shown_once
from midwatch.web.permits import administrators_only, seen_people

TEAMS_MAX = 500


@login_required
@require_safe
def people_list(request: HttpRequest) -> HttpResponse:
    """The reachability table: `?show=unreachable|off&team=payments&q=ana`."""
    user = viewer(request)
    show, team, query = (request.GET.get(key, "")[:100] for key in ("show", "team", "q"))
    found = queries.find_people(query=query, is_active=show != "off", team=team)
    rows = queries.person_rows(found, seen_people(user))
    if show == "unreachable":
        rows = [row for row in rows if not row.reach.is_reachable_high]
    context = {
        "rows": rows,
        "show": show,
        "team": team,
        "q": query,
        "teams": list(Team.objects.order_by("display_name", "name").values_list("name", "display_name")[:TEAMS_MAX]),
        "is_cut": len(found) == queries.PEOPLE_SHOWN,
        "off_count": people().filter(is_active=False).count(),
        "may_invite": user.is_administrator,
    }
    return page_or_partial(request, "people/list.html", context, partial="people/list.html")


@never_cache
@administrators_only
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    """A new person, and the link by which they choose a password."""
    teams = [(team.name, str(team)) for team in Team.objects.filter(code_owner="").order_by("display_name", "name")]
    asked = {"team": request.GET.get("team", ""), "time_zone": viewer(request).time_zone}
    form = forms.InviteForm(request.POST if request.method == "POST" else None, teams=teams, initial=asked)
    if request.method == "POST" and form.is_valid():
        try:
            person, token = _create(request, form)
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            return shown_once(request, person, link=link_url(token), kind=AccessLink.Kind.INVITATION)
    status = 422 if form.errors else 200
    return page_or_partial(request, "people/invite.html", {"form": form}, partial="people/invite.html", status=status)


def _create(request: HttpRequest, form: forms.InviteForm) -> tuple[User, str]:
    by = actor_of(viewer(request), "web")
    given = form.cleaned_data
    check_email_is_free(given["email"])
    with transaction.atomic():
        person = actions.create_user(given["name"], form.profile(), by)
        if given["team"]:
            actions.add_member(Team.objects.get(name=given["team"]), actions.Member(person), by)
        return person, actions.invite(person, by)
