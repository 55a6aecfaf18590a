"""Who does a step: claiming what is queued, writing what comes out, and what became of it; and noticing who is gone.

A claim is a lease with a fence. The fence rises with each claim, and whatever is written names it: who comes back after the
lease ran out and somebody else took over writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Max

from midwatch.core import clock, topics
from midwatch.core.guard import guarded
from midwatch.core.integration import Outcome, Task
from midwatch.core.integration.runners import TaskState
from midwatch.core.leases import TAKEN_OVER
from midwatch.core.rows import insert_rows
from midwatch.core.statements import Select
from midwatch.core.text import clean
from midwatch.prepare.runbooks import machine
from midwatch.prepare.runbooks.actions import carrying
from midwatch.prepare.runbooks.actions.rails import note_targets
from midwatch.prepare.runbooks.actions.secrets import Reader, values_of
from midwatch.prepare.runbooks.models import (
    Execution,
    ExecutionKind,
    ExecutionNumber,
    LogChunk,
    StepRun,
    StepState,
)
from midwatch.prepare.runbooks.queries import rails
from midwatch.settings import settings

LEASE = timedelta(seconds=30)
LOOKED_AT_MAX = 300  # queued steps that one claim looks at
CHUNK_CHARACTERS_MAX = 16_384  # at most 64 KiB in UTF-8
MIB = 1024 * 1024
CUT = "The output is longer than {} MiB: the rest is cut."
VALUES_MAX = 50

# Of the engine alone: a step that waits for a runner, perhaps for weeks, must cost it no transaction.
HAS_QUEUED = Select(
    lambda now: (
        StepRun.objects.filter(state="queued", due_at__lte=now, tags=[])
        .order_by("due_at", "id")
        .values_list("pk", flat=True)[:1]
    )
)
LOST = Select(
    lambda now: (
        StepRun.objects.filter(state="running", claimed_until__lte=now)
        .order_by("claimed_until")
        .values_list("pk", "execution_id")[:50]
    )
)
RUNNING = Select(
    lambda: StepRun.objects.filter(state="running", claimed_until__isnull=False).values_list(
        "execution__runbook_id", "targets"
    )
)
MayTake = Callable[[StepRun], bool]


def for_engine(row: StepRun) -> bool:
    """The engine takes what asks for no runner's tags."""
    return not row.tags


def claim(by: str, *, limit: int, may_take: MayTake = for_engine, lease: timedelta = LEASE) -> list[StepRun]:
    """Up to `limit` queued steps, the longest due first: `by` a node or a runner. Outside any transaction.

    No more of a runbook than its `concurrency_max` run at the same time, and one on a target.
    """
    now = clock.now()
    is_engine = may_take is for_engine
    if limit <= 0 or (is_engine and not HAS_QUEUED(now)) or rails.brake() is not None:
        return []
    with transaction.atomic():
        # One claim at a time: what runs is counted, and two that count at once would both come below the limit.
        list(ExecutionNumber.objects.select_for_update().filter(pk=1))
        related = ("execution", "execution__runbook", "execution__runbook__team", "execution__revision")
        wanted = StepRun.objects.filter(tags=[]) if is_engine else StepRun.objects.exclude(tags=[])
        queued = (
            wanted.select_related(*related)
            .select_for_update(skip_locked=True, of=("self",))
            .filter(state=StepState.QUEUED, due_at__lte=now, is_cancel_wanted=False)
            .order_by("due_at", "id")[:LOOKED_AT_MAX]
        )
        taken = _choose([row for row in queued if may_take(row)], limit, now)
        for row in taken:
            row.state, row.claimed_until, row.claimed_by = StepState.RUNNING, now + lease, by[:200]
            row.fence += 1
            row.attempt += 0 if row.verifying else 1
            row.due_at = None
            note_targets(list(row.targets), row.execution.number)
            row.save(update_fields=["state", "claimed_until", "claimed_by", "fence", "attempt", "due_at"])
        topics.touch(*{f"execution:{row.execution.number}" for row in taken})
    return taken


def _choose(rows: Sequence[StepRun], limit: int, now: datetime) -> list[StepRun]:
    """Those that no limit keeps back."""
    busy: dict[int, int] = {}
    targets: set[str] = set()
    for runbook_id, used in RUNNING():
        busy[runbook_id] = busy.get(runbook_id, 0) + 1
        targets |= set(used)
    taken: list[StepRun] = []
    for row in rows:
        runbook = row.execution.runbook
        if len(taken) == limit:
            break
        if busy.get(runbook.pk, 0) >= runbook.concurrency_max or targets & row.targets.keys():
            continue
        waits = rails.target_waits_until(list(row.targets), now) if row.targets else None
        if waits is not None:
            row.due_at, row.sentence = waits
            row.save(update_fields=["due_at", "sentence"])
            continue
        busy[runbook.pk] = busy.get(runbook.pk, 0) + 1
        targets |= set(row.targets)
        taken.append(row)
    return taken


def executor_of(row: StepRun) -> str:
    """Who is asked to do it: of a `verify` its own."""
    return str(_form(row).get("executor") or row.executor)


def _form(row: StepRun) -> Mapping[str, Any]:
    form = row.rendered
    if row.verifying:
        form = row.rendered["verify"]
    elif row.execution.kind == ExecutionKind.DRY_RUN and row.rendered.get("dry_run"):
        form = row.rendered["dry_run"]
    return {
        key: form.get(key) for key in ("executor", "language", "body", "variables", "secrets", "settings", "targets")
    }


def secrets_of(row: StepRun) -> Mapping[str, str]:
    """variable: value of exactly the secrets that what is done now names. Outside any transaction; each read is audited.

    Raises `SecretError`.
    """
    named: Mapping[str, str] = _form(row)["secrets"] or {}
    if not named:
        return {}
    number = row.execution.number
    reader = Reader(f"step {row.step}", number, step=row.step, attempt=row.attempt, place=row.claimed_by)
    values = values_of(set(named.values()), row.execution.runbook.team, reader)
    return {variable: values[name] for variable, name in named.items()}


def task_of(row: StepRun, secrets: Mapping[str, str]) -> Task:
    """The step as it was shown, with the values of its secrets."""
    form = _form(row)
    is_dry = row.execution.kind == ExecutionKind.DRY_RUN and not row.verifying
    has_own_form = is_dry and bool(row.rendered.get("dry_run"))  # which does no harm when it is done for real
    return Task(
        key=f"{row.execution.number}/{row.step}/{row.attempt}" + ("/verify" if row.verifying else ""),
        language=form["language"] or "",
        body=form["body"] or "",
        variables=form["variables"] or {},
        secrets=secrets,
        settings=form["settings"] or {},
        targets=tuple(form["targets"] or ()),
        timeout_seconds=float(row.rendered.get("timeout_seconds", 600)),
        is_dry_run=is_dry and not has_own_form,
        is_trusted=bool(row.rendered.get("is_trusted")),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """What one claim still has: `is_lost`, somebody else decided; `is_cancel_wanted`, it should stop."""

    is_lost: bool
    is_cancel_wanted: bool


def look_at(claims: Mapping[int, int]) -> dict[int, Held]:
    """By step, for claims {step: fence}: whether they are still held. One query."""
    found = {
        pk: (fence, state, is_wanted)
        for pk, fence, state, is_wanted in StepRun.objects.filter(pk__in=claims).values_list(
            "pk", "fence", "state", "is_cancel_wanted"
        )
    }
    held = {}
    for pk, fence in claims.items():
        current = found.get(pk)
        is_mine = current is not None and current[0] == fence and current[1] == StepState.RUNNING
        held[pk] = Held(not is_mine, current is not None and current[2])
    return held


def renew(claims: Mapping[int, int], *, lease: timedelta = LEASE) -> None:
    """These are still being done."""
    now = clock.now()
    with transaction.atomic():
        for pk, fence in claims.items():
            StepRun.objects.filter(pk=pk, fence=fence, state=StepState.RUNNING).update(claimed_until=now + lease)


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a step's output, masked."""

    text: str
    stream: str = "stdout"
    target: str = ""


def output_limit() -> int:
    return settings().execution_output_mib * MIB


def write_output(step_run: int, fence: int, pieces: Iterable[Piece]) -> bool:
    """Keep it, as far as the limit goes; False when the claim is lost. What is over the limit is named once."""
    now = clock.now()
    with transaction.atomic():
        row = StepRun.objects.select_for_update().filter(pk=step_run, fence=fence, state=StepState.RUNNING).first()
        if row is None:
            return False
        last = LogChunk.objects.filter(step_run=row).aggregate(last=Max("seq"))["last"]
        seq = -1 if last is None else int(last)
        limit, used = output_limit(), row.output_bytes
        chunks = []
        for piece in _cut(pieces):
            if used > limit:
                break
            used += len(piece.text.encode())
            seq += 1
            chunks.append(
                _chunk(row, seq, piece if used <= limit else Piece(CUT.format(limit // MIB), "midwatch"), now)
            )
        if chunks:
            insert_rows(chunks)
            StepRun.objects.filter(pk=row.pk).update(output_bytes=used)
            topics.touch(f"step-output:{row.pk}")
    return True


def _chunk(row: StepRun, seq: int, piece: Piece, now: datetime) -> LogChunk:
    return LogChunk(
        step_run=row,
        seq=seq,
        attempt=max(row.attempt, 1),
        at=now,
        stream=piece.stream,
        target=piece.target[:200],
        text=piece.text,
    )


def _cut(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """No chunk is longer than its limit, and none holds what a database refuses."""
    for piece in pieces:
        text = piece.text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
        stream = piece.stream if piece.stream in ("stdout", "stderr", "midwatch") else "stdout"
        for start in range(0, len(text), CHUNK_CHARACTERS_MAX):
            yield Piece(text[start : start + CHUNK_CHARACTERS_MAX], stream, piece.target)


def _mine(step_run: int, fence: int) -> tuple[Execution, list[StepRun], StepRun] | None:
    """(its execution, locked, all of that one's steps, the step) while it runs under this fence; None when the claim is
    lost. In the caller's transaction."""
    execution_id = StepRun.objects.filter(pk=step_run).values_list("execution_id", flat=True).first()
    if execution_id is None:
        return None
    execution = carrying.hold(execution_id)
    rows = carrying.rows_of(execution)
    row = next(one for one in rows if one.pk == step_run)
    return (execution, rows, row) if row.fence == fence and row.state == StepState.RUNNING else None


def finish(step_run: int, fence: int, outcome: Outcome) -> bool:
    """How it ended. False, and nothing is written, when the claim is lost."""
    now = clock.now()
    with transaction.atomic():
        mine = _mine(step_run, fence)
        if mine is None:
            return False
        execution, rows, row = mine
        settled = machine.ran(
            carrying.fact_of(row),
            row.verifying,  # type: ignore[arg-type]  # a column of these words
            outcome.state,
            outcome.exit_code,
            is_cancelled=row.is_cancel_wanted,
            is_dry_run=execution.kind == ExecutionKind.DRY_RUN,
        )
        said = _said(row, settled, outcome)
        _settle(row, settled, now, said)
        carrying.advance(execution, now, rows)
    return True


def wait_for_child(row: StepRun) -> bool:
    """The step is another runbook, started in this transaction: it runs without a lease until that one has ended."""
    mine = StepRun.objects.filter(pk=row.pk, fence=row.fence, state=StepState.RUNNING)
    return mine.update(claimed_until=None) == 1


ENDED_AS: Mapping[str, TaskState] = {"ok": "ok", "failed": "failed", "cancelled": "failed"}


def child_ended(child: Execution) -> None:
    """The step that started it ends as it did."""
    row = StepRun.objects.filter(pk=child.parent_id, state=StepState.RUNNING).first() if child.parent_id else None
    if row is None:
        return
    found = StepRun.objects.filter(execution=child).exclude(values={}).order_by("position")
    values = {name: str(value) for one in found for name, value in one.values.items()}
    sentence = f"{child} ended: {child.state}" + (f", {child.problem}" if child.problem else "")
    finish(row.pk, row.fence, Outcome(ENDED_AS.get(child.state, "unknown"), sentence, values=values))


def _said(row: StepRun, settled: machine.Settled, outcome: Outcome) -> dict[str, object]:
    sentence = clean(outcome.sentence, 1_000)
    if row.verifying:
        words = {
            "ok": "verified: it is done",
            "failed": "verify says that it is not done",
            "unknown": "verify could not tell",
        }
        return {"sentence": clean(f"{words[outcome.state]} ({sentence})", 1_000)}
    values = {clean(name, 100): clean(value, 10_000) for name, value in list(outcome.values.items())[:VALUES_MAX]}
    return {
        "sentence": sentence,
        "exit_code": outcome.exit_code,
        "values": {**row.values, **values},
        "coverage": list(outcome.coverage) if outcome.coverage else None,
        "targets": {**row.targets, **{clean(name, 200): state for name, state in outcome.targets.items()}},
    }


def _settle(row: StepRun, settled: machine.Settled, now: datetime, said: Mapping[str, object]) -> None:
    is_queued = settled.state == "queued"
    carrying.write(
        row,
        now,
        **said,
        state=StepState(settled.state),
        verifying=settled.verifying,
        claimed_until=None,
        due_at=now if is_queued else None,
        ended_at=None if is_queued or settled.state == "unknown" else now,
    )
    if not is_queued:
        carrying.tell_ended(row.execution, row)


def take_over_lost() -> int:
    """Steps whose worker is gone: queued again, asked about by `verify`, or put before a person. How many."""
    now = clock.now()
    return sum(
        guarded("step that was lost", partial(_take_over, pk, execution, now), otherwise=0)
        for pk, execution in LOST(now)
    )


def _take_over(pk: int, execution_id: int, now: datetime) -> int:
    with transaction.atomic():
        execution = carrying.hold(execution_id)
        row = next(one for one in carrying.rows_of(execution) if one.pk == pk)
        if row.state != StepState.RUNNING or row.claimed_until is None or row.claimed_until > now:
            return 0
        TAKEN_OVER.labels("steprun").inc()
        _lose(execution, row, now, f"{row.claimed_by or 'whoever ran it'} was lost")
    return 1


def abandon(step_run: int, fence: int, why: str) -> bool:
    """Whoever runs it stops before its end, and says so: as if its lease had run out now. False when it is not theirs."""
    now = clock.now()
    with transaction.atomic():
        mine = _mine(step_run, fence)
        if mine is None:
            return False
        execution, _, row = mine
        _lose(execution, row, now, why)
    return True


def _lose(execution: Execution, row: StepRun, now: datetime, why: str) -> None:
    verifying: Any = row.verifying
    settled = machine.lost(carrying.fact_of(row), verifying, is_cancelled=row.is_cancel_wanted)
    if row.executor == carrying.RUNBOOK and not row.is_cancel_wanted:
        settled = machine.Settled("queued")  # its lease ends in the transaction that starts the other one: none was
    words = {
        "queued": "it is looked at by its verify" if settled.verifying else "it is queued again",
        "unknown": "nobody knows how far it came: look, and decide",
    }
    row.fence += 1  # who comes back writes nothing
    said = {"sentence": clean(f"{why}: {words.get(settled.state, 'it ends')}", 1_000), "fence": row.fence}
    _settle(row, settled, now, said)
    carrying.advance(execution, now)


def forget_output(before: datetime, limit: int) -> int:
    """What steps wrote before, the oldest first; the executions and what became of them stay. How many pieces went."""
    with transaction.atomic():
        oldest = LogChunk.objects.order_by("pk").values_list("pk", "at")[:limit]
        count, _ = LogChunk.objects.filter(pk__in=[pk for pk, at in oldest if at < before]).delete()
    return count
