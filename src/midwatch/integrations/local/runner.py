"""The script of a step, by its interpreter, as a program of its own: see `core.programs` for what it can reach."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from midwatch.core import programs
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.running import (
    Captures,
    problems_of_captures,
    text_of,
    unknown_attributes,
    words_of,
)

EXECUTOR = "local"
TITLE = "On Midwatch's own machine"
ATTRIBUTES: Mapping[str, str] = {
    "interpreter": "the program that reads the script, python3.12 or /usr/bin/perl; by default what the fence's language says",
    "program": "a program to run instead of a script; the fence's text becomes its standard input",
    "arguments": "a list of arguments for it",
    "cwd": "the directory to run in; by default a private one that is removed afterwards",
    "dry_run": "a script to run in a dry run instead; without it only the syntax of sh and bash is checked",
    "captures": 'values to take from the output: {"NAME": "the words before the value"}',
}
INTERPRETERS: Mapping[str, str] = {
    "": "sh",
    "sh": "sh",
    "shell": "sh",
    "bash": "bash",
    "zsh": "zsh",
    "python": "python3",
    "python3": "python3",
    "py": "python3",
    "perl": "perl",
    "ruby": "ruby",
    "js": "node",
    "javascript": "node",
}
CHECKING = frozenset({"sh", "bash", "zsh", "dash", "ksh"})  # `-n` reads and does nothing
SCRIPT = "step"


def missing(config: RunnerConfig) -> str:
    return programs.missing(config)


def problems(task: Task) -> Sequence[str]:
    found = unknown_attributes(task.settings, ATTRIBUTES) + problems_of_captures(task.settings)
    if task.targets:
        found.append("a local step runs here: take its targets away, or use the executor ssh")
    if not _program(task):
        found.append(
            f"{task.language!r} is not known here: write sh, bash or python after the fence, or give an interpreter"
        )
    if _program(task).startswith("-"):
        found.append("interpreter: write the name of a program")
    if task.settings.get("arguments") is not None and not text_of(task.settings, "program"):
        found.append("arguments: they go with a program; a script has its variables")
    try:
        words_of(task.settings, "arguments")
    except ValueError as error:
        found.append(str(error))
    return found


def preview(task: Task, config: RunnerConfig) -> Preview:
    argv = _argv(task)
    lines = [f"on Midwatch's own machine: {' '.join(repr(word) if ' ' in word else word for word in argv)}"]
    lines += [f"{name}={value}" for name, value in sorted(task.variables.items())]
    lines += [f"{name}=(secret)" for name in sorted(task.secrets)]
    lines += task.body.splitlines()
    refusal = _refusal(task, config)
    if text_of(task.settings, "dry_run"):
        return Preview(lines, "simulated", refusal or "a dry run runs the script of `dry_run` instead")
    return Preview(
        lines, "none", refusal or "a script cannot be simulated: a dry run only checks its syntax, where it can"
    )


def run(task: Task, out: Output, config: RunnerConfig) -> Outcome:
    refusal = _refusal(task, config)
    if refusal:
        return Outcome("failed", f"not begun: {refusal}")
    argv, stdin, coverage = _argv(task), b"", None
    if text_of(task.settings, "program"):
        stdin = task.body.encode("utf-8", "surrogateescape")
    if task.is_dry_run:
        instead = text_of(task.settings, "dry_run")
        can_check = _program(task).rpartition("/")[2] in CHECKING and not text_of(task.settings, "program")
        if not instead and not can_check:
            return Outcome("ok", "nothing was run: this step cannot be simulated", coverage=(0, 1))
        coverage = (1, 1) if instead else (0, 1)
        stdin = b""
        programs.put(task.workdir, SCRIPT, instead or task.body, config)
        argv = [_started(task), *(() if instead else ("-n",)), SCRIPT]
    elif not stdin:
        programs.put(task.workdir, SCRIPT, task.body, config)
    captures = Captures(task.settings)

    def write(text: str, stream: str) -> None:
        if stream == "stdout":
            captures.feed(text)
        out.write(text, stream=stream)

    ended = programs.run(
        [*argv[:1], *_placed(argv[1:], task)],
        write=write,
        is_cancelled=out.is_cancelled,
        workdir=task.workdir,
        variables={**task.variables, **task.secrets},
        timeout_seconds=task.timeout_seconds,
        config=config,
        stdin=stdin,
        cwd=text_of(task.settings, "cwd"),
    )
    sentence = ended.sentence
    if coverage == (0, 1):
        sentence = f"only the syntax was checked: {sentence}"
    is_ok = ended.exit_code == 0 and ended.why == "ended"
    return Outcome("ok" if is_ok else "failed", sentence, ended.exit_code, captures.values(), coverage)


def _program(task: Task) -> str:
    return (
        text_of(task.settings, "program")
        or text_of(task.settings, "interpreter")
        or INTERPRETERS.get(task.language.strip().lower(), "")
    )


def _started(task: Task) -> str:
    """What will be started: in a dry run the script of `dry_run` has an interpreter, whatever the step's program is."""
    if task.is_dry_run and text_of(task.settings, "dry_run"):
        return text_of(task.settings, "interpreter") or INTERPRETERS.get(task.language.strip().lower(), "sh")
    return _program(task)


def _argv(task: Task) -> list[str]:
    if text_of(task.settings, "program"):
        return [_program(task), *words_of(task.settings, "arguments")]
    return [_program(task), SCRIPT]


def _placed(arguments: Sequence[str], task: Task) -> list[str]:
    """In another directory the script is named by its whole path."""
    if not text_of(task.settings, "cwd"):
        return list(arguments)
    return [f"{task.workdir}/{SCRIPT}" if word == SCRIPT else word for word in arguments]


def _refusal(task: Task, config: RunnerConfig) -> str:
    """Who may run what here: a runbook from configuration as code anything, another what an administrator named."""
    if task.is_trusted:
        return ""
    wanted = _started(task)
    permitted = {path for word in config.programs for path in (word, _where(word)) if path}
    if wanted in permitted or _where(wanted) in permitted:
        return ""
    return (
        f"this runbook was written in the web or by the API, and MIDWATCH_LOCAL_PROGRAMS does not name {wanted}: an "
        "administrator can add it there, or the runbook can come from configuration as code"
    )


def _where(program: str) -> str:
    if "/" in program:
        return program
    return shutil.which(program, path=programs.PATH) or ""
