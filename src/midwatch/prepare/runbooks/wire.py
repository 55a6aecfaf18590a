"""What runners on other machines and the server say to each other, as plain JSON values. Pure, and without Django: a
runner is a process that has neither a database nor our settings.

The runner asks, always: `POST /api/v1/runners/claim` (answered when there is something to do, or after 25 s), `/renew`,
`/output`, `/outcome`. Whatever changes a step carries its `fence`: who has lost the step is told so, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from midwatch.core.integration import Outcome, Task

CLAIM_PATH = "/api/v1/runners/claim"
RENEW_PATH = "/api/v1/runners/renew"
OUTPUT_PATH = "/api/v1/runners/output"
OUTCOME_PATH = "/api/v1/runners/outcome"

WAIT_SECONDS_MAX = 25.0  # proxies end what says nothing for 30 s or 60 s
LEASE_SECONDS = 60.0  # longer than the engine's own: a network lies between, and a server that is started again
RENEW_SECONDS = 10.0
TOKEN_PREFIX = "mwr_"  # noqa: S105 - what all of them begin with
PIECE_CHARACTERS_MAX = 8_000
PIECES_MAX = 16  # in one request: also in JSON's longest form they stay below its limit of 1 MiB
SENTENCE_MAX = 1_000
VALUES_MAX = 100
VALUE_CHARACTERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Hello:
    """What a runner says of itself with each claim. `nonce`: of this claim; said again when its answer was lost, and
    answered with the same step. `process`: of this start of the runner. Once it drains it is given nothing more, whatever
    of its claims the server still keeps waiting."""

    version: str
    host: str
    nonce: str
    process: str
    executors: Sequence[str]
    tags: Sequence[str] = ()  # only these now; (): all that it may take
    is_draining: bool = False
    wait_seconds: float = WAIT_SECONDS_MAX


@dataclass(frozen=True, slots=True)
class Job:
    """A step that was claimed."""

    step: int
    fence: int
    execution: int
    title: str
    executor: str
    task: Task = field(repr=False)  # it holds secrets


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of output, secrets already masked."""

    text: str
    stream: str = "stdout"
    target: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The server's word on a step: is it still the runner's, and is its end wanted?"""

    is_ours: bool
    is_cancelled: bool = False


def job_values(job: Job) -> dict[str, Any]:
    task = asdict(job.task)
    task["targets"] = list(job.task.targets)
    del task["workdir"]  # of the machine that does it
    return {
        "step": job.step,
        "fence": job.fence,
        "execution": job.execution,
        "title": job.title,
        "executor": job.executor,
        "task": task,
    }


def job_from(values: Mapping[str, Any]) -> Job:
    """Raises `ValueError` when the server is of a version that says something else."""
    try:
        known = {name: values[name] for name in ("step", "fence", "execution", "title", "executor")}
        task = dict(values["task"])
        wanted = {name: task[name] for name in Task.__dataclass_fields__ if name != "workdir"}
        return Job(**known, task=Task(**{**wanted, "targets": tuple(wanted["targets"])}))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"the server's answer is not understood ({error}): use the runner of the server's version"
        ) from (error)


def storable(text: str) -> str:
    """Without what no database holds: NUL, and halves of characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def outcome_values(outcome: Outcome) -> dict[str, Any]:
    """Cut to what the server takes."""
    values = list(outcome.values.items())[:VALUES_MAX]
    return {
        "state": outcome.state,
        "sentence": storable(outcome.sentence)[:SENTENCE_MAX],
        "exit_code": outcome.exit_code,
        "values": {storable(name)[:200]: storable(value)[:VALUE_CHARACTERS_MAX] for name, value in values},
        "coverage": list(outcome.coverage) if outcome.coverage is not None else None,
        "targets": dict(outcome.targets),
    }
