"""Executions: one, its state, its end; and lists of them, as far as the caller may see them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.http import HttpResponse

from midwatch.api.moments import moment
from midwatch.api.rundeck import words
from midwatch.api.rundeck.door import ALL, Asked, Json, Refused, answered, no_such
from midwatch.api.rundeck.projects import team_of
from midwatch.core import clock
from midwatch.prepare.runbooks.models import ENDED, Execution, ExecutionState, KnownAs, Runbook, StepRun
from midwatch.prepare.runbooks.queries import visible_executions

UNDER_WAY = (ExecutionState.RUNNING, ExecutionState.WAITING)
STATES = {
    "running": UNDER_WAY,
    "succeeded": (ExecutionState.OK,),
    "failed": (ExecutionState.FAILED, ExecutionState.UNKNOWN),
    "aborted": (ExecutionState.CANCELLED,),
    "succeed": (ExecutionState.OK,),
    "fail": (ExecutionState.FAILED, ExecutionState.UNKNOWN),
    "cancel": (ExecutionState.CANCELLED,),
}
NEVER = frozenset({"scheduled", "queued", "failed-with-retry", "timedout", "timeout", "other", "missed", "incomplete"})
_RECENT = re.compile(r"(\d{1,5})([hdwmyns])")  # n: minutes
_UNITS = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "m": 31 * 86_400, "y": 366 * 86_400, "n": 60, "s": 1}
STEP_WORDS = {
    "pending": "WAITING", "waiting_person": "WAITING", "waiting_approval": "WAITING", "queued": "WAITING",
    "running": "RUNNING", "ok": "SUCCEEDED", "failed": "FAILED", "unknown": "FAILED", "skipped": "NOT_STARTED",
    "cancelled": "ABORTED",
}  # fmt: skip
METRICS_MAX = 20_000


def execution_of(asked: Asked, number: str) -> Execution:
    """Raises `Refused`."""
    found = None
    if number.isascii() and number.isdigit() and len(number) < 19:
        found = visible_executions(asked.user).filter(number=int(number)).first()
    if found is None:
        raise no_such("Execution ID", number)
    return found


def show(asked: Asked) -> HttpResponse:
    one = execution_of(asked, asked.ids[0])
    return answered(words.execution(asked, one, words.Known([one.runbook])))


def state(asked: Asked) -> HttpResponse:
    """The workflow's state, step by step and node by node."""
    one = execution_of(asked, asked.ids[0])
    steps = list(one.steps.all())
    by_node: dict[str, list[Json]] = {}
    for step in steps:
        for target, word in (step.targets or {words.LOCAL: step.state}).items():
            entry = {"stepctx": str(step.position + 1), "executionState": STEP_WORDS.get(word, "WAITING")}
            by_node.setdefault(target, []).append(entry)
    nodes = sorted(by_node)
    now = clock.now()
    return answered(
        {
            "executionId": one.number,
            "serverNode": words.LOCAL,
            "allNodes": nodes,
            "targetNodes": nodes,
            "executionState": words.STATUS[one.state].upper(),
            "completed": one.is_ended,
            "startTime": words.moment(one.created_at),
            "updateTime": words.moment(one.ended_at or now),
            "endTime": words.moment(one.ended_at) if one.ended_at else None,
            "stepCount": len(steps),
            "steps": [_step(step) for step in steps],
            "nodes": by_node,
        }
    )


def _step(step: StepRun) -> Json:
    found: Json = {
        "id": str(step.position + 1),
        "stepctx": str(step.position + 1),
        "nodeStep": bool(step.targets),
        "executionState": STEP_WORDS[step.state],
        "hasSubworkflow": False,
        "parameterStates": {},
        "startTime": words.moment(step.started_at) if step.started_at else None,
        "endTime": words.moment(step.ended_at) if step.ended_at else None,
        "duration": -1,
        "nodeStates": {
            target: {"executionState": STEP_WORDS.get(word, "WAITING")}
            for target, word in (step.targets or {words.LOCAL: step.state}).items()
        },
    }
    if step.started_at and step.ended_at:
        found["duration"] = int((step.ended_at - step.started_at).total_seconds() * 1000)
    return found


def of_project(asked: Asked) -> HttpResponse:
    return _page(asked, _filtered(asked, _of(asked, asked.ids[0])))


def running(asked: Asked) -> HttpResponse:
    found = _of(asked, asked.ids[0]).filter(state__in=UNDER_WAY)
    if wanted := asked.text("jobIdFilter", most=2_000):
        found = found.filter(_any_job(wanted.split(",")))
    return _page(asked, found)


def of_job(asked: Asked, runbook: Runbook) -> HttpResponse:
    return _page(asked, _in_state(visible_executions(asked.user).filter(runbook=runbook), asked.text("status")))


def metrics(asked: Asked) -> HttpResponse:
    """How many, how they ended, and how long they took: of those that have ended."""
    found = _filtered(asked, _of(asked, asked.ids[0] if asked.ids else ALL)).filter(state__in=ENDED)
    rows = list(found.values_list("state", "created_at", "ended_at")[:METRICS_MAX])
    lengths = [(ended - began).total_seconds() * 1000 for _, began, ended in rows if ended is not None]
    counts = dict.fromkeys(("succeeded", "failed", "aborted"), 0)
    for state_, _, _ in rows:
        counts[words.STATUS[state_]] += 1
    duration = {
        "average": round(sum(lengths) / len(lengths)) if lengths else 0,
        "min": round(min(lengths, default=0)),
        "max": round(max(lengths, default=0)),
    }
    return answered({"total": len(rows), "status": counts, "duration": duration, **counts})


def files(asked: Asked) -> HttpResponse:
    """Options that are files: there are none here."""
    execution_of(asked, asked.ids[0])
    return answered({"files": []})


def keeping(asked: Asked) -> HttpResponse:
    """Deleting is refused: executions are evidence, and end with their retention."""
    raise Refused(403, "executions are kept as evidence, and nobody deletes them", "unauthorized")


def _of(asked: Asked, project: str) -> QuerySet[Execution]:
    found = visible_executions(asked.user).prefetch_related("steps")
    return found if project == ALL else found.filter(runbook__team=team_of(asked, project))


def _page(asked: Asked, found: QuerySet[Execution]) -> HttpResponse:
    offset, most = asked.paging()
    rows: Sequence[Execution] = list(found.prefetch_related("steps")[offset : offset + most])
    return answered(words.executions(asked, rows, total=found.count(), offset=offset, most=most))


def _filtered(asked: Asked, found: QuerySet[Execution]) -> QuerySet[Execution]:
    """Those of Rundeck's filters that mean something here. Raises `Refused` at one that is not understood."""
    found = _in_state(found, asked.text("statusFilter", "status"))
    if who := asked.text("userFilter", most=63):
        found = found.filter(started_by__name=who)
    if recent := asked.text("recentFilter", most=10):
        found = found.filter(created_at__gte=clock.now() - _length(recent))
    if older := asked.text("olderFilter", most=10):
        found = found.filter(created_at__lt=clock.now() - _length(older))
    if begin := asked.text("begin", most=40):
        found = found.filter(created_at__gte=_at(begin))
    if end := asked.text("end", most=40):
        found = found.filter(created_at__lte=_at(end))
    for key, is_excluded in (("jobIdListFilter", False), ("excludeJobIdListFilter", True)):
        if ids := _several(asked, key):
            wanted = _any_job(ids)
            found = found.exclude(wanted) if is_excluded else found.filter(wanted)
    if names := _several(asked, "jobListFilter"):
        found = found.filter(runbook__name__in=[name.strip("/").rpartition("/")[2] for name in names])
    if names := _several(asked, "excludeJobListFilter"):
        found = found.exclude(runbook__name__in=[name.strip("/").rpartition("/")[2] for name in names])
    if part := asked.text("jobFilter", most=100):
        found = found.filter(runbook__name__icontains=part)
    if exact := asked.text("jobExactFilter", most=100):
        found = found.filter(runbook__name=exact)
    if asked.text("adhoc").lower() == "true":
        return found.none()  # there are no commands outside runbooks
    return found


def _several(asked: Asked, key: str) -> list[str]:
    found = [part.strip() for one in asked.query.getlist(key) for part in one.split(",")]
    return [one[:200] for one in found if one][:200]


def _any_job(ids: Sequence[str]) -> Q:
    """Runbooks by their uuid, whether a Rundeck gave it or we did."""
    known = set(KnownAs.objects.filter(product=words.PRODUCT, key__in=ids).values_list("runbook_id", flat=True))
    wanted = set(ids)
    names = [name for name in Runbook.objects.values_list("name", flat=True) if words.minted(name) in wanted]
    return Q(runbook__in=known) | Q(runbook__name__in=[*names, *ids])


def _in_state(found: QuerySet[Execution], word: str) -> QuerySet[Execution]:
    wanted = word.lower()
    if not wanted:
        return found
    if wanted in NEVER:
        return found.none()
    if wanted not in STATES:
        raise Refused(400, f"status: {', '.join(STATES)} are known")
    return found.filter(state__in=STATES[wanted])


def _length(text: str) -> timedelta:
    found = _RECENT.fullmatch(text.lower())
    if found is None:
        raise Refused(400, "recentFilter: a number and h, d, w, m (months), y or n (minutes): 1d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _at(text: str) -> datetime:
    """ISO 8601, or milliseconds since 1970."""
    try:
        if text.isascii() and text.isdigit() and len(text) > 8:
            return moment(datetime.fromtimestamp(int(text[:16]) / 1000, clock.now().tzinfo).isoformat())
        return moment(text)
    except (ValueError, OverflowError, OSError) as error:
        raise Refused(400, f"begin and end are moments: {str(error)[:200]}") from error
