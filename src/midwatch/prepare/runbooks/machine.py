"""What is next in an execution. Pure and total: all steps as they are, and the time, give one wanted act or the end.

One step is under way at a time, in the order of the document. The rules:

- A step whose condition does not hold, that is turned off, or that only handles another one's failure is passed by.
- A failed step is tried again while its `retry` allows it and it may be run twice. Then its `on_failure` decides: `stop`
  ends the execution as failed, `continue` goes on, a handler's name runs that step, after which the execution has failed.
- Nobody but a person queues a step again that was claimed and may not be run twice. What was lost in a crash becomes
  `unknown`; with `idempotent: check` its `verify` command decides first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from midwatch.prepare.runbooks import when

LOST_MAX = 3  # crashes of whoever runs it, beyond its own retries, before a person is asked
STEPS_MAX = 200

ENDED = frozenset({"ok", "failed", "skipped", "cancelled"})
GOOD = frozenset({"ok", "skipped"})
MACHINE = frozenset({"run", "auto"})  # kinds that a machine does
Verifying = Literal["", "ran", "crashed", "asked"]


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step: what its document says, and how far it is.

    `attempt`: tries begun; `claims`: those and looks by `verify`. `due_at`: queued, not before; waiting, its time-out.
    `passed_by`: why it is not begun at all.
    """

    name: str
    kind: str
    state: str = "pending"
    when: when.Condition | None = None
    on_failure: str = "stop"
    retries: int = 0
    retry_delay: timedelta = timedelta(0)
    idempotent: str = "no"
    has_verify: bool = False
    passed_by: str = ""
    attempt: int = 0
    claims: int = 0
    due_at: datetime | None = None
    exit_code: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begin:
    """Ask the person, the approver, or queue it: `state` says which."""

    index: int
    state: Literal["waiting_person", "waiting_approval", "queued"]


@dataclass(frozen=True, slots=True)
class Skip:
    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """Queue it once more, not before `at`."""

    index: int
    at: datetime


@dataclass(frozen=True, slots=True)
class TimeOut:
    """Nobody answered in time."""

    index: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before somebody does something, or before `until`. `for_whom`: person, machine."""

    index: int
    for_whom: Literal["person", "approval", "decision", "machine"]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class End:
    state: Literal["ok", "failed", "cancelled"]
    problem: str = ""


Act = Begin | Skip | Again | TimeOut | Wait | End


@dataclass(frozen=True, slots=True)
class Run:
    """The execution around the steps."""

    options: Mapping[str, str] = field(default_factory=dict)
    kind: str = "real"
    start_at_step: str = ""
    is_cancelled: bool = False


def next_act(steps: Sequence[StepFacts], run: Run, now: datetime) -> Act:
    """Apply what it says, and ask again; after `Wait` ask when something happened, or at its time."""
    assert now.tzinfo is not None, "executions work in UTC; pass an aware datetime"
    handlers = {step.on_failure for step in steps} - {"stop", "continue"}
    started = _first(steps, run.start_at_step)
    for index, step in enumerate(steps):
        act = _under_way(index, step, run, now)
        if act is not None:
            return act
    if run.is_cancelled:
        return End("cancelled")
    broken = _broken(steps)
    if broken is not None:
        return _after_failure(broken, steps, run)
    for index, step in enumerate(steps):
        if step.state == "pending":
            return _begin(index, step, steps, run, is_before=index < started, is_handler=step.name in handlers)
    passed = [step.name for step in steps if step.state == "failed"]
    if steps and all(step.state == "cancelled" for step in steps):
        return End("cancelled")
    return End("ok", f"went on although it failed: {', '.join(passed)}" if passed else "")


def _first(steps: Sequence[StepFacts], name: str) -> int:
    """Where it starts. A name that is not there is refused before; here it means the beginning."""
    return next((index for index, step in enumerate(steps) if step.name == name), 0) if name else 0


def _under_way(index: int, step: StepFacts, run: Run, now: datetime) -> Act | None:
    match step.state:
        case "waiting_person" | "waiting_approval":
            if run.is_cancelled:
                return Skip(index, "cancelled")
            if step.due_at is not None and step.due_at <= now:
                return TimeOut(index)
            return Wait(index, "person" if step.state == "waiting_person" else "approval", step.due_at)
        case "unknown":
            return None if run.is_cancelled else Wait(index, "decision")
        case "queued":
            return Skip(index, "cancelled") if run.is_cancelled else Wait(index, "machine")
        case "running":
            return Wait(index, "machine")
        case "failed" if _may_retry(step) and not run.is_cancelled:
            return Again(index, now + step.retry_delay)
    return None


def _may_retry(step: StepFacts) -> bool:
    """`attempt` counts the first try too. What may not be run twice is tried again by nobody but a person."""
    return step.kind in MACHINE and 0 < step.attempt <= step.retries and step.idempotent != "no"


def _broken(steps: Sequence[StepFacts]) -> int | None:
    """The failed step that decides: one that does not say `continue`."""
    return next(
        (index for index, step in enumerate(steps) if step.state == "failed" and step.on_failure != "continue"), None
    )


def _after_failure(index: int, steps: Sequence[StepFacts], run: Run) -> Act:
    failed = steps[index]
    if failed.on_failure != "stop":
        for place, step in enumerate(steps):
            if step.name == failed.on_failure and place != index:
                if step.state == "pending" and not step.passed_by:
                    return _begin(place, step, steps, run, is_before=False, is_handler=False)
                handled = "was handled by" if step.state in GOOD else "was not handled by"
                return End("failed", f"{failed.name} failed and {handled} {step.name}")
    return End("failed", f"{failed.name} failed")


def _begin(
    index: int, step: StepFacts, steps: Sequence[StepFacts], run: Run, *, is_before: bool, is_handler: bool
) -> Act:
    if is_before:
        return Skip(index, f"started at {run.start_at_step}")
    if is_handler:
        return Skip(index, "nothing failed that it handles")
    if step.passed_by:
        return Skip(index, step.passed_by)
    if step.when is not None and not when.holds(step.when, known(steps[:index], run)):
        return Skip(index, "its condition does not hold")
    if step.kind in MACHINE and (step.kind == "auto" or run.kind == "dry_run"):
        return Begin(index, "queued")
    if run.kind == "dry_run":
        return Skip(index, "a dry run asks nobody")
    return Begin(index, "waiting_approval" if step.kind == "approve" else "waiting_person")


def known(steps: Sequence[StepFacts], run: Run) -> when.Known:
    """What a condition behind these steps may ask."""
    seen = {step.name: when.StepSeen(step.state, step.exit_code, step.values) for step in steps}
    return when.Known(run.options, seen, run.kind)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a step is after somebody told how it went. `verifying`: it is queued for its `verify` alone."""

    state: Literal["ok", "failed", "unknown", "queued", "cancelled"]
    verifying: Verifying = ""


def lost(step: StepFacts, verifying: Verifying, *, is_cancelled: bool) -> Settled:
    """Whoever ran it is gone: its lease ran out, and nobody knows how far it came."""
    is_tired = _is_tired(step)
    if is_cancelled:
        return Settled("cancelled" if step.idempotent == "yes" and not verifying else "unknown")
    if is_tired:
        return Settled("unknown")
    if verifying:
        return Settled("queued", verifying)  # to look is harmless, and may be done twice
    if step.idempotent == "yes":
        return Settled("queued")
    if step.idempotent == "check" and step.has_verify:
        return Settled("queued", "crashed")
    return Settled("unknown")


def _is_tired(step: StepFacts) -> bool:
    """A step that ends whoever takes it goes to a person after a few of them. Each try may have its look by `verify`."""
    return step.claims >= 2 * (step.retries + LOST_MAX)


NO_ANSWER = frozenset(
    {126, 127, 255}
)  # not found, not allowed, ssh could not connect: that says nothing about the step


def ran(
    step: StepFacts,
    verifying: Verifying,
    state: str,
    exit_code: int | None,
    *,
    is_cancelled: bool,
    is_dry_run: bool = False,
) -> Settled:
    """It ended, as whoever ran it says: ok, failed or unknown."""
    if is_cancelled and state != "ok":
        return Settled("cancelled" if state == "failed" else "unknown")
    if not verifying:
        if state == "ok" and step.has_verify and not (is_cancelled or is_dry_run):
            return Settled("queued", "ran")
        return Settled("ok" if state == "ok" else "failed" if state == "failed" else "unknown")
    if state == "ok":
        return Settled("ok")
    if state != "failed" or exit_code is None or exit_code in NO_ANSWER:
        return Settled("unknown")
    match verifying:
        case "ran":
            return Settled("failed")
        case "crashed":  # it was not done: so it can be done
            return Settled("unknown" if _is_tired(step) else "queued")
        case _:
            return Settled("unknown")
