"""Runners on other machines: which there are, which are alive, and what none of them can take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Count, F

from midwatch.core import clock
from midwatch.core.statements import Select
from midwatch.prepare.runbooks.models import RemoteClaim, Runner, StepRun, StepState

AWAY_AFTER = timedelta(seconds=90)  # a claim waits for 25 s; three of them, and some time to come back
WAITING_AFTER = timedelta(seconds=30)
LOOKED_AT_MAX = 1_000

RunnerState = Literal["off", "never seen", "away", "draining", "ready"]
STATES: tuple[RunnerState, ...] = ("off", "never seen", "away", "draining", "ready")
HAS_WAITING = Select(
    lambda: StepRun.objects.filter(state=StepState.QUEUED).exclude(tags=[]).values_list("pk", flat=True)[:1]
)


@dataclass(frozen=True, slots=True)
class RunnerSeen:
    """`steps`: under way on it now."""

    runner: Runner
    state: RunnerState
    steps: int


def state_of(runner: Runner, now: datetime) -> RunnerState:
    if not runner.is_active:
        return "off"
    if runner.last_seen_at is None:
        return "never seen"
    if now - runner.last_seen_at > AWAY_AFTER:
        return "away"
    return "draining" if runner.is_draining else "ready"


def runners_seen() -> list[RunnerSeen]:
    """All of them, by name."""
    now = clock.now()
    busy = steps_by_runner()
    rows = Runner.objects.select_related("team").order_by("name")
    return [RunnerSeen(one, state_of(one, now), busy.get(one.name, 0)) for one in rows]


def steps_by_runner() -> Mapping[str, int]:
    """Runner: how many steps it has under way."""
    running = RemoteClaim.objects.filter(step_run__state=StepState.RUNNING, step_run__fence=F("fence"))
    return dict(running.values("runner__name").annotate(count=Count("pk")).values_list("runner__name", "count"))


def may_take(runner: Runner, *, tags: Sequence[str], executor: str, team_id: int) -> bool:
    """Whether this runner does such a step. All of the step's tags have to be the runner's."""
    own = set(runner.wanted_tags or runner.tags) | {runner.name}
    is_theirs = runner.team_id is None or runner.team_id == team_id
    return bool(tags) and set(tags) <= own and is_theirs and executor in runner.executors


@dataclass(frozen=True, slots=True)
class Stranded:
    """A step that waits for a runner, and none that is alive takes such steps."""

    execution: int
    step: str
    executor: str
    tags: Sequence[str]
    since: datetime | None


def stranded_steps(now: datetime) -> list[Stranded]:
    """Queued for longer than a runner that is alive would need to take them."""
    if not HAS_WAITING():
        return []
    waiting = (
        StepRun.objects.filter(state=StepState.QUEUED)
        .exclude(tags=[])
        .select_related("execution__runbook")
        .order_by("due_at", "pk")[:LOOKED_AT_MAX]
    )
    alive = [one for one in Runner.objects.filter(is_active=True) if state_of(one, now) == "ready"]
    return [
        Stranded(one.execution.number, one.step, one.executor, one.tags, one.due_at)
        for one in waiting
        if (one.due_at is None or one.due_at <= now - WAITING_AFTER) and not _anybody(alive, one)
    ]


def _anybody(alive: Iterable[Runner], step: StepRun) -> bool:
    team_id = step.execution.runbook.team_id
    return any(may_take(one, tags=step.tags, executor=step.executor, team_id=team_id) for one in alive)
