"""Lists: runbooks by what one looks for, executions the newest first, and what waits for somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from midwatch.core.statements import Select
from midwatch.core.text import whole_number
from midwatch.people.models import User
from midwatch.prepare.runbooks.models import Execution, ExecutionState, Runbook, StepRun, StepState
from midwatch.prepare.runbooks.queries.finding import visible_executions, visible_to

WORDS_MAX = 8
UNDER_WAY = (ExecutionState.RUNNING, ExecutionState.WAITING, ExecutionState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class RunbookFilter:
    """`state`: "" what is in use, off, or all."""

    q: str = ""
    team: str = ""
    service: str = ""
    type: str = ""
    state: str = ""


def runbooks(viewer: User, by: RunbookFilter) -> QuerySet[Runbook]:
    found = visible_to(viewer).defer("current__body").order_by("title", "name")
    if by.state != "all":
        found = found.filter(is_active=by.state != "off")
    if by.team:
        found = found.filter(team__name=by.team)
    if by.service:
        found = found.filter(service__name=by.service)
    if by.type:
        found = found.filter(type=by.type)
    for word in by.q.split()[:WORDS_MAX]:
        found = found.filter(Q(title__icontains=word) | Q(name__icontains=word) | Q(service__name__icontains=word))
    return found


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """`state`: one of the states, "under-way", or "" for all. `q`: words of the runbook's title, or a number."""

    state: str = ""
    kind: str = ""
    runbook: str = ""
    team: str = ""
    q: str = ""

    @property
    def is_narrow(self) -> bool:
        return bool(self.state or self.kind or self.runbook or self.team or self.q)


def _rows(viewer: User) -> QuerySet[Execution]:
    """Without the texts that they were carried out by: a page of lists would read megabytes."""
    return visible_executions(viewer).defer("revision__body")


def executions(viewer: User, by: ExecutionFilter) -> QuerySet[Execution]:
    """A page of them: `.filter(number__lt=...)[:50]`."""
    found = _rows(viewer)
    if by.state == "under-way":
        found = found.filter(state__in=UNDER_WAY)
    elif by.state:
        found = found.filter(state=by.state)
    if by.kind:
        found = found.filter(kind=by.kind)
    if by.runbook:
        found = found.filter(runbook__name=by.runbook)
    if by.team:
        found = found.filter(runbook__team__name=by.team)
    number = whole_number(by.q.removeprefix("#"))
    if number is not None:
        return found.filter(number=number)
    for word in by.q.split()[:WORDS_MAX]:
        found = found.filter(Q(runbook__title__icontains=word) | Q(runbook__name__icontains=word))
    return found


_ANY_UNDER_WAY = Select(lambda: Execution.objects.filter(state__in=UNDER_WAY).values_list("pk", flat=True)[:1])


def under_way(viewer: User, limit: int) -> list[Execution]:
    """What runs or waits, the newest first. Everybody who has Now open asks every five seconds, mostly for nothing."""
    return list(_rows(viewer).filter(state__in=UNDER_WAY)[:limit]) if _ANY_UNDER_WAY() else []


def of_incident(viewer: User, number: int, limit: int) -> list[Execution]:
    return list(_rows(viewer).filter(incident_number=number)[:limit])


def steps_of(execution: Execution) -> list[StepRun]:
    """In order, without what only the chosen one needs."""
    return list(StepRun.objects.filter(execution=execution).defer("rendered", "values", "seen").order_by("position"))


def wanted_steps(found: Sequence[Execution]) -> dict[int, StepRun]:
    """The step at which each stands: that runs or that somebody is waited for; by id of the execution."""
    states = (
        StepState.RUNNING, StepState.QUEUED, StepState.WAITING_PERSON, StepState.WAITING_APPROVAL, StepState.UNKNOWN,
    )  # fmt: skip
    rows = StepRun.objects.filter(execution__in=found, state__in=states).defer("rendered", "values", "seen")
    wanted: dict[int, StepRun] = {}
    for step in rows.order_by("-position"):
        wanted[step.execution_id] = step
    return wanted


def steps_waiting(viewer: User, state: str, limit: int) -> list[StepRun]:
    """Steps that wait in this way, of executions that are under way; the oldest first."""
    found = StepRun.objects.filter(state=state, execution__state__in=UNDER_WAY).filter(
        execution__in=visible_executions(viewer).order_by()
    )
    related = ("execution", "execution__runbook", "execution__runbook__team", "execution__started_by")
    return list(found.select_related(*related).defer("values", "seen").order_by("id")[:limit])
