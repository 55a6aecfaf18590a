"""Commands of a job as steps of a runbook. What has no equal becomes a manual step that carries the original. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from midwatch.core.foreign import as_yaml
from midwatch.core.integration import MappedWord
from midwatch.integrations.rundeck import plugins, variables
from midwatch.integrations.rundeck.drafts import Draft, Step, flag, listed, word
from midwatch.integrations.rundeck.variables import Known

STEPS_MAX = 100
FORMS = ("exec", "script", "scriptfile", "scripturl", "jobref", "type", "conditionGroups", "subSteps")
SHELLS = {"sh": "sh", "bash": "bash", "dash": "sh", "ash": "sh"}
PYTHONS = {"python", "python2", "python3"}
BY_STDIN = {"perl": "perl -", "ruby": "ruby -", "node": "node -", "php": "php --"}
_SHEBANG = re.compile(r"#!\s*(\S+)(?:[ \t]+(\S+))?[^\n]*")


@dataclass(slots=True)
class Around:
    """What all steps of a job share. `kind`: run or auto. `where`: the targets' filter in words, "" for the server itself.
    `targets`: its nodes when they are known. `runbook_of`: another job's name here, "" when it is not imported."""

    kind: str
    known: Known
    where: str = ""
    targets: Sequence[str] = ()
    does_keep_going: bool = False
    timeout: str = ""
    retries: int = 0
    retry_delay: str = ""
    runbook_of: Callable[[Mapping[str, Any]], str] = field(default=lambda _: "")


class ByHandError(Exception):
    """This step a person has to do, for this reason."""


def read(commands: Any, draft: Draft, around: Around) -> None:
    found = [one for one in listed(commands) if one is not None]
    for place, command in enumerate(found[:STEPS_MAX], start=1):
        _add(command, f"step {place}", draft, around)
    if len(found) > STEPS_MAX:
        draft.note("steps", "dropped", f"{len(found) - STEPS_MAX} steps after the first {STEPS_MAX}: split the job")


def _add(command: Any, part: str, draft: Draft, around: Around, *, is_handler: bool = False) -> Step:
    command = command if isinstance(command, Mapping) else {"exec": str(command)}
    title = " ".join(word(command, "description", 190).split()) or _title(command)
    step = Step(draft.step_name(title), title, around.kind, is_handler=is_handler)
    notes: list[str] = []
    around.known.unknown.clear()
    try:
        _form(command, step, around, notes)
        if around.known.unknown:
            missing = ", ".join(sorted(around.known.unknown)[:5])
            raise ByHandError(f"{missing} cannot be known here")
    except ByHandError as why:
        step = _by_hand(command, step, str(why))
        became: MappedWord = "manual"
        notes = [str(why)]
    else:
        became = "near" if notes else "same"
        step.timeout, step.retries, step.retry_delay = around.timeout, around.retries, around.retry_delay
    if around.does_keep_going:
        step.on_failure = "continue"
    draft.steps.append(step)
    draft.note(f"{part}: {title}"[:200], became, "; ".join(notes))
    handler = command.get("errorhandler")
    if isinstance(handler, Mapping) and not is_handler:
        _handler(handler, part, step, draft, around)
    return step


def _handler(handler: Mapping[str, Any], part: str, step: Step, draft: Draft, around: Around) -> None:
    """In Rundeck it runs when its step failed; then the job stops, or goes on when it succeeded and says so."""
    made = _add({**handler, "description": word(handler, "description") or f"After a failure: {step.title}"},
                f"{part}, its error handler", draft, around, is_handler=True)  # fmt: skip
    step.on_failure = made.name
    if flag(handler, "keepgoingOnSuccess") or around.does_keep_going:
        made.on_failure = "continue" if around.does_keep_going else ""
        draft.note(
            f"{part}, keepgoingOnSuccess", "near", "read the handler's step: whether the rest runs is said there"
        )


def _form(command: Mapping[str, Any], step: Step, around: Around, notes: list[str]) -> None:
    """Exactly one of `FORMS`. Raises `ByHandError`."""
    forms = [form for form in FORMS if command.get(form) not in ("", None)]
    if "conditionGroups" in forms or "subSteps" in forms:
        raise ByHandError("it runs under conditions, which Rundeck sells: write them as `when` of the steps")
    if len(forms) != 1:
        raise ByHandError("it is none of exec, script, scriptfile, scripturl, jobref and plugin")
    if isinstance(command.get("plugins"), Mapping) and command["plugins"].get("LogFilter"):
        notes.append("its log filters are not taken: `captures` takes values from the output")
    if command.get("runnerNode") or command.get("runnerSelector"):
        notes.append("it ran on a chosen runner: give the step `tags`")
    match forms[0]:
        case "exec":
            _on_machine(step, around)
            step.body = variables.in_shell(word(command, "exec", 100_000), around.known)
        case "script":
            _script(command, step, around, notes)
        case "scriptfile":
            _script_file(command, step, around, notes)
        case "scripturl":
            raise ByHandError("it runs whatever an address answers at that moment: keep the script here")
        case "jobref":
            _job(command["jobref"], step, around, notes)
        case _:
            if not plugins.fill(command, step, around.known, notes):
                raise ByHandError(f"the plugin {word(command, 'type', 100)} is not known here")
            if step.executor in {"", "ansible"} and around.where and not step.targets:
                step.targets = around.targets


def _on_machine(step: Step, around: Around) -> None:
    if not around.where:
        step.executor = "local"
        return
    if not around.targets:
        raise ByHandError(f"its nodes are chosen by a filter ({around.where}): name them as `targets` of an ssh step")
    step.executor, step.targets = "ssh", around.targets


def _script(command: Mapping[str, Any], step: Step, around: Around, notes: list[str]) -> None:
    _on_machine(step, around)
    text = word(command, "script", 200_000).replace("\r\n", "\n")
    shebang = _SHEBANG.match(text)
    said = word(command, "scriptInterpreter", 200).strip()
    if command.get("interpreterArgsQuoted"):
        raise ByHandError("its interpreter gets the script and its arguments in one quoted word")
    language = _language(said or (" ".join(filter(None, shebang.groups())) if shebang else "sh"))
    args = word(command, "args", 5_000).strip()
    if language in {"sh", "bash"}:
        step.language = language
        script = variables.in_shell(text, around.known, has_tokens=True)
        step.body = _with_arguments(script, variables.in_shell(args, around.known) if args else "")
        return
    if variables.has_tokens(text):
        raise ByHandError("Rundeck writes values into its text (@option.x@): read them from the environment instead")
    script = variables.in_environment(text, around.known)
    if variables.references(script):
        raise ByHandError("its text holds ${...} that a runbook reads as its own")
    if language == "python":
        if args:
            raise ByHandError("its arguments would have to be read from the environment")
        step.language, step.body = "python", script
        return
    notes.append(f"a shell gives the script to {language}")
    mark = "RUNBOOK_SCRIPT"
    while mark in script:
        mark += "_"
    shown_args = f" {variables.in_shell(args, around.known)}" if args else ""
    step.body = f"{BY_STDIN[language]}{shown_args} <<'{mark}'\n{script.rstrip()}\n{mark}\n"


def _with_arguments(script: str, args: str) -> str:
    """`set --` gives a script its $1, $2 ...; after the first line when that says who runs it."""
    if not args:
        return script
    first, _, rest = script.partition("\n")
    return f"{first}\nset -- {args}\n{rest}" if first.startswith("#!") else f"set -- {args}\n{script}"


def _language(said: str) -> str:
    """Raises `ByHandError` for an interpreter that is not known, or has arguments of its own."""
    try:
        words = shlex.split(said)
    except ValueError:
        words = []
    if words and words[0].rpartition("/")[2] == "env":
        words = words[1:]
    program = words[0].rpartition("/")[2] if words else ""
    is_bare = len(words) == 1 or (len(words) == 2 and words[1] in {"-e", "-u"} and program in {*SHELLS, *PYTHONS})
    if is_bare and program in SHELLS:
        return SHELLS[program]
    if is_bare and program in PYTHONS:
        return "python"
    if is_bare and program in BY_STDIN:
        return program
    raise ByHandError(f"its interpreter is {said[:100]!r}")


def _script_file(command: Mapping[str, Any], step: Step, around: Around, notes: list[str]) -> None:
    if around.where:
        raise ByHandError("Rundeck copied the file to each node first: keep the script there, or here as a step")
    if flag(command, "expandTokenInScriptFile"):
        raise ByHandError("Rundeck writes values into the file: read them from the environment instead")
    step.executor = "local"
    args, interpreter = word(command, "args", 5_000).strip(), word(command, "scriptInterpreter", 200).strip()
    line = " ".join(filter(None, (interpreter, word(command, "scriptfile", 2_000), args)))
    step.body = variables.in_shell(line, around.known)
    notes.append("the file has to lie on the machine that runs the step")


def _job(jobref: Any, step: Step, around: Around, notes: list[str]) -> None:
    """Arguments: -option value -option2 value."""
    if not isinstance(jobref, Mapping):
        raise ByHandError("it names no job")
    name = around.runbook_of(jobref)
    shown = word(jobref, "name", 200) or word(jobref, "uuid", 100)
    if not name:
        raise ByHandError(f"the job {shown} is not among those that are imported")
    if isinstance(jobref.get("nodefilters"), Mapping) or flag(jobref, "nodeStep"):
        notes.append("its nodes are those of the other runbook: they are not chosen here")
    try:
        words = shlex.split(word(jobref, "args", 10_000))
    except ValueError as error:
        raise ByHandError("its arguments cannot be read") from error
    given: dict[str, str] = {}
    while words:
        option, *words = words
        if not option.startswith("-") or not words:
            raise ByHandError("its arguments are not -option value pairs")
        value, *words = words
        given[option.lstrip("-")[:200]] = variables.in_setting(value, around.known)
    step.executor = "runbook"
    step.settings = {"runbook": name, **({"options": given} if given else {})}
    step.language = "yaml"
    step.body = as_yaml({"runbook": name, **({"options": given} if given else {})})
    for key in ("failOnDisable", "childNodes", "importOptions", "ignoreNotifications"):
        if flag(jobref, key):
            notes.append(f"{key} is not taken")


def _by_hand(command: Mapping[str, Any], step: Step, why: str) -> Step:
    prose = [f"By hand, because {why}. In Rundeck it was:"]
    kept = {key: value for key, value in command.items() if key != "errorhandler"}
    return Step(
        step.name, step.title, "manual", language="yaml", body=as_yaml(kept), prose=prose, is_handler=step.is_handler
    )


def _title(command: Mapping[str, Any]) -> str:
    for form in ("exec", "scriptfile", "scripturl"):
        if text := " ".join(word(command, form, 80).split()):
            return text[:60]
    if isinstance(command.get("jobref"), Mapping):
        return f"Job {word(command['jobref'], 'name', 100) or word(command['jobref'], 'uuid', 100)}"
    if text := word(command, "type", 100):
        return text.rpartition(".")[2]
    lines = [line.strip() for line in word(command, "script", 2_000).split("\n")]
    return next((line[:60] for line in lines if line and not line.startswith("#")), "Step")
