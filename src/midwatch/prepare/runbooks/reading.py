"""From fenced blocks to steps: attributes typed, forms put with their steps, names and references checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from markdown_it.token import Token

from midwatch.core.text import slug
from midwatch.core.written import documents, values
from midwatch.core.written.documents import Fields, Scalar
from midwatch.core.written.values import Field, Place, Reading, Table, Value, WrongError, did_you_mean, text_of
from midwatch.prepare.runbooks import fences, placeholders, rendering, when
from midwatch.prepare.runbooks.front import Front, words
from midwatch.prepare.runbooks.options import SECRET
from midwatch.prepare.runbooks.shape import (
    KINDS,
    RUNS,
    Form,
    Needs,
    Prose,
    Retry,
    Step,
    blocks_of,
    plain,
)

STEPS_MAX: Final = 200
TITLE_MAX: Final = 200
FORM_MAX: Final = 10_000
DAY: Final = 86_400
SHELLS: Final = frozenset({"sh", "bash", "zsh", "dash", "ksh", "shell"})
EXECUTOR_OF: Final = {**dict.fromkeys(SHELLS, "local"), "python": "local", "http": "http"}
BODYLESS: Final = frozenset({"http", "kubernetes", "rundeck", "runbook", "ansible"})  # settings may say all
OUTCOMES: Final = ("stop", "continue")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_DOCUMENT = documents.Document("", 1, Fields(1))


def _name(value: Value) -> str:
    found = text_of(value, "a name such as restart")
    if not _NAME.fullmatch(found):
        raise WrongError("not a name of a step", "write letters, digits, dots, dashes and underscores, 63 at most")
    return found


def _condition(value: Value) -> when.Condition:
    try:
        return when.parse(text_of(value, 'a condition such as option.env == "prod"'))
    except when.WhenError as error:
        raise _of_when(error) from error


def _of_when(error: when.WhenError) -> WrongError:
    what, _, instead = str(error).partition(": ")
    return WrongError(what, instead or "write it simpler", written="")


def _idempotent(value: Value) -> str:
    found = text_of(value, "yes, no or check").lower()
    found = {"true": "yes", "false": "no"}.get(found, found)
    if found not in {"yes", "no", "check"}:
        raise WrongError("not one of the words for this", "write yes, no or check")
    return found


def _captures(value: Value) -> dict[str, str]:
    """Name of a value -> the words that stand before it in the output."""
    node = value.node
    if not isinstance(node, Fields):
        raise WrongError("not a map", 'write {"pod": "the words before it"}')
    item = values.text(200, "the words before the value")
    return {
        _name(value.child(key, Scalar(node.line, key, False, key))): item(value.child(key, of))
        for key, of in node.items.items()
    }


def _secrets(value: Value) -> list[tuple[str, str]]:
    """`SSH_KEY=prod-ssh-key`: the variable, and the name in the secret store. A name alone is both."""
    found = []
    for word in words(value):
        variable, is_pair, name = word.partition("=")
        if (
            not _VARIABLE.fullmatch(variable)
            or variable.startswith("MIDWATCH")
            or not SECRET.fullmatch(name if is_pair else word)
        ):
            raise WrongError("not a secret for a step", "write VARIABLE=name, such as SSH_KEY=prod-ssh-key")
        found.append((variable, name if is_pair else word))
    return found


def _retry(value: Value) -> Retry:
    """How often more, or `{"attempts": 3, "delay": "10s"}` with the first among them."""
    if isinstance(value.node, Scalar):
        return Retry(values.whole(0, 20)(value) + 1)
    found = values.read_fields(value, _RETRY, '{"attempts": 3, "delay": "10s"}')
    return Retry(found["attempts"], timedelta(seconds=values.seconds_of(found["delay"])))


def _any(value: Value) -> Any:
    return documents.as_plain(value.node)


_RETRY: Final[Table] = {
    "attempts": Field(values.whole(1, 21), default=1),
    "delay": Field(values.duration(0, DAY), default="10s"),
}
ATTRIBUTES: Final[Table] = {
    "name": Field(_name),
    "title": Field(values.text(TITLE_MAX, "what it does, in a few words"), default=""),
    "kind": Field(values.one_of(*KINDS)),
    "executor": Field(_name, default=""),
    "when": Field(_condition),
    "retry": Field(_retry, default=Retry()),
    "retryDelay": Field(values.duration(0, DAY)),
    "timeout": Field(values.duration(1, 30 * DAY)),
    "onFailure": Field(_name, default="stop"),
    "idempotent": Field(_idempotent, default="no"),
    "verify": Field(values.text(FORM_MAX, "a command", is_one_line=False), default=""),
    "dryRun": Field(values.text(FORM_MAX, "a command, or none", is_one_line=False), default=""),
    "verifies": Field(_name),
    "dryRunOf": Field(_name),
    "enabled": Field(values.boolean, default=True),
    "skipReason": Field(values.text(500, "why it is turned off"), default=""),
    "targets": Field(words, default=()),
    "needs": Field(values.whole(1, 10)),
    "who": Field(words, default=()),
    "approves": Field(words, default=()),
    "captures": Field(_captures, default={}),
    "runnerTags": Field(words, default=()),
    "secrets": Field(_secrets, default=()),
    "asks": Field(values.text(500, "a question"), default=""),
    "expects": Field(values.text(2_000, "what one should see", is_one_line=False), default=""),
    "interactive": Field(values.boolean),
    "background": Field(values.boolean),
    "excludeFromRunAll": Field(values.boolean, default=False),
    "cwd": Field(values.text(500, "a directory"), default=""),
    "interpreter": Field(values.text(200, "a program"), default=""),
    "category": Field(words, default=()),
    "tag": Field(words, default=()),
    **{word: Field(_any) for word in sorted(fences.RUNME - {"name", "interactive", "background", "excludeFromRunAll"})
       if word not in {"cwd", "interpreter", "category", "tag"}},
}  # fmt: skip


@dataclass(slots=True)
class _Found:
    """A step before it is checked with the others. `form_of`: the step whose form it is, with `is_verify`."""

    step: Step
    value: Value
    spec: dict[str, Any]

    @property
    def form_of(self) -> str:
        return self.spec["verifies"] or self.spec["dryRunOf"] or ""

    def complain(self, attribute: str, what: str, instead: str) -> None:
        where = self.value.child(attribute, self.value.node, self.value.place.line) if attribute else self.value
        where.complain(WrongError(what, instead, written=""))


class Reader:
    """`about`: None when the front matter has problems; what hangs on it is not checked then."""

    def __init__(self, about: Front | None, reading: Reading, executors: Mapping[str, Collection[str]] | None) -> None:
        self._about = about or Front()
        self._knows_options = about is not None
        self._reading = reading
        self._executors = executors
        self._found: list[_Found] = []

    def blocks(self, text: str, first_line: int) -> list[Prose | Step]:
        """Prose and steps in order, the steps as they stand."""
        lines = text.split("\n")
        made: list[Prose | Step] = []
        end = 0
        for token, title in _fences(blocks_of(text)):
            info = self._info(token, first_line)
            if info is None or info.attributes is None:
                continue
            start, after = token.map or (0, 0)
            if "\n".join(lines[end:start]).strip():
                made.append(Prose("\n".join(lines[end:start]).strip("\n"), end + first_line))
            end = after
            made.append(self._step(token.content, info, start + first_line, title).step)
            if len(self._found) > STEPS_MAX:
                self._problem(start + first_line, f"more than {STEPS_MAX} steps: split the runbook")
                break
        if "\n".join(lines[end:]).strip():
            made.append(Prose("\n".join(lines[end:]).strip("\n"), end + first_line))
        return made

    def checked(self) -> tuple[Step, ...]:
        """The steps with their forms, names unique, references right; problems are noted."""
        steps = [found for found in self._found if not found.form_of]
        self._name_all(steps)
        positions = {found.step.name: index for index, found in enumerate(steps)}
        for found in self._found:
            if found.form_of:
                self._put_form(found, steps, positions)
        for index, found in enumerate(steps):
            self._check(found, index, positions)
        _put_approvals(steps, positions)
        handlers = {found.step.on_failure for found in steps} - set(OUTCOMES)
        return tuple(replace(found.step, is_handler=found.step.name in handlers) for found in steps)

    def _info(self, token: Token, first_line: int) -> fences.Info | None:
        try:
            return fences.read(token.info)
        except fences.FenceError as error:
            self._problem((token.map or (0, 0))[0] + first_line, str(error))
            return None

    def _problem(self, line: int, text: str, name: str = "") -> None:
        place = Place(_DOCUMENT, "step" if name else "", name, "", line)
        self._reading.problems.append(place.problem(text))

    def _step(self, body: str, info: fences.Info, line: int, title: str) -> _Found:
        attributes = info.attributes or {}
        try:
            node = fences.node_of(attributes, line)
        except fences.FenceError as error:
            self._problem(line, str(error))
            node = Fields(line)
        assert isinstance(node, Fields)
        ours = Fields(line, {key: child for key, child in node.items.items() if key in ATTRIBUTES}, node.key_lines)
        given = attributes.get("name")
        shown = given if isinstance(given, str) and _NAME.fullmatch(given) else ""
        value = Value(ours, Place(_DOCUMENT, "step", shown, "", line), self._reading)
        spec = read_fields(value)
        kind = spec["kind"] or ("run" if spec["executor"] else "copy")
        executor = spec["executor"] or EXECUTOR_OF.get(info.language, "")
        others = {key: child for key, child in attributes.items() if key not in ATTRIBUTES}
        step = Step(
            name=spec["name"] or "",
            title=spec["title"] or title or (spec["name"] or ""),
            kind=kind,
            executor=executor,
            language=info.language,
            body=body,
            line=line,
            attributes=attributes,
            settings={**self._runme_settings(spec, executor, info.language), **_executors_own(spec), **others},
            when=spec["when"],
            retry=_with_delay(spec["retry"], spec["retryDelay"]),
            timeout=timedelta(seconds=values.seconds_of(spec["timeout"])) if spec["timeout"] else None,
            on_failure=spec["onFailure"],
            idempotent=spec["idempotent"],
            is_enabled=spec["enabled"] and not spec["excludeFromRunAll"],
            skip_reason=spec["skipReason"] or ("excludeFromRunAll" if spec["excludeFromRunAll"] else ""),
            targets=tuple(spec["targets"]),
            needs=Needs(spec["needs"] or 1, tuple(spec["who"]))
            if spec["needs"] or spec["who"] or kind == "approve"
            else None,
            approves=tuple(spec["approves"]),
            captures=tuple(spec["captures"]),
            secrets=tuple(spec["secrets"]),
            tags=tuple(spec["runnerTags"]),
            labels=(*self._about.tags, *spec["category"], *spec["tag"]),
            asks=spec["asks"],
            expects=spec["expects"],
            is_named=bool(spec["name"]),
        )
        found = _Found(_with_forms(step, spec), value, spec)
        self._check_settings(found, others)
        self._found.append(found)
        return found

    def _runme_settings(self, spec: Mapping[str, Any], executor: str, language: str) -> dict[str, Any]:
        """`cwd` and `interpreter`, and what the front matter says for all of them."""
        is_program = executor in {"local", "ssh"}
        cwd = spec["cwd"] or (self._about.cwd if is_program else "")
        interpreter = spec["interpreter"] or (self._about.shell if is_program and language in SHELLS else "")
        return {key: word for key, word in (("cwd", cwd), ("interpreter", interpreter)) if word}

    def _check_settings(self, found: _Found, others: Mapping[str, Any]) -> None:
        if self._executors is None:
            return
        step = found.step
        if step.executor and step.executor not in self._executors:
            found.complain(
                "executor",
                f"no such executor ({step.executor})",
                did_you_mean(step.executor, self._executors, "executor"),
            )
            return
        known = {*ATTRIBUTES, *self._executors.get(step.executor, ())}
        for key in others:
            if key not in known:
                found.complain(key[:80], "no such attribute", did_you_mean(key, known, "attribute"))

    def _name_all(self, steps: list[_Found]) -> None:
        """A step without a name gets one from its title; a name given twice is a problem."""
        given: dict[str, int] = {}
        for found in steps:
            name = found.step.name
            if name in given:
                found.complain("name", f"of the step in line {given[name]} too ({name})", "rename one of them")
            elif name in OUTCOMES:
                found.complain("name", f"a word with a meaning of its own ({name})", "write another name")
            elif name:
                given[name] = found.step.line
        for index, found in enumerate(steps, start=1):
            if found.step.name:
                continue
            base = slug(found.step.title, 40) or f"step-{index}"
            name, number = base, 2
            while name in given or name in OUTCOMES:
                name, number = f"{base}-{number}", number + 1
            given[name] = found.step.line
            found.step = replace(found.step, name=name, title=found.step.title or name)

    def _put_form(self, form: _Found, steps: list[_Found], positions: Mapping[str, int]) -> None:
        attribute = "verifies" if form.spec["verifies"] else "dryRunOf"
        if form.form_of not in positions:
            hint = did_you_mean(form.form_of, positions, "step")
            form.complain(attribute, f"no such step ({form.form_of})", hint)
            return
        of = steps[positions[form.form_of]]
        executor = form.spec["executor"] or (
            of.step.executor if form.step.language in {of.step.language, ""} else form.step.executor
        )
        made = Form(
            executor or of.step.executor, form.step.language or of.step.language, form.step.body, form.step.settings
        )
        is_verify = attribute == "verifies"
        if (of.step.verify if is_verify else of.step.dry_run) is not None:
            form.complain(attribute, f"{form.form_of} has one already", "keep one of them")
        self._check_placeholders(form)
        of.step = replace(of.step, verify=made) if is_verify else replace(of.step, dry_run=made, can_dry_run=True)

    def _check(self, found: _Found, index: int, positions: Mapping[str, int]) -> None:
        step = found.step
        if step.kind in RUNS:
            _check_runs(found)
        if step.idempotent == "check" and step.verify is None:
            found.complain(
                "idempotent", "check without a verify command", 'write "verify", or a block that "verifies" it'
            )
        if not found.spec["enabled"] and not step.skip_reason:
            found.complain("skipReason", "missing", "write why the step is turned off")
        if step.on_failure not in OUTCOMES and positions.get(step.on_failure, -1) <= index:
            is_known = step.on_failure in positions
            hint = "name a later step" if is_known else did_you_mean(step.on_failure, [*OUTCOMES, *positions], "step")
            found.complain("onFailure", f"no later step ({step.on_failure})", hint)
        for name in step.approves:
            if positions.get(name, -1) <= index:
                found.complain("approves", f"no later step ({name})", did_you_mean(name, positions, "step"))
        if step.approves and step.kind != "approve":
            found.complain("approves", f"of a step of kind {step.kind}", "write kind approve, or leave it out")
        self._check_when(found, index, positions)
        self._check_placeholders(found)

    def _check_when(self, found: _Found, index: int, positions: Mapping[str, int]) -> None:
        text = found.step.attributes.get("when")
        if found.step.when is None or not isinstance(text, str):
            return
        asked = {name.parts[1] for name in when.names(found.step.when) if name.parts[0] == "option"}
        secrets = sorted(asked & {option.name for option in self._about.options if option.is_secret})
        if secrets:
            found.complain("when", f"asks for a secret ({secrets[0]})", "ask for something else")
        known = [option.name for option in self._about.options] if self._knows_options else asked
        try:
            when.check(text, options=known, steps=[step for step, at in positions.items() if at < index])
        except when.WhenError as error:
            wrong = _of_when(error)
            found.complain("when", wrong.what, wrong.instead)

    def _check_placeholders(self, found: _Found) -> None:
        """`${option.x}` names an option; and a program gets values as variables, never as text."""
        step = found.step
        kind = "run" if found.form_of else step.kind
        problem = rendering.problem_of(kind, Form(step.executor, step.language, step.body, {}))
        if problem:
            what, _, instead = problem.partition(", ")
            found.complain("", what, instead)
        for key in sorted(rendering.FIXED & step.settings.keys()):
            if placeholders.names_in_all(step.settings[key]):
                found.complain(key, "a placeholder where none is filled", "write the word itself")
        used = {*placeholders.names_in(step.body), *placeholders.names_in_all([step.settings, list(step.targets)])}
        for name in sorted(used if self._knows_options else ()):
            of, _, word = name.partition(".")
            if of == "option" and self._about.option(word) is None:
                known = [option.name for option in self._about.options]
                found.complain("", f"${{{name}}}: no such option", did_you_mean(word, known, "option"))


def read_fields(value: Value) -> dict[str, Any]:
    return values.read_fields(value, ATTRIBUTES)


def _with_delay(retry: Retry, delay: str | None) -> Retry:
    return replace(retry, delay=timedelta(seconds=values.seconds_of(delay))) if delay else retry


def _executors_own(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of ours that an executor reads by itself."""
    found: dict[str, Any] = {"captures": spec["captures"]} if spec["captures"] else {}
    if spec["dryRun"] not in {"", "none"}:
        found["dry_run"] = spec["dryRun"]
    return found


def _with_forms(step: Step, spec: Mapping[str, Any]) -> Step:
    """`verify` and `dryRun` as attributes: commands in the language of the step."""
    language = step.language if step.language in SHELLS else "sh"
    verify = Form(step.executor, language, spec["verify"], step.settings) if spec["verify"] else None
    if spec["dryRun"] == "none":
        return replace(step, verify=verify, can_dry_run=False)
    dry_run = Form(step.executor, language, spec["dryRun"], step.settings) if spec["dryRun"] else None
    return replace(step, verify=verify, dry_run=dry_run)


def _check_runs(found: _Found) -> None:
    step = found.step
    if not step.executor:
        found.complain("executor", f"missing for {step.language or 'text'}", "write one, such as local, ssh or http")
    elif not step.body.strip() and step.executor not in BODYLESS:
        found.complain("", "an empty step", "write the command between the back-ticks")
    if found.spec["interactive"]:
        found.complain("interactive", f"a step of kind {step.kind} has no terminal", "write kind copy")
    if found.spec["background"]:
        found.complain("background", f"a step of kind {step.kind} is waited for", "let the command return by itself")


def _put_approvals(steps: list[_Found], positions: Mapping[str, int]) -> None:
    """An approval that names no steps opens all that run after it, up to the next approval."""
    for index, found in enumerate(steps):
        if found.step.kind != "approve" or found.step.approves:
            continue
        opened = []
        for later in steps[index + 1 :]:
            if later.step.kind == "approve":
                break
            if later.step.kind in RUNS or later.step.kind == "copy":
                opened.append(later.step.name)
        found.step = replace(found.step, approves=tuple(opened))


def _fences(tokens: list[Token]) -> Iterator[tuple[Token, str]]:
    """Every fenced block, and what it would be called: the heading since the block before, else the paragraph above."""
    heading = paragraph = ""
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "inline" and before is not None:
            text = plain(token.content.split("\n")[0])[:TITLE_MAX]
            if before.type == "heading_open":
                heading, paragraph = text, ""
            elif before.type == "paragraph_open":
                paragraph = re.split(r"(?<=[.!?:]) ", text)[0].rstrip(".:")
        elif token.type == "fence":
            yield token, heading or paragraph
            if token.info.strip().find("{") >= 0:
                heading = paragraph = ""
