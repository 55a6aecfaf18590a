"""A runbook's page: what it says with its steps, what proves it, and how it came to be so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch.core import differences
from midwatch.core.text import whole_number
from midwatch.people.models import User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.people.viewing import viewer
from midwatch.prepare.runbooks import permits
from midwatch.prepare.runbooks.actions import change_step_switch
from midwatch.prepare.runbooks.document import Document, DocumentError, Step, parse
from midwatch.prepare.runbooks.models import Revision, Runbook, StepSwitch, TriggeredBy
from midwatch.prepare.runbooks.queries import Proof, evidence, evidence_of_steps
from midwatch.prepare.runbooks.queries.answering import feedback_counts
from midwatch.prepare.runbooks.queries.listing import ExecutionFilter, executions
from midwatch.prepare.runbooks.queries.rails import Asked, why_not_start
from midwatch.prepare.runbooks.queries.trusting import freshness_of, open_proposals
from midwatch.prepare.runbooks.views.acting import leads
from midwatch.prepare.runbooks.views.common import runbook_or_404
from midwatch.prepare.runbooks.views.listing import execution_rows

EXECUTIONS_SHOWN = 10
REVISIONS_SHOWN = 20
DIFF_LINES_MAX = 3_000


@dataclass(frozen=True, slots=True)
class Block:
    """Prose, or a step with what is known of it. `place`: of the step, from 1."""

    prose: str = ""
    step: Step | None = None
    place: int = 0
    switch: StepSwitch | None = None
    proof: Proof | None = None


@login_required
@require_safe
def runbook_page(request: HttpRequest, name: str) -> HttpResponse:
    user = viewer(request)
    runbook = runbook_or_404(user, name)
    context: dict[str, Any] = {
        "runbook": runbook,
        "feedback": feedback_counts(runbook),
        "may_edit": may_edit_team(user, runbook.team),
        "may_start": runbook.is_active and _may_start(user, runbook, whole_number(request.GET.get("incident", ""))),
        "started_for": _started_for(request),
        "may_write": may_edit_team(user, runbook.team) and not runbook.is_from_code,
    }
    if not runbook.is_link:
        found = executions(user, ExecutionFilter(runbook=runbook.name))[:EXECUTIONS_SHOWN]
        context |= {
            **document_context(runbook),
            "proof": evidence(runbook),
            "freshness": freshness_of(runbook),
            "proposals": open_proposals(runbook),
            "waits": why_not_start(Asked(runbook, TriggeredBy.SCHEDULE)),
            "execution_rows": execution_rows(list(found)),
            "revisions": list(Revision.objects.filter(runbook=runbook).defer("body").order_by("-number")[:5]),
        }
    return render(request, "runbooks/runbook.html", context)


def _may_start(user: User, runbook: Runbook, incident: int | None) -> bool:
    return permits.may(user, runbook, permits.Act.START, incident_number=incident, leads=leads)


def _started_for(request: HttpRequest) -> str:
    """The alert or incident that somebody came from goes on to the start page."""
    given = {name: whole_number(request.GET.get(name, "")) for name in ("alert", "incident")}
    return urlencode({name: number for name, number in given.items() if number is not None})


def document_context(runbook: Runbook) -> dict[str, Any]:
    """`problems`: when its text cannot be read any more; then it is shown as it is written."""
    body = runbook.current.body if runbook.current is not None else ""
    try:
        document = parse(body)
    except DocumentError as error:
        return {"document": None, "problems": str(error).split("\n"), "body": body}
    switches = {switch.step: switch for switch in StepSwitch.objects.filter(runbook=runbook)}
    return {"document": document, "blocks": blocks_of(document, switches, evidence_of_steps(runbook))}


def blocks_of(document: Document, switches: Mapping[str, StepSwitch], proofs: Mapping[str, Proof]) -> list[Block]:
    found: list[Block] = []
    place = 0
    for block in document.blocks:
        if isinstance(block, Step):
            place += 1
            found.append(Block("", block, place, switches.get(block.name), proofs.get(block.name)))
        else:
            found.append(Block(block.text))
    return found


@login_required
@require_POST
def switch(request: HttpRequest, name: str) -> HttpResponse:
    """A step is turned off, with a reason that stands in every execution that passes it by; or on again."""
    user = viewer(request)
    runbook = _editable(user, runbook_or_404(user, name))
    step = request.POST.get("step", "")
    if step not in {one.name for one in _steps(runbook)} and not _switched(runbook, step):
        raise Http404(_("There is no such step."))
    is_on = request.POST.get("is_on") == "1"
    try:
        change_step_switch(runbook, step, actor_of(user, "web"), is_on=is_on, reason=request.POST.get("reason", ""))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The step is on.") if is_on else _("The step is off: executions pass it by."))
    return HttpResponseRedirect(reverse("runbooks:runbook", args=[runbook.name]))


def _editable(user: User, runbook: Runbook) -> Runbook:
    if not may_edit_team(user, runbook.team):
        raise PermissionDenied(_("This belongs to %s: its members and administrators may change it.") % runbook.team)
    return runbook


def _steps(runbook: Runbook) -> tuple[Step, ...]:
    try:
        return parse(runbook.current.body).steps if runbook.current is not None else ()
    except DocumentError:
        return ()


def _switched(runbook: Runbook, step: str) -> bool:
    return StepSwitch.objects.filter(runbook=runbook, step=step.replace("\0", "")[:100]).exists()


@dataclass(frozen=True, slots=True)
class Change:
    revision: Revision
    lines: list[differences.Line]


@login_required
@require_safe
def history(request: HttpRequest, name: str) -> HttpResponse:
    """Revisions, the newest first, each with what it changed."""
    runbook = runbook_or_404(viewer(request), name)
    found = Revision.objects.filter(runbook=runbook).order_by("-number")
    before = whole_number(request.GET.get("before", ""), 9)
    if before is not None:
        found = found.filter(number__lt=before)
    rows = list(found[: REVISIONS_SHOWN + 1])
    older = [*rows[1:], None] if len(rows) <= REVISIONS_SHOWN else rows[1:]
    changes = [
        Change(one, differences.between(previous.body if previous else "", one.body, lines_max=DIFF_LINES_MAX))
        for one, previous in zip(rows[:REVISIONS_SHOWN], older, strict=False)
    ]
    context = {
        "runbook": runbook,
        "changes": changes,
        "older": rows[REVISIONS_SHOWN - 1].number if len(rows) > REVISIONS_SHOWN else None,
    }
    return render(request, "runbooks/history.html", context)
