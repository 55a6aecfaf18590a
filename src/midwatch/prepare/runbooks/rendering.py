"""A step as it will be done: values filled in, and sealed by a digest that an approval binds to. Pure.

A value never becomes part of a program. What a program gets is in its environment (`OPTION_HOST`), so that no value can
change its words. Where a value is filled in, the place decides how it is written: quoted by the rules of the shell in a
command to copy, inside the strings of JSON and YAML, percent-encoded in an address. Steps of `http`, `kubernetes` and
`rundeck` get references to their variables, and fill them in themselves: no text of a value is read for references.
Secrets are named, never held.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import yaml

from midwatch.prepare.runbooks.options import Option
from midwatch.prepare.runbooks.placeholders import NAME, filled, filled_all, names_in, variable_of
from midwatch.prepare.runbooks.shape import RUNS, Form, Step

SHELLS: Final = frozenset({"sh", "bash", "zsh", "dash", "ksh", "shell", "console"})
PROGRAMS: Final = frozenset({"local", "ssh", "ansible"})  # their text is a program: nothing is filled into it
# They put values into their requests themselves, each as its place wants it: they get references, never values in the text.
FILLING: Final = frozenset({"http", "kubernetes", "rundeck"})
FIXED: Final = frozenset({"interpreter", "program", "captures", "dry_run", "key", "passphrase", "password"})
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_DEEP = re.compile(r"`|<<|\$'|\$\"|\$\(|\$\{")  # a shell reads on by other rules behind these


class RenderingError(ValueError):
    """A value cannot be filled in here. The text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Values:
    """`options`: as the document has them; `given`: their values, as `options.read` gives them. `captured`: what earlier
    steps took from their output. `facts`: of the start: `alert.number`, `incident.number`, `execution.number` ..."""

    options: Sequence[Option] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    captured: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """What a placeholder may name; secrets are not among them."""
        found = dict(self.facts) | {f"value.{name}": value for name, value in self.captured.items()}
        plain = (option for option in self.options if not option.is_secret)
        return found | {f"option.{option.name}": self.given.get(option.name, "") for option in plain}

    def variables(self) -> dict[str, str]:
        """The environment. An option without a value is there and empty, so that `set -u` is no trap."""
        return {variable_of(name): value for name, value in sorted(self.texts().items())}

    def secrets(self) -> dict[str, str]:
        """Variable -> name in the secret store."""
        return {
            option.variable: self.given[option.name]
            for option in self.options
            if option.is_secret and self.given.get(option.name)
        }


@dataclass(frozen=True, slots=True)
class Rendered:
    """Exactly what will be done. `secrets`: variable -> name in the secret store."""

    executor: str
    language: str
    body: str
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    settings: Mapping[str, Any]
    targets: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "executor": self.executor,
            "language": self.language,
            "body": self.body,
            "variables": dict(self.variables),
            "secrets": dict(self.secrets),
            "settings": dict(self.settings),
            "targets": list(self.targets),
        }

    @property
    def digest(self) -> str:
        """Changes when anything does that is done, or to whom."""
        text = json.dumps(self.as_json(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def from_json(kept: Mapping[str, Any]) -> Rendered:
    return Rendered(
        kept.get("executor", ""),
        kept.get("language", ""),
        kept.get("body", ""),
        kept.get("variables", {}),
        kept.get("secrets", {}),
        kept.get("settings", {}),
        tuple(kept.get("targets", ())),
    )


def rendered(step: Step, values: Values, *, only_targets: Sequence[str] = ()) -> Rendered:
    """Raises `RenderingError`. `only_targets`: those of the step's targets that are wanted; () all."""
    form = Form(step.executor, step.language, step.body, step.settings)
    made = rendered_form(step, form, values, only_targets=only_targets)
    if step.kind == "copy" and step.language in SHELLS:
        return _with_assignments(made)
    return made


def rendered_form(step: Step, form: Form, values: Values, *, only_targets: Sequence[str] = ()) -> Rendered:
    """A step by its `verify` or its dry run: the same values, on the same targets."""
    texts = values.texts()
    targets = _targets(step.targets, values, texts)
    wanted = set(only_targets)
    return Rendered(
        executor=form.executor,
        language=form.language,
        body=_body(step.kind, form, texts),
        variables=values.variables(),
        secrets={**values.secrets(), **dict(step.secrets)},
        settings={
            key: setting if key in FIXED else _setting(key, setting, form.executor, texts)
            for key, setting in form.settings.items()
        },
        targets=tuple(target for target in targets if not wanted or target in wanted),
    )


def shown(made: Rendered) -> str:
    """What will be done, for the people who are to press the button. Secrets by name alone."""
    lines = [f"on {', '.join(made.targets)}"] if made.targets else []
    text = made.body + json.dumps(dict(made.settings))
    used = {name for name in made.variables if re.search(rf"\b{name}\b", text)}
    lines += [f"{name}={shlex.quote(value)}" for name, value in made.variables.items() if name in used]
    lines += [f"{name}=(secret {secret})" for name, secret in sorted(made.secrets.items())]
    lines += [f"{key}: {_shown(value)}" for key, value in sorted(made.settings.items())]
    return "\n".join([*lines, *made.body.rstrip("\n").split("\n")])


def problem_of(kind: str, form: Form) -> str:
    """Why nothing could be filled into this text, whatever the values; "" when it can. For when a runbook is written."""
    names = names_in(form.body)
    if not names or kind in {"manual", "approve"}:
        return ""
    try:
        _body(kind, form, dict.fromkeys(names, "a"))
    except RenderingError as error:
        return str(error)
    return ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _body(kind: str, form: Form, texts: Mapping[str, str]) -> str:
    if not names_in(form.body):
        return form.body
    if kind in {"manual", "approve"}:
        return filled(form.body, texts)
    if kind in RUNS and form.executor in PROGRAMS:
        name = min(names_in(form.body))
        raise RenderingError(f"${{{name}}} in a program, write ${variable_of(name)}: what is in it stays one word")
    if kind in RUNS and form.executor in FILLING:
        return _with_references(form.body, texts)
    if form.language == "json":
        return _in_json(form.body, texts)
    if form.language in {"yaml", "yml"}:
        return _in_yaml(form.body, texts)
    if kind in RUNS:
        return filled(form.body, texts)
    return in_shell(form.body, texts)


def in_shell(text: str, texts: Mapping[str, str]) -> str:
    """Filled so that each value stays one word, or a part of one: where a quote is open it is closed before the value and
    opened again after. Raises `RenderingError` where a shell reads by other rules."""
    if _DEEP.search(NAME.sub("", text)):
        name = min(names_in(text))
        what = f"${{{name}}} beside `...`, $(...), <<, or ${{...}} of the shell"
        raise RenderingError(f"{what}, write ${variable_of(name)} there")
    found: list[str] = []
    quoted, place = "", 0
    while place < len(text):
        match = NAME.match(text, place)
        if match is not None:
            value = shlex.quote(texts[match[1]]) if match[1] in texts else match[0]
            found.append(f"{quoted}{value}{quoted}")
            place = match.end()
            continue
        here, taken = text[place], 1
        if here == "\\" and quoted != "'":
            taken = 2
        elif here == "#" and not quoted and (place == 0 or text[place - 1] in " \t\n;&|("):
            end = text.find("\n", place)  # a comment: its apostrophes open nothing
            taken = (end if end >= 0 else len(text)) - place
        elif here in "'\"" and quoted in {"", here}:
            quoted = "" if quoted else here
        found.append(text[place : place + taken])
        place += taken
    return "".join(found)


def in_address(text: str, texts: Mapping[str, str]) -> str:
    """Percent-encoded, but for a value that the address begins with: that one is an address itself."""
    match = NAME.match(text)
    if match is None or match[1] not in texts:
        return filled(text, texts, lambda value: quote(value, safe=""))
    return texts[match[1]] + filled(text[match.end() :], texts, lambda value: quote(value, safe=""))


def _in_json(text: str, texts: Mapping[str, str]) -> str:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RenderingError("text that is no JSON around ${...}, write the placeholder inside quotes") from error
    return json.dumps(filled_all(found, texts), ensure_ascii=False, indent=2) + "\n"


def _in_yaml(text: str, texts: Mapping[str, str]) -> str:
    """By the parser's events: a value fills a scalar, and can never become anything else. A scalar that is one
    placeholder and whose value is a number stays plain."""
    events: list[Any] = []
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.ScalarEvent) and names_in(event.value):
                value = filled(event.value, texts)
                is_number = not event.style and NAME.fullmatch(event.value) and _NUMBER.fullmatch(value)
                style = event.style or (None if is_number else '"')
                events.append(yaml.ScalarEvent(event.anchor, event.tag, (bool(is_number), True), value, style=style))
            else:
                events.append(event)
        return str(yaml.emit(events, width=1_000, allow_unicode=True))
    except yaml.YAMLError as error:
        raise RenderingError(
            "text that is no YAML around ${...}, write the placeholder as a value, in quotes inside [] and {}"
        ) from error


def _with_references(text: str, texts: Mapping[str, str]) -> str:
    """`${option.pod}` as `${OPTION_POD}`: the variable has the value, and no text of a value is ever read for references."""
    return filled(text, {name: f"${{{variable_of(name)}}}" for name in texts})


def _setting(key: str, setting: Any, executor: str, texts: Mapping[str, str]) -> Any:
    if executor in FILLING:
        return filled_all(setting, {name: f"${{{variable_of(name)}}}" for name in texts})
    if isinstance(setting, str) and (key == "url" or "://" in setting):
        return in_address(setting, texts)
    return filled_all(setting, texts)


def _targets(written: Sequence[str], values: Values, texts: Mapping[str, str]) -> list[str]:
    """An option of several values is several targets. A target that nothing fills is left out."""
    many = {f"option.{option.name}": option for option in values.options if option.is_multiple}
    found: list[str] = []
    for target in written:
        match = NAME.fullmatch(target)
        option = many.get(match[1]) if match else None
        made = texts.get(match[1], "").split(option.delimiter) if match and option else [filled(target, texts)]
        found += [one for one in made if one and one not in found]
    return found


def _with_assignments(made: Rendered) -> Rendered:
    """A command to copy that reads variables: they are set above it, so that it works where it is pasted."""
    is_used: Callable[[str], bool] = lambda name: re.search(rf"\$\{{?{name}\b", made.body) is not None  # noqa: E731
    lines = [f"{name}={shlex.quote(value)}" for name, value in made.variables.items() if is_used(name)]
    lines += [f"# {name}: the secret {secret}" for name, secret in sorted(made.secrets.items()) if is_used(name)]
    if not lines:
        return made
    body = "\n".join([*lines, made.body])
    return Rendered(made.executor, made.language, body, made.variables, made.secrets, made.settings, made.targets)
