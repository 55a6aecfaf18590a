"""Runbooks and their executions: read, write, start, and everything a person says to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status
from pydantic import Field

from midwatch.api.authentication import acting, caller_of
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Body, Cursor, Limit, Name, Text, list_of
from midwatch.api.pages import LIMIT_DEFAULT, cursor_of, last_name, last_number, page
from midwatch.api.problems import FieldError, ProblemError, allowed, invalid, not_found
from midwatch.api.shapes import runbooks as shapes
from midwatch.core.actor import Actor
from midwatch.people.models import User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.prepare.runbooks import actions, choices, permits
from midwatch.prepare.runbooks.actions.by_hand import write_runbook
from midwatch.prepare.runbooks.models import (
    Execution,
    ExecutionKind,
    ExecutionState,
    LogChunk,
    Runbook,
    StepRun,
    StepState,
    TriggeredBy,
)
from midwatch.prepare.runbooks.options import OptionsError
from midwatch.prepare.runbooks.permits import Act
from midwatch.prepare.runbooks.queries import visible_executions, visible_to
from midwatch.prepare.runbooks.queries.listing import ExecutionFilter, RunbookFilter, executions, runbooks
from midwatch.respond.incidents.permits import leads
from midwatch.respond.incidents.queries import visible_to as incidents_visible_to

router = Router()
ACTS = {"x-acts": True}
OUTPUT_CHUNKS_MAX = 200
Number = Annotated[int, Field(ge=1, lt=2**63)]
Reason = Annotated[str, Field(max_length=500)]


class RunbookIn(Body):
    """`body`: Markdown with front matter and fenced steps. A name that exists is changed."""

    name: Name
    team: Name
    body: Annotated[Text, Field(max_length=60_000)]
    note: Reason = ""
    is_active: bool = True


class ExecutionIn(Body):
    """`options`: by name; a secret one is named, never given. `alert`: its labels fill what is not given."""

    options: dict[str, Any] = Field(default_factory=dict)
    kind: Literal["real", "dry_run", "drill"] = "real"
    incident: Number | None = None
    alert: Number | None = None
    start_at_step: Annotated[str, Field(max_length=100)] = ""
    only_targets: Annotated[list[str], Field(max_length=500)] = Field(default_factory=list)


class ActIn(Body):
    """`digest`: of what was shown, so that something else is refused; without it what stands there now is meant.
    `body`: of an edit. `seen`: what one saw."""

    seen: Annotated[str, Field(max_length=20_000)] = ""
    reason: Reason = ""
    digest: Annotated[str, Field(max_length=64)] = ""
    body: Annotated[str, Field(max_length=60_000)] = ""


class ReasonIn(Body):
    reason: Reason = ""


@router.get("/runbooks", response=list_of(shapes.RunbookOut), summary="List runbooks, by name")
def list_runbooks(
    request: HttpRequest,
    team: Annotated[str, Query(max_length=63)] = "",
    service: Annotated[str, Query(max_length=63)] = "",
    q: Annotated[str, Query(max_length=200, description="Words of the title")] = "",
    state: Annotated[str, Query(description="in use (default), off or all")] = "",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    if state not in {"", "off", "all"}:
        raise invalid("query.state", "write off or all, or leave it out")
    found = runbooks(caller_of(request), RunbookFilter(q.strip(), team, service, "", state)).order_by("name")
    after = last_name("runbooks", cursor)
    found = found.filter(name__gt=after) if after else found
    rows = list(found[: limit + 1])
    return page(rows, limit, shapes.RunbookOut.of, lambda row: cursor_of("runbooks", row.name))


def seen_runbook(request: HttpRequest, name: str) -> Runbook:
    return finding.by_name(visible_to(caller_of(request)), "runbook", name)


@router.get("/runbooks/{name}", response=shapes.RunbookDetailOut, summary="A runbook with its text, options and steps")
def get_runbook(request: HttpRequest, name: str) -> Any:
    return shapes.RunbookDetailOut.of(seen_runbook(request, name))


@router.post("/runbooks", response={201: shapes.RunbookDetailOut}, openapi_extra=ACTS, summary="Write a runbook")
def save_runbook(request: HttpRequest, response: HttpResponse, wanted: RunbookIn) -> Any:
    """What is wrong in the text is told all at once, by line."""
    by = acting(request)
    caller = caller_of(request)
    team = finding.team_named("body.team", wanted.team)
    before = visible_to(caller).filter(name=wanted.name).first()
    if not may_edit_team(caller, team) or (before is not None and not permits.may(caller, before, Act.EDIT)):
        raise ProblemError("forbidden", permits.why_not(Act.EDIT))
    given = (wanted.name, wanted.body, team, by)
    made = allowed(partial(write_runbook, *given, note=wanted.note, is_active=wanted.is_active))
    response["Location"] = f"/api/v1/runbooks/{made.name}"
    return Status(201, shapes.RunbookDetailOut.of(visible_to(caller).get(pk=made.pk)))


@router.post(
    "/runbooks/{name}/executions",
    response={201: shapes.ExecutionDetailOut},
    openapi_extra=ACTS,
    summary="Carry out a runbook",
)
def start_execution(request: HttpRequest, response: HttpResponse, name: str, wanted: ExecutionIn) -> Any:
    runbook = seen_runbook(request, name)
    by, caller = acting(request), caller_of(request)
    if wanted.incident is not None and not incidents_visible_to(caller).filter(number=wanted.incident).exists():
        raise invalid("body.incident", f"there is no incident {wanted.incident}")
    if not permits.may(caller, runbook, Act.START, incident_number=wanted.incident, leads=leads):
        raise ProblemError("forbidden", permits.why_not(Act.START))
    labels: Mapping[str, str] = {}
    if wanted.alert is not None:
        found = finding.alert_of(wanted.alert).labels
        labels = {str(name): str(value) for name, value in found.items()}
    reference = actions.Reference(wanted.incident, wanted.alert, labels=labels)
    try:
        made = allowed_options(
            lambda: actions.start(
                runbook,
                wanted.options,
                by,
                kind=wanted.kind,
                trigger=TriggeredBy.API,
                reference=reference,
                start_at_step=wanted.start_at_step,
                only_targets=wanted.only_targets,
                listed=choices.listed_of(runbook),
            )
        )
    except OptionsError as error:
        wrong = [FieldError(f"body.options.{one.option}", one.text) for one in error.problems]
        raise ProblemError("invalid", "the options cannot be taken", errors=wrong) from error
    response["Location"] = f"/api/v1/executions/{made.number}"
    return Status(201, shown(made.number))


def allowed_options(work: Callable[[], Execution]) -> Execution:
    """As `allowed`, but what is wrong with options keeps its fields."""
    try:
        return work()
    except OptionsError:
        raise
    except ValueError as error:
        raise ProblemError("refused", str(error)) from error


def shown(number: int) -> shapes.ExecutionDetailOut:
    execution = Execution.objects.select_related("runbook", "revision").get(number=number)
    return shapes.ExecutionDetailOut.whole(execution, list(execution.steps.order_by("position")))


@router.get("/executions", response=list_of(shapes.ExecutionOut), summary="List executions, newest first")
def list_executions(
    request: HttpRequest,
    state: Annotated[str, Query(description="one state, or under-way")] = "",
    kind: Annotated[str, Query(description="real, dry_run or drill")] = "",
    runbook: Annotated[str, Query(max_length=63)] = "",
    team: Annotated[str, Query(max_length=63)] = "",
    incident: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    alert: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    if state and state not in {*ExecutionState.values, "under-way"}:
        raise invalid("query.state", f"write one of {', '.join(ExecutionState.values)}, or under-way")
    if kind and kind not in ExecutionKind.values:
        raise invalid("query.kind", f"write one of {', '.join(ExecutionKind.values)}")
    found = executions(caller_of(request), ExecutionFilter(state, kind, runbook, team, ""))
    found = found.filter(incident_number=incident) if incident else found
    found = found.filter(alert_number=alert) if alert else found
    before = last_number("executions", cursor)
    found = found.filter(number__lt=before) if before is not None else found
    rows = list(found.order_by("-number")[: limit + 1])
    return page(rows, limit, shapes.ExecutionOut.of, lambda row: cursor_of("executions", row.number))


def seen(request: HttpRequest, number: int) -> Execution:
    if number > finding.NUMBER_MAX:
        raise not_found("execution", number)
    found = visible_executions(caller_of(request)).filter(number=number).first()
    if found is None:
        raise not_found("execution", number)
    return found


@router.get("/executions/{int:number}", response=shapes.ExecutionDetailOut, summary="An execution with its steps")
def get_execution(request: HttpRequest, number: int) -> Any:
    return shown(seen(request, number).number)


@router.get(
    "/executions/{int:number}/steps/{step}/output", response=shapes.OutputOut, summary="What a step wrote, in pieces"
)
def get_output(request: HttpRequest, number: int, step: str, after: Annotated[int, Query(ge=-1, lt=2**31)] = -1) -> Any:
    """`step`: its id or its name."""
    row = _step(seen(request, number), step)
    chunks = list(LogChunk.objects.filter(step_run=row, seq__gt=after).order_by("seq")[:OUTPUT_CHUNKS_MAX])
    items = [shapes.ChunkOut.of(chunk) for chunk in chunks]
    return shapes.OutputOut(items=items, last=chunks[-1].seq if chunks else after, is_ended=row.is_ended)


def _step(execution: Execution, step: str) -> StepRun:
    rows = StepRun.objects.select_related("execution", "execution__runbook__team").filter(execution=execution)
    is_id = step.isascii() and step.isdigit() and len(step) <= 15
    found = rows.filter(pk=int(step)).first() if is_id else None
    found = found or (rows.filter(step=step).first() if "\0" not in step else None)
    if found is None:
        raise not_found("step", step[:100])
    return found


@router.post(
    "/executions/{int:number}/steps/{step}/{act}",
    response=shapes.ExecutionDetailOut,
    openapi_extra=ACTS,
    summary="Say something to a step: done, failed, skip, run, approve, refuse, again, check, edit",
)
def act_on_step(request: HttpRequest, number: int, step: str, act: str, said: ActIn | None = None) -> Any:
    """`step`: its id or its name. Answers with the execution as it is then."""
    execution = seen(request, number)
    row = _step(execution, step)
    user, by = caller_of(request), acting(request)
    do = _acts(row, user, by, said or ActIn()).get(act)
    if do is None:
        raise not_found("act", act[:40])
    if act not in ("approve", "refuse") and not permits.may_carry_out(user, execution, leads):
        raise ProblemError("forbidden", permits.why_not(Act.CARRY_OUT))
    allowed(do)
    return shown(number)


def _acts(row: StepRun, user: User, by: Actor, said: ActIn) -> Mapping[str, Callable[[], None]]:
    is_in_doubt = row.state == StepState.UNKNOWN
    digest = said.digest or row.digest

    def answered(verdict: str) -> None:
        if is_in_doubt:
            actions.decide_unknown(row, by, verdict, reason=said.reason)
        else:
            actions.answer(row, by, verdict, seen=said.seen, reason=said.reason, digest=digest)

    def voted(verdict: str) -> None:
        actions.approve(row, by, verdict, digest=digest, note=said.reason, leads=leads)

    return {
        "done": partial(answered, "done"),
        "failed": partial(answered, "failed"),
        "skip": partial(actions.answer, row, by, "skip", seen=said.seen, reason=said.reason, digest=digest),
        "run": partial(actions.press_run, row, by, digest=digest),
        "approve": partial(voted, "approved"),
        "refuse": partial(voted, "refused"),
        "again": partial(actions.decide_unknown, row, by, "again", reason=said.reason),
        "check": partial(actions.decide_unknown, row, by, "check", reason=said.reason),
        "edit": partial(actions.edit_step, row, by, said.body, reason=said.reason),
    }


@router.post(
    "/executions/{int:number}/cancel",
    response=shapes.ExecutionDetailOut,
    openapi_extra=ACTS,
    summary="Stop an execution",
)
def cancel_execution(request: HttpRequest, number: int, said: ReasonIn) -> Any:
    execution, by = _carried_out(request, number)
    allowed(lambda: actions.cancel(execution, by, said.reason))
    return shown(number)


@router.post(
    "/executions/{int:number}/resume",
    response={201: shapes.ExecutionDetailOut},
    openapi_extra=ACTS,
    summary="A new execution from the step that stopped this one",
)
def resume_execution(request: HttpRequest, response: HttpResponse, number: int) -> Any:
    execution, by = _carried_out(request, number)
    made = allowed(lambda: actions.resume(execution, by))
    response["Location"] = f"/api/v1/executions/{made.number}"
    return Status(201, shown(made.number))


def _carried_out(request: HttpRequest, number: int) -> tuple[Execution, Actor]:
    execution = seen(request, number)
    acting(request)
    user = caller_of(request)
    if not permits.may_carry_out(user, execution, leads):
        raise ProblemError("forbidden", permits.why_not(Act.CARRY_OUT))
    return execution, actor_of(user, "api")
