"""Options of a runbook: what is asked before it starts, of what type, and what of an alert fills them. Pure.

Everything that comes in is taken to be hostile: labels of an alert are written by whoever can reach a machine that sends
one. A value is one line without control characters, of its option's type, and no flag in disguise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from midwatch.core import patterns
from midwatch.core.text import clean, without_controls
from midwatch.core.written import values
from midwatch.core.written.documents import Scalar
from midwatch.core.written.values import Field, Table, Value, WrongError, at, did_you_mean, text_of

Type = Literal["text", "enum", "regex", "number", "date", "secret", "url", "boolean"]
TYPES: Final = ("text", "enum", "regex", "number", "date", "secret", "url", "boolean")
OPTIONS_MAX: Final = 50
CHOICES_MAX: Final = 500
VALUE_MAX: Final = 1_000
SECRET_NAME_MAX: Final = 200
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,199}")


@dataclass(frozen=True, slots=True)
class Option:
    """`default`: a text, or texts joined with `delimiter` when `is_multiple`. `label`: of the alert, which fills it.
    `values`: the choices; with `values_url` they are read from there when it is asked. `is_enforced`: nothing else is
    taken, else they are proposals. Of a secret the value is its name in the secret store."""

    name: str
    type: Type = "text"
    title: str = ""
    description: str = ""
    is_required: bool = False
    default: str = ""
    label: str = ""
    values: tuple[str, ...] = ()
    values_url: str = ""
    is_enforced: bool = True
    pattern: str = ""
    min: Decimal | None = None
    max: Decimal | None = None
    is_multiple: bool = False
    delimiter: str = ","

    @property
    def variable(self) -> str:
        """The name under which a step finds it: `OPTION_HOST`."""
        return variable_of(self.name)

    @property
    def is_secret(self) -> bool:
        return self.type == "secret"


@dataclass(frozen=True, slots=True)
class Problem:
    """`option` may be "" or a name that is not known."""

    option: str
    text: str

    def __str__(self) -> str:
        return f"{self.option}: {self.text}" if self.option else self.text


class OptionsError(ValueError):
    """The options cannot be taken. `problems`: all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


def variable_of(name: str, prefix: str = "OPTION_") -> str:
    return prefix + re.sub(r"[^A-Z0-9]", "_", name.upper())


def read(
    options: Sequence[Option],
    given: Mapping[str, object],
    labels: Mapping[str, str] | None = None,
    listed: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, str]:
    """The value of every option that has one: as given, else from the alert's labels, else its default.

    `listed`: the choices that were read from the addresses of options with `values_url` (`choices.listed`); such an option
    without an entry takes nothing. Raises `OptionsError` with all problems.
    """
    known = {option.name: option for option in options}
    problems = [
        Problem(clean(name, 80, is_one_line=True), f"no such option, {did_you_mean(str(name), known, 'option')}")
        for name in given
        if name not in known
    ]
    found: dict[str, str] = {}
    for option in options:
        try:
            value = _value(option, given.get(option.name), labels or {}, (listed or {}).get(option.name))
        except ValueError as error:
            problems.append(Problem(option.name, str(error)))
        else:
            if value:
                found[option.name] = value
    if problems:
        raise OptionsError(problems)
    return found


def filled(options: Sequence[Option], labels: Mapping[str, str]) -> dict[str, str]:
    """What a form shows at first: values of the labels that can be taken, else defaults. Never raises."""
    found = {}
    for option in options:
        try:
            value = _value(option, None, labels, None)
        except ValueError:
            value = option.default
        if value:
            found[option.name] = value
    return found


def stored(options: Sequence[Option], values: Mapping[str, str]) -> dict[str, Any]:
    """As an execution keeps them: of a secret its name alone."""
    secrets = {option.name for option in options if option.is_secret}
    return {name: {"secret": value} if name in secrets else value for name, value in values.items()}


def from_stored(kept: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value["secret"]) if isinstance(value, dict) else str(value) for name, value in kept.items()}


def _value(option: Option, given: object, labels: Mapping[str, str], listed: Sequence[str] | None) -> str:
    """Raises `ValueError` with half a sentence: what is wrong (the value), what to write instead."""
    parts = _parts(option, given)
    origin = ""
    if not parts and option.label and labels.get(option.label):
        parts = [str(labels[option.label])]
        origin = f", filled from the alert's label {option.label}"
    if not parts:
        if option.default:
            return option.default
        if option.is_required:
            raise ValueError(f"missing, write {_example(option)}")
        return ""
    for part in parts:
        try:
            check_value(option, part, listed)
        except ValueError as error:
            raise ValueError(f"{error}{origin}") from error
    return option.delimiter.join(parts)


def _parts(option: Option, given: object) -> list[str]:
    """What was given, as texts."""
    match given:
        case None | "" | [] | ():
            return []
        case bool():
            return ["true" if given else "false"]
        case str() | int() | float() | Decimal():
            text = str(given)[: VALUE_MAX * 20]
            return [part for part in text.split(option.delimiter) if part] if option.is_multiple else [text]
        case list() | tuple() if option.is_multiple and len(given) <= CHOICES_MAX:
            if not all(isinstance(part, str | int) for part in given):
                raise ValueError("a list of something else than texts, write texts")
            return [str(part) for part in given if str(part)]
        case list() | tuple():
            raise ValueError(f"{len(given)} values where {'fewer' if option.is_multiple else 'one'} can stand")
        case _:
            raise ValueError(f"no text, write {_example(option)}")


def check_value(option: Option, text: str, listed: Sequence[str] | None = None) -> None:
    """Raises `ValueError` when this one value cannot be taken."""
    shown = "" if option.is_secret else f" ({clean(text, 80, is_one_line=True)})"
    if len(text) > VALUE_MAX:
        raise ValueError(f"longer than {VALUE_MAX} characters, shorten it")
    if (
        without_controls(text) != text
        or "\n" in text
        or "\r" in text
        or "\t" in text
        or "\u2028" in text
        or "\u2029" in text
    ):
        raise ValueError(f"has control characters{shown}, write one line of plain text")
    if option.is_multiple and option.delimiter in text:
        raise ValueError(f"holds the delimiter {option.delimiter}{shown}, write the values one by one")
    choices = listed if option.values_url else option.values
    if option.values_url and listed is None:
        raise ValueError("its choices could not be read, look whether their address answers")
    if choices and text in choices:
        return
    if (choices or option.values_url) and (option.is_enforced or option.is_secret):
        raise ValueError(f"not one of the choices{shown}, {did_you_mean(text, choices or (), 'choice')}")
    _check_type(option, text, shown)


def _check_type(option: Option, text: str, shown: str) -> None:
    match option.type:
        case "number":
            _check_number(option, text, shown)
        case "date":
            _check_date(text, shown)
        case "boolean":
            if text not in {"true", "false"}:
                raise ValueError(f"neither true nor false{shown}, write true or false")
        case "url":
            _check_address(text, shown)
        case "secret":
            if not SECRET.fullmatch(text):
                raise ValueError("not the name of a secret, write its name in the secret store")
        case "text" | "enum" | "regex":
            pass
    if option.pattern:
        if not patterns.is_match(option.pattern, text):
            raise ValueError(f"not of the form {option.pattern}{shown}, write one that is")
    elif text.startswith("-") and option.type in {"text", "enum"}:
        raise ValueError(f"begins with a dash{shown}: a program would take it for a flag, write it without")


def _check_number(option: Option, text: str, shown: str) -> None:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"not a number{shown}, write {_example(option)}")
    number = Decimal(text)
    if (option.min is not None and number < option.min) or (option.max is not None and number > option.max):
        raise ValueError(f"out of range{shown}, write {_example(option)}")


def _check_date(text: str, shown: str) -> None:
    try:
        if "T" in text:
            datetime.fromisoformat(text)
        else:
            date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"not a date{shown}, write one such as 2026-01-05 or 2026-01-05T09:00") from None
    if not re.fullmatch(r"[0-9T:+.Z-]{10,32}", text):
        raise ValueError(f"not a date{shown}, write one such as 2026-01-05 or 2026-01-05T09:00")


def _check_address(text: str, shown: str) -> None:
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        is_right = False
    if not is_right or re.search(r"[\s<>\"'`\\^{|}]", text):
        raise ValueError(f"not an address{shown}, write one that begins with https:// or http://")


def _example(option: Option) -> str:
    if option.type == "number" and option.min is not None and option.max is not None:
        return f"a number from {option.min} to {option.max}"
    if option.type == "number" and (option.min is not None or option.max is not None):
        return f"a number of {option.min} or more" if option.max is None else f"a number of {option.max} at most"
    if option.values:
        return f"one of {', '.join(option.values[:10])}"
    return {"number": "a number", "date": "a date such as 2026-01-05", "url": "an address"}.get(option.type, "a text")


# --- as it is written in the front matter ---


def name(value: Value) -> str:
    found = text_of(value, "a name such as host")
    if not NAME.fullmatch(found):
        raise WrongError(
            "not a name of an option", "write a letter, then letters, digits, dots, dashes and underscores"
        )
    return found


def _number(value: Value) -> str:
    found = text_of(value, "a number")
    if not _NUMBER.fullmatch(found):
        raise WrongError("not a number", "write one such as 3 or 0.5")
    return found


def _pattern(value: Value) -> str:
    found = text_of(value, "a regular expression such as db-[0-9]+")
    try:
        patterns.check(found)
    except ValueError as error:
        what, _, instead = str(error).partition(": ")
        raise WrongError(what, instead or "write a simpler one") from error
    return found


def address(value: Value) -> str:
    found = text_of(value, "an address")
    try:
        _check_address(found, "")
    except ValueError as error:
        raise WrongError("not an address", "write one that begins with https:// or http://") from error
    if len(found) > VALUE_MAX:
        raise WrongError(f"longer than {VALUE_MAX} characters", "shorten it")
    return found


def _secret_name(value: Value) -> str:
    found = text_of(value, "the name of a secret")
    if not SECRET.fullmatch(found):
        raise WrongError("not the name of a secret", "write its name in the secret store, such as db-password")
    return found


def _texts(value: Value) -> list[str]:
    """One text, or a list of them."""
    item = values.text(VALUE_MAX, "a text")
    if isinstance(value.node, Scalar):
        return [item(value)]
    return list(values.list_of(item, CHOICES_MAX, "[a, b]")(value))


OPTION: Table = {
    "name": Field(name, is_required=True, example="host"),
    "type": Field(values.one_of(*TYPES)),
    "title": Field(values.text(200, "what is asked"), default=""),
    "description": Field(values.text(2_000, "what it is for", is_one_line=False), default=""),
    "required": Field(values.boolean, default=False),
    "default": Field(_texts, default=()),
    "label": Field(values.text(200, "the name of an alert's label"), default=""),
    "values": Field(values.list_of(values.text(VALUE_MAX, "a text"), CHOICES_MAX, "[eu, us]"), default=()),
    "valuesFrom": Field(address, default=""),
    "enforced": Field(values.boolean, default=True),
    "pattern": Field(_pattern, default=""),
    "min": Field(_number),
    "max": Field(_number),
    "multiple": Field(values.boolean, default=False),
    "delimiter": Field(values.text(3, "a character", is_one_line=False), default=","),
    "secret": Field(_secret_name, default=""),  # a fixed one: the only choice, and the default
}


def finish(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    """What concerns several fields of one option, as `values.map_of` asks for it."""
    spec["values"], spec["default"] = list(spec["values"]), list(spec["default"])
    if spec["type"] is None:
        spec["type"] = _guessed(spec)
    kind = spec["type"]
    _finish_choices(value, spec, kind)
    for field in ("min", "max"):
        if spec[field] is not None and kind != "number":
            at(value, field).complain(WrongError("of a number alone", "write type: number, or leave it out"))
    if spec["secret"] and kind != "secret":
        at(value, "secret").complain(WrongError("of a secret alone", "write type: secret, or leave it out"))
    if len(spec["default"]) > 1 and not spec["multiple"]:
        at(value, "default").complain(WrongError("several values", "write multiple: true, or one default", written=""))
    elif spec["default"]:
        _check_default(value, spec)
    return spec


def _guessed(spec: Mapping[str, Any]) -> Type:
    if spec["secret"]:
        return "secret"
    if spec["values"] or spec["valuesFrom"]:
        return "enum"
    return "number" if spec["min"] is not None or spec["max"] is not None else "regex" if spec["pattern"] else "text"


def _finish_choices(value: Value, spec: dict[str, Any], kind: str) -> None:
    if spec["values"] and spec["valuesFrom"]:
        at(value, "valuesFrom").complain(WrongError("beside values", "write one of the two", written=""))
    if kind == "enum" and not spec["values"] and not spec["valuesFrom"]:
        at(value, "type").complain(WrongError("an enum without choices", "write values: [...] or valuesFrom: ADDRESS"))
    if kind == "regex" and not spec["pattern"]:
        at(value, "type").complain(WrongError("a regex without a pattern", "write pattern: db-[0-9]+"))
    if kind != "secret":
        return
    if spec["valuesFrom"] or spec["label"] or spec["multiple"]:
        value.complain(WrongError("a secret that others choose", "write secret: NAME, or values: [...]", written=""))
    if spec["secret"] and spec["secret"] not in spec["values"]:
        spec["values"].insert(0, spec["secret"])
    spec["default"] = [spec["secret"]] if spec["secret"] else spec["default"]
    for index, word in enumerate(spec["values"]):
        if not SECRET.fullmatch(word):
            at(value, "values", index).complain(WrongError("not the name of a secret", "write such as db-password"))


def _check_default(value: Value, spec: dict[str, Any]) -> None:
    option = option_of(spec)
    for text in spec["default"]:
        try:
            check_value(option, text, [text] if option.values_url else None)
        except ValueError as error:
            what, _, instead = str(error).partition(", ")
            complaint = WrongError(f"cannot be: {what}", instead or "write another", written="")
            at(value, "default").complain(complaint)


def option_of(spec: Mapping[str, Any]) -> Option:
    """From the normal form."""
    return Option(
        name=spec["name"],
        type=spec["type"],
        title=spec["title"],
        description=spec["description"],
        is_required=spec["required"],
        default=spec["delimiter"].join(spec["default"]),
        label=spec["label"],
        values=tuple(spec["values"]),
        values_url=spec["valuesFrom"],
        is_enforced=spec["enforced"],
        pattern=spec["pattern"],
        min=None if spec["min"] is None else Decimal(spec["min"]),
        max=None if spec["max"] is None else Decimal(spec["max"]),
        is_multiple=spec["multiple"],
        delimiter=spec["delimiter"],
    )
