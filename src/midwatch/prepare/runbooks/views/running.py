"""The page of an execution: the steps, the one that matters now with its one button, and what it writes.

It lands on the step that runs or waits, and goes on with it, unless the address names one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from midwatch.core import topics
from midwatch.core.render import is_partial, page_or_partial
from midwatch.core.text import clean
from midwatch.people.models import User
from midwatch.people.viewing import viewer
from midwatch.prepare.runbooks import rendering
from midwatch.prepare.runbooks.actions import shown
from midwatch.prepare.runbooks.actions.answering import who_may_not
from midwatch.prepare.runbooks.actions.starting import RESUMABLE
from midwatch.prepare.runbooks.document import DocumentError, parse
from midwatch.prepare.runbooks.models import Approval, Execution, StepKind, StepRun, StepState
from midwatch.prepare.runbooks.queries import output
from midwatch.prepare.runbooks.queries.listing import steps_of
from midwatch.prepare.runbooks.topics import output_topic_of, topic_of
from midwatch.prepare.runbooks.views.acting import leads, may_carry_out
from midwatch.prepare.runbooks.views.common import execution_or_404, execution_url

PARTS = ("head", "steps", "stage")
# Which step matters now: the first of these states that a step is in.
ORDER = (
    StepState.RUNNING, StepState.UNKNOWN, StepState.WAITING_PERSON, StepState.WAITING_APPROVAL, StepState.QUEUED,
    StepState.FAILED,
)  # fmt: skip
QUERY_MAX = 100
CHILDREN_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A step in the list. `place`: from 1."""

    step: StepRun
    place: int
    url: str
    is_chosen: bool


@login_required
@require_safe
def execution_page(request: HttpRequest, number: int) -> HttpResponse:
    user = viewer(request)
    execution = execution_or_404(user, number)
    part = request.GET.get("part", "")
    context = context_of(request, execution, user)
    if is_partial(request) and part in PARTS:
        if part == "head" and request.method == "GET":
            topics.see(user.pk, [topic_of(execution)])
        return page_or_partial(request, "runbooks/execution.html", context, partial=f"runbooks/_run_{part}.html")
    return page_or_partial(request, "runbooks/execution.html", context, partial="runbooks/_run_stage.html")


def context_of(request: HttpRequest, execution: Execution, user: User) -> dict[str, Any]:
    steps = steps_of(execution)
    named = request.GET.get("step", "")
    chosen = next((step for step in steps if step.step == named), None)
    current = current_of(steps)
    picked = chosen or current
    here = reverse("runbooks:execution", args=[execution.number])
    query = f"step={chosen.step}&" if chosen is not None else ""
    return {
        "execution": execution,
        "lines": [
            Line(step, place, execution_url(execution, step.step), step == picked)
            for place, step in enumerate(steps, 1)
        ],
        "here": here,
        "part_url": f"{here}?{query}part=",
        "is_following": chosen is None,
        "follow_url": here,
        "topic": topic_of(execution),
        "may_act": user.may_act,
        "may_carry_out": may_carry_out(user, execution),
        "can_resume": execution.state in RESUMABLE,
        **(stage_of(request, execution, steps, picked) if picked is not None else {}),
    }


def current_of(steps: Sequence[StepRun]) -> StepRun | None:
    """Where somebody who opens the page wants to be."""
    for state in ORDER:
        found = [step for step in steps if step.state == state]
        if found:
            return found[-1] if state == StepState.FAILED else found[0]
    ended = [step for step in steps if step.is_ended]
    return ended[-1] if ended else steps[0] if steps else None


def stage_of(request: HttpRequest, execution: Execution, steps: Sequence[StepRun], step: StepRun) -> dict[str, Any]:
    """The chosen step: what it does as it was shown, what is wanted of whom, and what it writes."""
    place = next(n for n, one in enumerate(steps, 1) if one == step)
    word = clean(request.GET.get("q", ""), QUERY_MAX, is_one_line=True)
    found, has_more = output.matches(step, word) if word else ([], False)
    return {
        "step": step,
        "place": place,
        "count": len(steps),
        "approvals": list(Approval.objects.filter(step_run=step).select_related("by")),
        "children": list(Execution.objects.filter(parent=step).select_related("runbook")[:CHILDREN_SHOWN]),
        **_text_of(execution, step, steps),
        **_approval_of(viewer(request), execution, step),
        "log": output.tail(step),
        "log_topic": output_topic_of(step.pk),
        "word": word,
        "matches": found,
        "has_more_matches": has_more,
    }


def _text_of(execution: Execution, step: StepRun, steps: Sequence[StepRun]) -> dict[str, Any]:
    """What it does: as it was rendered, or, before its turn, as it is written."""
    try:
        written = parse(execution.revision.body).step(step.step)
    except DocumentError:
        written = None
    body = str(step.rendered.get("body") or (written.body if written is not None else ""))
    found: dict[str, Any] = {
        "written": step.rendered.get("written", body),
        "asks": written.asks if written is not None else "",
        "expects": written.expects if written is not None else "",
        "verify_text": _shown(step.rendered["verify"]) if step.rendered.get("verify") else "",
    }
    if step.kind in {StepKind.MANUAL, StepKind.APPROVE}:
        opened = step.rendered.get("opens") or {}
        return found | {"prose": body, "opened": _opened(execution, [one for one in steps if one.step in opened])}
    is_shown = bool(step.rendered) and step.kind != StepKind.COPY
    return found | {"shown_text": _shown(step.rendered) if is_shown else body}


@dataclass(frozen=True, slots=True)
class Opened:
    """A step that an approval opens, as it would be done."""

    title: str
    text: str


def _opened(execution: Execution, steps: Sequence[StepRun]) -> list[Opened]:
    if not steps:
        return []
    document = shown.document_of(execution)
    rows = list(StepRun.objects.filter(execution=execution).order_by("position"))
    found = []
    for row in steps:
        step = document.step(row.step)
        if step is not None:
            try:
                text = _shown(shown.rendered_of(execution, document, step, rows))
            except ValueError as error:
                text = str(error)
            found.append(Opened(str(row), text))
    return found


def _shown(made: Mapping[str, Any]) -> str:
    """Secrets by name alone."""
    return rendering.shown(rendering.from_json(made))


def _approval_of(user: User, execution: Execution, step: StepRun) -> dict[str, Any]:
    if step.state != StepState.WAITING_APPROVAL:
        return {}
    written = shown.document_of(execution).step(step.step)
    needs = written.needs if written is not None else None
    refusal = who_may_not(user, execution, needs.who if needs else (), needs.count if needs else 1, leads)
    return {"may_approve": user.may_act and not refusal, "why_not_approve": refusal}
