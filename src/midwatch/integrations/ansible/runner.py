"""A playbook, by ansible-runner as a program of its own: Ansible's licence and its environment stay outside of Midwatch."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from midwatch.core import programs
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.running import (
    Captures,
    number_of,
    problems_of_captures,
    text_of,
    unknown_attributes,
    words_of,
)
from midwatch.integrations.ansible.events import Events
from midwatch.integrations.ansible.files import Run, check_targets, key_name, written

EXECUTOR = "ansible"
TITLE = "Ansible playbook"
ATTRIBUTES: Mapping[str, str] = {
    "playbook": "a playbook on the machine that runs the step, as a whole path; by default the fence's text is the playbook",
    "inventory": "an inventory, as text or as a whole path; by default the targets, and without any localhost",
    "user": "whom to log in as on the targets",
    "key": "the name of the secret that holds the private SSH key; SSH_KEY by default",
    "known_hosts": "the targets' host keys, as lines of OpenSSH's known_hosts",
    "tags": "a list of tags to run",
    "skip_tags": "a list of tags to leave out",
    "start_at": "the name of the task to start at",
    "forks": "how many hosts at once, 1 to 50; 5 by default",
    "verbosity": "0 to 4; 0 by default",
    "python": "the Python interpreter on the targets; /usr/bin/python3 on localhost",
    "captures": 'values to take from the messages of tasks: {"NAME": "the words before the value"}',
}
PROGRAM = "ansible-runner"
PERMITTED_AS = frozenset({"ansible", "ansible-playbook", "ansible-runner"})


def missing(config: RunnerConfig) -> str:
    problem = programs.missing(config)
    if problem:
        return problem
    path = _program(config)
    if not path:
        return (
            "Ansible is not installed: pip install 'midwatch[ansible]' into Midwatch's environment, or give "
            "MIDWATCH_ANSIBLE_RUNNER the path of ansible-runner in another"
        )
    return programs.unreachable(path, config)


def problems(task: Task) -> Sequence[str]:
    found = unknown_attributes(task.settings, ATTRIBUTES) + problems_of_captures(task.settings)
    if not text_of(task.settings, "playbook", "/").startswith("/"):
        found.append("playbook: give a whole path")
    if not text_of(task.settings, "playbook") and not task.body.strip():
        found.append("the step is empty: write a playbook into the fence, or name one with `playbook`")
    if task.language not in {"yaml", "yml", "ansible", ""}:
        found.append(f"{task.language!r}: a playbook is yaml")
    try:
        check_targets(task)
        _options(task)
    except ValueError as error:
        found.append(str(error))
    return found


def preview(task: Task, config: RunnerConfig) -> Preview:
    where = ", ".join(task.targets) or ("its inventory" if text_of(task.settings, "inventory") else "localhost")
    lines = [f"ansible-playbook on {where}"]
    try:
        lines[0] += "".join(f" {option}" for option in _options(task))
    except ValueError as error:
        lines.append(str(error))
    lines += [f"{name}={value}" for name, value in sorted(task.variables.items())]
    lines += [f"{name}=(secret)" for name in sorted(task.secrets) if name != key_name(task)]
    lines += [text_of(task.settings, "playbook")] if text_of(task.settings, "playbook") else task.body.splitlines()
    note = (
        _refusal(task, config)
        or "a dry run is Ansible's check mode: commands are skipped in it, and the coverage says so"
    )
    return Preview(lines, "simulated", note)


def run(task: Task, out: Output, config: RunnerConfig) -> Outcome:
    refusal = _refusal(task, config)
    if refusal:
        return Outcome("failed", f"not begun: {refusal}")
    begun = written(task, config)
    program = _program(config)
    events = Events(out, Captures(task.settings))

    def write(text: str, stream: str) -> None:
        if stream == "stdout":
            events.feed(text)
        else:
            out.write(text, stream="stderr")

    mode = ["--check", "--diff"] if task.is_dry_run else []
    ended = programs.run(
        [
            program,
            "run",
            task.workdir,
            "--json",
            "--omit-env-files",
            "--ident",
            "step",
            "--project-dir",
            begun.project,
            "--playbook",
            begun.playbook,
            f"--cmdline={shlex.join([*begun.arguments, *_options(task), *mode])}",
        ],
        write=write,
        is_cancelled=out.is_cancelled,
        workdir=task.workdir,
        variables={**task.variables, **_environment(task, program)},
        timeout_seconds=task.timeout_seconds,
        config=config,
    )
    events.end()
    return _outcome(task, begun, ended, events)


def _outcome(task: Task, begun: Run, ended: programs.Ended, events: Events) -> Outcome:
    coverage = events.coverage if task.is_dry_run else None
    bad = [name for name, state in events.hosts.items() if state == "failed"]
    if ended.why != "ended":
        if begun.is_remote and not task.is_dry_run:
            sentence = f"{ended.sentence} here; what Ansible began on the hosts may still run there"
            return Outcome("unknown", sentence, None, events.values(), coverage, events.hosts)
        return Outcome("failed", ended.sentence, None, events.values(), coverage, events.hosts)
    if ended.exit_code is None:
        return Outcome(
            "unknown" if begun.is_remote else "failed", ended.sentence, None, events.values(), coverage, events.hosts
        )
    sentence = f"ansible-playbook: exit code {ended.exit_code}"
    if bad:
        sentence += f", failed on {', '.join(bad[:5])}" + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
    if coverage is not None:
        sentence = f"check mode exercised {coverage[0]} of {coverage[1]} tasks; {sentence}"
    state = ended.exit_code == 0 and not bad
    return Outcome("ok" if state else "failed", sentence, ended.exit_code, events.values(), coverage, events.hosts)


def _options(task: Task) -> list[str]:
    """Raises `ValueError`."""
    made = ["--forks", str(number_of(task.settings, "forks", 5, 1, 50))]
    for name, option in (("tags", "--tags"), ("skip_tags", "--skip-tags")):
        given = task.settings.get(name)
        words = [given] if isinstance(given, str) and given else words_of(task.settings, name) if given else ()
        if words:
            made.append(f"{option}={','.join(words)}")
    if text_of(task.settings, "start_at"):
        made.append(f"--start-at-task={text_of(task.settings, 'start_at')}")
    verbosity = number_of(task.settings, "verbosity", 0, 0, 4)
    return made + (["-" + "v" * verbosity] if verbosity else [])


def _environment(task: Task, program: str) -> dict[str, str]:
    """Ansible's own, in the step's directory: nobody's configuration is read."""
    return {
        "PATH": f"{os.path.dirname(program)}:{programs.PATH}",
        "ANSIBLE_HOME": f"{task.workdir}/.ansible",
        "ANSIBLE_CONFIG": f"{task.workdir}/none.cfg",
        "ANSIBLE_LOCAL_TEMP": f"{task.workdir}/.ansible/tmp",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_DEVEL_WARNING": "0",
    }


def _program(config: RunnerConfig) -> str:
    given = config.values.get("ANSIBLE_RUNNER", "")
    beside = Path(sys.executable).parent
    for path in (
        [Path(given)] if given else [beside / PROGRAM, *(Path(one) / PROGRAM for one in programs.PATH.split(":"))]
    ):
        if path.is_file():
            return str(path)
    return ""


def _refusal(task: Task, config: RunnerConfig) -> str:
    """A playbook can run anything on the machine where Ansible is, so it is as a local step."""
    if task.is_trusted or PERMITTED_AS & {word.rpartition("/")[2] for word in config.programs}:
        return ""
    return (
        "this runbook was written in the web or by the API, and MIDWATCH_LOCAL_PROGRAMS does not name ansible-playbook: an "
        "administrator can add it there, or the runbook can come from configuration as code"
    )
