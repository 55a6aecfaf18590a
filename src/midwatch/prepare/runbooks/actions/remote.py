"""What runners on other machines ask for: a step to do, its lease, its output, its outcome.

The same claims, fences and writes as the engine's own (`claiming`), with what a network needs besides: whatever is said a
second time, because the answer to the first was lost, is taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F

from midwatch.core import clock
from midwatch.core.integration import Outcome
from midwatch.core.rows import insert_rows
from midwatch.core.statements import Select
from midwatch.core.text import clean
from midwatch.prepare.runbooks import wire
from midwatch.prepare.runbooks.actions import claiming
from midwatch.prepare.runbooks.actions.runners import hear, hear_again
from midwatch.prepare.runbooks.models import ExecutionKind, LogChunk, RemoteClaim, Runner, StepRun, StepState
from midwatch.prepare.runbooks.queries.runners import may_take
from midwatch.prepare.runbooks.wire import Hello, Job, Piece, Standing

LEASE = timedelta(seconds=wire.LEASE_SECONDS)
LOOKED_AT_MAX = 300
CANNOT = Outcome("ok", "it cannot be simulated, and was not run", coverage=(0, 1))
REFUSED_MAX = 5  # steps that cannot be given their secrets, in one claim

# Asked every second by every runner that waits: a claim itself would take the write ticket.
WAITING = Select(
    lambda now: (
        StepRun.objects.select_related("execution__runbook")
        .filter(state=StepState.QUEUED, due_at__lte=now)
        .exclude(tags=[])
        .order_by("due_at", "id")[:LOOKED_AT_MAX]
    )
)


class LostStepError(ValueError):
    """The step is not this runner's any more: its lease ran out, it was decided by a person, or it was never its own."""


def claim_for(runner: Runner, hello: Hello) -> Job | None:
    """A step for it, or None. Outside of any transaction. Raises `ValueError` when the runner wants what it may not."""
    if not hello.is_draining and hello.process == runner.draining_process:
        return None  # a claim that was kept waiting while its process was told to end
    hear(runner, hello)
    if hello.is_draining:
        return None
    again = _given_already(runner, hello.nonce)
    if again is not None:
        return _job(again)
    if _under_way(runner) >= runner.steps_max:
        return None
    for _ in range(REFUSED_MAX):
        if not any(_takes(runner, row) for row in WAITING(clock.now())):
            return None
        for row in claiming.claim(runner.name, limit=1, may_take=lambda row: _takes(runner, row), lease=LEASE):
            _note(row, runner, hello.nonce)
            job = _job(row)
            if job is not None:
                return job
    return None


def _takes(runner: Runner, row: StepRun) -> bool:
    executor = claiming.executor_of(row)
    return may_take(runner, tags=row.tags, executor=executor, team_id=row.execution.runbook.team_id)


def _under_way(runner: Runner) -> int:
    held = RemoteClaim.objects.filter(runner=runner, step_run__state=StepState.RUNNING, step_run__fence=F("fence"))
    return held.count()


def _given_already(runner: Runner, nonce: str) -> StepRun | None:
    found = RemoteClaim.objects.filter(
        runner=runner, nonce=nonce, step_run__state=StepState.RUNNING, step_run__fence=F("fence")
    ).first()
    related = ("execution__runbook__team", "execution__revision")
    return StepRun.objects.select_related(*related).get(pk=found.step_run_id) if found is not None else None


def _note(row: StepRun, runner: Runner, nonce: str) -> None:
    given = {"runner": runner, "fence": row.fence, "nonce": nonce, "pieces": 0, "is_told": False, "at": clock.now()}
    with transaction.atomic():
        RemoteClaim.objects.update_or_create(step_run=row, defaults=given)


def _job(row: StepRun) -> Job | None:
    """None, and the step has ended, when it cannot be given a secret that it names, or cannot be simulated."""
    is_dry = row.execution.kind == ExecutionKind.DRY_RUN and not row.verifying
    if is_dry and not row.rendered.get("can_dry_run", True):
        claiming.finish(row.pk, row.fence, CANNOT)
        return None
    try:
        secrets = claiming.secrets_of(row)
    except ValueError as error:
        claiming.finish(row.pk, row.fence, Outcome("failed", f"not begun: {error}"))
        return None
    return Job(
        step=row.pk,
        fence=row.fence,
        execution=row.execution.number,
        title=str(row),
        executor=claiming.executor_of(row),
        task=claiming.task_of(row, secrets),
    )


def renew_for(runner: Runner, step_run: int, fence: int) -> Standing:
    """It is still at it. Raises `LostStepError`."""
    standing = _standing(runner, step_run, fence)
    claiming.renew({step_run: fence}, lease=LEASE)
    hear_again(runner)
    return standing


def _standing(runner: Runner, step_run: int, fence: int) -> Standing:
    if not RemoteClaim.objects.filter(step_run=step_run, runner=runner, fence=fence).exists():
        raise LostStepError("this step is not this runner's")
    held = claiming.look_at({step_run: fence})[step_run]
    if held.is_lost:
        raise LostStepError("the lease of this step ran out, or somebody decided about it meanwhile")
    return Standing(is_ours=True, is_cancelled=held.is_cancel_wanted)


def take_output(runner: Runner, step_run: int, fence: int, first: int, pieces: Sequence[Piece]) -> Standing:
    """`first`: how many pieces the runner sent before these. Those that are there already are passed by. Renews the lease.

    Raises `LostStepError`.
    """
    with transaction.atomic():
        found = RemoteClaim.objects.select_for_update().filter(step_run=step_run, runner=runner, fence=fence).first()
        if found is None:
            raise LostStepError("this step is not this runner's")
        if first > found.pieces:
            raise ValueError(f"{found.pieces} pieces are there; these begin at {first}, so some are missing")
        new = pieces[found.pieces - first :]
        if new and not claiming.write_output(
            step_run, fence, [claiming.Piece(piece.text, piece.stream, piece.target) for piece in new]
        ):
            raise LostStepError("the lease of this step ran out, or somebody decided about it meanwhile")
        if new:
            found.pieces += len(new)
            found.save(update_fields=["pieces"])
    return renew_for(runner, step_run, fence)


def take_outcome(runner: Runner, step_run: int, fence: int, outcome: Outcome) -> None:
    """How it ended. Raises `LostStepError`; what the runner said then stands in the step's output, for who decides."""
    with transaction.atomic():
        found = RemoteClaim.objects.select_for_update().filter(step_run=step_run, runner=runner, fence=fence).first()
        if found is None:
            raise LostStepError("this step is not this runner's")
        if found.is_told:
            return
        is_taken = claiming.finish(step_run, fence, outcome)
        found.is_told = True
        found.save(update_fields=["is_told"])
        if not is_taken:
            _tell_late(step_run, runner, outcome)
    hear_again(runner)
    if not is_taken:
        raise LostStepError("the lease of this step ran out, or somebody decided about it meanwhile")


def _tell_late(step_run: int, runner: Runner, outcome: Outcome) -> None:
    row = StepRun.objects.select_for_update().get(pk=step_run)
    code = "" if outcome.exit_code is None else f", exit code {outcome.exit_code}"
    text = f"{runner.name} came back too late and says: {outcome.state}{code}: {clean(outcome.sentence, 800)}"
    last = LogChunk.objects.filter(step_run=row).order_by("-seq").values_list("seq", flat=True).first()
    seq = 0 if last is None else last + 1
    attempt = max(row.attempt, 1)
    insert_rows(
        [LogChunk(step_run=row, seq=seq, attempt=attempt, at=clock.now(), stream="midwatch", target="", text=text)]
    )
