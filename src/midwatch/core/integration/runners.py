"""Who does a step of a runbook: the protocol of `runner.py`.

A runner blocks until the step has ended, and ends soon after `out.is_cancelled()` says so, with everything that it
started. It is given one task and reads nothing else: no settings of the installation, no other secret, no database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
BODY_CHARACTERS_MAX = 256_000
VARIABLE_CHARACTERS_MAX = 32_000
VARIABLES_MAX = 200
TARGETS_MAX = 500
SECRET_CHARACTERS_MIN = 4  # a shorter one could not be masked without masking half of the log
# Names that steer the loader, the shell or an interpreter: whoever fills in an option would run a program of their own.
STEERING = re.compile(
    r"_?MIDWATCH_.*|D?Y?LD_.*|PATH|IFS|ENV|HOME|SHELL|TMPDIR|CDPATH|PS4|PROMPT_COMMAND|SHELLOPTS|BASHOPTS|BASH_.*"
    r"|PYTHON[A-Z]+|PERL5?(LIB|OPT|DB)|RUBY(LIB|OPT)|NODE_(OPTIONS|PATH)|(_|JDK_)?JAVA_(TOOL_)?OPTIONS|ANSIBLE_.*"
    r"|GIT_(SSH|SSH_COMMAND|EXEC_PATH|EDITOR|PAGER|ASKPASS|EXTERNAL_DIFF|PROXY_COMMAND|CONFIG.*)"
    r"|SSH_(ASKPASS.*|AUTH_SOCK)|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH"
)

TaskState = Literal["ok", "failed", "unknown"]
DryRun = Literal["simulated", "server-side", "preview", "none"]


@dataclass(frozen=True, slots=True)
class Task:
    """One step to do, exactly as it was shown and approved.

    `key`: execution/step/attempt, the idempotency key. `language`: of the fence. `variables`, `secrets`: as environment
    or extra variables, by names such as OPTION_HOST; secrets are masked in everything that comes out. `settings`: the
    step's attributes for this executor; `captures` among them says which values to take from the output. `targets`:
    hosts, () for none. `is_trusted`: the runbook came from configuration as code. `workdir`: a fresh private directory;
    "" and the runner gets one that is removed afterwards.
    """

    key: str
    language: str
    body: str
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    targets: Sequence[str] = ()
    timeout_seconds: float = 300.0
    is_dry_run: bool = False
    is_trusted: bool = False
    workdir: str = ""


class Output(Protocol):
    """Where the words of a step go while it runs; any thread may write."""

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        """`stream`: stdout, stderr, or midwatch for our own words. `text`: any piece, lines need not be whole."""

    def is_cancelled(self) -> bool:
        """Somebody wants it to end, or the lease is lost: asked several times a second."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `unknown`: it began, and nobody can say how far it came. `sentence`: for people.

    `values`: what was captured. `coverage`: of a dry run, how many of how many parts were exercised. `targets`: each
    one's state (ok, failed, unknown, or "" when it was never begun).
    """

    state: TaskState
    sentence: str
    exit_code: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    coverage: tuple[int, int] | None = None
    targets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What will run, in lines for people, and how honest a dry run of it is.

    `simulated`: by a check mode, parts of it. `server-side`: the other side checks all and does nothing. `preview`:
    shown, not sent. `none`: it cannot be simulated.
    """

    lines: Sequence[str]
    dry_run: DryRun
    note: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one foreign program and all that it starts. `processes`: tasks of the user it runs as."""

    cpu_seconds: int = 600
    memory_mib: int = 1024
    file_mib: int = 1024
    open_files: int = 256
    processes: int = 256


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """What a place that runs steps allows; `core.programs.runner_config()` makes it from the settings.

    `values`: settings by name (ANSIBLE_RUNNER). `programs`: what MIDWATCH_LOCAL_PROGRAMS names. `local_user`: whom
    foreign programs run as, "" for Midwatch's own user. `hidden`: files and directories that no program may reach.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    programs: Sequence[str] = ()
    local_user: str = ""
    hidden: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)


class Runner(Protocol):
    """`integrations/<vendor>/runner.py`, as a module."""

    EXECUTOR: str  # the word in a step: `executor: ssh`
    TITLE: str
    ATTRIBUTES: Mapping[str, str]  # attribute of a step -> a sentence that says what to write

    def missing(self, config: RunnerConfig) -> str:
        """ "" when it can run here, else a sentence that says what to install or set."""

    def problems(self, task: Task) -> Sequence[str]:
        """What is wrong with the task, a sentence each, before anything is queued. Asks nobody."""

    def preview(self, task: Task, config: RunnerConfig) -> Preview:
        """What will run. Asks nobody."""

    def run(self, task: Task, out: Output, config: RunnerConfig) -> Outcome:
        """Do it. Blocks; ends within the task's time-out and some seconds, or soon after a cancel."""


def common_problems(task: Task) -> list[str]:
    """What no executor may be given, whatever it is."""
    found: list[str] = []
    if len(task.body) > BODY_CHARACTERS_MAX:
        found.append(
            f"the step is longer than {BODY_CHARACTERS_MAX:,} characters: keep a script on the target and call it"
        )
    if "\0" in task.body:
        found.append("the step holds a NUL character: take it out")
    if len(task.variables) + len(task.secrets) > VARIABLES_MAX:
        found.append(f"more than {VARIABLES_MAX} variables: give fewer")
    for name, value in (*task.variables.items(), *task.secrets.items()):
        if not VARIABLE_NAME.fullmatch(name):
            found.append(f"variable {name!r}: a name is of A to Z, 0 to 9 and _, and does not begin with a digit")
        elif STEERING.fullmatch(name):
            found.append(f"variable {name}: this name steers the programs themselves; give it another one")
        if "\0" in value:
            found.append(f"variable {name}: a NUL character cannot be passed; take it out")
        elif len(value) > VARIABLE_CHARACTERS_MAX:
            found.append(
                f"variable {name}: longer than {VARIABLE_CHARACTERS_MAX:,} characters; pass a file's address instead"
            )
    for name, value in task.secrets.items():
        if value and len(value) < SECRET_CHARACTERS_MIN:
            found.append(
                f"secret {name}: shorter than {SECRET_CHARACTERS_MIN} characters, so it could not be masked; give a longer one"
            )
    both = sorted(set(task.variables) & set(task.secrets))
    found += [f"{name} is a variable and a secret: keep one of them" for name in both]
    if len(task.targets) > TARGETS_MAX:
        found.append(f"more than {TARGETS_MAX} targets: name fewer")
    if not 0 < task.timeout_seconds <= 7 * 86_400:
        found.append("the time-out must be more than nothing and at most a week")
    return found
