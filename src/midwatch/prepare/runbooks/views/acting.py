"""What people do in an execution: plain POST forms, so that every button works without scripts, and twice does no harm."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.core import contribute
from midwatch.core.actor import Actor
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user
from midwatch.prepare.runbooks import actions, permits
from midwatch.prepare.runbooks.models import Execution, StepRun
from midwatch.prepare.runbooks.views.common import execution_or_404, execution_url, step_or_404

APPROVALS = {"approve": "approved", "refuse": "refused"}
DECISIONS = {"was-done": "done", "again": "again", "was-not-done": "failed", "look": "check"}


def leads(user: User, number: int) -> bool:
    """Does this person lead that incident? A higher room knows."""
    return contribute.holds("incident.led-by", (user, number))


def may_carry_out(user: User, execution: Execution) -> bool:
    return permits.may_carry_out(user, execution, leads)


@login_required
@require_POST
def act(request: HttpRequest, number: int, pk: int, do: str) -> HttpResponse:
    """done, failed, skip, run, approve, refuse, was-done, again, was-not-done, look, edit."""
    user = acting_user(request)
    execution = execution_or_404(user, number)
    step = step_or_404(execution, pk)
    if do not in APPROVALS and not may_carry_out(user, execution):
        raise PermissionDenied(permits.why_not(permits.Act.CARRY_OUT))
    by, given = actor_of(user, "web"), request.POST
    digest, reason = given.get("digest", ""), given.get("reason", "")
    try:
        if do in APPROVALS:
            actions.approve(step, by, APPROVALS[do], digest=digest, note=reason, leads=leads)
        elif do in {"done", "failed", "skip"}:
            actions.answer(step, by, do, seen=given.get("seen", ""), reason=reason, digest=digest)
        elif do == "run":
            actions.press_run(step, by, digest=digest)
        elif do in DECISIONS:
            actions.decide_unknown(step, by, DECISIONS[do], reason=reason)
        elif do == "edit":
            _edit(step, by, given.get("body", ""), reason)
        else:
            raise Http404(_("There is no such act."))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    stays = do in {"edit", "run"} or do in DECISIONS
    return HttpResponseRedirect(execution_url(execution, step.step if stays and given.get("stay") else ""))


def _edit(step: StepRun, by: Actor, body: str, reason: str) -> None:
    actions.edit_step(step, by, body.replace("\r\n", "\n"), reason=reason)


@login_required
@require_POST
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    user, execution = _carried_by(request, number)
    try:
        actions.cancel(execution, actor_of(user, "web"), request.POST.get("reason", ""))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Nothing more is begun. What runs is told to stop."))
    return HttpResponseRedirect(execution_url(execution))


@login_required
@require_POST
def resume(request: HttpRequest, number: int) -> HttpResponse:
    """Another execution, from the step that stopped this one."""
    user, execution = _carried_by(request, number)
    try:
        goes_on = actions.resume(execution, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(execution_url(execution))
    return HttpResponseRedirect(execution_url(goes_on))


def _carried_by(request: HttpRequest, number: int) -> tuple[User, Execution]:
    user = acting_user(request)
    execution = execution_or_404(user, number)
    if not may_carry_out(user, execution):
        raise PermissionDenied(permits.why_not(permits.Act.CARRY_OUT))
    return user, execution
