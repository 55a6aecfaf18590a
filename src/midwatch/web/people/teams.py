"""Teams: who is in them, whether a page would reach them, what they own, which policy "page this team" uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, ProtectedError
from django.forms import BaseFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from midwatch.catalog.queries import services
from midwatch.core.contribute import panels
from midwatch.core.render import page_or_partial
from midwatch.people import actions, forms
from midwatch.people.actions.teams import MEMBERS_MAX
from midwatch.people.models import Membership, Team, User
from midwatch.people.queries import active_people, actor_of, is_manager, people
from midwatch.people.viewing import viewer
from midwatch.respond.escalation.actions.policies import bind_team
from midwatch.respond.escalation.models import EscalationPolicy, TeamPolicy
from midwatch.respond.notify.actions import send_test_pages
from midwatch.respond.notify.queries import Reachability, reachabilities
from midwatch.respond.oncall.queries import schedules, who_is_on_call
from midwatch.web.permits import administrators_only, may_edit_members

TEAMS_SHOWN = 500
POLICIES_MAX = 500
OWNED_SHOWN = 100
REFUSALS_SHOWN = 5


@login_required
@require_safe
def team_list(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    found = list(
        Team.objects.annotate(member_count=Count("memberships")).order_by("display_name", "name")[:TEAMS_SHOWN]
    )
    policies = {one.team_id: one.policy for one in TeamPolicy.objects.filter(team__in=found).select_related("policy")}
    unheard = _unreachable_by_team(found)
    own = set(Membership.objects.filter(user=user).values_list("team_id", flat=True))
    context = {
        "rows": [(team, policies.get(team.pk), unheard.get(team.pk, [])) for team in found],
        "own": own,
        "may_create": user.is_administrator,
    }
    return page_or_partial(request, "people/teams.html", context, partial="people/teams.html")


def _unreachable_by_team(found: Sequence[Team]) -> dict[int, list[User]]:
    """Who is paged with the team and would not hear it."""
    paged = list(
        Membership.objects.filter(team__in=found, is_paged=True, user__is_active=True)
        .exclude(role="observer")
        .select_related("user")
    )
    reach = reachabilities({one.user_id: one.user for one in paged}.values())
    unheard: dict[int, list[User]] = {}
    for one in paged:
        if not reach[one.user_id].is_reachable_high:
            unheard.setdefault(one.team_id, []).append(one.user)
    return unheard


@login_required
@require_safe
def team(request: HttpRequest, name: str) -> HttpResponse:
    user = viewer(request)
    found = get_object_or_404(Team, name=name)
    memberships = list(found.memberships.select_related("user"))
    reach = reachabilities([one.user for one in memberships])
    bound = TeamPolicy.objects.filter(team=found).select_related("policy").first()
    context: dict[str, Any] = {
        "team": found,
        "members": [(one, reach[one.user_id]) for one in memberships],
        "is_heard": any(_would_hear(one, reach[one.user_id]) for one in memberships),
        "policy": bound.policy if bound else None,
        "policies": list(EscalationPolicy.objects.filter(team=found).order_by("name")[:OWNED_SHOWN]),
        "on_call": who_is_on_call(found) if schedules(found).exists() else [],
        "services": list(services(found)[:OWNED_SHOWN]),
        "may_edit": may_edit_members(user, found),
        "may_test": _may_test(user, found),
        "is_administrator": user.is_administrator,
        "side_panels": panels("team.side", request, found),
    }
    return page_or_partial(request, "people/team.html", context, partial="people/team.html")


def _would_hear(membership: Membership, reach: Reachability) -> bool:
    return membership.is_paged and membership.role != "observer" and reach.is_reachable_high


@require_POST
@login_required
def send_tests(request: HttpRequest, name: str) -> HttpResponse:
    """A test page to everybody who is paged with the team; those for whom it is night are left asleep, and named."""
    user, found = viewer(request), get_object_or_404(Team, name=name)
    if not _may_test(user, found):
        raise PermissionDenied(_("Test pages to a team are sent by its managers and by administrators."))
    by = actor_of(user, "web")
    paged = found.memberships.filter(is_paged=True, user__is_active=True).exclude(role="observer")
    deliveries, left_out = send_test_pages([one.user for one in paged.select_related("user")[:MEMBERS_MAX]], by)
    if sent := len({one.user_id for one in deliveries}):
        text = ngettext("A test page goes out to %d person.", "Test pages go out to %d people.", sent)
        messages.success(request, text % sent)
    for text in left_out[:REFUSALS_SHOWN]:
        messages.warning(request, text)
    return HttpResponseRedirect(reverse("people:team", args=[name]))


def _may_test(user: User, found: Team) -> bool:
    return user.may_act and (user.is_administrator or is_manager(user, found))


@administrators_only
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Its members come next, on its own page."""
    form = forms.TeamForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given, by = form.cleaned_data, actor_of(viewer(request), "web")
        try:
            made = actions.create_team(given["name"], given["display_name"], by, mode=given["mode"])
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is there. Now its members.") % made)
            return HttpResponseRedirect(reverse("people:edit-team", args=[made.name]))
    status = 422 if form.errors else 200
    return page_or_partial(
        request, "people/team_new.html", {"form": form}, partial="people/team_new.html", status=status
    )


def _editable(request: HttpRequest, name: str) -> tuple[User, Team]:
    user, found = viewer(request), get_object_or_404(Team, name=name)
    if found.is_from_code:
        place = {"owner": found.code_owner, "file": found.code_file}
        raise PermissionDenied(
            _("This team comes from configuration as code (%(owner)s, %(file)s): change it there.") % place
        )
    if not may_edit_members(user, found):
        raise PermissionDenied(_("A team is changed by its managers and by administrators."))
    return user, found


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """`do=add` gives one more empty row and saves nothing."""
    user, found = _editable(request, name)
    choices = _people_choices(found)
    policies = list(EscalationPolicy.objects.order_by("name").values_list("name", flat=True)[:POLICIES_MAX])
    if request.method != "POST":
        return _edit_page(request, found, *_initial_forms(found, choices, policies))
    data = request.POST.copy()
    adds = data.get("do") == "add"
    if adds:
        forms.one_more(data, "member", MEMBERS_MAX)
    form = forms.TeamForm(data, with_name=False, policies=policies)
    members = forms.MemberForms(data, prefix="member", form_kwargs={"people": choices})
    if adds:
        return _edit_page(request, found, form, members)
    if not (form.is_valid() and members.is_valid()):
        return _edit_page(request, found, form, members, status=422)
    try:
        _save(found, form, members, user)
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _edit_page(request, found, form, members, status=422)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("people:team", args=[found.name]))


def _people_choices(found: Team) -> list[tuple[str, str]]:
    """Active people, and whoever is in the team already."""
    listed = {one.name: one for one in active_people()[: forms.PEOPLE_MAX]}
    listed |= {one.name: one for one in people().filter(memberships__team=found)}
    return [(one.name, str(one)) for one in sorted(listed.values(), key=str)]


def _initial_forms(
    found: Team, choices: list[tuple[str, str]], policies: list[str]
) -> tuple[forms.TeamForm, BaseFormSet[forms.MemberForm]]:
    bound = TeamPolicy.objects.filter(team=found).select_related("policy").first()
    initial: list[dict[str, Any]] = [
        {"user": one.user.name, "role": one.role, "is_paged": one.is_paged}
        for one in found.memberships.select_related("user")
    ]
    first = {
        "display_name": found.display_name,
        "mode": found.mode,
        "policy": bound.policy.name if bound else "",
    }
    form = forms.TeamForm(initial=first, with_name=False, policies=policies)
    return form, forms.MemberForms(initial=initial or [{}], prefix="member", form_kwargs={"people": choices})


def _save(found: Team, form: forms.TeamForm, members: BaseFormSet[forms.MemberForm], user: User) -> None:
    """All of it or nothing."""
    by, given = actor_of(user, "web"), form.cleaned_data
    kept = forms.kept_forms(members)
    by_name = {one.name: one for one in people().filter(name__in=[one.cleaned_data["user"] for one in kept])}
    wanted = [one.member(by_name) for one in kept]
    is_manager_still = any(one.user.pk == user.pk and one.role == "manager" for one in wanted)
    if not user.is_administrator and not is_manager_still:
        raise ValueError(
            _("You would no longer manage this team: leave yourself in as manager, or ask another manager.")
        )
    with transaction.atomic():
        actions.change_team(found, given["display_name"], by, mode=given["mode"])
        actions.set_members(found, wanted, by)
        bound = TeamPolicy.objects.filter(team=found).select_related("policy").first()
        if (bound.policy.name if bound else "") != given["policy"]:
            policy = EscalationPolicy.objects.get(name=given["policy"]) if given["policy"] else None
            bind_team(found, policy, by)


def _edit_page(
    request: HttpRequest,
    found: Team,
    form: forms.TeamForm,
    members: BaseFormSet[forms.MemberForm],
    *,
    status: int = 200,
) -> HttpResponse:
    context = {
        "team": found,
        "form": form,
        "members": members,
        "is_refused": status == 422,
        "may_add": members.total_form_count() < MEMBERS_MAX,
        "is_administrator": viewer(request).is_administrator,
    }
    return page_or_partial(request, "people/team_edit.html", context, partial="people/team_edit.html", status=status)


@require_POST
@administrators_only
def delete(request: HttpRequest, name: str) -> HttpResponse:
    user, found = _editable(request, name)
    try:
        actions.delete_team(found, actor_of(user, "web"))
    except ProtectedError:
        messages.error(
            request,
            _("%s owns services, schedules, policies or alerts: give them to another team first.") % found,
        )
        return HttpResponseRedirect(reverse("people:team", args=[name]))
    messages.success(request, _("The team %s is gone.") % found)
    return HttpResponseRedirect(reverse("people:teams"))
