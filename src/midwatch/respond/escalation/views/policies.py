"""Escalation policies: read as sentences, tried out at any time, made in one click, edited without JavaScript."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import ProtectedError
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.render import page_or_partial
from midwatch.people.forms import one_more
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.people.viewing import acting_user, editable_teams, viewer
from midwatch.respond.escalation import forms
from midwatch.respond.escalation.actions import policies as actions
from midwatch.respond.escalation.models import EscalationPolicy, PolicyStep, ServicePolicy, TeamPolicy
from midwatch.respond.escalation.queries import dry_run, duty_schedule, may_edit_policy, steps_of, target_words
from midwatch.respond.oncall.models import Schedule

POLICIES_MAX = 500
StepForms = formset_factory(forms.StepForm, extra=0, max_num=actions.STEPS_MAX, absolute_max=actions.STEPS_MAX)


@dataclass(frozen=True, slots=True)
class Sentence:
    """ "After 5m, if nobody has acknowledged: payments-secondary (on call)"."""

    step: PolicyStep
    after: str  # "" at once
    whom: str
    is_always: bool  # also when somebody has acknowledged
    runbook: str = ""  # "restart-checkout", "restart-checkout, and the page waits for it 60s at most"


def sentences(steps: Sequence[PolicyStep]) -> list[Sentence]:
    return [
        Sentence(
            step,
            forms.length_text(step.after_seconds) if step.after_seconds else "",
            ", ".join(target_words(target) for target in step.targets.all()),
            step.condition == "unresolved",
            _runbook_words(step),
        )
        for step in steps
    ]


def _runbook_words(step: PolicyStep) -> str:
    if not step.runbook or not step.hold_page_seconds:
        return step.runbook
    words = {"runbook": step.runbook, "length": forms.length_text(step.hold_page_seconds)}
    return _("%(runbook)s, and the page waits for it %(length)s at most, never for a P1") % words


@login_required
@require_safe
def policy_list(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    found = list(EscalationPolicy.objects.select_related("team").order_by("name")[:POLICIES_MAX])
    steps: dict[int, list[PolicyStep]] = defaultdict(list)
    of_all = PolicyStep.objects.filter(policy__in=found).prefetch_related(
        "targets__schedule", "targets__team", "targets__user"
    )
    for step in of_all:
        steps[step.policy_id].append(step)
    bound = set(TeamPolicy.objects.values_list("team_id", flat=True))
    without = [team for team in Team.objects.order_by("display_name", "name")[:POLICIES_MAX] if team.pk not in bound]
    context = {
        "policies": [(policy, sentences(steps[policy.pk])) for policy in found],
        "offers": [team for team in without if may_edit_team(user, team)],
        "makers": editable_teams(user),
        "duty": duty_schedule(),
        "schedules": Schedule.objects.order_by("name")[:POLICIES_MAX] if user.is_administrator else (),
    }
    return page_or_partial(request, "escalation/policies.html", context, partial="escalation/policies.html")


@login_required
@require_safe
def policy_detail(request: HttpRequest, name: str) -> HttpResponse:
    """With its dry run: `?at=2026-11-22T03:00&priority=P1`, in the viewer's zone; without, now and urgent."""
    user = viewer(request)
    policy = get_object_or_404(EscalationPolicy.objects.select_related("team"), name=name)
    now = clock.now()
    form = forms.DryRunForm(request.GET)
    at = form.moment(now, user.time_zone)
    context = {
        "policy": policy,
        "sentences": sentences(steps_of(policy)),
        "rounds": forms.rounds_sentence(policy),
        "timeout": forms.timeout_sentence(policy),
        "services": [
            one.service for one in ServicePolicy.objects.filter(policy=policy).select_related("service")[:200]
        ],
        "teams": [one.team for one in TeamPolicy.objects.filter(policy=policy).select_related("team")[:200]],
        "may_edit": may_edit_policy(user, policy),
        "dry": dry_run(policy, urgency=form.urgency, at=at),
        "at": at,
        "at_text": forms.wall_text(at, user.time_zone),
        "priority": request.GET.get("priority") or "P1",
        "priorities": ("P1", "P3"),
    }
    return page_or_partial(request, "escalation/policy.html", context, partial="escalation/_dry_run.html")


@require_POST
@login_required
def create(request: HttpRequest) -> HttpResponse:
    """The seed's template: level 1, level 2, whole team; one click. A team's first one is in force for it at once."""
    user = acting_user(request)
    team = get_object_or_404(Team, name=request.POST.get("team", "")[:63])
    if not may_edit_team(user, team):
        raise PermissionDenied(_("You may make policies for your own teams only."))
    try:
        policy = _from_template(team, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("escalation:policies"))
    if TeamPolicy.objects.filter(team=team, policy=policy).exists():
        messages.success(request, _("Made, and in force for %s. Look at the dry run: would they hear it?") % team)
    else:
        messages.success(request, _("Made. Edit its steps, then choose it on the page of a service."))
    return HttpResponseRedirect(reverse("escalation:policy", args=[policy.name]))


def _from_template(team: Team, by: Actor) -> EscalationPolicy:
    """Level 1 is who is on call on the team's first schedule, level 2 on its second, if there is one."""
    schedules = list(Schedule.objects.filter(team=team).order_by("name")[:2])
    if not schedules:
        raise ValueError(_("%s has no schedule yet: make one first, so that level 1 is whoever is on call.") % team)
    taken = set(EscalationPolicy.objects.filter(name__startswith=team.name).values_list("name", flat=True))
    names = (team.name, *(f"{team.name[:58]}-{number}" for number in range(2, 100)))
    name = next(name for name in names if name not in taken)
    level_2 = schedules[1] if len(schedules) > 1 else None
    return actions.create_from_template(name, team, by, level_1=schedules[0], level_2=level_2)


def _editable(request: HttpRequest, name: str) -> tuple[User, EscalationPolicy]:
    user = acting_user(request)
    policy = get_object_or_404(EscalationPolicy.objects.select_related("team"), name=name)
    if policy.is_from_code:
        place = {"owner": policy.code_owner, "file": policy.code_file}
        raise PermissionDenied(
            _("This policy comes from configuration as code (%(owner)s, %(file)s): change it there.") % place
        )
    if not may_edit_policy(user, policy):
        raise PermissionDenied(_("You may change the policies of your own teams only."))
    return user, policy


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """`do=add` gives one more empty step and saves nothing; anything else saves. Steps go by their time."""
    user, policy = _editable(request, name)
    choices = forms.policy_targets()
    if request.method != "POST":
        initial: list[dict[str, Any]] = [forms.step_initial(step) for step in steps_of(policy)]
        steps = StepForms(initial=initial or [{}], prefix="step", form_kwargs={"choices": choices})
        return _edited(request, policy, forms.PolicyForm(initial=forms.policy_initial(policy)), steps)
    data = request.POST.copy()
    if data.get("do") == "add":
        one_more(data, "step", actions.STEPS_MAX)
    steps = StepForms(data, prefix="step", form_kwargs={"choices": choices})
    form = forms.PolicyForm(data)
    if data.get("do") == "add":
        return _edited(request, policy, form, steps)
    if not (form.is_valid() and steps.is_valid()):
        return _edited(request, policy, form, steps, status=422)
    try:
        actions.change_policy(policy, _fields(policy, form, steps), actor_of(user, "web"))
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _edited(request, policy, form, steps, status=422)
    messages.success(request, _("Saved. The dry run shows what it means now."))
    return HttpResponseRedirect(reverse("escalation:policy", args=[policy.name]))


def _edited(
    request: HttpRequest,
    policy: EscalationPolicy,
    form: forms.PolicyForm,
    steps: BaseFormSet[forms.StepForm],
    *,
    status: int = 200,
) -> HttpResponse:
    context = {"policy": policy, "form": form, "steps": steps, "may_add": steps.total_form_count() < actions.STEPS_MAX}
    return page_or_partial(request, "escalation/edit.html", context, partial="escalation/edit.html", status=status)


def _fields(
    policy: EscalationPolicy, form: forms.PolicyForm, steps: BaseFormSet[forms.StepForm]
) -> actions.PolicyFields:
    kept = [step for step in steps if not step.is_blank and not step.cleaned_data.get("remove")]
    kept.sort(key=lambda step: step.cleaned_data.get("after") or 0)
    return actions.PolicyFields(
        team=policy.team,
        repeat=form.cleaned_data["repeat"],
        repeat_after_seconds=form.cleaned_data["repeat_after"],
        ack_timeout_seconds=form.cleaned_data["ack_timeout"],
        steps=[_step(step.cleaned_data, index) for index, step in enumerate(kept, 1)],
    )


def _step(given: dict[str, Any], position: int) -> actions.StepFields:
    return actions.StepFields(
        name=given["name"] or _("level %d") % position,
        after_seconds=given["after"] or 0,
        condition=given["condition"] or "unacknowledged",
        runbook=given["runbook"],
        hold_page_seconds=given["hold_page"] or 0,
        targets=[_target(value) for value in given["targets"]],
    )


def _target(value: str) -> actions.TargetFields:
    kind, name, notify = value.split(":", 2)
    return actions.TargetFields(
        schedule=Schedule.objects.get(name=name) if kind == "schedule" else None,
        team=Team.objects.get(name=name) if kind == "team" else None,
        user=User.objects.get(name=name) if kind == "user" else None,
        notify=notify,
    )


@require_POST
@login_required
def delete(request: HttpRequest, name: str) -> HttpResponse:
    user, policy = _editable(request, name)
    try:
        actions.delete_policy(policy, actor_of(user, "web"))
    except ProtectedError:
        messages.error(request, _("A service or a team uses %s: choose another policy there first.") % policy)
        return HttpResponseRedirect(reverse("escalation:policy", args=[name]))
    messages.success(request, _("The policy %s is gone.") % name)
    return HttpResponseRedirect(reverse("escalation:policies"))
